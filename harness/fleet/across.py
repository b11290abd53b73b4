"""A fleet run, judged: each host first, as a run of its own, then what holds on all of them.

Nothing is pooled blindly. Whether the hosts agree is said before any figure over them, and a loop
that wins on one and loses on another is the finding. Hosts are draws from all hosts there are;
Pythons are not draws of anything, so the figures over hosts are made for each Python by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from loopgauge.harness import statistics
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.fleet import combining
from loopgauge.harness.fleet.combining import combine, error_of
from loopgauge.harness.fleet.folder import FleetFile, each_run
from loopgauge.harness.fleet.model import FleetEvent, FleetHeader, HostState
from loopgauge.harness.model import Direction, Interpreter, Measure
from loopgauge.harness.ratio import ArmVerdict, Ratio
from loopgauge.harness.summary import (
    ArmSummary,
    BenchmarkSummary,
    FamilySummary,
    RunSummary,
    summarise,
)
from loopgauge.harness.verdicts import NO_VERDICTS, Verdicts

Kind = Literal["benchmark", "family", "wait"]  # "wait": a family's waits
Agreement = Literal[
    "everywhere",  # every host says the same, and is sure
    "mostly",  # more than half of them; the others are not sure, or say "equivalent"
    "opposite",  # faster on one, slower on another
    "open",  # too few are sure
    "alone",  # one host only
    "",  # no host has a figure
]
SURE: tuple[ArmVerdict, ...] = ("faster", "slower", "equivalent")


class HostSummary(msgspec.Struct, kw_only=True):
    key: str
    state: HostState
    reason: str = ""  # why it was lost or left out
    problem: str = ""  # what is wrong with its file
    file: str = ""
    cpu_model: str = ""
    cpus: int = 0
    kernel: str = ""
    python: str = ""  # "3.14", "3.14t"
    version: str = ""
    build_kind: str = ""
    measured: bool = False  # there are figures of it
    complete: bool = False
    advisory: bool = False  # its self-check failed
    self_check: str = ""
    notes: list[str] = []
    left_out: list[str] = []


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    estimate: float
    low: float
    high: float


class Part(msgspec.Struct, kw_only=True):
    """The hosts of one Python together. Ratios to the reference; `over` is without the odd ones,
    everything else is of all of them."""

    python: str
    hosts: list[str]  # keys of those with a bounded interval
    over: Interval
    everyone: Interval
    prediction_low: float  # for one host more
    prediction_high: float
    tau: float  # standard deviation of the logarithms of the hosts' true ratios
    i2: float
    q_p: float
    odd: list[str]  # further from the others than these are from each other
    verdict: ArmVerdict = ""  # of `over`; "" for one host, and where hosts say the opposite


class ArmAcross(msgspec.Struct, kw_only=True):
    """One loop in one benchmark or family. The dicts are by host."""

    arm: str
    ratios: dict[str, Ratio] = {}  # to the reference
    verdicts: dict[str, ArmVerdict] = {}
    missing: dict[str, str] = {}  # why there is no figure
    agreement: Agreement = ""
    verdict: ArmVerdict = ""  # what most hosts say
    against: list[str] = []  # hosts that say the opposite of it
    fastest_on: list[str] = []  # hosts where it is the fastest, or not separated from it
    parts: list[Part] = []

    @property
    def odd(self) -> list[str]:
        return [host for part in self.parts for host in part.odd]

    @property
    def named(self) -> list[str]:
        """Hosts that a reader has to know of, the odd ones and those that say the opposite."""
        return list(dict.fromkeys([*self.against, *self.odd]))


class SubjectAcross(msgspec.Struct, kw_only=True):
    """A benchmark, or a family as the mean over its benchmarks."""

    id: str
    kind: Kind
    summary: str = ""
    unit: str = ""
    measure: Measure = "cpu"
    direction: Direction = "lower"
    hosts: list[str]  # that have a figure of the reference
    arms: list[ArmAcross]  # without the reference
    fastest: dict[str, list[str]]  # by host: the best and who is not separated from it

    @property
    def leaders(self) -> list[str]:
        """Who is the fastest, or not separated from it, on every host; empty where hosts differ."""
        sets = [set(names) for names in self.fastest.values()]
        common = set.intersection(*sets) if sets else set()
        first = next(iter(self.fastest.values()), [])
        return [name for name in first if name in common]


class FleetSummary(msgspec.Struct, kw_only=True):
    path: str
    header: FleetHeader
    hosts: list[HostSummary]
    reference: str
    margin: float
    benchmarks: list[SubjectAcross]
    families: list[SubjectAcross]
    complete: bool
    events: list[FleetEvent]
    method: str = combining.METHOD

    @property
    def measured(self) -> list[HostSummary]:
        return [host for host in self.hosts if host.measured]


def summarise_hosts(fleet: FleetFile, verdicts: Verdicts = NO_VERDICTS) -> dict[str, RunSummary]:
    """Each host by itself, of what `read_register` has read. One whose file has nothing to be
    judged takes nothing from the others: it becomes one of `fleet.problems`."""
    found = {}
    for key, run in each_run(fleet):
        try:
            found[key] = summarise(run, verdicts=verdicts)
        except NothingToMeasure as error:
            fleet.problems[key] = error.cause
    return found


def summarise_fleet(fleet: FleetFile, runs: Mapping[str, RunSummary]) -> FleetSummary:
    """`runs` holds the summary of each host's run file by its key, all made with the same margin
    and reference; a host without one has no figures."""
    first = next(iter(runs.values()), None)
    margin = first.margin if first is not None else 0.01
    hosts = [_host(fleet, key, runs.get(key)) for key in fleet.hosts]
    pythons = {host.key: host.python for host in hosts}
    return FleetSummary(
        path=str(fleet.path),
        header=fleet.header,
        hosts=hosts,
        reference=first.reference if first is not None else "asyncio",
        margin=margin,
        benchmarks=[
            _benchmark(name, runs, pythons, margin)
            for name in _in_order(one.id for run in runs.values() for one in run.benchmarks)
        ],
        families=[
            _family(name, kind, runs, pythons, margin)
            for kind in ("family", "wait")
            for name in _in_order(
                one.family for run in runs.values() for one in _families(run, kind)
            )
        ],
        complete=fleet.complete,
        events=fleet.events,
    )


def python_label(interpreter: Interpreter) -> str:
    """ "3.14", and "3.14t" of a build without the GIL, which is another Python to a loop."""
    short = ".".join(interpreter.version.split(".")[:2])
    return f"{short}t" if interpreter.free_threaded else short


def agreement_of(verdicts: Mapping[str, ArmVerdict]) -> tuple[Agreement, ArmVerdict, list[str]]:
    """How far the hosts agree, what most of those that are sure say, and who says the opposite of
    it. As many on either side: nobody is the exception."""
    said = {word: [host for host, one in verdicts.items() if one == word] for word in SURE}
    many, sure = len(verdicts), sum(map(len, said.values()))
    most = max(SURE, key=lambda word: len(said[word]))
    if many == 0:
        return "", "", []
    if said["faster"] and said["slower"]:
        if len(said["faster"]) == len(said["slower"]):
            return "opposite", "", []
        side, other = sorted((said["slower"], said["faster"]), key=len)
        return "opposite", "faster" if other is said["faster"] else "slower", side
    word: ArmVerdict = most if sure else ""
    if many == 1:
        return "alone", word, []
    if len(said[most]) == many:
        return "everywhere", word, []
    return ("mostly" if 2 * len(said[most]) > many else "open"), word, []


def _host(fleet: FleetFile, key: str, run: RunSummary | None) -> HostSummary:
    known = fleet.hosts[key]
    made = HostSummary(
        key=key,
        state=known.state,
        reason=known.reason,
        problem=fleet.problems.get(key, ""),
        file=known.file,
        cpu_model=known.cpu_model,
        kernel=known.kernel,
        python=".".join(known.python.split(".")[:2]),
        version=known.python,
        build_kind=known.build_kind,
    )
    if run is None:
        return made
    machine = run.header.environment.machine
    interpreters = [*run.header.environment.interpreters.values()]
    made.cpu_model, made.kernel, made.cpus = machine.cpu_model, machine.kernel, machine.cpus_logical
    if interpreters:
        made.python, made.version = python_label(interpreters[0]), interpreters[0].version
        made.build_kind = interpreters[0].build_kind
    made.measured = any(arm.ratio is not None for one in run.benchmarks for arm in one.arms)
    made.complete, made.advisory, made.self_check = run.complete, run.advisory, run.self_check
    made.notes, made.left_out = run.notes, run.left_out
    return made


def _in_order(names: Iterable[str]) -> list[str]:
    """Each once, as they first come."""
    return list(dict.fromkeys(names))


def _benchmark(
    name: str, runs: Mapping[str, RunSummary], pythons: Mapping[str, str], margin: float
) -> SubjectAcross:
    found = {
        key: one for key, run in runs.items() for one in run.benchmarks if one.id == name
    }  # fmt: skip
    first = next(iter(found.values()))
    arms = {
        key: {arm.arm: (arm.ratio, arm.verdict, _why(arm)) for arm in _candidates(one)}
        for key, one in found.items()
    }
    return SubjectAcross(
        id=name,
        kind="benchmark",
        summary=first.summary,
        unit=first.unit,
        measure=first.measure,
        direction=first.direction,
        hosts=[key for key, one in found.items() if any(arm.ratio for arm in one.arms)],
        arms=_arms(arms, {key: one.fastest for key, one in found.items()}, pythons, margin),
        fastest={key: one.fastest for key, one in found.items() if one.fastest},
    )


def _candidates(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    return [arm for arm in benchmark.arms if arm.role != "aa"]


def _why(arm: ArmSummary) -> str:
    """Why it has no ratio."""
    return f"{arm.status}: {arm.reason}".rstrip(": ") if arm.status != "ok" else "no reference"


def _family(
    name: str,
    kind: Literal["family", "wait"],
    runs: Mapping[str, RunSummary],
    pythons: Mapping[str, str],
    margin: float,
) -> SubjectAcross:
    found = {
        key: one for key, run in runs.items() for one in _families(run, kind) if one.family == name
    }
    arms = {
        key: {
            arm.arm: (
                arm.ratio if arm.complete else None,
                arm.verdict,
                f"{arm.measured} of {arm.asked} benchmarks",
            )
            for arm in one.arms
        }
        for key, one in found.items()
    }
    return SubjectAcross(
        id=name,
        kind=kind,
        hosts=[key for key, one in found.items() if one.compared],
        arms=_arms(arms, {key: one.fastest for key, one in found.items()}, pythons, margin),
        fastest={key: one.fastest for key, one in found.items() if one.fastest},
    )


def _families(run: RunSummary, kind: Kind) -> list[FamilySummary]:
    """Of several benchmarks: one alone does not speak for its family."""
    found = run.families if kind == "family" else run.waits
    return [family for family in found if len(family.compared) > 1]


Figure = tuple[Ratio | None, ArmVerdict, str]  # ratio, verdict, why there is none


def _arms(
    found: Mapping[str, Mapping[str, Figure]],
    fastest: Mapping[str, Sequence[str]],
    pythons: Mapping[str, str],
    margin: float,
) -> list[ArmAcross]:
    """`found`: by host and arm. The reference has nothing to be compared with."""
    made = []
    for name in _in_order(arm for arms in found.values() for arm in arms):
        here = {host: arms[name] for host, arms in found.items() if name in arms}
        if any(verdict == "reference" for _, verdict, _ in here.values()):
            continue
        one = ArmAcross(
            arm=name,
            ratios={host: ratio for host, (ratio, _, _) in here.items() if ratio is not None},
            missing={host: why for host, (ratio, _, why) in here.items() if ratio is None},
            fastest_on=[host for host, names in fastest.items() if name in names],
        )
        one.verdicts = {host: here[host][1] for host in one.ratios}
        one.agreement, one.verdict, one.against = agreement_of(one.verdicts)
        one.parts = _parts(one, pythons, margin)
        made.append(one)
    return made


def _parts(arm: ArmAcross, pythons: Mapping[str, str], margin: float) -> list[Part]:
    """One for each Python, newest last; none of hosts without a bounded interval."""
    made = []
    for python in sorted({pythons[host] for host in arm.ratios}, key=_version):
        ratios = {
            host: ratio
            for host, ratio in arm.ratios.items()
            if pythons[host] == python and math.isfinite(ratio.high) and ratio.low > 0
        }
        if ratios:
            made.append(_part(python, ratios, margin, opposite=arm.agreement == "opposite"))
    return made


def _version(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.rstrip("t").split(".") if part.isdigit())


def _part(python: str, ratios: Mapping[str, Ratio], margin: float, *, opposite: bool) -> Part:
    hosts, found = [*ratios], [*ratios.values()]
    combined = combine(
        [math.log(one.estimate) for one in found],
        [error_of(one.low, one.high, one.n) for one in found],
        [one.n for one in found],
        margin=math.log1p(margin),
    )
    over = _interval(combined.estimate, combined.low, combined.high)
    judged = len(hosts) > 1 and not opposite
    return Part(
        python=python,
        hosts=hosts,
        over=over,
        everyone=_interval(*combined.everyone),
        prediction_low=_exp(combined.prediction_low),
        prediction_high=_exp(combined.prediction_high),
        tau=combined.tau,
        i2=combined.i2,
        q_p=combined.q_p,
        odd=[hosts[i] for i in combined.odd],
        verdict=statistics.verdict(over.low, over.high, margin) if judged else "",
    )


def _interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate=_exp(estimate), low=_exp(low), high=_exp(high))


def _exp(value: float) -> float:
    """Two hosts that differ much have an interval beyond what a float can hold."""
    return math.inf if value > 700 else math.exp(value)
