"""A table for a README or a pull request: benchmarks down, loops across."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loopgauge.harness.summary import (
    ArmSummary,
    BenchmarkSummary,
    FamilyArm,
    FamilySummary,
    RunSummary,
)
from loopgauge.reports import facts, wording
from loopgauge.reports.run import answers

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def escape(words: str) -> str:
    """Text that stays text in Markdown, also inside a table cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def markdown(summaries: Sequence[RunSummary]) -> str:
    """Every run with its circumstances, one after the other."""
    return "\n".join(section(run) for run in summaries)


def section(run: RunSummary) -> str:
    lines = [f"- {label}: {escape(value)}" for label, value in facts.short(run)]
    lines.append(f"- self-check: {escape(run.self_check)}")
    lines += [f"- note: {escape(note)}" for note in run.notes]
    lines.append(f"- command: `{facts.command(run.header).replace('`', '')}`")
    families = [each for each in answers.compared(run.families) if len(each.compared) > 1]
    if families:
        lines += ["", f"**{escape(answers.headline(families, run.reference))}**", ""]
        lines += _families(run, families)
    return "\n".join([*lines, "", table(run)])


def _families(run: RunSummary, families: Sequence[FamilySummary]) -> list[str]:
    """Means over the benchmarks of each family; loops across, as in the table below."""
    names = [arm.arm for arm in families[0].arms]
    lines = [
        f"| family | {' | '.join(map(escape, names))} |",
        f"|---|{'---:|' * len(names)}",
    ]
    for family in families:
        cells = [_family_cell(family, arm) for arm in family.arms]
        lines.append(f"| {escape(wording.family(family.family))} | {' | '.join(cells)} |")
    promises = {each.arm: each for each in run.promises}
    if any(each.known for each in run.promises):
        cells = [answers.share(promises.get(name)) for name in names]
        lines.append(f"| MUST cases broken | {' | '.join(cells)} |")
    return lines


def _family_cell(family: FamilySummary, arm: FamilyArm) -> str:
    if arm.ratio is None:
        return wording.DASH
    if not arm.complete:
        return f"({arm.measured} of {arm.asked})"
    words = wording.ratio(arm.ratio.estimate)
    return f"**{words}**" if arm.arm in family.fastest else words


def table(run: RunSummary, arms: Sequence[str] = ()) -> str:
    """Cost relative to the reference with the fastest, and those not separated from it, in bold;
    the reference's own column is its cost. `arms` chooses and orders the columns."""
    if not run.benchmarks:
        return "The run holds no benchmark.\n"
    names = list(arms) or [arm.arm for arm in wording.candidates(run.benchmarks[0])]
    head = [f"{escape(name)} {escape(_version(run, name))}".strip() for name in names]
    lines = [f"| benchmark | {' | '.join(head)} |", f"|---|{'---:|' * len(names)}"]
    for benchmark in run.benchmarks:
        cells = [_cell(benchmark, name) for name in names]
        lines.append(f"| {escape(benchmark.id)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_legend(run)]) + "\n"


def _legend(run: RunSummary) -> list[str]:
    return [
        f"Cost relative to {escape(run.reference)} (whose column is its cost per operation), lower "
        "is better, with the 95 % interval. **Bold**: the fastest, or not separated from the "
        f"fastest. *Italic*: no clear difference to {escape(run.reference)}.",
    ]


def _version(run: RunSummary, name: str) -> str:
    return next((arm.version for arm in run.header.arms if arm.label == name), "")


def _cell(benchmark: BenchmarkSummary, name: str) -> str:
    arm = next((arm for arm in benchmark.arms if arm.arm == name), None)
    if arm is None:
        return wording.DASH
    if arm.status != "ok":
        return wording.status(arm)
    words = _figure(benchmark, arm)
    if arm.arm in benchmark.fastest:
        return f"**{words}**"
    return f"*{words}*" if arm.verdict in ("equivalent", "inconclusive") else words


def _figure(benchmark: BenchmarkSummary, arm: ArmSummary) -> str:
    if arm.verdict == "reference" or arm.ratio is None:
        return wording.amount(arm.cost, benchmark)
    if not wording.has_interval(arm.ratio):
        return wording.ratio(arm.ratio.estimate)
    low, high = wording.ratio(arm.ratio.low), wording.ratio(arm.ratio.high)
    return f"{wording.ratio(arm.ratio.estimate)} ({low}{wording.DASH}{high})"
