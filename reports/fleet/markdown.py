"""A fleet in Markdown: the answer, the hosts, and every loop in every benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loopgauge.harness.fleet.across import FleetSummary, SubjectAcross
from loopgauge.reports import facts
from loopgauge.reports.exports.markdown import escape
from loopgauge.reports.fleet import words
from loopgauge.reports.fleet.words import Namer
from loopgauge.reports.gate.words import one_line


def fleet_markdown(summary: FleetSummary) -> str:
    name = words.namer()
    lines = [
        f"### loopgauge: {_shown(words.headline(summary, name))}",
        "",
        *_hosts(summary, name),
        "",
        *_findings(summary, name),
        *_table("benchmark", summary.benchmarks, name),
        *_table("family, mean over its benchmarks", summary.families, name),
        f"Ratios are costs in units of {_shown(summary.reference)}'s, below 1 is better, with 95 % "
        "intervals over hosts; *one host more* is where the true ratio of another host would be "
        f"({_shown(summary.method)}). Measured {facts.moment(summary.header.created)}, seed "
        f"{summary.header.seed}.",
    ]
    return "\n".join(lines) + "\n"


def _hosts(summary: FleetSummary, name: Namer) -> list[str]:
    rows = ["| host | what it is | state |", "|---|---|---|"]
    for host in summary.hosts:
        cells = (name(host.key), words.about(host), words.state(host))
        rows.append(f"| {' | '.join(map(_shown, cells))} |")
    return rows


def _findings(summary: FleetSummary, name: Namer) -> list[str]:
    found = words.findings(summary.benchmarks, name)
    if not found:
        return []
    told = [
        f"- {_shown(one.subject.id)}, {_shown(one.arm.arm)}: {_shown(one.text)}" for one in found
    ]
    return ["**Where it does not hold**", "", *told, ""]


def _table(title: str, subjects: Sequence[SubjectAcross], name: Namer) -> list[str]:
    rows = [row for subject in subjects for row in _rows(subject, name)]
    if not rows:
        return []
    head = f"| {title} | loop | on the hosts | over hosts | one host more |"
    return [head, "|---|---|---|---|---|", *rows, ""]


def _rows(subject: SubjectAcross, name: Namer) -> Iterable[str]:
    waits = ", waiting" if subject.kind == "wait" else ""
    for arm in subject.arms:
        several = len(arm.parts) > 1
        parts = words.shown(arm)
        said = "; ".join(filter(None, [words.told(arm, subject, name), words.odd(arm, name)]))
        cells = (
            f"{subject.id}{waits}",
            arm.arm,
            said,
            "; ".join(words.over(part, many=several) for part in parts),
            "; ".join(filter(None, map(words.prediction, parts))),
        )
        yield f"| {' | '.join(map(_shown, cells))} |"


def _shown(text: str) -> str:
    """Text that stays text: no Markdown, no HTML, and nobody is called by @name."""
    return escape(one_line(text, 400)).replace("@", "@\u200b")
