"""What an operation takes on both sides, counted: instructions, system calls, allocations.

Counts need no statistics, but they are not always the same: a hash seed is fixed, an address is not
quite. So what is beyond its margin is counted once more, and called changed only if it is so again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from loopgauge.harness import manager, status
from loopgauge.harness.gate import judging
from loopgauge.harness.gate.ground import Ground
from loopgauge.harness.gate.model import Decision, Settings, Tier
from loopgauge.harness.gate.store import has_records
from loopgauge.harness.gate.subject import BASE, HEAD
from loopgauge.harness.model import Metric
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.store import RunFile
from loopgauge.harness.subject import Subject

TIERS: tuple[Tier, ...] = ("instructions", "syscalls", "allocations")
# One more system call or allocation in 50 operations is a change; fewer may be the heap's growth.
WHOLE_MARGIN = 0.02
LARGEST = 5  # parts that are named
_VERSION = re.compile(r"(python|cpython-)3\.?\d+")  # libpython3.13.so.1.0, x.cpython-313-...so

Table = dict[tuple[str, Tier], dict[str, Metric]]  # (benchmark, tier) -> side -> count


def count(
    subject: Subject,
    names: Sequence[str],
    path: Path,
    listener: Callable[[Progress], None],
    ground: Ground,
) -> None:
    """Makes or continues the run file at `path`, of the benchmarks `names`."""
    tracker = Tracker(listener, 60.0, ground.clock)
    if has_records(path):
        manager.resume(path, tracker, ground.runner)
        return
    chosen = [one for one in subject.benchmarks if one.id in names]
    request = RunRequest(
        tiers=("deterministic",), setting="quick", out=path, seed=0, command=["bench", "gate"]
    )
    manager.run_subject(request, replace(subject, benchmarks=chosen), tracker, ground.runner)


def changed(file: RunFile, settings: Settings) -> list[str]:
    """Benchmarks of which any count is beyond its margin."""
    names = {made.subject for made in compared(file, settings) if made.verdict != "EQUIVALENT"}
    return [one.id for one in file.header.benchmarks if one.id in names]


def decisions(first: RunFile, again: RunFile | None, settings: Settings) -> list[Decision]:
    """One per benchmark and kind of count, by benchmark."""
    second = {(d.tier, d.subject): d for d in compared(again, settings)} if again else {}
    return [
        *one_sided(first),
        *(
            agreed(made, second.get((made.tier, made.subject)))
            for made in compared(first, settings)
        ),
    ]


def one_sided(file: RunFile) -> list[Decision]:
    """Benchmarks that one side cannot do at all, and why."""
    found = [judging.incomparable(file, benchmark) for benchmark in file.header.benchmarks]
    return [
        msgspec.structs.replace(made, tier=TIERS[0])
        for made in found
        if made is not None and made.verdict in ("BROKEN", "REPAIRED")
    ]


def agreed(first: Decision, second: Decision | None) -> Decision:
    """A change is one that was counted twice; the second count is what is shown of it."""
    if first.verdict == "EQUIVALENT":
        return first
    if second is None:
        return msgspec.structs.replace(
            first, verdict="INCONCLUSIVE", reason="it was not counted a second time"
        )
    if second.verdict == first.verdict:
        return msgspec.structs.replace(second, stage=2)
    return msgspec.structs.replace(
        first,
        verdict="INCONCLUSIVE",
        reason="a second count did not agree: these counts are not the same every time",
    )


def compared(file: RunFile, settings: Settings) -> list[Decision]:
    return [
        judged(benchmark, tier, sides[BASE], sides[HEAD], settings)
        for (benchmark, tier), sides in table(file).items()
        if {BASE, HEAD} <= sides.keys()
    ]


def judged(benchmark: str, tier: Tier, base: Metric, head: Metric, settings: Settings) -> Decision:
    difference = head.value - base.value
    share = difference / base.value if base.value > 0 else None
    if tier == "instructions":
        margin, by = settings.instructions_margin, share or 0.0
    else:
        margin, by = WHOLE_MARGIN, difference
    return Decision(
        tier=tier,
        subject=benchmark,
        verdict="REGRESSED" if by > margin else "IMPROVED" if by < -margin else "EQUIVALENT",
        change=share,
        margin=margin,
        base=base.value,
        head=head.value,
        unit=head.unit,
        by_name=largest(base, head),
    )


def largest(base: Metric, head: Metric) -> dict[str, float]:
    """The parts that changed most, head minus base."""
    both = paired(base.by_name, head.by_name)
    parts = {name: after - before for name, (before, after) in both.items()}
    ordered = sorted(parts, key=lambda name: (-abs(parts[name]), name))
    return {name: parts[name] for name in ordered[:LARGEST] if parts[name]}


def paired(base: Mapping[str, float], head: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """What both sides take of each part, by head's name for it. Two Pythons name their files by
    their version, and what is in them is the same function all the same."""
    names = {unversioned(name): name for name in [*base, *head]}
    found = dict.fromkeys(names.values(), (0.0, 0.0))
    for name, value in base.items():
        before, after = found[names[unversioned(name)]]
        found[names[unversioned(name)]] = before + value, after
    for name, value in head.items():
        before, after = found[names[unversioned(name)]]
        found[names[unversioned(name)]] = before, after + value
    return found


def unversioned(name: str) -> str:
    return _VERSION.sub(r"\1", name)


def table(file: RunFile) -> Table:
    """By benchmark, in the order of the run; the newest count of each."""
    found: Table = {
        (benchmark.id, tier): {} for benchmark in file.header.benchmarks for tier in TIERS
    }
    for metric in file.metrics:
        for tier in TIERS:
            if metric.metric == tier and (metric.benchmark, tier) in found:
                found[metric.benchmark, tier][metric.arm] = metric
    return found


def left_out(file: RunFile) -> list[str]:
    """What could not be counted, one line each; also what one side lacks without a word."""
    explained = {e.benchmark for e in file.events if e.event == "left_out"}
    explained |= {made.subject for made in one_sided(file)}
    lacking = [
        f"{tier} of {benchmark} were counted on one side only"
        for (benchmark, tier), sides in table(file).items()
        if len(sides.keys() & {BASE, HEAD}) == 1 and benchmark not in explained
    ]
    return [*status.left_out(file.events), *lacking]
