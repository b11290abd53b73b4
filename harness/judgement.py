"""Whether a run may be believed: its A/A self-check, and what its circumstances say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopgauge.harness.model import Header
from loopgauge.harness.store import RunFile

if TYPE_CHECKING:
    from loopgauge.harness.summary import BenchmarkSummary

# The share of benchmarks whose A/A ratio must stay within the margin.
AA_SHARE = 0.95
STEAL_LIMIT = 0.02
LOAD_LIMIT = 0.5  # other work, in CPUs, before the run


@dataclass(frozen=True)
class SelfCheck:
    ok: bool
    text: str


def self_check(
    benchmarks: list[BenchmarkSummary], margin: float, *, timed: bool = True
) -> SelfCheck:
    if not timed:
        return SelfCheck(True, "A/A: nothing was timed, so there is nothing to check")
    checked = [b for b in benchmarks if b.aa is not None]
    if not checked:
        return SelfCheck(False, "A/A: not measured, so the verdicts are advisory")
    good = sum(benchmark.aa_ok for benchmark in checked)
    text = (
        f"{_twins(checked)} within ±{margin:.0%} in {good} of {len(checked)} benchmarks "
        f"({_by_kind(checked, margin)})"
    )
    if len(checked) - good <= math.floor((1 - AA_SHARE) * len(checked) + 1e-9):
        return SelfCheck(True, text)
    return SelfCheck(False, f"{text}; this run is too noisy, its verdicts are advisory")


def _twins(checked: list[BenchmarkSummary]) -> str:
    """Who was measured twice, by name where all benchmarks agree on it."""
    names = {arm.arm for found in checked for arm in found.arms if arm.role == "reference"}
    name = names.pop() if len(names) == 1 else "the reference"
    return f"{name} against {name} (A/A)"


def _by_kind(checked: list[BenchmarkSummary], margin: float) -> str:
    """Costs are judged by their estimate, measured values, which may be far off and all right, by
    their interval: each kind has a worst of its own."""
    costs = [found for found in checked if found.measure != "value"]
    values = [found for found in checked if found.measure == "value"]
    said = [_worst(costs, margin)] if costs else []
    if values:
        good = sum(found.aa_ok for found in values)
        rule = f"{good} of {len(values)} judged by their intervals, being values, "
        said.append(f"{rule if costs else ''}{_worst(values, margin)}")
    if len(said) > 1:
        said[0] = f"{sum(found.aa_ok for found in costs)} of {len(costs)} timed, {said[0]}"
    return "; ".join(said)


def _worst(checked: list[BenchmarkSummary], margin: float) -> str:
    """The largest deviation."""
    found = [(benchmark, benchmark.aa.estimate) for benchmark in checked if benchmark.aa]
    worst, ratio = max(found, key=lambda entry: abs(math.log(entry[1])))
    beyond = worst.aa_ok and abs(math.log(ratio)) > math.log1p(margin)
    although = ", whose interval reaches into the margin" if beyond else ""
    return f"worst {ratio - 1:+.2%}: {worst.id}{although}"


def standing(run: RunFile) -> list[str]:
    """What a reader should know before the figures; empty for a clean run."""
    notes = []
    if not run.complete:
        cure = f"; go on with --resume {run.path}" if run.header.resumable else ""
        notes.append(f"the run is not finished: {len(run.samples)} samples{cure}")
    steal = max((end.steal for end in run.ends), default=0.0)
    if steal > STEAL_LIMIT:
        notes.append(f"the hypervisor took {steal:.1%} of the CPU time away during the run")
    unblamed = [event for event in run.events if event.event == "poison" and not event.arm]
    if unblamed:
        count = len({event.process for event in unblamed})
        notes.append(
            f"in {count} shared process{'es' * (count > 1)} some loop changed process-wide state "
            f"({unblamed[0].reason}): the figures of its neighbours there may be disturbed"
        )
    load = run.header.environment.load.load_1m
    if load > LOAD_LIMIT:
        notes.append(f"other work was going on when the run began (load {load:.1f})")
    if run.header.imported:
        return notes + import_notes(run)
    return notes + interpreter_notes(run.header)


def import_notes(run: RunFile) -> list[str]:
    """What an interpreter does not tell of itself in a foreign file is unknown, and no fault."""
    origin = f"imported from {run.header.imported}: nothing in it was interleaved"
    said = [event.reason for event in run.events if event.event == "note"]
    return [origin, *dict.fromkeys(said)]


def interpreter_notes(header: Header) -> list[str]:
    interpreters = header.environment.interpreters
    notes = [
        f"Python {key} is built without --enable-optimizations: it makes stock asyncio look slow"
        for key, interpreter in interpreters.items()
        if not interpreter.optimized
    ]
    if len({interpreter.build_kind for interpreter in interpreters.values()}) > 1:
        notes.append("the interpreters are builds of different kinds: do not compare across them")
    return notes
