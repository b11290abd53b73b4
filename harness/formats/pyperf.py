"""pyperf's JSON, formats 1.0 and 6 (pyperf.readthedocs.io, "pyperf JSON format").

A pyperf *run* is a process, and its *values* are seconds per operation, as our slots are. We write
one value a process, the median over its slots: pyperf's test takes every value for an independent
one, and those of one process are not. Metadata with names of ours bring back what pyperf has no
word for.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness.formats.figures import (
    Export,
    Series,
    counted_only,
    in_nanoseconds,
    series_of,
    started,
)
from loopgauge.harness.formats.foreign import (
    LONG,
    Process,
    Reading,
    are_costs,
    checked,
    host_hash,
)
from loopgauge.harness.model import (
    Benchmark,
    Environment,
    Interpreter,
    Load,
    Machine,
    Measure,
    Sample,
)
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import RunSummary

VERSIONS = ("1.0", 6)  # 6 differs in the warm-ups alone
NAME = "pyperf"
CPU_CLOCK = "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)"
WALL_CLOCK = "clock_gettime(CLOCK_MONOTONIC)"
ASLR = {"No randomization": "0", "Conservative randomization": "1", "Full randomization": "2"}
PLATFORM = re.compile(r"Linux-(?P<kernel>.+?)(?:-(?:x86_64|aarch64|\w+64))?-with-(?P<libc>.+)$")

Facts = dict[str, Any]


class Run(msgspec.Struct):
    values: list[float] = []
    metadata: Facts = {}


class Group(msgspec.Struct):
    """The runs of one benchmark; its metadata hold for each of them."""

    runs: list[Run]
    metadata: Facts = {}


class Suite(msgspec.Struct):
    version: str | int
    benchmarks: list[Group]
    metadata: Facts = {}


def is_one(document: dict[str, Any]) -> bool:
    """pytest-benchmark's files have a version and benchmarks, too."""
    return document.get("version") in VERSIONS and "benchmarks" in document


def read(path: Path, document: dict[str, Any], loop: str = "") -> Reading:
    """Raises NotARunFile. `loop`: what was measured, unless the file says it."""
    suite = checked(path, document, Suite, NAME)
    reading = Reading(path, f"pyperf JSON {suite.version}")
    for group in suite.benchmarks:
        shared = suite.metadata | group.metadata
        runs = [(shared | run.metadata, run.values) for run in group.runs if run.values]
        if runs:
            _take(reading, runs, loop)
        else:
            reading.note(f"{_text(shared, 'name')}: calibrated, and never measured")
    return reading


def write(run: RunFile, summary: RunSummary, *, alone: bool = False) -> Export:
    """Every run is a process. What cannot be told: values that are not above zero, and benchmarks
    where more is better, which pyperf would call slower."""
    left_out = counted_only(summary)
    groups = []
    for series in series_of(run, summary, alone=alone):
        if series.benchmark.direction == "higher":
            left_out.append(f"{series.name}: more is better there, and pyperf knows costs alone")
        elif not are_costs([series.cost(sample) for sample in series.samples]):
            left_out.append(f"{series.name}: holds a value that is not above zero")
        else:
            groups.append(_group(run, series))
    if not groups:
        return Export("", left_out)
    suite = Suite(version="1.0", benchmarks=groups, metadata=_machine_facts(run))
    # As pyperf writes it: one line, keys in order.
    text = json.dumps(msgspec.to_builtins(suite), separators=(",", ":"), sort_keys=True)
    return Export(f"{text}\n", left_out)


def _take(reading: Reading, runs: list[tuple[Facts, list[float]]], loop: str) -> None:
    facts = runs[0][0]
    benchmark = _benchmark(facts)
    arm = _text(facts, "loopgauge_arm") or loop or NAME
    if not reading.created:
        reading.created = _date(facts)
        reading.environment = _environment(facts)
    interpreter = _interpreter(facts)
    key = ".".join(interpreter.version.split(".")[:2])
    reading.arm(arm, _text(facts, "loopgauge_version"), key, interpreter)
    reading.benchmark(benchmark)
    for number, (metadata, values) in enumerate(runs):
        reading.add(_process(benchmark, arm, number, metadata, values))


def _benchmark(facts: Facts) -> Benchmark:
    name, unit = _text(facts, "loopgauge_benchmark") or _text(facts, "name"), _text(facts, "unit")
    timed = unit in ("", "second")
    clock: Measure = "cpu" if "CPUTIME" in _text(facts, "timer") else "wall"
    own = _text(facts, "loopgauge_value_unit")
    return Benchmark(
        id=name,
        scenario=name,
        summary=_text(facts, "description"),
        unit=own or _text(facts, "loopgauge_operation") or ("loop" if timed else unit),
        measure="value" if own or not timed else clock,
        design="process",
    )


def _process(
    benchmark: Benchmark, arm: str, number: int, facts: Facts, values: list[float]
) -> Process:
    times = [value * 1e9 for value in values]
    scale = in_nanoseconds(benchmark.unit)
    return Process(
        benchmark.id,
        arm,
        round=max(0, _number(facts, "loopgauge_round", number)),
        n=[max(1, _number(facts, "loops", 1) * _number(facts, "inner_loops", 1))] * len(values),
        wall=times if benchmark.measure == "wall" else None,
        cpu=times if benchmark.measure == "cpu" else None,
        value=[time / scale for time in times] if scale else values,
    )


def _environment(facts: Facts) -> Environment:
    platform = PLATFORM.match(_text(facts, "platform"))
    return Environment(
        machine=Machine(
            cpu_model=_text(facts, "cpu_model_name"),
            cpus_logical=_number(facts, "cpu_count", 0),
            kernel=platform["kernel"] if platform else "",
            aslr=ASLR.get(_text(facts, "aslr"), ""),
            hostname_hash=_text(facts, "loopgauge_machine") or host_hash(_text(facts, "hostname")),
        ),
        load=Load(load_1m=_load(facts)),
    )


def _interpreter(facts: Facts) -> Interpreter:
    """pyperf's version reads "3.13.0 (64-bit)"."""
    platform = PLATFORM.match(_text(facts, "platform"))
    arguments = _text(facts, "python_config_args")
    kind = _text(facts, "loopgauge_build_kind") or _build_kind(arguments)
    return Interpreter(
        executable=_text(facts, "python_executable"),
        version=_text(facts, "python_version").split(" ")[0],
        implementation=_text(facts, "python_implementation") or "cpython",
        compiler=_text(facts, "python_compiler"),
        config_args=arguments,
        optimized="pgo" in kind,
        lto="lto" in kind,
        build_kind=kind,
        libc=platform["libc"].replace("-", " ").replace("glibc", "glibc ", 1) if platform else "",
    )


def _build_kind(arguments: str) -> str:
    """Distributors strip flags from what a Python tells of itself: none found proves nothing."""
    found = {"--enable-optimizations": "pgo", "--with-lto": "lto"}
    return "+".join(kind for flag, kind in found.items() if flag in arguments) or "unknown"


def _group(run: RunFile, series: Series) -> Group:
    benchmark, arm = series.benchmark, series.arm
    interpreter = run.header.environment.interpreters[arm.python]
    unit, value_unit = _unit(benchmark), ""
    if benchmark.measure == "value":
        value_unit = benchmark.unit
    facts = {
        "name": series.name,
        "description": benchmark.summary,
        "unit": unit,
        "timer": {"cpu": CPU_CLOCK, "wall": WALL_CLOCK}.get(benchmark.measure, ""),
        "python_version": interpreter.version,
        "python_implementation": interpreter.implementation,
        "python_compiler": interpreter.compiler,
        "python_config_args": interpreter.config_args,
        "loopgauge_arm": arm.arm,
        "loopgauge_benchmark": benchmark.id,
        "loopgauge_build_kind": interpreter.build_kind,
        "loopgauge_operation": "" if value_unit else benchmark.unit,
        "loopgauge_value_unit": value_unit,
        "loopgauge_version": arm.version,
    }
    times = started(run)
    runs = [_run(series, sample, times.get(sample.process, "")) for sample in series.samples]
    return Group(runs=runs, metadata=_known(facts))


def _run(series: Series, sample: Sample, utc: str) -> Run:
    cost, unit = series.cost(sample), series.benchmark.unit
    scale = 1.0 if series.benchmark.measure != "value" else in_nanoseconds(unit)
    facts = {
        "loops": sum(sample.n),
        "duration": sum(sample.wall_ns) / 1e9,
        "date": utc.replace("T", " ").replace("Z", "+00:00"),
        "loopgauge_round": sample.round,
    }
    return Run(values=[cost * scale / 1e9 if scale else cost], metadata=_known(facts))


def _unit(benchmark: Benchmark) -> str:
    """One of pyperf's three."""
    if benchmark.measure != "value" or in_nanoseconds(benchmark.unit):
        return "second"
    return "byte" if benchmark.unit.startswith("byte") else "integer"


def _machine_facts(run: RunFile) -> Facts:
    environment = run.header.environment
    machine = environment.machine
    libc = {found.libc.replace(" ", "") for found in environment.interpreters.values()}
    names = {number: words for words, number in ASLR.items()}
    return _known(
        {
            "aslr": names.get(machine.aslr, ""),
            "cpu_count": machine.cpus_logical,
            "cpu_model_name": machine.cpu_model,
            "load_avg_1min": environment.load.load_1m,
            "loopgauge_machine": machine.hostname_hash,
            "loopgauge_run": run.header.run,
            "platform": f"Linux-{machine.kernel}-with-{min(libc)}" if machine.kernel else "",
        }
    )


def _known(facts: Facts) -> Facts:
    """pyperf refuses empty words, line ends and a count of zero."""
    words = {
        name: " ".join(value.split()) if isinstance(value, str) else value
        for name, value in facts.items()
    }
    return {
        name: value
        for name, value in words.items()
        if value != "" and not (name == "cpu_count" and value == 0)
    }


def _text(facts: Facts, name: str) -> str:
    value = facts.get(name, "")
    return value if isinstance(value, str) else ""


def _number(facts: Facts, name: str, default: int) -> int:
    value = facts.get(name, default)
    return value if isinstance(value, int) and abs(value) < LONG else default


def _load(facts: Facts) -> float:
    value = facts.get("load_avg_1min", 0.0)
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else 0.0


def _date(facts: Facts) -> str:
    """pyperf's is local time without a zone; kept as it is, in the form of ours."""
    return _text(facts, "date").split(".")[0].replace(" ", "T").replace("+00:00", "Z")
