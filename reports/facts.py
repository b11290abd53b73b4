"""What was measured, on what, and how to do it again: label and value pairs from the header."""

from __future__ import annotations

import shlex
from pathlib import Path

from loopgauge.harness.model import Environment, Header, Interpreter
from loopgauge.harness.summary import RunSummary
from loopgauge.reports import wording

Facts = list[tuple[str, str]]
MOST_LOST = 3  # loops named that could not be loaded


def short(run: RunSummary) -> Facts:
    """For the first screen."""
    header = run.header
    return [
        ("machine", machine(header.environment)),
        ("Python", pythons(header.environment)),
        ("measured", _extent(run)),
        ("when", moment(header.created)),
        ("conformance", run.conformance),
    ]


def loops(run: RunSummary) -> str:
    """ "epoll 0.1.0, asyncio 3.14.8 (the reference)", those that could be loaded."""
    said = []
    for arm in run.header.arms:
        if arm.available and arm.role in ("candidate", "reference"):
            words = f"{arm.label} {arm.version}".strip()
            said.append(f"{words} (the reference)" if arm.label == run.reference else words)
    return ", ".join(said)


def full(run: RunSummary) -> Facts:
    """Everything that can change a figure, for who wants the same one."""
    header = run.header
    host, load = header.environment.machine, header.environment.load
    facts = [
        ("run", header.run),
        ("run file", Path(run.path).name),
        ("started", moment(header.created)),
        ("seed", str(header.seed)),
        ("setting", header.setting),
        ("processes per loop", str(header.plan.rounds)),
        ("slot", f"{header.plan.slot_s * 1000:g} ms"),
        ("garbage collector", header.plan.gc),
        ("method", wording.METHOD.get(run.method, run.method)),
        ("conformance", run.conformance),
        ("margin", f"±{run.margin:.2%}"),
        ("CPU", f"{host.cpu_model}, {host.cpus_logical} logical"),
        ("CPUs allowed", ", ".join(map(str, host.cpus_allowed))),
        ("pinned to", ", ".join(map(str, header.cpus or [])) or "not pinned"),
        ("governor, turbo, SMT", _known(host.governor, host.turbo, host.smt)),
        ("virtualisation", host.virtual or "none found"),
        ("kernel", host.kernel),
        ("ASLR", host.aslr),
        ("clock source", host.clocksource),
        ("memory", f"{host.memory_bytes / 2**30:.1f} GiB" if host.memory_bytes else ""),
        ("load before the run", f"{load.load_1m:.2f}"),
    ]
    facts += [
        (f"Python {key}", interpreter(found))
        for key, found in header.environment.interpreters.items()
    ]
    facts += [(f"${name}", value) for name, value in header.environment.variables.items()]
    return [(label, value) for label, value in facts if value]


def command(header: Header) -> str:
    """As it was typed, with the seed so that the order is the same too."""
    words = header.command or ["bench", "run"]
    if not header.resumable:  # another program's options
        return shlex.join(words)
    if not any(word == "--seed" or word.startswith("--seed=") for word in words):
        words = [*words, "--seed", str(header.seed)]
    return shlex.join(words)


def machine(environment: Environment) -> str:
    found = environment.machine
    parts = [found.cpu_model or "unknown CPU"]
    if found.cpus_logical:
        parts.append(f"{found.cpus_logical} CPUs")
    parts.append(f"Linux {found.kernel}" if found.kernel else "Linux")
    if found.virtual:
        parts.append(f"virtual ({found.virtual})")
    return ", ".join(parts)


def pythons(environment: Environment) -> str:
    found = [each for each in environment.interpreters.values() if each.version]
    if not found:
        return "not recorded"
    return "; ".join(f"CPython {each.version}, {_build(each)}" for each in found)


def _build(interpreter: Interpreter) -> str:
    if interpreter.build_kind:
        return f"{interpreter.build_kind} build"
    return "optimised build" if interpreter.optimized else "build without optimisation"


def _extent(run: RunSummary) -> str:
    there: dict[str, bool] = {}
    for arm in run.header.arms:
        if arm.role not in ("aa", "floor", "native"):
            there[arm.label] = there.get(arm.label, False) or arm.available
    lost = [name for name, available in there.items() if not available]
    counts = (
        _count(len(run.benchmarks), "benchmark"),
        _count(len(there) - len(lost), "loop") + _lost(lost),
        _processes(run.header),
    )
    return f" {wording.TIMES} ".join(counts)


def _lost(names: list[str]) -> str:
    """Loops that were asked for, and could not be loaded."""
    if not names:
        return ""
    few = ", ".join(names) if len(names) <= MOST_LOST else f"{len(names)} others"
    return f" ({few} could not be loaded)"


def kinds(run: RunSummary) -> str:
    """ "75 costs, 15 waits and 4 other values"; "" where all are of one kind."""
    costs, waits = (
        sum(len(family.benchmarks) for family in found) for found in (run.families, run.waits)
    )
    others = len(run.benchmarks) - costs - waits
    counts = ((costs, "cost", ""), (waits, "wait", ""), (others, "other value", ""))
    said = [_count(*count) for count in counts if count[0]]
    return wording.listed(said) if len(said) > 1 else ""


def _processes(header: Header) -> str:
    """What a repetition of another tool was, its file does not say."""
    if header.imported:
        return _count(header.plan.rounds, "repetition")
    return _count(header.plan.rounds, "fresh process", "fresh processes")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def interpreter(found: Interpreter) -> str:
    parts = [
        f"{found.implementation} {found.version}",
        _build(found),
        found.compiler,
        found.libc,
        f"loopgauge {found.loopgauge} {found.build_hash}".strip() if found.loopgauge else "",
        f"Google Benchmark {found.engine}" if found.engine else "",
        found.config_args,
    ]
    return ", ".join(part for part in parts if part)


def _known(*values: str) -> str:
    return ", ".join(value or wording.DASH for value in values) if any(values) else ""


def moment(created: str) -> str:
    return created.replace("T", " ").replace("Z", " UTC").replace("+00:00", " UTC")
