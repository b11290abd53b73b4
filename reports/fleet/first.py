"""The first screen of a fleet's page: does it hold everywhere, and where not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from loopgauge.harness.fleet.across import FleetSummary
from loopgauge.reports import facts, wording
from loopgauge.reports.facts import Facts
from loopgauge.reports.fleet import words
from loopgauge.reports.fleet.words import Finding, Namer, Standing
from loopgauge.reports.gate.words import one_line

SHOWN = 8  # findings; the sections below have all
WORD = {"good": "holds", "bad": "differs", "open": "open"}


@dataclass(frozen=True)
class First:
    """`tone` is "good", "bad" or "open": the colour of the answer, which words say, too."""

    tone: str
    word: str
    headline: str
    tally: str
    facts: Facts
    standings: list[Standing]
    findings: list[Finding]
    hidden: int
    lost: list[str]  # hosts without all of their figures
    notes: list[str]


def first_of(summary: FleetSummary, name: Namer) -> First:
    found = words.findings(summary.benchmarks, name)
    tone = words.tone(summary)
    return First(
        tone=tone,
        word=WORD[tone],
        headline=words.headline(summary, name),
        tally=tally(summary),
        facts=short(summary),
        standings=words.standings(summary),
        findings=found[:SHOWN],
        hidden=max(0, len(found) - SHOWN),
        lost=[
            f"{name(host.key)}: {words.state(host)}"
            for host in summary.hosts
            if host.state != "done" or host.problem
        ],
        notes=notes(summary, name),
    )


def tally(summary: FleetSummary) -> str:
    """ "7 of 8 hosts measured"."""
    measured, all_of = len(summary.measured), len(summary.hosts)
    many = f"{measured} of {all_of} hosts" if measured < all_of else f"{all_of} hosts"
    return f"{many} measured" if all_of != 1 else f"{measured} host measured"


def short(summary: FleetSummary) -> Facts:
    hosts = summary.measured
    loops = dict.fromkeys(arm.arm for one in summary.benchmarks for arm in one.arms)
    found = [
        ("CPUs", kinds([host.cpu_model or "unknown" for host in hosts])),
        ("kernels", kinds([host.kernel or "unknown" for host in hosts])),
        ("Pythons", kinds([host.python or "unknown" for host in hosts])),
        (
            "compared",
            f"{len(summary.benchmarks)} benchmark{'s' * (len(summary.benchmarks) != 1)}"
            f" {wording.TIMES} {len(loops)} loop{'s' * (len(loops) != 1)}",
        ),
        ("when", facts.moment(summary.header.created)),
    ]
    return [(label, one_line(value, 300)) for label, value in found if value]


def kinds(values: list[str]) -> str:
    """ "AMD EPYC 7B13 (3), Ampere Altra (2)"."""
    counts = Counter(values)
    return ", ".join(f"{one} ({number})" if number > 1 else one for one, number in counts.items())


def notes(summary: FleetSummary, name: Namer) -> list[str]:
    noisy = [name(host.key) for host in summary.measured if host.advisory]
    found = []
    if noisy:
        found.append(
            f"{wording.listed(noisy)} failed the self-check: stock asyncio differs from itself "
            "there, and its verdicts are advisory"
        )
    few = [python for python, number in counted(summary) if number < 3]
    if few and len(summary.measured) > 1:
        found.append(
            f"with fewer than three hosts of Python {wording.listed(few)}, nothing says how far "
            "hosts differ: the intervals over them are very wide"
        )
    return found


def counted(summary: FleetSummary) -> list[tuple[str, int]]:
    return [*Counter(host.python for host in summary.measured).items()]
