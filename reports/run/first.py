"""The first screen: the answer, whether it can be believed, and one chart of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from markupsafe import Markup

from loopgauge.harness.summary import FamilySummary, RunSummary
from loopgauge.reports import facts, tally, wording
from loopgauge.reports.facts import Facts
from loopgauge.reports.plots import families as family_plots
from loopgauge.reports.plots import overview, theme
from loopgauge.reports.plots.arms import Looks
from loopgauge.reports.run import answers
from loopgauge.reports.run.answers import Answer, Broken
from loopgauge.reports.run.detail import MOST_BENCHMARKS


@dataclass(frozen=True)
class Charts:
    """One drawing for a desk, one for a phone."""

    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class Families:
    """What is said about the families of one kind."""

    kind: str
    answers: list[Answer]
    charts: Charts | None
    left_out: int  # families that the chart does not show


@dataclass(frozen=True)
class First:
    headline: str
    subline: str
    facts: Facts
    loops: str
    families: Families | None  # the answer; None where no family has a figure
    waits: Families | None  # below the first screen
    leading: list[Broken]  # of those in front, and the reference
    broken: list[Broken]
    not_asked: list[str]
    kinds: str  # "75 costs, 15 waits and 4 other values"
    statuses: list[tuple[str, str]]  # words that stand in place of a figure, and their meanings
    absences: list[tally.Gone]
    overview: Charts | None  # benchmark by benchmark
    beyond: int  # benchmarks for which it has no room


def first(run: RunSummary, key: str, looks: Looks) -> First:
    """`key` starts every id."""
    costs, waits = answers.compared(run.families), answers.compared(run.waits)
    answer, more = (costs, waits) if costs else (waits, [])
    drawn = tally.has_ratio(tally.standings(run))
    return First(
        headline=answers.headline(answer, run.reference) if answer else tally.headline(run),
        subline="" if answer else tally.subline(run),
        # Said by the chart, the table and the list beside them.
        facts=[(label, value) for label, value in facts.short(run) if label != "conformance"]
        if answer and run.promises
        else facts.short(run),
        loops=facts.loops(run),
        families=_families(run, answer, looks, f"{key}f"),
        waits=_families(run, more, looks, f"{key}l"),
        leading=answers.leading(run, answer),
        broken=answers.broken(run),
        not_asked=answers.not_asked(run),
        kinds=facts.kinds(run),
        statuses=_statuses(run),
        absences=tally.by_arm(tally.absences(run)),
        overview=_overview(run, looks, key) if drawn else None,
        beyond=max(len(run.benchmarks) - MOST_BENCHMARKS, 0),
    )


def _families(
    run: RunSummary, families: Sequence[FamilySummary], looks: Looks, key: str
) -> Families | None:
    if not families:
        return None
    shown = families[: family_plots.MOST]
    wide, narrow = (
        Markup(family_plots.chart(run, shown, looks, layout, theme.sentinel).page_svg(key + end))
        for layout, end in ((family_plots.WIDE, "w"), (family_plots.NARROW, "n"))
    )
    return Families(
        kind=families[0].kind,
        answers=answers.answers(run, shown),
        charts=Charts(wide, narrow),
        left_out=len(families) - len(shown),
    )


def _statuses(run: RunSummary) -> list[tuple[str, str]]:
    """Of the loops that could be loaded."""
    met = {
        arm.status
        for benchmark in run.benchmarks
        for arm in benchmark.arms
        if arm.status not in ("ok", "unavailable")
    }
    return [
        (wording.STATUS[status], meaning)
        for status, meaning in wording.STATUS_SHORT.items()
        if status in met
    ]


def _overview(run: RunSummary, looks: Looks, key: str) -> Charts:
    shown = msgspec.structs.replace(run, benchmarks=run.benchmarks[:MOST_BENCHMARKS])
    wide, narrow = (
        Markup(overview.overview(shown, looks, layout, theme.sentinel).page_svg(key + end))
        for layout, end in ((overview.WIDE, "w"), (overview.NARROW, "n"))
    )
    return Charts(wide, narrow)
