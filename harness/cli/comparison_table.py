"""A comparison in a terminal. It words and lays out a Comparison and computes nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli import wording

if TYPE_CHECKING:
    from loopgauge.harness.comparison.model import Compared, Comparison

ROWS_FROM = 100  # below it a comparison takes lines of its own
REASON_LENGTH = 200
STYLES = {
    "REGRESSED": "bold red",
    "BROKEN": "bold red",
    "IMPROVED": "green",
    "REPAIRED": "green",
    "INCONCLUSIVE": "yellow",
    "EQUIVALENT": "dim",
}


def print_comparison(found: Comparison, console: Console) -> None:
    console.print(Text(f"{found.base.title} -> {found.head.title}", style="bold"))
    if found.forced:
        console.print(
            Text.assemble(("FORCED  ", "bold red"), "the figures are not comparable, because of:")
        )
    for one in found.mismatches:
        mark = "differs" if one.refuses else "also differs"
        console.print(indented(Text(f"{mark}: {one.what}: {one.base} -> {one.head}")))
    if found.compared:
        layout = rows if console.width >= ROWS_FROM else cards
        console.print()
        console.print(indented(layout(found.compared)))
        console.print()
        for why in reasons(found.compared):
            console.print(indented(why))
    console.print(totals(found))
    for title, lines in (
        ("only in base", found.only_base),
        ("only in head", found.only_head),
        ("not compared", found.left_out),
    ):
        for line in lines:
            console.print(Text.assemble((f"{title}: ", "yellow"), line))
    for note in found.notes:
        console.print(Text.assemble(("note: ", "bold"), note))
    if found.controls:
        console.print(Text(f"note: {drift(found.controls)}", style="dim"))
    if found.advisory:
        console.print(
            Text.assemble(
                ("ADVISORY  ", "bold yellow"),
                f"{found.self_check}. Identical code differs here, so times neither pass nor fail.",
            )
        )
    else:
        console.print(Text(found.self_check, style="dim"))


def indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def rows(compared: Sequence[Compared]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("benchmark", overflow="fold")
    table.add_column("loop", overflow="fold", max_width=32)
    table.add_column("", overflow="fold")
    table.add_column("base", justify="right", no_wrap=True)
    table.add_column("head", justify="right", no_wrap=True)
    table.add_column("change of cost", no_wrap=True)
    table.add_column("P(worse)", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for one in compared:
        table.add_row(
            Text(one.benchmark),
            Text(loop(one)),
            Text(wording.compared_metric(one)),
            Text(wording.compared_figure(one, one.base)),
            Text(wording.compared_figure(one, one.head)),
            Text(wording.cost_change(one)),
            Text("" if one.superiority is None else f"{one.superiority:.2f}"),
            verdict(one),
        )
    return table


def cards(compared: Sequence[Compared]) -> RenderableType:
    lines: list[RenderableType] = []
    for one in compared:
        sides = [wording.compared_figure(one, value) for value in (one.base, one.head)]
        lines.append(Text(f"{one.benchmark}  {loop(one)}", overflow="fold"))
        figures = f"{wording.compared_metric(one)}  {' -> '.join(sides)}"
        lines.append(indented(Text(figures)))
        lines.append(indented(Text.assemble(verdict(one), f"  {wording.cost_change(one)}")))
    return Group(*lines)


def loop(one: Compared) -> str:
    if one.base_version == one.head_version:
        return one.loop
    return f"{one.loop} {one.base_version or '?'} -> {one.head_version or '?'}"


def verdict(one: Compared) -> Text:
    text = Text(one.verdict, style=STYLES[one.verdict])
    if one.basis == "raw":
        text.append(" (raw)", style="yellow")
    return text


def reasons(compared: Sequence[Compared]) -> list[Text]:
    """Why, once for all that share it; and which parts of a count changed."""
    shared: dict[tuple[str, str], list[str]] = {}
    parts = []
    for one in compared:
        who = f"{one.benchmark}, {one.loop}"
        if one.reason:
            shared.setdefault((one.verdict, one.reason), []).append(who)
        if one.by_name and one.verdict == "REGRESSED":
            told = ", ".join(f"{name} {by:+,.2f}" for name, by in one.by_name.items())
            parts.append(Text.assemble((f"{who}, {one.metric}: ", "bold"), told))
    lines = []
    for (word, reason), whose in shared.items():
        short = textwrap.shorten(reason, REASON_LENGTH, placeholder=" …")
        lines.append(Text.assemble((word, STYLES[word]), f" {'; '.join(whose)}: {short}"))
    return lines + parts


def totals(found: Comparison) -> Text:
    counts: dict[str, int] = {}
    for one in found.compared:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    text = Text()
    for number, (word, count) in enumerate(counts.items()):
        text.append(", " if number else "")
        text.append(f"{count} {word}", style=STYLES[word])
    text.append(f"{'; ' if counts else ''}margin of times ±{100 * found.margin:g} %")
    return text


def drift(controls: Sequence[Compared]) -> str:
    """What the machine did to the control between the runs."""
    changes = [one.change for one in controls if one.change is not None]
    name = controls[0].loop
    if not changes:
        return f"the control, {name}, has no ratio"
    low, high = min(changes), max(changes)
    span = f"{low:+.1%}" if low == high else f"{low:+.1%} to {high:+.1%}"
    return f"the control, {name}, itself took {span} between the runs, which no verdict holds"
