"""A run file, judged: everything tables and reports show, so that they compute nothing.

Ratios are costs divided by costs: below 1 is better, also where a higher value is better (then
the quotient is turned round). Intervals are 95 %. NaN stands for "no figure".
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.families import KINDS, family_of, hold_error, lead_of, summarise_families
from loopgauge.harness.families import FamilyArm as FamilyArm  # what reports see of it
from loopgauge.harness.families import FamilySummary as FamilySummary
from loopgauge.harness.judgement import self_check, standing
from loopgauge.harness.latency import Arrivals, arrivals
from loopgauge.harness.latency import Latencies as Latencies  # what reports see of it
from loopgauge.harness.model import (
    TIMED,
    Arm,
    Benchmark,
    Design,
    Direction,
    Event,
    Header,
    Measure,
    Metric,
)
from loopgauge.harness.pairing import SampleIndex, log_ratios, per_operation
from loopgauge.harness.promises_kept import ArmPromises as ArmPromises
from loopgauge.harness.promises_kept import BrokenCase as BrokenCase
from loopgauge.harness.promises_kept import promises_of
from loopgauge.harness.ratio import ArmVerdict as ArmVerdict
from loopgauge.harness.ratio import Ratio as Ratio
from loopgauge.harness.ratio import ratio_of
from loopgauge.harness.statistics import Floats
from loopgauge.harness.status import Status, is_isolated, left_out, status_of
from loopgauge.harness.store import RunFile
from loopgauge.harness.tiers import Layer as Layer  # what reports see of it
from loopgauge.harness.tiers import Stack as Stack
from loopgauge.harness.tiers import stacks
from loopgauge.harness.verdicts import (
    NO_VERDICTS,
    Verdicts,
    conformance_of,
    reason_of,
)


class ArmSummary(msgspec.Struct, kw_only=True):
    arm: str
    loop: str
    version: str
    python: str
    role: str
    status: Status = "ok"
    reason: str = ""
    cost: float = math.nan  # per operation in ns, or in the benchmark's unit for "value"
    cost_low: float = math.nan
    cost_high: float = math.nan
    process_ns: float = math.nan  # medians per operation
    thread_ns: float = math.nan
    wall_ns: float = math.nan
    helper_gap: float = math.nan  # process/thread - 1: CPU used outside the loop's thread
    helper_flag: bool = False  # more than 2 %
    switches: float = math.nan  # involuntary context switches per slot
    ratio: Ratio | None = None  # to the reference
    to_fastest: Ratio | None = None  # to the fastest of the other arms
    to_floor: Ratio | None = None
    harness_ns: float = math.nan  # of a native loop: CPU of an empty operation in the same slots
    to_core: Ratio | None = None  # of a native loop: to the built-in core
    verdict: ArmVerdict = ""
    values: list[float] = []  # cost of each process, by round
    slots: list[float] = []  # quantiles of the costs of all slots at SLOT_SHARES; to look at
    ratios: list[float] = []  # ratio to the reference of each process, by round
    metrics: dict[str, Metric] = {}  # by name; the newest of each
    arrivals: Arrivals | None = None  # latencies at a constant rate, of all processes together
    design: Design = "hybrid"
    isolated: bool = False
    broken: list[str] = []  # ids of the conformance cases because of which alone it is INVALID here

    @property
    def set_aside(self) -> bool:
        """It did its work and breaks a promise: its cost, interval and values are there to be
        looked at; it has no ratio and no verdict, and is ranked nowhere."""
        return self.status == "invalid" and bool(self.broken) and bool(self.values)


class BenchmarkSummary(msgspec.Struct, kw_only=True):
    id: str
    scenario: str
    params: dict[str, Any]
    values: dict[str, Any] = {}  # all parameters, with what they are by default; {}: not recorded
    summary: str
    unit: str
    measure: Measure
    direction: Direction
    rules: list[str]
    arms: list[ArmSummary]
    fastest: list[str]  # the best and the arms not separated from it
    aa: Ratio | None  # the reference against its own second instance
    aa_ok: bool = True
    tiers: list[Stack] = []  # what floor, native loop and Python add, where those were measured
    natives: list[ArmSummary] = []  # native loops, no candidates either
    floor: ArmSummary | None = None  # bare system calls, where the benchmark has them: no candidate

    @property
    def family(self) -> str:
        return family_of(self.scenario)


class RunSummary(msgspec.Struct, kw_only=True):
    path: str
    header: Header
    benchmarks: list[BenchmarkSummary]
    reference: str
    margin: float
    complete: bool
    aa_ok: bool
    advisory: bool  # timing verdicts are not to be relied on
    self_check: str
    notes: list[str]  # what a reader should know before the figures
    events: list[Event]
    left_out: list[str] = []  # asked for, and missing on this machine or for one loop
    method: str = statistics.METHOD
    conformance: str = "conformance not run"
    families: list[FamilySummary] = []  # time per operation
    waits: list[FamilySummary] = []  # how long something waits, or how late it comes
    promises: list[ArmPromises] = []  # of candidates and reference, in the order of the run file


BARE = ("floor", "native")  # roles that are measured beside the loops and judged like none
CORE = "native:epoll"  # what the other native loops are compared with
SLOT_SHARES = (np.arange(32) + 0.5) / 32
HELPER_GAP = 0.02  # CPU outside the loop's thread beyond this is pointed out


def summarise(
    run: RunFile,
    reference: str = "",
    margin: float = 0.01,
    verdicts: Verdicts = NO_VERDICTS,
) -> RunSummary:
    """`reference` is an arm's label or a loop's name; empty for the run's own. `verdicts`: what the
    conformance suite found, which voids results that depend on a broken rule."""
    header = run.header
    base = reference_arm(header, reference)
    index = SampleIndex(run.samples)
    benchmarks = [
        summarise_benchmark(run, index, benchmark, base, margin, verdicts)
        for benchmark in header.benchmarks
    ]
    families, waits = (
        summarise_families(index, header.benchmarks, benchmarks, base, margin, kind)
        for kind in KINDS
    )
    if header.setting == "full":
        hold_family_error(index, header, benchmarks, base, margin)
        hold_error(index, header.benchmarks, [*families, *waits], base, margin)
    check = self_check(benchmarks, margin, timed=not TIMED.isdisjoint(header.tiers))
    for family in [*families, *waits]:
        family.lead = lead_of(family, margin, advisory=not check.ok)
    return RunSummary(
        path=str(run.path),
        header=header,
        benchmarks=benchmarks,
        reference=base,
        margin=margin,
        complete=run.complete,
        aa_ok=check.ok,
        advisory=not check.ok,
        self_check=check.text,
        notes=standing(run),
        events=run.events,
        left_out=left_out(run.events),
        conformance=conformance_of(header, verdicts),
        families=families,
        waits=waits,
        promises=promises_of(header, verdicts),
    )


class Figures(msgspec.Struct):
    """Of a summary what is kept of old runs: costs, ratios to the reference and counts of each
    benchmark's arms. Nothing is ranked or described; what is there is the same."""

    benchmarks: list[BenchmarkSummary]
    advisory: bool


def figures_of(run: RunFile, margin: float = 0.01) -> Figures:
    """In a third of the time that `summarise` takes, for those who have a thousand runs."""
    header = run.header
    base = reference_arm(header)
    index = SampleIndex(run.samples)
    benchmarks = [
        judge_benchmark(run, index, benchmark, base, margin, NO_VERDICTS)
        for benchmark in header.benchmarks
    ]
    check = self_check(benchmarks, margin, timed=not TIMED.isdisjoint(header.tiers))
    return Figures(benchmarks, advisory=not check.ok)


def reference_arm(header: Header, wanted: str = "") -> str:
    wanted = wanted or header.reference
    for arm in header.arms:
        if arm.label == wanted:
            return arm.label
    for arm in header.arms:
        if arm.loop == wanted and arm.role != "aa":
            return arm.label
    labels = ", ".join(arm.label for arm in header.arms) or "no arm at all"
    raise NothingToMeasure(f"the run has no arm {wanted!r} to compare with", f"It has: {labels}")


def summarise_benchmark(
    run: RunFile,
    index: SampleIndex,
    benchmark: Benchmark,
    base: str,
    margin: float,
    verdicts: Verdicts,
) -> BenchmarkSummary:
    result = judge_benchmark(run, index, benchmark, base, margin, verdicts)
    arms, natives, floor = result.arms, result.natives, result.floor
    for arm in [*arms, *natives, *([floor] if floor is not None else [])]:
        describe(index, benchmark, arm)
    if floor is not None and floor.status == "ok" and floor.values:
        for arm in [*arms, *natives]:
            if arm.status == "ok" and arm.values:
                arm.to_floor = ratio_between(index, benchmark, arm.arm, floor.arm)
    compare_with_core(index, benchmark, natives)
    sound = [arm for arm in arms if arm.status == "ok" and arm.values]
    result.fastest = rank(index, benchmark, sound)
    result.tiers = stacks(
        index,
        benchmark,
        floor.arm if floor is not None and floor.values else "",
        [arm.arm for arm in natives if arm.values],
        [arm.arm for arm in sound if arm.role != "aa"],
    )
    return result


def judge_benchmark(
    run: RunFile,
    index: SampleIndex,
    benchmark: Benchmark,
    base: str,
    margin: float,
    verdicts: Verdicts,
) -> BenchmarkSummary:
    """What each arm costs, and against the reference; nothing is ranked yet."""
    floors = [arm for arm in run.header.arms if arm.role == "floor"]
    arms = [
        judge_arm(run, index, benchmark, arm, verdicts)
        for arm in run.header.arms
        if arm.role not in BARE
    ]
    natives = [
        judge_arm(run, index, benchmark, arm)
        for arm in run.header.arms
        if arm.role == "native" and benchmark.native
    ]
    sound = {arm.arm for arm in arms if arm.status == "ok" and arm.values}
    for arm in arms:
        if arm.arm in sound and base in sound:
            judge_against_reference(index, benchmark, arm, base, margin)
    floor = judge_arm(run, index, benchmark, floors[0]) if floors and benchmark.floor else None
    twin = next((arm for arm in arms if arm.role == "aa" and arm.arm in sound), None)
    control = next((arm.label for arm in run.header.arms if arm.role == "reference"), "")
    aa = ratio_between(index, benchmark, twin.arm, control) if twin and control in sound else None
    return BenchmarkSummary(
        id=benchmark.id,
        scenario=benchmark.scenario,
        params=benchmark.params,
        values=benchmark.values,
        summary=benchmark.summary,
        unit=benchmark.unit,
        measure=benchmark.measure,
        direction=benchmark.direction,
        rules=benchmark.rules,
        arms=arms,
        fastest=[],
        aa=aa,
        aa_ok=aa is None or twins_agree(benchmark, aa, margin),
        floor=floor,
        natives=natives,
    )


def compare_with_core(index: SampleIndex, benchmark: Benchmark, natives: list[ArmSummary]) -> None:
    sound = [arm for arm in natives if arm.status == "ok"]
    for arm in sound:
        if arm.arm != CORE and any(other.arm == CORE for other in sound):
            arm.to_core = ratio_between(index, benchmark, arm.arm, CORE)


def twins_agree(benchmark: Benchmark, aa: Ratio, margin: float) -> bool:
    """The estimate stays within the margin. A measured value (how late, how many turns) has the
    spread of what it measures: there the self-check fails only if a difference is called."""
    if benchmark.measure == "value":
        return statistics.verdict(aa.low, aa.high, margin) not in ("faster", "slower")
    return 1 / (1 + margin) <= aa.estimate <= 1 + margin


def judge_arm(
    run: RunFile,
    index: SampleIndex,
    benchmark: Benchmark,
    arm: Arm,
    verdicts: Verdicts = NO_VERDICTS,
) -> ArmSummary:
    samples = index.samples(benchmark.id, arm.label)
    metrics = {
        metric.metric: metric
        for metric in run.metrics
        if (metric.benchmark, metric.arm) == (benchmark.id, arm.label)
    }
    status, reason = status_of(run, benchmark, arm, measured=bool(samples or metrics))
    interpreter = run.header.environment.interpreters[arm.python]
    did_work = status == "ok"
    found = verdicts.broken(arm, interpreter, benchmark.rules, benchmark.irrelevant)
    broken = found if did_work else []
    if broken:
        status, reason = "invalid", reason_of(broken)
    result = ArmSummary(
        arm=arm.label,
        loop=arm.loop,
        version=arm.version,
        python=arm.python,
        role=arm.role,
        status=status,
        reason=reason,
        design=samples[-1].design if samples else benchmark.design,
        metrics=metrics,
        isolated=is_isolated(run.events, benchmark.id, arm.label),
        broken=[verdict.case for verdict in broken],
    )
    if not did_work or not samples:  # all that there is of it was counted
        return result
    result.arrivals = arrivals(sample.open_loop for sample in samples)
    if result.arrivals is not None and not result.arrivals.reached:
        result.status, result.reason = "invalid", rate_missed(result.arrivals)
        result.broken = []  # it would be INVALID without them
        return result
    result.values = statistics.medians([*index.costs(benchmark, arm.label).values()])
    result.cost, result.cost_low, result.cost_high = location(np.array(result.values))
    if broken:  # to be looked at, and nothing is made of it
        result.arrivals = None
    return result


def describe(index: SampleIndex, benchmark: Benchmark, arm: ArmSummary) -> None:
    """What else is known of how it took that time; most of it of who may be ranked."""
    samples = index.samples(benchmark.id, arm.arm)
    taken = [sample.harness_ns for sample in samples if sample.harness_ns is not None]
    if arm.role == "native" and taken:
        arm.harness_ns = float(np.median(taken))
    if arm.status != "ok" or not arm.values:
        return
    pooled = np.concatenate([*index.costs(benchmark, arm.arm).values()])
    arm.slots = np.quantile(pooled, SLOT_SHARES).tolist() if len(pooled) else []
    # Zero: not measured, in a file of another tool.
    arm.process_ns = median_of([per_operation(s.process_ns, s.n) for s in samples]) or math.nan
    arm.thread_ns = median_of([per_operation(s.thread_ns, s.n) for s in samples]) or math.nan
    arm.wall_ns = median_of([per_operation(s.wall_ns, s.n) for s in samples]) or math.nan
    if arm.thread_ns > 0:
        arm.helper_gap = arm.process_ns / arm.thread_ns - 1
        arm.helper_flag = arm.helper_gap > HELPER_GAP
    switches = [count for sample in samples for count in sample.nivcsw]
    if switches:
        arm.switches = float(np.mean(switches))


def rate_missed(found: Arrivals) -> str:
    """Latencies would then say how long the run was, not how long people wait."""
    unsent = found.due - found.answered
    missing = f", {unsent:,} of {found.due:,} messages were never sent" if unsent else ""
    return (
        f"the rate was not reached: {found.achieved_per_second:,.0f} of"
        f" {found.asked_per_second:,.0f} per second{missing}; ask for less with --param rate=..."
    )


def location(values: Floats) -> tuple[float, float, float]:
    """Estimate and interval, on the log scale where all values are positive."""
    positive = bool(np.min(values) > 0)
    scaled = np.log(values) if positive else values
    figures = statistics.centre(scaled)
    if not positive:
        return figures
    estimate, low, high = (math.exp(figure) for figure in figures)
    return estimate, low, high


def median_of(per_process: list[Floats]) -> float:
    return statistics.median(np.array([statistics.median(slots) for slots in per_process]))


def ratio_between(index: SampleIndex, benchmark: Benchmark, arm: str, base: str) -> Ratio | None:
    logs = log_ratios(index, benchmark, arm, base)
    return None if logs is None or len(logs) == 0 else ratio_of(logs)


def judge_against_reference(
    index: SampleIndex, benchmark: Benchmark, arm: ArmSummary, base: str, margin: float
) -> None:
    if arm.arm == base:
        arm.verdict = "reference"
    logs = log_ratios(index, benchmark, arm.arm, base)
    if logs is None or len(logs) == 0:
        return
    arm.ratio = ratio_of(logs)
    arm.ratios = [math.exp(value) for value in logs]
    if arm.arm != base:
        arm.verdict = statistics.verdict(arm.ratio.low, arm.ratio.high, margin)


def rank(index: SampleIndex, benchmark: Benchmark, sound: list[ArmSummary]) -> list[str]:
    """Sets `to_fastest` of every arm; returns the best and those not separated from it."""
    ranked = [arm for arm in sound if arm.role != "aa"]
    if not ranked:
        return []
    for arm in sound:
        others = [other for other in ranked if other.arm != arm.arm]
        if others:
            rival = best_of(benchmark, others)
            arm.to_fastest = ratio_between(index, benchmark, arm.arm, rival.arm)
    best = best_of(benchmark, ranked)
    return [best.arm] + [
        arm.arm
        for arm in ranked
        if arm.arm != best.arm and arm.to_fastest is not None and arm.to_fastest.low <= 1
    ]


def best_of(benchmark: Benchmark, arms: list[ArmSummary]) -> ArmSummary:
    """By the paired ratio where every arm has one, else by cost."""
    sign = -1 if benchmark.direction == "higher" else 1
    if all(arm.ratio is not None for arm in arms):
        return min(arms, key=lambda arm: arm.ratio.estimate if arm.ratio else math.inf)
    return min(arms, key=lambda arm: sign * arm.cost)


def hold_family_error(
    index: SampleIndex,
    header: Header,
    benchmarks: list[BenchmarkSummary],
    base: str,
    margin: float,
) -> None:
    """Holm over the benchmarks of each arm: a called difference that does not survive it becomes
    inconclusive. With the few processes of a quick run nothing could survive."""
    models = {benchmark.id: benchmark for benchmark in header.benchmarks}
    for label in (arm.label for arm in header.arms if arm.role not in BARE):
        judged = []
        for benchmark in benchmarks:
            arm = next(arm for arm in benchmark.arms if arm.arm == label)
            logs = log_ratios(index, models[benchmark.id], label, base) if arm.ratio else None
            if logs is not None and label != base:
                judged.append((arm, statistics.difference_p(logs, margin)))
        kept = statistics.holm([p for _, p in judged])
        for (arm, _), keep in zip(judged, kept, strict=True):
            if arm.verdict in ("faster", "slower") and not keep:
                arm.verdict = "inconclusive"
