"""The page of a fleet: one self-contained HTML file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from loopgauge.harness.fleet.across import ArmAcross, FleetSummary, SubjectAcross
from loopgauge.reports import facts, wording
from loopgauge.reports.facts import Facts
from loopgauge.reports.fleet import forest, words
from loopgauge.reports.fleet.first import First, first_of
from loopgauge.reports.fleet.forest import Looks, Sheet
from loopgauge.reports.fleet.words import Namer
from loopgauge.reports.gate.words import anchors, one_line
from loopgauge.reports.pages import environment, write
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.swatch import symbols

DRAWN_HOSTS = 24  # rows of a plot; those that a reader has to know of come first
DRAWN = 40  # plots; benchmarks with a finding come first
LISTED = 4_000  # figures of single hosts, 400 bytes each; benchmarks with a finding come first


@dataclass(frozen=True)
class Section:
    """A benchmark or a family."""

    anchor: str
    subject: SubjectAcross
    title: str
    fastest: str
    wide: Markup | None
    narrow: Markup | None
    undrawn: int  # hosts without a row
    listed: bool  # every host's figure is there


def render_fleet(summary: FleetSummary, out: Path) -> Path:
    """Writes the page to `out` (folders are made) and returns it. Raises OSError."""
    return write(page(summary), out)


def page(summary: FleetSummary) -> str:
    name = words.namer()
    loops = list(dict.fromkeys(arm.arm for one in summary.benchmarks for arm in one.arms))
    looks = forest.marks(loops, summary.reference)
    once, swatches = symbols(looks, "f")
    drawn, listed = drawable(summary), listable(summary)
    first = first_of(summary, name)
    made = environment("fleet", wording=wording, words=words, one_line=one_line, name=name)
    return made.get_template("fleet/page.html.j2").render(
        summary=summary,
        first=first,
        picture=picture(summary, first, looks, name),
        families=sections(summary, summary.families, looks, name, drawn, listed),
        benchmarks=sections(summary, summary.benchmarks, looks, name, drawn, listed),
        places={
            one.id: anchor
            for one, anchor in zip(summary.benchmarks, places(summary.benchmarks), strict=True)
        },
        symbols=Markup(once),
        swatches={arm: Markup(mark) for arm, mark in swatches.items()},
        over=over,
        circumstances=circumstances(summary),
        commands=commands(summary),
    )


def places(subjects: Sequence[SubjectAcross]) -> list[str]:
    return anchors("on", [f"{one.kind}-{one.id}" for one in subjects])


def weighed(summary: FleetSummary) -> list[SubjectAcross]:
    """All families, then the benchmarks with a finding, then the others."""
    return sorted(
        (*summary.families, *summary.benchmarks),
        key=lambda one: (one.kind == "benchmark", not any(arm.named for arm in one.arms)),
    )


def drawable(summary: FleetSummary) -> set[int]:
    """By identity."""
    return {id(one) for one in [one for one in weighed(summary) if len(one.hosts) > 1][:DRAWN]}


def listable(summary: FleetSummary) -> set[int]:
    """By identity."""
    found, room = set(), LISTED
    for one in weighed(summary):
        room -= sum(len(arm.ratios) + len(arm.missing) for arm in one.arms)
        if room >= 0:
            found.add(id(one))
    return found


def sections(
    summary: FleetSummary,
    subjects: Sequence[SubjectAcross],
    looks: Looks,
    name: Namer,
    drawn: set[int],
    listed: set[int],
) -> list[Section]:
    made = []
    for subject, anchor in zip(subjects, places(subjects), strict=True):
        sheet = sheet_of(summary, subject, looks, name)
        draw = id(subject) in drawn and bool(sheet.arms)
        made.append(
            Section(
                anchor=anchor,
                subject=subject,
                title=title(subject),
                fastest=words.fastest(subject, name),
                wide=plot(sheet, forest.WIDE, f"{anchor}-w") if draw else None,
                narrow=plot(sheet, forest.NARROW, f"{anchor}-n") if draw else None,
                undrawn=len(subject.hosts) - len(sheet.hosts),
                listed=id(subject) in listed,
            )
        )
    return made


def picture(
    summary: FleetSummary, first: First, looks: Looks, name: Namer
) -> tuple[str, Markup, Markup] | None:
    """For the first screen, with its title: where it does not hold, else the first family."""
    found = [one.subject for one in first.findings]
    found += [one for one in (*summary.families, *summary.benchmarks) if len(one.hosts) > 1]
    if not found:
        return None
    sheet = sheet_of(summary, found[0], looks, name)
    wide, narrow = plot(sheet, forest.WIDE, "first-w"), plot(sheet, forest.NARROW, "first-n")
    return title(found[0]), wide, narrow


def title(subject: SubjectAcross) -> str:
    if subject.kind == "benchmark":
        return one_line(subject.id)
    return f"{wording.family(one_line(subject.id))}{', waiting' * (subject.kind == 'wait')}"


def sheet_of(summary: FleetSummary, subject: SubjectAcross, looks: Looks, name: Namer) -> Sheet:
    named = {host for arm in subject.arms for host in arm.named}
    chosen = sorted(subject.hosts, key=lambda key: key not in named)[:DRAWN_HOSTS]
    pythons = {host.key: host.python for host in summary.hosts}
    several = len({pythons[key] for key in subject.hosts}) > 1
    rows = {
        key: name(key) + f" · {pythons[key]}" * several for key in subject.hosts if key in chosen
    }
    return Sheet(subject, rows, frozenset(named), looks, one_line(summary.reference), name)


def plot(sheet: Sheet, layout: forest.Layout, key: str) -> Markup:
    return Markup(forest.forest(sheet, layout, theme.sentinel).page_svg(key))


def over(arm: ArmAcross) -> list[tuple[str, str, str, str, str]]:
    """Per Python: the figure over hosts, that of all where one is odd, one host more, and how far
    hosts differ."""
    return [
        (
            words.over(part, many=len(arm.parts) > 1),
            words.figure(part.everyone) if part.odd else "",
            words.prediction(part),
            words.spread(part),
            words.chance(part),
        )
        for part in words.shown(arm)
    ]


def circumstances(summary: FleetSummary) -> Facts:
    header = summary.header
    found = [
        ("fleet", header.run),
        ("began", facts.moment(header.created)),
        ("seed", f"{header.seed}, of every host's schedule"),
        ("setting", header.asked.setting),
        ("margin", f"±{summary.margin:.2%}"),
        ("reference", summary.reference),
        ("method", summary.method),
    ]
    return [(label, one_line(value, 300)) for label, value in found if value]


def commands(summary: FleetSummary) -> list[tuple[str, str]]:
    """What to run, and what for."""
    folder = shlex.quote(str(summary.path))
    found = [("everything here for a program", f"bench report {folder} --json")]
    with_file = next((host for host in summary.measured if host.file), None)
    if with_file is not None:
        file = shlex.quote(str(Path(summary.path) / with_file.file))
        found.insert(0, ("a host's own page, here that of the first", f"bench report {file}"))
    if summary.header.command:
        again = [*summary.header.command]
        if not any(word == "--seed" or word.startswith("--seed=") for word in again):
            again += ["--seed", str(summary.header.seed)]
        found.append(("measure it again, in the same random order", shlex.join(again)))
    return [(what, one_line(command, 1000)) for what, command in found]
