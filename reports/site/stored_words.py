"""What the pages of a store say of figures over hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loopgauge.harness.history.fleet_model import (
    Counts,
    Lead,
    Line,
    Over,
    StoredHost,
    StoredLoop,
)
from loopgauge.harness.history.model import MachineKind
from loopgauge.reports import wording

NAMED = 3  # of many
STOCK = "stock asyncio"


def count(number: int, noun: str) -> str:
    """ "1 host", "1 000 hosts"."""
    return f"{grouped(number)} {noun}{'' if number == 1 else 's'}"


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", wording.NARROW_SPACE)


def title(line: Line | Lead) -> str:
    """Of a family: "timers", "timers (waiting)"."""
    return family_title(line.family if isinstance(line, Lead) else line.name, line.kind)


def family_title(family: str, kind: str | None) -> str:
    name = wording.family(family)
    return f"{name} (waiting)" if kind == "wait" else name


def times(over: Over, kind: str | None) -> str:
    """The answer first: "4.8x as fast", "not clear"; a dash where nothing is known."""
    if not over.known:
        return wording.DASH
    if over.verdict in ("faster", "slower"):
        return wording.times(over.estimate, kind or "cost")
    return "not clear" if over.verdict else wording.times(over.estimate, kind or "cost")


def sorted_by(over: Over) -> str:
    return f"{over.estimate:.6g}" if over.known else ""


def interval(over: Over) -> str:
    """ "0.21 [0.20, 0.22]"."""
    if not over.known:
        return ""
    estimate = wording.ratio(over.estimate)
    if not over.bounded:
        return f"{estimate} [no interval]"
    return f"{estimate} [{wording.ratio(over.low)}, {wording.ratio(over.high)}]"


def next_host(over: Over) -> str:
    """Where one host more is to be expected; "" where too few tell."""
    ends = over.next_host
    return f"{wording.ratio(ends[0])} to {wording.ratio(ends[1])}" if ends else ""


def hosts_say(counts: Counts) -> str:
    """ "faster on all 12 hosts", "faster on 990 of 1 000 hosts, slower on 10"."""
    words = [(counts.faster, "faster"), (counts.slower, "slower")]
    unsure = counts.hosts - counts.faster - counts.slower
    words.append((unsure, "no clear difference"))
    (most, what), *others = sorted(words, key=lambda one: -one[0])
    if not counts.hosts:
        return "no figure on any host"
    if most == counts.hosts:
        where = f"all {grouped(most)} hosts" if most > 1 else "the one host"
        return f"{what} on {where}"
    said = [f"{what} on {grouped(most)} of {count(counts.hosts, 'host')}"]
    return ", ".join([*said, *(f"{what} on {grouped(n)}" for n, what in others if n)])


def left_out(counts: Counts) -> str:
    """Hosts that are not among those; "" where all are."""
    words = [
        (counts.failing, "without a valid figure"),
        (counts.other, "with other benchmarks of it"),
        (counts.thin, "with too few processes"),
    ]
    return ", ".join(f"{grouped(number)} {why}" for number, why in words if number)


def kinds(machines: Sequence[MachineKind]) -> str:
    """The first of them, and how many more."""
    named = "; ".join(machine.title for machine in machines[:NAMED])
    more = len(machines) - NAMED
    return f"{named}; {count(more, 'kind')} of machine more" if more > 0 else named


def host(one: StoredHost) -> str:
    """Its hash, shortened: files hold no names of machines."""
    return one.host[:8] or "not recorded"


def holds(lead: Lead) -> str:
    """ "on all 250 hosts", "on 240 of 250 hosts"."""
    if lead.ahead == lead.hosts:
        return f"on all {grouped(lead.hosts)} hosts" if lead.hosts > 1 else "on the one host"
    return f"on {grouped(lead.ahead)} of {count(lead.hosts, 'host')}"


@dataclass(frozen=True)
class Beaten:
    loops: str
    where: str


def beaten(lead: Lead) -> list[Beaten]:
    """By whom on which kinds of machine: those that are faster on the same ones together."""
    places: dict[str, list[str]] = {}
    for loop, machines in lead.beaten_by.items():
        places.setdefault(kinds(machines), []).append(loop)
    return [Beaten(wording.listed(sorted(loops)), where) for where, loops in places.items()]


def headline(loop: StoredLoop) -> str:
    """Of a loop by itself: does what it does hold everywhere, and where not."""
    lines = [line for line in loop.families if line.everywhere.hosts]
    if not lines:
        return f"{loop.name} has no figure of a whole family on any host."
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(hosts_say(line.everywhere), []).append(title(line))
    said = [f"at {wording.listed(names)} {words}" for words, names in groups.items()]
    return f"Against {STOCK}: {'; '.join(said)}."


def answer(leads: Sequence[Lead]) -> str:
    """Of all families on one Python, in a sentence."""
    groups: dict[tuple[str, str], list[str]] = {}
    for lead in leads:
        if lead.beaten:
            words = f", but {grouped(lead.beaten)} of {count(lead.hosts, 'host')} say otherwise"
        elif lead.shares:
            words = f", not separated from {wording.listed(lead.shares[:NAMED])}"
        else:
            words = ", and no host says otherwise" if lead.hosts > 1 else ""
        groups.setdefault((lead.first, words), []).append(title(lead))
    said = [
        f"{first} is the fastest at {wording.listed(names)}{words}"
        for (first, words), names in groups.items()
    ]
    return f"{'; '.join(said)}." if said else ""
