"""The result of a conformance run in a terminal. It lays out a Summary and counts nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from loopgauge.conformance.difference import Change, Difference
    from loopgauge.conformance.profiles import Standing
    from loopgauge.conformance.summary import LoopSummary, Notable, Summary

# Below this width the reason of a verdict gets a line of its own.
ONE_LINE_FROM = 90
LISTED = 40  # verdicts per loop; the result file and the report have all
REASON_LENGTH = 200

STATE_STYLES = {"conforms": "bold green", "fails": "bold red", "not decided": "yellow"}
VERDICT_STYLES = {
    "PASS": "green",
    "NON_STRICT": "green",
    "INFO": "cyan",
    "NOT_APPLICABLE": "dim",
    "HARNESS": "yellow",
}


def print_summary(summary: Summary, console: Console) -> None:
    for loop in summary.loops:
        console.print(loop_block(loop, summary, console.width))
        console.print()
    if not summary.complete:
        console.print(Text("The run did not come to its end: a part is missing.", style="yellow"))
    elif not summary.whole and any(loop.cases for loop in summary.loops):
        console.print(Text("Only a part was asked, and nobody conforms by a part.", style="dim"))


def loop_block(loop: LoopSummary, summary: Summary, width: int) -> RenderableType:
    version = f" {loop.version}" if loop.version else ""
    parts: list[RenderableType] = [
        Text.assemble((loop.loop + version, "bold"), f" on Python {summary.python}")
    ]
    if not loop.available:
        return Group(*parts, indented(Text(f"not available: {loop.reason}", style="yellow")))
    asked = [standing for standing in loop.profiles if standing.must or standing.should]
    if asked:
        parts.append(indented(profile_table(asked)))
    parts += [indented(line) for line in counts(loop)]
    parts += listing("unexpected", loop.unexpected, width)
    parts += listing("fixed: remove them from the expectation file", loop.fixed, width)
    return Group(*parts)


def indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def profile_table(standings: Iterable[Standing]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("profile", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("MUST failing", overflow="fold")
    table.add_column("SHOULD passed", overflow="fold")
    for standing in standings:
        table.add_row(
            Text(standing.profile, style="bold" if standing.profile == "Full" else ""),
            Text(standing.state, style=STATE_STYLES.get(standing.state, "dim")),
            must(standing),
            should(standing),
        )
    return table


def must(standing: Standing) -> str:
    if not standing.must and not standing.harness:
        return "none asked"
    more = f", {standing.must_unimplemented} of them missing" * bool(standing.must_unimplemented)
    undecided = f", {standing.harness} not decided" * bool(standing.harness)
    return f"{standing.must_failing} of {standing.must}{more}{undecided}"


def should(standing: Standing) -> str:
    return f"{standing.should_passed} of {standing.should}" if standing.should else "none asked"


def counts(loop: LoopSummary) -> list[Text]:
    """A line per lane: how often each verdict was given."""
    lines = []
    for lane, kinds in loop.verdicts.items():
        line = Text(f"{lane}: ", style="dim")
        for number, (kind, count) in enumerate(kinds.items()):
            style = VERDICT_STYLES.get(kind, "red")
            line.append(", " if number else "")
            line.append(f"{count} {kind}", style=style)
        lines.append(line)
    return lines


def listing(title: str, found: Sequence[Notable], width: int) -> list[RenderableType]:
    if not found:
        return []
    shown = found[:LISTED]
    parts: list[RenderableType] = [indented(Text(title, style="bold red"))]
    parts.append(Padding(rows(shown) if width >= ONE_LINE_FROM else cards(shown), (0, 0, 0, 4)))
    if len(found) > len(shown):
        parts.append(Padding(Text(f"and {len(found) - len(shown)} more"), (0, 0, 0, 4)))
    return parts


def rows(found: Iterable[Notable]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("case", overflow="fold", max_width=48)
    table.add_column("level", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for one in found:
        table.add_row(Text(one.verdict), Text(one.case), Text(one.level), reason(one))
    return table


def cards(found: Iterable[Notable]) -> Group:
    lines: list[RenderableType] = []
    for one in found:
        lines.append(Text(f"{one.case}  {one.verdict} {one.level}".rstrip(), overflow="fold"))
        lines.append(Padding(reason(one), (0, 0, 0, 2)))
    return Group(*lines)


def reason(one: Notable) -> Text:
    text = textwrap.shorten(one.reason, REASON_LENGTH, placeholder=" …")
    return Text(text or "no reason given", style="dim", overflow="fold")


def print_difference(difference: Difference, console: Console) -> None:
    from loopgauge.conformance.difference import WAYS

    old, new = difference.old, difference.new
    console.print(Text(f"{old.path.name} -> {new.path.name}", style="bold"))
    for way, meaning in WAYS.items():
        found = difference.of(way)
        if not found:
            continue
        style = {"regression": "bold red", "repaired": "bold green"}.get(way, "bold")
        plural = "s" if way == "regression" and len(found) > 1 else ""
        console.print(Text.assemble((f"{len(found)} {way}{plural}", style), f": {meaning}"))
        for change in found[:LISTED]:
            console.print(indented(change_line(change)))
        if len(found) > LISTED:
            console.print(indented(Text(f"and {len(found) - LISTED} more")))
    console.print(Text(f"{difference.same} the same", style="dim"))


def change_line(change: Change) -> Text:
    before, after = (one.verdict if one else "not asked" for one in (change.before, change.after))
    line = Text.assemble(
        (change.case, "bold"), f" {change.level}".rstrip(), f" {change.loop}: {before} -> {after}"
    )
    reason = " ".join(change.reason.split())
    if change.way in ("regression", "changed") and reason:
        line.append(f": {textwrap.shorten(reason, REASON_LENGTH, placeholder=' …')}", style="dim")
    return line
