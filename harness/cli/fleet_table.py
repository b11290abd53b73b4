"""The result of a fleet in a terminal: the hosts, what holds on all of them, and where not."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.fleet.across import ArmAcross, FleetSummary, SubjectAcross
from loopgauge.reports import wording
from loopgauge.reports.fleet import words
from loopgauge.reports.fleet.words import Namer
from loopgauge.reports.gate.words import one_line

CARDS_BELOW = 100  # columns: a row no longer fits, and becomes lines
STYLES = {"opposite": "bold red", "everywhere": "green", "open": "yellow"}


def print_fleet(
    summary: FleetSummary, console: Console, names: Mapping[str, str] | None = None
) -> None:
    """`names`: what the user calls the hosts, by their keys; else the keys stand for them."""
    name = words.namer(names)
    console.print(hosts(summary, name))
    console.print()
    compared = len(summary.measured) > 1
    for subject in summary.benchmarks if compared else []:
        console.print(Text.assemble((subject.id, "bold"), f"  {subject.summary}".rstrip()))
        console.print(indented(arms(subject, name, console.width)))
        console.print(indented(Text(words.fastest(subject, name), style="dim")))
        console.print()
    if compared and summary.families:
        console.print(Text("By family, as the mean over its benchmarks", style="bold"))
        for subject in summary.families:
            waits = ", waiting" if subject.kind == "wait" else ""
            console.print(indented(Text(f"{subject.id}{waits}", style="bold")))
            console.print(Padding(arms(subject, name, console.width - 2), (0, 0, 0, 4)))
        console.print()
    if compared:
        console.print(
            Text(f"x: the cost in units of {summary.reference}'s; brackets: 95 %", style="dim")
        )
    style = {"bad": "bold red", "good": "bold green"}.get(words.tone(summary), "bold")
    console.print(Text(words.headline(summary, name), style=style))


def hosts(summary: FleetSummary, name: Namer) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("host", "what it is", "state"):
        table.add_column(title, overflow="fold")
    for host in summary.hosts:
        good = host.state == "done" and not host.advisory
        style = "" if good else "yellow" if host.measured else "bold yellow"
        table.add_row(name(host.key), words.about(host), Text(words.state(host), style=style))
    return table


def arms(subject: SubjectAcross, name: Namer, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    if width < CARDS_BELOW:
        table.show_header = False
        table.add_column("loop", overflow="fold", max_width=max(10, width // 3))
        table.add_column("figures", overflow="fold")
        for arm in subject.arms:
            more = one_more(arm).replace("\n", ", ")
            lines = [
                agreement(arm, subject, name),
                Text(over(arm)),
                Text(f"one host more: {more}" if more else ""),
            ]
            said = [line for line in lines if line.plain]
            table.add_row(Text(arm.arm, style="bold"), Text("\n").join(said))
        return table
    for title in ("loop", "on the hosts", "over hosts", "one host more"):
        table.add_column(title, overflow="fold")
    for arm in subject.arms:
        table.add_row(
            Text(arm.arm, style="bold"),
            agreement(arm, subject, name),
            over(arm),
            one_more(arm),
        )
    return table


def agreement(arm: ArmAcross, subject: SubjectAcross, name: Namer) -> Text:
    said = words.told(arm, subject, name)
    if stands := words.odd(arm, name):
        said += f"; {stands}"
    if arm.missing:
        said += f"; none on {missing(arm, name)}"
    return Text(said, style=STYLES.get(arm.agreement, ""))


def missing(arm: ArmAcross, name: Namer) -> str:
    """ "3fa9c1d2 (UNSUPPORTED: no TLS)"; of many, how many."""
    if len(arm.missing) > words.NAMED:
        return f"{len(arm.missing)} hosts"
    found = [
        f"{name(host)} ({one_line(why, 80)})" if why else name(host)
        for host, why in arm.missing.items()
    ]
    return wording.listed(found)


def over(arm: ArmAcross) -> str:
    return "\n".join(words.over(part, many=len(arm.parts) > 1) for part in words.shown(arm))


def one_more(arm: ArmAcross) -> str:
    return "\n".join(found for part in arm.parts if (found := words.prediction(part)))


def indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)
