"""One loop against its peers in a few columns: the table of a README."""

from __future__ import annotations

from collections.abc import Mapping

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Ratio, RunSummary
from loopgauge.reports import facts, wording
from loopgauge.reports.exports.markdown import escape


def compact(by_reference: Mapping[str, RunSummary], loop: str) -> str:
    """`by_reference` holds the same run, summarised against each loop that gets a column.

    Raises ValueError when it is empty or `loop` is no arm of the run.
    """
    if not by_reference:
        raise ValueError("no summary to make a table of")
    run = next(iter(by_reference.values()))
    if loop not in {arm.label for arm in run.header.arms}:
        raise ValueError(f"the run has no arm {loop!r}")
    return "\n".join([_circumstances(run), "", *_table(by_reference, run, loop), "", _legend(loop)])


def _circumstances(run: RunSummary) -> str:
    told = [escape(value) for label, value in facts.short(run) if label != "conformance"]
    loops = [
        f"{escape(arm.label)} {escape(arm.version)}".strip()
        for arm in run.header.arms
        if arm.role not in ("aa", "floor", "native") and arm.available
    ]
    return f"{'; '.join(told)}. {escape(run.self_check)}. Loops: {', '.join(loops)}."


def _table(by_reference: Mapping[str, RunSummary], run: RunSummary, loop: str) -> list[str]:
    against = [f"against {escape(name)}" for name in by_reference]
    head = ["benchmark", f"{escape(loop)}, per operation", *against]
    head += ["against the fastest peer", "fastest"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 2)}---|"]
    for index, benchmark in enumerate(run.benchmarks):
        arm = next(arm for arm in benchmark.arms if arm.arm == loop)
        cells = [escape(benchmark.id), *_cells(benchmark, arm)]
        for name, summary in by_reference.items():
            cells.append(_against(summary.benchmarks[index], loop, name))
        cells += [_ratio(arm.to_fastest), escape(wording.fastest(benchmark))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cells(benchmark: BenchmarkSummary, arm: ArmSummary) -> list[str]:
    if arm.status != "ok":
        return [wording.status(arm)]
    return [wording.amount(arm.cost, benchmark)]


def _against(benchmark: BenchmarkSummary, loop: str, reference: str) -> str:
    arms = {arm.arm: arm for arm in benchmark.arms}
    if reference in arms and arms[reference].status != "ok":
        return wording.status(arms[reference])
    return _ratio(arms[loop].ratio)


def _ratio(of: Ratio | None) -> str:
    if of is None:
        return wording.DASH
    if not wording.has_interval(of):
        return wording.ratio(of.estimate)
    low, high = wording.ratio(of.low), wording.ratio(of.high)
    return f"{wording.ratio(of.estimate)} ({low}{wording.DASH}{high})"


def _legend(loop: str) -> str:
    return (
        f"Ratios are the cost of {escape(loop)} divided by the other's, with the 95 % interval: "
        "below 1 is faster. Several names under *fastest* are not separated from each other."
    )
