"""Two run files, or two arms of one, compared: benchmark by benchmark and loop by loop.

Two runs did not take turns, so their times are not comparable as they are: on a shared machine
identical code may differ by 5 % from one hour to the next. What is compared is each loop's ratio
to stock asyncio inside its own run, from which that drift cancels, one value per process, with the
two-sample statistics. Two arms of one run did take turns, and are compared in pairs.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from loopgauge.harness import mismatches, statistics, two_sample
from loopgauge.harness.compared import (
    ALLOWANCES,
    DEFAULT_MARGIN,
    RAW_MARGIN,
    hold_family_error,
    judge_count,
    judge_independent,
    judge_paired,
)
from loopgauge.harness.comparison import (
    VERDICTS,
    Compared,
    Comparison,
    Mismatch,
    Side,
    Verdict,
)
from loopgauge.harness.errors import Incomparable, NothingToMeasure
from loopgauge.harness.model import Arm, Benchmark
from loopgauge.harness.pairing import SampleIndex, log_ratios
from loopgauge.harness.statistics import Floats
from loopgauge.harness.status import NOT_REACHED
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, RunSummary, reference_arm, summarise
from loopgauge.harness.verdicts import NO_VERDICTS, Verdicts

ABSENT = ("unavailable", "lacking")  # no fault of the loop


@dataclass
class Source:
    """A run, and the loops of it that may be compared, by the name they have in both."""

    run: RunFile
    summary: RunSummary
    index: SampleIndex
    loops: dict[str, Arm]
    twin: Arm | None

    @property
    def control(self) -> Arm | None:
        return next((arm for arm in self.run.header.arms if arm.role == "reference"), None)

    def benchmark(self, name: str) -> Benchmark:
        return next(one for one in self.run.header.benchmarks if one.id == name)

    def arm(self, benchmark: str, label: str) -> ArmSummary | None:
        found = next(one for one in self.summary.benchmarks if one.id == benchmark)
        arms = [*found.arms, *found.natives]
        return next((arm for arm in arms if arm.arm == label), None)


def compare_runs(
    base: RunFile,
    head: RunFile,
    loops: Sequence[str] = (),
    margin: float | None = None,
    *,
    force: bool = False,
    verdicts: Verdicts = NO_VERDICTS,
) -> Comparison:
    """`loops`: only these, by label or name. `margin`: of times; else DEFAULT_MARGIN, and of raw
    costs RAW_MARGIN. Raises NothingToMeasure where they have nothing in common, Incomparable where
    their circumstances differ, unless `force`."""
    naming = naming_of(base, head)
    before, after = (
        source(run, margin or DEFAULT_MARGIN, verdicts, naming) for run in (base, head)
    )
    require_samples(before, after)
    control = common_control(before, after)
    if control:
        drop_control(before, after)
    chosen = chosen_loops(before, after, loops)
    names = common_benchmarks(before, after)
    differing = mismatches.between(base.header, head.header, [after.loops[n] for n in chosen])
    require_comparable(differing, force)
    result = empty(before, after, margin, control, differing)
    for name in names:
        compare_benchmark(result, before, after, name, chosen, control)
    absent(result, before, after, loops, chosen)
    return finish(result, before, after)


def compare_arms(
    run: RunFile,
    base: str,
    head: str,
    margin: float | None = None,
    *,
    force: bool = False,
    verdicts: Verdicts = NO_VERDICTS,
) -> Comparison:
    """Two arms of one run, by label or loop name. Raises as above."""
    label, other = reference_arm(run.header, base), reference_arm(run.header, head)
    if label == other:
        raise NothingToMeasure(f"base and head are both {label}", "Name two arms of the run")
    arms = {arm.label: arm for arm in run.header.arms}
    before, after = arms[label], arms[other]
    differing = mismatches.within(run.header, before, after)
    require_comparable(differing, force)
    side = source(run, margin or DEFAULT_MARGIN, verdicts, by_label)
    require_samples(side, side)
    result = empty(side, side, margin, "", differing)
    result.base.arm, result.head.arm = label, other
    result.method = statistics.METHOD
    for benchmark in run.header.benchmarks:
        compare_pair(result, side, side, benchmark.id, before, after, "paired")
    for one in result.compared:
        one.base_version = one.head_version = ""  # of two loops they say nothing
    return finish(result, side, side)


Naming = Callable[[Arm], str]


def by_label(arm: Arm) -> str:
    return arm.label


def by_loop(arm: Arm) -> str:
    return arm.loop


def by_loop_and_python(arm: Arm) -> str:
    return arm.loop if arm.role == "native" else f"{arm.loop}@{arm.python}"


def naming_of(*runs: RunFile) -> Naming:
    """By loop, so that labels need not agree; by label where a run holds one loop twice, as the
    timing of a gate does."""
    several = any(len(run.header.environment.interpreters) > 1 for run in runs)
    naming = by_loop_and_python if several else by_loop
    for run in runs:
        names = [naming(arm) for arm in comparable(run)]
        if len(set(names)) < len(names):
            return by_label
    return naming


def comparable(run: RunFile) -> list[Arm]:
    return [arm for arm in run.header.arms if arm.role in ("candidate", "reference", "native")]


def source(run: RunFile, margin: float, verdicts: Verdicts, naming: Naming) -> Source:
    return Source(
        run=run,
        summary=summarise(run, margin=margin, verdicts=verdicts),
        index=SampleIndex(run.samples),
        loops={naming(arm): arm for arm in comparable(run)},
        twin=next((arm for arm in run.header.arms if arm.role == "aa"), None),
    )


def require_samples(*sides: Source) -> None:
    for side in sides:
        if not side.run.samples and not side.run.metrics:
            raise NothingToMeasure(
                f"{side.run.path} holds no figure: nothing was measured", "Run it again"
            )


def common_control(base: Source, head: Source) -> str:
    """The loop that both runs hold as their reference; "" where they have none in common."""
    before, after = base.control, head.control
    same = before is not None and after is not None and before.loop == after.loop
    return before.loop if same and before is not None else ""


def drop_control(base: Source, head: Source) -> None:
    """A ratio to itself says nothing. Where a run measured nothing else, it is compared raw."""
    others = [
        {name: arm for name, arm in side.loops.items() if arm.role != "reference"}
        for side in (base, head)
    ]
    if all(others):
        base.loops, head.loops = others


def chosen_loops(base: Source, head: Source, wanted: Sequence[str]) -> list[str]:
    known = {**base.loops, **head.loops}
    for word in wanted:
        if not any(matches(word, name, arm) for name, arm in known.items()):
            raise Incomparable(
                f"neither run holds a loop {word!r} to compare", f"They hold {', '.join(known)}"
            )
    common = [
        name
        for name, arm in base.loops.items()
        if name in head.loops and (not wanted or any(matches(w, name, arm) for w in wanted))
    ]
    if not common:
        raise NothingToMeasure(
            f"no common loop: base has {', '.join(base.loops) or 'none'}, head has "
            f"{', '.join(head.loops) or 'none'}",
            "Measure the same loop on both sides; two arms of one run compare with --base and "
            "--head",
        )
    return common


def matches(word: str, name: str, arm: Arm) -> bool:
    return word in (name, arm.label, arm.loop)


def common_benchmarks(base: Source, head: Source) -> list[str]:
    ids = {benchmark.id for benchmark in head.run.header.benchmarks}
    common = [one.id for one in base.run.header.benchmarks if one.id in ids]
    if not common:
        raise NothingToMeasure(
            f"{base.run.path} and {head.run.path} have no common benchmark",
            "Measure the same scenarios with the same parameters on both sides",
        )
    return common


def require_comparable(differing: Sequence[Mismatch], force: bool) -> None:
    refusing = [one for one in differing if one.refuses]
    if refusing and not force:
        told = "; ".join(f"{one.what}: {brief(one.base)} -> {brief(one.head)}" for one in refusing)
        raise Incomparable(
            f"the circumstances differ, so the figures are not comparable ({told})",
            "Measure both sides on one machine with one Python, or compare with --force, which is "
            "marked in the result",
        )


def brief(value: str) -> str:
    """Build flags take a page; the result has all of them."""
    return textwrap.shorten(value, 60, placeholder=" …")


def empty(
    base: Source, head: Source, margin: float | None, control: str, differing: list[Mismatch]
) -> Comparison:
    return Comparison(
        base=side_of(base),
        head=side_of(head),
        margin=DEFAULT_MARGIN if margin is None else margin,
        raw_margin=RAW_MARGIN if margin is None else margin,
        control=control,
        compared=[],
        controls=[],
        twins=[],
        mismatches=differing,
        forced=any(one.refuses for one in differing),
        advisory=False,
        self_check="",
        only_base=[],
        only_head=[],
        left_out=[],
        notes=[],
        method=two_sample.METHOD,
    )


def side_of(side: Source) -> Side:
    header = side.run.header
    return Side(
        path=str(side.run.path),
        run=header.run,
        created=header.created,
        complete=side.run.complete,
        self_check=side.summary.self_check,
    )


def compare_benchmark(
    result: Comparison, base: Source, head: Source, name: str, loops: Sequence[str], control: str
) -> None:
    before, after = base.benchmark(name), head.benchmark(name)
    for what in ("measure", "direction", "unit"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            result.left_out.append(f"{name}: measured differently ({what} {old} -> {new})")
            return
    for loop in loops:
        compare_pair(result, base, head, name, base.loops[loop], head.loops[loop], control, loop)
    if control and base.control is not None and head.control is not None:
        add_control(result, base, head, name)
    if control and base.twin is not None and head.twin is not None:
        twin = timing(base, head, name, base.twin, head.twin, control, "A/A", result)
        if twin is not None and twin.basis == "control":
            result.twins.append(twin)


def compare_pair(
    result: Comparison,
    base: Source,
    head: Source,
    name: str,
    before: Arm,
    after: Arm,
    control: str,
    loop: str = "",
) -> None:
    """Adds everything that there is of one loop at one benchmark. `control`: its loop, "" for raw
    costs, "paired" for two arms of one run."""
    loop = loop or after.label
    old, new = base.arm(name, before.label), head.arm(name, after.label)
    if old is None or new is None:
        return
    if old.status != "ok" or new.status != "ok":
        add_failure(result, base, head, name, loop, old, new)
        return
    made = timing(base, head, name, before, after, control, loop, result)
    if made is not None:
        result.compared.append(made)
    for metric in ALLOWANCES:
        if metric in old.metrics and metric in new.metrics:
            result.compared.append(counted(base, name, loop, metric, old, new))
    one_sided = [
        (what, "base" if old_has else "head")
        for what, old_has, new_has in (
            ("times", bool(old.values), bool(new.values)),
            *((metric, metric in old.metrics, metric in new.metrics) for metric in ALLOWANCES),
        )
        if old_has != new_has
    ]
    for who in ("base", "head"):
        metrics = [what for what, where in one_sided if where == who]
        if metrics:
            result.left_out.append(f"{name}, {loop}: only in {who}: {', '.join(metrics)}")


def row(side: Source, name: str, loop: str, old: ArmSummary, new: ArmSummary) -> Compared:
    benchmark = side.benchmark(name)
    return Compared(
        benchmark=name,
        loop=loop,
        tier="timing",
        metric="cost",
        unit=benchmark.unit,
        direction=benchmark.direction,
        measure=benchmark.measure,
        basis="",
        verdict="INCONCLUSIVE",
        margin=side.summary.margin,
        base=finite(old.cost),
        head=finite(new.cost),
        base_version=old.version,
        head_version=new.version,
    )


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def add_failure(
    result: Comparison,
    base: Source,
    head: Source,
    name: str,
    loop: str,
    old: ArmSummary,
    new: ArmSummary,
) -> None:
    states = (old.status, new.status)
    told = f"{name}, {loop}: {old.status} in base, {new.status} in head"
    if any(arm.status in ABSENT or arm.reason == NOT_REACHED for arm in (old, new)):
        reason = old.reason if old.status != "ok" else new.reason
        result.left_out.append(f"{told} ({reason})")
        return
    if "ok" not in states:
        result.notes.append(f"{told}: nothing to compare")
        return
    made = row(base, name, loop, old, new)
    made.verdict = "BROKEN" if old.status == "ok" else "REPAIRED"
    failed = new if old.status == "ok" else old
    made.reason = f"{failed.status}: {failed.reason}"
    result.compared.append(made)


def timing(
    base: Source,
    head: Source,
    name: str,
    before: Arm,
    after: Arm,
    control: str,
    loop: str,
    result: Comparison,
) -> Compared | None:
    """None where either side was not timed."""
    old, new = base.arm(name, before.label), head.arm(name, after.label)
    if old is None or new is None or not old.values or not new.values:
        return None
    made = row(base, name, loop, old, new)
    made.margin = result.margin
    if control == "paired":
        made.basis = "paired"
        logs = log_ratios(base.index, base.benchmark(name), after.label, before.label)
        if logs is not None and len(logs):
            judge_paired(made, logs)
        else:
            judge_without_ratio(made, old, new)
        return made
    ratios = None
    if control and before.role != "reference":
        ratios = (to_control(base, name, before), to_control(head, name, after))
    if ratios is not None and ratios[0] is not None and ratios[1] is not None:
        made.basis = "control"
        judge_independent(made, ratios[0], ratios[1])
        return made
    made.basis, made.margin = "raw", result.raw_margin
    if min([*old.values, *new.values]) <= 0:
        judge_without_ratio(made, old, new)
        return made
    sign = -1 if made.direction == "higher" else 1
    judge_independent(made, sign * np.log(old.values), sign * np.log(new.values))
    return made


def to_control(side: Source, name: str, arm: Arm) -> Floats | None:
    """Log-ratios inside the run, one per process; None where there are none."""
    assert side.control is not None
    control = side.arm(name, side.control.label)
    if control is None or control.status != "ok":
        return None
    logs = log_ratios(side.index, side.benchmark(name), arm.label, side.control.label)
    return logs if logs is not None and len(logs) else None


def judge_without_ratio(made: Compared, old: ArmSummary, new: ArmSummary) -> None:
    """Measured values may be 0, such as turns that somebody had to wait."""
    made.base_n, made.head_n = len(old.values), len(new.values)
    sign = -1 if made.direction == "higher" else 1
    made.superiority = two_sample.superiority(
        sign * np.array(new.values), sign * np.array(old.values)
    )
    if set(old.values) == set(new.values) and len(set(new.values)) == 1:
        made.verdict, made.change = "EQUIVALENT", 0.0
        made.reason = "the same value in every process"
    else:
        made.reason = "values of zero or less have no ratio"


def counted(
    side: Source, name: str, loop: str, metric: str, old: ArmSummary, new: ArmSummary
) -> Compared:
    made = row(side, name, loop, old, new)
    made.tier, made.metric = ALLOWANCES[metric].tier, metric
    made.unit, made.basis = new.metrics[metric].unit, "count"
    made.measure, made.direction = "value", "lower"
    judge_count(made, old.metrics[metric], new.metrics[metric])
    return made


def add_control(result: Comparison, base: Source, head: Source, name: str) -> None:
    assert base.control is not None
    assert head.control is not None
    arms = (base.control, head.control)
    made = timing(base, head, name, *arms, "", result.control, result)
    if made is not None:
        result.controls.append(made)


def absent(
    result: Comparison,
    base: Source,
    head: Source,
    wanted: Collection[str],
    chosen: Collection[str],
) -> None:
    """What only one of the runs holds; renamed benchmarks are not guessed at."""
    for one, other, lines in (
        (base, head, result.only_base),
        (head, base, result.only_head),
    ):
        known = {benchmark.id for benchmark in other.run.header.benchmarks}
        lines += [f"benchmark {b.id}" for b in one.run.header.benchmarks if b.id not in known]
        lines += [
            f"loop {name}"
            for name, arm in one.loops.items()
            if name not in other.loops
            and (not wanted or any(matches(word, name, arm) for word in wanted))
        ]


def finish(result: Comparison, base: Source, head: Source) -> Comparison:
    """Family-wise error, self-check, order."""
    hold_family_error(result.compared)
    if not result.compared and not result.left_out:
        raise NothingToMeasure(
            "the runs have nothing in common that was measured on both sides",
            "`bench report` shows what became of it",
        )
    sides = [base] if base is head else [base, head]
    for side in sides:
        if not side.run.complete:
            result.left_out.append(f"{side.run.path} is not finished: bench run --resume goes on")
    check_twins(result)
    failed = [side for side in sides if side.summary.advisory and any_twin(side)]
    timed = any(one.tier == "timing" for one in result.compared)
    result.advisory = timed and (result.advisory or bool(failed))
    result.notes = circumstances(result, sides) + result.notes
    order: Sequence[Verdict] = VERDICTS
    result.compared.sort(key=lambda one: order.index(one.verdict))
    return msgspec.structs.replace(result)


def any_twin(side: Source) -> bool:
    return any(benchmark.aa is not None for benchmark in side.summary.benchmarks)


def check_twins(result: Comparison) -> None:
    """Identical code in both runs, compared as the loops are: a change here is a false alarm."""
    if not result.twins:
        result.self_check = "; ".join(
            dict.fromkeys([result.base.self_check, result.head.self_check])
        )
        return
    hold_family_error(result.twins)
    changed = [one for one in result.twins if one.verdict in ("REGRESSED", "IMPROVED")]
    known = [one for one in result.twins if one.change is not None]
    worst = max(known, key=lambda one: abs(one.change or 0.0), default=None)
    told = f" (worst {worst.change:+.2%}: {worst.benchmark})" if worst and worst.change else ""
    result.advisory = bool(changed)
    result.self_check = (
        f"A/A between the runs: {len(changed)} of {len(result.twins)} called changed{told}"
    )


def circumstances(result: Comparison, sides: Sequence[Source]) -> list[str]:
    notes = []
    bases = {one.basis for one in result.compared}
    if "control" in bases:
        notes.append(
            "the runs did not take turns: compared are the ratios to "
            f"{result.control} inside each run, from which the machine's drift cancels; "
            "`bench gate` and two arms of one run are stronger"
        )
    if "raw" in bases:
        notes.append(
            "raw costs are compared where the runs have no control in common: the drift of the "
            f"machine is in these figures, and their margin ±{100 * result.raw_margin:g} %"
        )
    for side in sides:
        if side.summary.advisory and any_twin(side):
            notes.append(f"{side.run.header.run}: {side.summary.self_check}")
    return notes
