"""The result of a gate in a terminal: what matters first, what is the same in one line a tier."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.gate.model import Decision, GateResult
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports.gate import words

STYLES = {
    "REGRESSED": "bold red",
    "BROKEN": "bold red",
    "INCONCLUSIVE": "yellow",
    "EXPECTED": "yellow",
    "IMPROVED": "green",
    "REPAIRED": "green",
}
CARDS_BELOW = 90  # columns: a row no longer fits, and becomes two lines


def print_gate(gate: GateFile, result: GateResult, console: Console) -> None:
    header = gate.header
    console.print(Text.assemble(("base  ", "bold"), header.base.title, ("   head  ", "bold"),
                                header.head.title, ("   loop  ", "bold"), loops(gate)))  # fmt: skip
    console.print()
    told = [one for one in result.decisions if one.verdict != "EQUIVALENT" or one.tier == "timing"]
    for tier, title in words.TIERS.items():
        shown = [one for one in told if one.tier == tier]
        same = sum(one.tier == tier and one.verdict == "EQUIVALENT" for one in result.decisions)
        if shown or same:
            console.print(Group(Text(title, style="bold"), *block(shown, same, console.width)))
    for line in [*result.left_out]:
        console.print(Text.assemble(("left out: ", "bold yellow"), line))
    for line in [*result.notes, result.self_check]:
        if line:
            console.print(Text(line, style="dim"))
    style = "bold red" if result.exit_code in (1, 5) else "bold"
    console.print(Text(words.headline(gate), style=style))


def loops(gate: GateFile) -> str:
    return " / ".join(dict.fromkeys((gate.header.base.loop, gate.header.head.loop)))


def block(shown: Sequence[Decision], same: int, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if shown:
        parts.append(Padding(table(shown, width), (0, 0, 0, 2), expand=False))
    if (same and not all(one.verdict == "EQUIVALENT" for one in shown)) or (same and not shown):
        parts.append(Text(f"  {same} the same, to within the margin", style="dim"))
    parts.append(Text())
    return parts


def table(decisions: Sequence[Decision], width: int) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    made.add_column("verdict", no_wrap=True)
    made.add_column("what", overflow="fold")
    if width < CARDS_BELOW:
        for one in decisions:
            made.add_row(verdict(one), Text(f"{one.subject}\n{words.sentence(one)}"))
        return made
    made.add_column("change", no_wrap=True, justify="right")
    made.add_column("interval", no_wrap=True)
    made.add_column("why", overflow="fold")
    for one in decisions:
        change = words.percent(one.change, one.tier) if one.change is not None else ""
        reach = words.interval(one) if one.low is not None else ""
        made.add_row(verdict(one), Text(one.subject), change, reach, Text(words.why(one)))
    return made


def verdict(one: Decision) -> Text:
    return Text(one.verdict, style=STYLES.get(one.verdict, "dim"))
