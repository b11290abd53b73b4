"""Two run files, or two arms of one, compared: benchmark by benchmark and loop by loop.

Two runs did not take turns, so their times are not comparable as they are: on a shared machine
identical code may differ by 5 % from one hour to the next. What is compared is each loop's ratio
to stock asyncio inside its own run, from which that drift cancels, one value per process, with the
two-sample statistics. Two arms of one run did take turns, and are compared in pairs.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Collection, Sequence

from loopgauge.harness import statistics, two_sample
from loopgauge.harness.comparison import mismatches
from loopgauge.harness.comparison.arms import add_control, compare_pair, timing
from loopgauge.harness.comparison.figures import DEFAULT_MARGIN, RAW_MARGIN, hold_family_error
from loopgauge.harness.comparison.model import VERDICTS, Comparison, Mismatch, Side, Verdict
from loopgauge.harness.comparison.sources import (
    Source,
    by_label,
    chosen_loops,
    common_benchmarks,
    common_control,
    drop_control,
    matches,
    naming_of,
    require_samples,
    source,
)
from loopgauge.harness.errors import Incomparable, NothingToMeasure
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import reference_arm
from loopgauge.harness.verdicts import NO_VERDICTS, Verdicts

RENAMED = 0.8  # how alike two names are, from which on it is worth a note


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
    absent(result, before, after, loops)
    note_renamed(result)
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


def absent(
    result: Comparison,
    base: Source,
    head: Source,
    wanted: Collection[str],
) -> None:
    """What only one of the runs holds. That a benchmark was renamed is only guessed at: it is not
    compared under two names."""
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


def note_renamed(result: Comparison) -> None:
    new = [line for line in result.only_head if line.startswith("benchmark ")]
    for line in result.only_base:
        if line.startswith("benchmark "):
            for match in difflib.get_close_matches(line, new, n=1, cutoff=RENAMED):
                names = [one.removeprefix("benchmark ") for one in (line, match)]
                result.notes.append(f"perhaps renamed: {names[0]} -> {names[1]}")


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
    return result


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
