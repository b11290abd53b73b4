"""What a fleet says, in words that the terminal, Markdown and the page share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loopgauge.harness.fleet.across import (
    ArmAcross,
    FleetSummary,
    HostSummary,
    Interval,
    Part,
    SubjectAcross,
)
from loopgauge.harness.summary import Ratio
from loopgauge.reports import wording
from loopgauge.reports.gate.words import one_line

NAMED = 3  # hosts named in a sentence; of more, how many
ORDER = ("faster", "slower", "equivalent", "inconclusive")
UNDECIDED = "not decided"
STATE = {
    "done": "done",
    "measuring": "not finished",
    "planned": "not begun",
    "lost": "LOST",
    "left_out": "left out",
}
KIND = {"benchmark": "", "family": "costs", "wait": "waits"}

Namer = Callable[[str], str]  # of a host, by its key


@dataclass(frozen=True)
class Finding:
    """One loop in one benchmark or family, and what a reader has to know of it."""

    subject: SubjectAcross
    arm: ArmAcross
    text: str


@dataclass(frozen=True)
class Standing:
    """Over the benchmarks in which a loop has a figure on two hosts or more: in how many every host
    says the same, with what word; in how many hosts say the opposite; and in how many neither."""

    arm: str
    everywhere: Mapping[str, int]
    opposite: int
    unsure: int
    odd: int
    of: int


def namer(names: Mapping[str, str] | None = None) -> Namer:
    """`names`: as the user knows them, where the command that measured is still there to tell.
    Files hold keys only, and may have been written by anybody."""
    known = names or {}
    return lambda key: one_line(known.get(key, key), 60)


def about(host: HostSummary) -> str:
    """ "AMD EPYC 7B13, 8 CPUs, Linux 6.1.0, Python 3.14.2"."""
    parts = [
        host.cpu_model or "unknown CPU",
        f"{host.cpus} CPUs" if host.cpus else "",
        f"Linux {host.kernel}" if host.kernel else "",
        f"Python {host.version}" if host.version else "",
    ]
    return one_line(", ".join(part for part in parts if part), 160)


def state(host: HostSummary) -> str:
    """ "done, noisy", "LOST: gone for 60 s"."""
    word = STATE[host.state]
    if host.measured and host.advisory:
        word += ", noisy: verdicts advisory"
    why = host.reason or host.problem
    return f"{word}: {one_line(why)}" if why else word


def verdict(word: str, subject: SubjectAcross) -> str:
    if word == "inconclusive":
        return UNDECIDED
    if subject.measure == "value":
        return {"faster": "better", "slower": "worse"}.get(word, word)
    return word


def told(arm: ArmAcross, subject: SubjectAcross, name: Namer) -> str:
    """ "faster on 7 of 8 hosts, slower on 3fa9c1d2"."""
    many = len(arm.verdicts)
    groups = {word: [host for host, said in arm.verdicts.items() if said == word] for word in ORDER}
    said = sorted((word for word in ORDER if groups[word]), key=lambda word: -len(groups[word]))
    if not said:
        return "no figure on any host"
    first, *rest = said
    if not rest:
        where = every(many) if many > 1 else name(groups[first][0])
        return f"{verdict(first, subject)} on {where}"
    words = [f"{verdict(first, subject)} on {len(groups[first])} of {many} hosts"]
    words += [f"{verdict(word, subject)} on {_some(groups[word], name)}" for word in rest]
    return ", ".join(words)


def every(many: int) -> str:
    return "both hosts" if many == 2 else f"all {many} hosts"


def _some(hosts: Sequence[str], name: Namer) -> str:
    if len(hosts) > NAMED:
        return str(len(hosts))
    return wording.listed([name(host) for host in hosts])


def odd(arm: ArmAcross, name: Namer) -> str:
    """ "3fa9c1d2 stands out at 1.70x"; "" where nobody does."""
    found = [
        f"{name(host)} at {wording.ratio(arm.ratios[host].estimate)}{wording.TIMES}"
        for host in arm.odd
        if host in arm.ratios
    ]
    if not found:
        return ""
    return f"{wording.listed(found)} {'stand' if len(found) > 1 else 'stands'} out"


def figure(one: Interval | Ratio) -> str:
    """ "0.31x [0.30, 0.32]"."""
    ends = f" [{wording.ratio(one.low)}, {wording.ratio(one.high)}]"
    return f"{wording.ratio(one.estimate)}{wording.TIMES}{ends}"


def shown(arm: ArmAcross) -> list[Part]:
    """Those with a figure that the hosts' own do not say already: of one host only beside other
    Pythons."""
    return [part for part in arm.parts if len(part.hosts) > 1 or len(arm.parts) > 1]


def over(part: Part, *, many: bool) -> str:
    """The figure over hosts: of how many, and of which Python where there are several."""
    without = f" without {len(part.odd)}" if part.odd else ""
    count = f"{len(part.hosts) - len(part.odd)} hosts{without}" if len(part.hosts) > 1 else "1 host"
    python = f"Python {part.python}, " * many
    return f"{figure(part.over)} ({python}{count})"


def prediction(part: Part) -> str:
    """Where one host more would be; "" with fewer than three."""
    if len(part.hosts) < 3:
        return ""
    return f"{wording.ratio(part.prediction_low)} to {wording.ratio(part.prediction_high)}"


def spread(part: Part) -> str:
    """ "±3.1 %"; "" for one host."""
    return f"±{100 * part.tau:.2g} %" if len(part.hosts) > 1 else ""


def chance(part: Part) -> str:
    """Of such differences between hosts, were they all alike; "" for one host."""
    if len(part.hosts) < 2:
        return ""
    if part.q_p < 0.001:
        return "< 0.1 %"
    return f"{100 * part.q_p:.2g} %"


def fastest(subject: SubjectAcross, name: Namer) -> str:
    """Who leads everywhere, or who leads where; no ranking over hosts that differ."""
    if not subject.fastest:
        return "nobody has a figure to be ranked by"
    if subject.leaders:
        whom = wording.listed([one_line(loop) for loop in subject.leaders])
        return f"fastest, or not separated from it, on every host: {whom}"
    leads: dict[str, list[str]] = {}
    for host, loops in subject.fastest.items():
        leads.setdefault(wording.listed([one_line(loop) for loop in loops]), []).append(host)
    return "fastest, or not separated from it: " + "; ".join(
        f"{loops} on {_places(hosts, name)}" for loops, hosts in leads.items()
    )


def _places(hosts: Sequence[str], name: Namer) -> str:
    if len(hosts) > NAMED:
        return f"{len(hosts)} hosts"
    return wording.listed([name(host) for host in hosts])


def findings(subjects: Sequence[SubjectAcross], name: Namer) -> list[Finding]:
    """Where hosts say the opposite of each other, few against many first; then where one stands
    out."""
    opposite, odd_ones = [], []
    for subject in subjects:
        for arm in subject.arms:
            words = [told(arm, subject, name)]
            if odd(arm, name):
                words.append(odd(arm, name))
            found = Finding(subject, arm, "; ".join(words))
            if arm.agreement == "opposite":
                opposite.append(found)
            elif arm.odd:
                odd_ones.append(found)
    opposite.sort(key=lambda one: (not one.arm.against, len(one.arm.against)))
    return [*opposite, *odd_ones]


def standings(summary: FleetSummary) -> list[Standing]:
    names = dict.fromkeys(arm.arm for one in summary.benchmarks for arm in one.arms)
    return [found for name in names if (found := _standing(summary, name)).of]


def _standing(summary: FleetSummary, name: str) -> Standing:
    arms = [
        arm
        for one in summary.benchmarks
        for arm in one.arms
        if arm.arm == name and len(arm.verdicts) > 1
    ]
    sure = [arm.verdict for arm in arms if arm.agreement == "everywhere"]
    opposite = sum(arm.agreement == "opposite" for arm in arms)
    return Standing(
        arm=name,
        everywhere={word: sure.count(word) for word in ORDER if word in sure},
        opposite=opposite,
        unsure=len(arms) - len(sure) - opposite,
        odd=sum(bool(arm.odd) for arm in arms),
        of=len(arms),
    )


def headline(summary: FleetSummary, name: Namer) -> str:
    """Does it hold everywhere, and if not, where. A host whose self-check failed makes it less
    sure, whatever it is."""
    noisy = [name(host.key) for host in summary.measured if host.advisory]
    if not noisy or len(summary.measured) < 2:
        return _answer(summary, name)
    who = wording.listed(noisy) if len(noisy) <= NAMED else f"{len(noisy)} hosts"
    return f"{_answer(summary, name)} (advisory: {who} failed the self-check)"


def _answer(summary: FleetSummary, name: Namer) -> str:
    hosts = summary.measured
    if not hosts:
        return "Nothing was measured on any host"
    if len(hosts) == 1:
        return "One host was measured, so nothing can be said over hosts"
    found = findings(summary.benchmarks, name)
    arms = [arm for one in summary.benchmarks for arm in one.arms if len(arm.verdicts) > 1]
    opposite = [one for one in found if one.arm.agreement == "opposite"]
    if opposite:
        worst = opposite[0]
        more = f"; {len(opposite) - 1} more of {len(arms)} results differ so" * (len(opposite) > 1)
        text = told(worst.arm, worst.subject, name)
        return f"Not everywhere: in {worst.subject.id} {worst.arm.arm} is {text}{more}"
    sure = sum(arm.agreement == "everywhere" for arm in arms)
    if arms and sure == len(arms):
        said = f"It holds on {every(len(hosts))}: every result is the same on each"
    else:
        said = (
            f"No host says the opposite of another; {sure} of {len(arms)} results are the same on "
            "every host, the others are not decided on some"
        )
    if found:
        keys = list(dict.fromkeys(host for one in found for host in one.arm.odd))
        stand = "stands" if len(keys) == 1 else "stand"
        who = _some(keys, name) if len(keys) <= NAMED else f"{len(keys)} hosts"
        said += f"; {who} {stand} out in {len(found)} of them"
    return said


def tone(summary: FleetSummary) -> str:
    """ "good", "bad" or "open": the colour of the answer, which words say, too."""
    arms = [arm for one in summary.benchmarks for arm in one.arms if len(arm.verdicts) > 1]
    if any(arm.agreement == "opposite" for arm in arms):
        return "bad"
    sure = all(arm.agreement == "everywhere" for arm in arms)
    calm = not any(host.advisory for host in summary.measured)
    return "good" if arms and sure and calm and not any(arm.odd for arm in arms) else "open"
