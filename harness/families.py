"""One figure per family of scenarios: how much a loop costs at timers, compared with the reference.

In every round (fresh processes) the paired log-ratios of a family's benchmarks are averaged; the
rounds then enter the same estimate and interval as those of one benchmark (statistics.py), so what
is shown is the geometric mean of the ratios. A round counts where all of those benchmarks have it.
The interval speaks of these benchmarks, measured again, and not of others that the family might
have: every benchmark has the same weight, also the variants of one scenario.

What is averaged must be of one kind. A cost (time per operation) and a wait (how late a timer
fires, how long a signal takes) are two questions and make two summaries; bytes, turns and shares
make none. They are shown by their benchmarks alone.

Who has no valid figure in some benchmark is not ranked. A mean over fewer benchmarks says as much
about which are missing as about the loop: without the ones it fails at it looks better, or worse,
than it is. So `fastest` names only those with a figure wherever the reference has one. The others
keep what can be said of them: the ratio to the reference over the benchmarks both have, how many
those are, and `to_fastest` over the benchmarks that they share with the best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.model import PYTEST_PREFIX, Benchmark
from loopgauge.harness.pairing import SampleIndex, round_log_ratios
from loopgauge.harness.ratio import ArmVerdict, Ratio, ratio_of
from loopgauge.harness.statistics import Floats

if TYPE_CHECKING:
    from loopgauge.harness.summary import BenchmarkSummary

Kind = Literal["cost", "wait"]
KINDS: tuple[Kind, ...] = ("cost", "wait")
Lead = Literal[
    "clear",  # the first is separated from the next by more than the margin
    "slight",  # separated, and the difference may be smaller than the margin
    "noise",  # separated, in a run whose self-check failed by as much
    "shared",  # the first are not separated
    "unknown",  # too few processes for an interval, or none that measured two of them
    "alone",  # nobody else has all of the benchmarks
    "",  # nothing to lead: no valid figure
]
TIME_UNITS = frozenset({"ns", "us", "µs", "ms", "s"})
OTHER = "other"  # the family of a scenario that names none


class FamilyArm(msgspec.Struct, kw_only=True):
    """One loop in one family. `asked`: the benchmarks in which the reference has a valid figure."""

    arm: str
    ratio: Ratio | None = None  # to the reference, over the benchmarks it has
    to_fastest: Ratio | None = None  # to the best of the others that have them all
    verdict: ArmVerdict = ""
    measured: int = 0  # benchmarks with a ratio, of those asked
    asked: int = 0
    missing: list[str] = []  # ids of the others

    @property
    def complete(self) -> bool:
        return self.ratio is not None and not self.missing


class FamilySummary(msgspec.Struct, kw_only=True):
    family: str
    kind: Kind = "cost"
    benchmarks: list[str]  # ids, all of this family and kind
    compared: list[str]  # of those, in which the reference has a valid figure
    arms: list[FamilyArm]  # in the order of the run file, without the self-check's copy
    fastest: list[str] = []  # the best of those that have all, and whoever is not separated from it
    aa: Ratio | None = None  # the reference against its own second instance
    lead: Lead = ""

    @property
    def noise(self) -> float:
        """The ratio up to which the reference may differ from itself here, infinity where too few
        processes tell; 1 where it was not measured twice."""
        return 1.0 if self.aa is None else _reach(self.aa)

    @property
    def undecided(self) -> list[str]:
        """Who may be the first: `fastest`, and where the noise decides nothing (`lead`), whoever
        is no further behind than it."""
        within = [
            arm.arm
            for arm in self.arms
            if arm.complete and arm.to_fastest is not None and arm.to_fastest.low <= self.noise
        ]
        more = [name for name in within if name not in self.fastest]
        return [*self.fastest, *more] if self.lead == "noise" else self.fastest

    @property
    def runner_up(self) -> FamilyArm | None:
        """Of those behind the fastest the one that may be nearest: whose interval begins lowest, be
        it only because it is wide. None without one."""
        behind = [arm for arm in self.arms if arm.complete and arm.arm not in self.fastest]
        return min(behind, key=_nearest, default=None)


def family_of(scenario: str) -> str:
    """ "timer" of "timer.wait_for"."""
    if scenario.startswith(PYTEST_PREFIX):
        return PYTEST_PREFIX.rstrip(":")
    family, dot, _ = scenario.partition(".")
    return family if dot else OTHER


def kind_of(benchmark: Benchmark | BenchmarkSummary) -> Kind | None:
    """None for what is neither time per operation nor waiting."""
    if benchmark.measure != "value":
        return "cost"
    number, per, _ = benchmark.unit.partition(" per ")
    if benchmark.unit in TIME_UNITS:
        return "wait"
    return "cost" if per and number in TIME_UNITS else None


def summarise_families(
    index: SampleIndex,
    models: Sequence[Benchmark],
    found: Sequence[BenchmarkSummary],
    base: str,
    margin: float,
    kind: Kind,
) -> list[FamilySummary]:
    """`models` and `found` tell of the same benchmarks in the same order. Families come in the
    order in which the run has them; `base` is the reference arm's label."""
    grouped: dict[str, list[tuple[Benchmark, BenchmarkSummary]]] = {}
    for model, benchmark in zip(models, found, strict=True):
        if kind_of(model) == kind:
            grouped.setdefault(family_of(model.scenario), []).append((model, benchmark))
    return [_family(index, family, pairs, base, margin, kind) for family, pairs in grouped.items()]


def hold_error(
    index: SampleIndex,
    models: Sequence[Benchmark],
    families: Sequence[FamilySummary],
    base: str,
    margin: float,
) -> None:
    """Holm over the families of each arm: what is called and does not survive it becomes
    inconclusive."""
    by_id = {model.id: model for model in models}
    judged: dict[str, list[tuple[FamilyArm, float]]] = {}
    for family in families:
        for arm in family.arms:
            shared = [by_id[name] for name in family.compared if name not in arm.missing]
            logs = mean_log_ratios(index, shared, arm.arm, base) if arm.arm != base else None
            if logs is not None:
                p = statistics.difference_p(logs, margin)
                judged.setdefault(arm.arm, []).append((arm, p))
    for entries in judged.values():
        kept = statistics.holm([p for _, p in entries])
        for (arm, _), keep in zip(entries, kept, strict=True):
            if arm.verdict in ("faster", "slower") and not keep:
                arm.verdict = "inconclusive"


def lead_of(family: FamilySummary, margin: float, *, advisory: bool) -> Lead:
    """How sure it is that the first is the first. `advisory`: the run's self-check failed; the
    lead must then exceed what this family's own A/A interval reaches to."""
    if not family.fastest:
        return ""
    whole = [arm for arm in family.arms if arm.complete]
    if len(whole) == 1:
        return "alone"
    others = [arm.to_fastest for arm in whole if arm.to_fastest is not None]
    if len(others) < len(whole) or any(ratio.low == 0 for ratio in others):
        return "unknown"
    behind = family.runner_up
    if len(family.fastest) > 1 or behind is None or behind.to_fastest is None:
        return "shared"
    least = behind.to_fastest.low
    if advisory and family.aa is not None and least <= family.noise:
        return "noise"
    return "clear" if least > 1 + margin else "slight"


def _reach(aa: Ratio) -> float:
    """How far from 1 its interval goes, either way; infinity without an interval."""
    return max(aa.high, 1 / aa.low) if aa.low > 0 else math.inf


def mean_log_ratios(
    index: SampleIndex, benchmarks: Sequence[Benchmark], arm: str, base: str
) -> Floats | None:
    """Per round the mean over these benchmarks, ascending by round. None without a round that
    all of them have, and where one of them has no ratio."""
    found = [round_log_ratios(index, benchmark, arm, base) for benchmark in benchmarks]
    whole = [one for one in found if one]
    if not whole or len(whole) < len(found):
        return None
    rounds = sorted(set.intersection(*(set(one) for one in whole)))
    if not rounds:
        return None
    return np.array([np.mean([one[number] for one in whole]) for number in rounds])


def _family(
    index: SampleIndex,
    family: str,
    pairs: Sequence[tuple[Benchmark, BenchmarkSummary]],
    base: str,
    margin: float,
    kind: Kind,
) -> FamilySummary:
    compared = [pair for pair in pairs if base in _with_ratio(pair[1])]
    made = FamilySummary(
        family=family,
        kind=kind,
        benchmarks=[model.id for model, _ in pairs],
        compared=[model.id for model, _ in compared],
        arms=[],
    )
    for arm in pairs[0][1].arms:
        if arm.role != "aa":
            made.arms.append(_arm(index, arm.arm, compared, base, margin))
    _rank(index, made, [model for model, _ in compared])
    made.aa = _twins(index, compared)
    return made


def _with_ratio(benchmark: BenchmarkSummary) -> set[str]:
    return {arm.arm for arm in benchmark.arms if arm.status == "ok" and arm.ratio is not None}


def _arm(
    index: SampleIndex,
    label: str,
    compared: Sequence[tuple[Benchmark, BenchmarkSummary]],
    base: str,
    margin: float,
) -> FamilyArm:
    shared = [model for model, benchmark in compared if label in _with_ratio(benchmark)]
    logs = mean_log_ratios(index, shared, label, base)
    made = FamilyArm(
        arm=label,
        ratio=None if logs is None else ratio_of(logs),
        measured=len(shared),
        asked=len(compared),
        missing=[model.id for model, _ in compared if model not in shared],
    )
    if made.ratio is not None:
        verdict = statistics.verdict(made.ratio.low, made.ratio.high, margin)
        made.verdict = "reference" if label == base else verdict
    return made


def _rank(index: SampleIndex, family: FamilySummary, compared: Sequence[Benchmark]) -> None:
    """Sets `to_fastest` of every arm, and `fastest`, as a benchmark's ranking does."""
    whole = sorted((arm for arm in family.arms if arm.complete), key=_estimate)
    if not whole:
        return
    best = whole[0]
    for arm in family.arms:
        rival = next((other for other in whole if other is not arm), None)
        if rival is not None and arm.ratio is not None:
            shared = [model for model in compared if model.id not in arm.missing]
            logs = mean_log_ratios(index, shared, arm.arm, rival.arm)
            arm.to_fastest = None if logs is None else ratio_of(logs)
    family.fastest = [best.arm] + [
        arm.arm for arm in whole[1:] if arm.to_fastest is not None and arm.to_fastest.low <= 1
    ]


def _estimate(arm: FamilyArm) -> float:
    return arm.ratio.estimate if arm.ratio is not None else math.inf


def _twins(
    index: SampleIndex, compared: Sequence[tuple[Benchmark, BenchmarkSummary]]
) -> Ratio | None:
    """The reference's second instance is measured beside arms of role "reference" only."""
    roles = {arm.role: arm.arm for _, benchmark in compared for arm in benchmark.arms}
    if "aa" not in roles or "reference" not in roles:
        return None
    logs = mean_log_ratios(index, [model for model, _ in compared], roles["aa"], roles["reference"])
    return None if logs is None else ratio_of(logs)


def _nearest(arm: FamilyArm) -> tuple[float, float]:
    return (arm.to_fastest.low if arm.to_fastest is not None else math.inf, _estimate(arm))
