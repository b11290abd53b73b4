"""From what a store has of many hosts to figures over them: each host by itself first, and the host
as the random effect (fleet/combining.py).

The store has benchmarks, not families: a family's figure on a host is the mean of its benchmarks'
log-ratios. What these have in common (they were measured in the same processes) is not stored, so
the error of that mean is taken to be the mean of their errors, as if they all erred together: too
large rather than too small. Two loops of one host were measured in the same processes, too, and the
error of their difference is taken as if they had not been.

Hosts may have measured different benchmarks. A family's figure is of those that most hosts have;
other hosts are counted and left out: what is averaged over other benchmarks is another figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from loopgauge.harness.distributions import t_quantile
from loopgauge.harness.families import TIME_UNITS, Kind, family_of
from loopgauge.harness.fleet.combining import TAIL, combine, error_of
from loopgauge.harness.history.fleet_model import (
    Counts,
    Days,
    Lead,
    Line,
    Over,
    Section,
    StoredLoop,
    Summary,
    python_number,
    python_of,
)
from loopgauge.harness.history.fleet_queries import Figures, Ints
from loopgauge.harness.history.model import MachineKind
from loopgauge.harness.statistics import Floats

MARGIN = math.log1p(0.01)  # that of the runs: what is closer than this is no difference
REFERENCE = "asyncio"
Mask = NDArray[np.bool_]
Scope = TypeVar("Scope")


@dataclass(frozen=True)
class PerHost:
    """A logarithm of a ratio on every host, NaN where there is none."""

    benchmarks: tuple[str, ...]
    estimate: Floats
    error: Floats
    processes: Floats
    failing: Mask  # asked, and without a valid figure
    other: Mask  # asked for other benchmarks

    @property
    def known(self) -> Mask:
        return np.isfinite(self.estimate) & np.isfinite(self.error)

    @property
    def thin(self) -> Mask:
        """A figure without an interval."""
        return np.isfinite(self.estimate) & ~np.isfinite(self.error)

    def minus(self, first: PerHost) -> PerHost:
        """Relative to another loop instead of the reference, on the hosts that have both."""
        return PerHost(
            self.benchmarks,
            self.estimate - first.estimate,
            np.hypot(self.error, first.error),
            np.minimum(self.processes, first.processes),
            self.failing,
            self.other,
        )


class Build:
    """One version of a loop: hosts by benchmarks."""

    def __init__(self, figures: Figures, number: int) -> None:
        self.loop, self.version = figures.loops[number]
        mine = np.flatnonzero(figures.loop == number)
        at = figures.host[mine], figures.benchmark[mine]
        shape = len(figures.hosts), len(figures.benchmarks)
        self.asked = np.zeros(shape, dtype=bool)
        self.asked[at] = True
        value, low, high, processes = figures.figures[mine].T
        self.value, self.error, self.processes = (np.full(shape, np.nan) for _ in range(3))
        self.value[at] = np.log(value)
        self.error[at] = errors(low, high, processes)
        self.processes[at] = processes
        self.newest = int(figures.run[mine].max())

    @property
    def hosts(self) -> int:
        return int(np.isfinite(self.value).any(axis=1).sum())

    def of(self, members: Ints, names: Sequence[str]) -> PerHost | None:
        """Over these benchmarks, or those of them that most hosts were asked."""
        asked = self.asked[:, members]
        some = np.asarray(asked.any(axis=1), dtype=np.bool_)
        if not some.any():
            return None
        wanted, same = most_asked(asked, some)
        chosen = members[wanted]
        estimate = np.where(same, self.value[:, chosen].mean(axis=1), np.nan)
        return PerHost(
            tuple(names[n] for n in chosen),
            estimate,
            np.where(same, self.error[:, chosen].mean(axis=1), np.nan),
            np.where(same, self.processes[:, chosen].min(axis=1), np.nan),
            same & ~np.isfinite(estimate),
            some & ~same,
        )


def most_asked(asked: Mask, some: Mask) -> tuple[Mask, Mask]:
    """The set of benchmarks that most of these hosts were asked, the larger one of two, and who
    was."""
    if asked[some].all():
        return np.ones(asked.shape[1], dtype=np.bool_), some
    sets, which, counts = np.unique(asked[some], axis=0, return_inverse=True, return_counts=True)
    most = max(range(len(sets)), key=lambda n: (counts[n], sets[n].sum()))
    same = np.zeros(len(some), dtype=np.bool_)
    same[some] = which.reshape(-1) == most
    return sets[most], same


def errors(low: Floats, high: Floats, processes: Floats) -> Floats:
    """`error_of`, of columns: it is in proportion to the width of the interval."""
    with np.errstate(invalid="ignore", divide="ignore"):
        half = (np.log(high) - np.log(low)) / 2
        found = half * _by_count(_unit_error, processes)
    return np.where(np.isfinite(found), np.maximum(found, error_of(1, 1, 9)), np.nan)


def _unit_error(processes: int) -> float:
    return error_of(math.exp(-1), math.exp(1), processes)


def _by_count(function: Callable[[int], float], processes: Floats) -> Floats:
    counts, which = np.unique(np.nan_to_num(processes), return_inverse=True)
    return np.array([function(int(count)) for count in counts])[which.reshape(processes.shape)]


class Summing:
    """`kinds` and `pythons`: the places of the hosts of each.

    A host says faster or slower where its own interval lies beyond the margin, with the error held
    over all hosts (Bonferroni): of a thousand that are all alike, none is to be called another."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        found: dict[MachineKind, list[int]] = {}
        for number, host in enumerate(figures.hosts):
            found.setdefault(host.machine, []).append(number)
        self.kinds = {kind: np.array(numbers) for kind, numbers in found.items()}
        pythons = sorted({python_of(kind) for kind in found}, key=python_number, reverse=True)
        self.pythons = {
            python: np.array(
                [n for kind in found if python_of(kind) == python for n in found[kind]]
            )
            for python in pythons
        }
        self.everybody = np.arange(len(figures.hosts))
        self._tail = TAIL / max(1, len(figures.hosts))
        self.builds = [Build(figures, number) for number in range(len(figures.loops))]
        self.families = self._families()
        self._main = self._main_versions()

    def _families(self) -> dict[tuple[str, Kind], Ints]:
        """Time per operation first; what is neither that nor waiting makes no family."""
        found: dict[tuple[str, Kind], list[int]] = {}
        for number, name in enumerate(self.figures.benchmarks):
            kind = kind_of_unit(self.figures.units.get(name, ""))
            if kind is not None:
                family = family_of(name.partition("[")[0])
                found.setdefault((family, kind), []).append(number)
        order = sorted(found, key=lambda one: one[1] != "cost")
        return {one: np.array(found[one]) for one in order}

    def _main_versions(self) -> dict[str, int]:
        main: dict[str, int] = {}
        worth = [(build.hosts, build.newest) for build in self.builds]
        for number, build in enumerate(self.builds):
            best = main.get(build.loop)
            if best is None or worth[number] > worth[best]:
                main[build.loop] = number
        return main

    def loops(self) -> list[StoredLoop]:
        return [
            StoredLoop(
                build.loop,
                build.version,
                build.hosts,
                self._main[build.loop] == number,
                [*self._lines(build)],
                [*self._benchmark_lines(build)],
            )
            for number, build in enumerate(self.builds)
        ]

    def _lines(self, build: Build) -> Iterator[Line]:
        for (family, kind), members in self.families.items():
            found = build.of(members, self.figures.benchmarks)
            if found is not None:
                pythons = self._each(found, self.pythons)
                kinds = self._each(found, self.kinds)
                counts = self.counts(found, self.everybody)
                yield Line(family, kind, found.benchmarks, counts, pythons, kinds)

    def _benchmark_lines(self, build: Build) -> Iterator[Line]:
        """Odd hosts are looked for in families alone, and are in the figures here: a hundred
        benchmarks would each find others, and it is the search that takes the time."""
        for number, name in enumerate(self.figures.benchmarks):
            found = build.of(np.array([number]), self.figures.benchmarks)
            if found is not None:
                kind = kind_of_unit(self.figures.units.get(name, ""))
                pythons = self._each(found, self.pythons, margin=math.inf)
                counts = self.counts(found, self.everybody)
                yield Line(name, kind, found.benchmarks, counts, pythons)

    def _each(
        self, found: PerHost, scopes: Mapping[Scope, Ints], margin: float = MARGIN
    ) -> dict[Scope, Over]:
        there = found.known | found.thin | found.failing | found.other
        return {
            scope: self.over(found, hosts, margin)
            for scope, hosts in scopes.items()
            if there[hosts].any()
        }

    def over(self, found: PerHost, hosts: Ints, margin: float = MARGIN) -> Over:
        there = hosts[found.known[hosts]]
        combined = combine(
            found.estimate[there], found.error[there], found.processes[there], margin
        )
        odd = tuple(self.figures.hosts[there[number]] for number in combined.odd)
        return Over(combined, self.counts(found, hosts), odd)

    def counts(self, found: PerHost, hosts: Ints) -> Counts:
        says = self._says(found, hosts)
        return Counts(
            hosts=int(found.known[hosts].sum()),
            faster=int((says < 0).sum()),
            slower=int((says > 0).sum()),
            failing=int(found.failing[hosts].sum()),
            other=int(found.other[hosts].sum()),
            thin=int(found.thin[hosts].sum()),
        )

    def _says(self, found: PerHost, hosts: Ints) -> Floats:
        """-1 where a host says faster, 1 slower, 0 neither."""
        estimate, processes = found.estimate[hosts], found.processes[hosts]
        reach = MARGIN + found.error[hosts] * _by_count(self._quantile, processes)
        return np.where(np.abs(estimate) > reach, np.sign(estimate), 0.0)

    def _quantile(self, processes: int) -> float:
        return t_quantile(self._tail, processes - 1) if processes > 1 else math.nan

    def sections(self) -> tuple[list[Section], list[Section]]:
        """By Python, and by kind of machine."""
        pythons = [
            Section(python, None, len(hosts), self._leads(hosts))
            for python, hosts in self.pythons.items()
        ]
        kinds = [
            Section(python_of(kind), kind, len(hosts), self._leads(hosts))
            for kind, hosts in self.kinds.items()
        ]
        return pythons, kinds

    def _leads(self, hosts: Ints) -> list[Lead]:
        return [
            lead
            for (family, kind), members in self.families.items()
            if (lead := self._lead(family, kind, members, hosts)) is not None
        ]

    def _lead(self, family: str, kind: Kind, members: Ints, hosts: Ints) -> Lead | None:
        """Only what was measured on most of these hosts, and of the same benchmarks, is ranked."""
        found = {
            loop: one
            for loop, number in self._main.items()
            if (one := self.builds[number].of(members, self.figures.benchmarks)) is not None
        }
        counts = {loop: int(one.known[hosts].sum()) for loop, one in found.items()}
        most = max(counts.values(), default=0)
        if not most:
            return None
        (asked, _), *_ = Counter(found[loop].benchmarks for loop in counts).most_common(1)
        ranked = {
            loop: one
            for loop, one in found.items()
            if one.benchmarks == asked and 2 * counts[loop] > most
        }
        if not ranked:
            return None
        ranked[REFERENCE] = _reference(next(iter(ranked.values())))
        return self._first(family, kind, ranked, hosts)

    def _first(self, family: str, kind: Kind, ranked: dict[str, PerHost], hosts: Ints) -> Lead:
        overs = {loop: self.over(one, hosts) for loop, one in ranked.items()}
        first = min(ranked, key=lambda loop: overs[loop].combined.estimate)
        others = {loop: one.minus(ranked[first]) for loop, one in ranked.items() if loop != first}
        behind = {loop: self.over(one, hosts) for loop, one in others.items()}
        behind = {loop: over for loop, over in behind.items() if over.known}
        apart = [loop for loop, over in behind.items() if over.verdict == "slower"]
        nearest = min(apart, key=lambda loop: behind[loop].low, default="")
        beaten, by = self._beaten(others, hosts)
        ahead = np.all([~(one.estimate[hosts] < 0) for one in others.values()], axis=0)
        there = ranked[first].known[hosts]
        return Lead(
            family=family,
            kind=kind,
            hosts=int(there.sum()),
            first=first,
            over=None if first == REFERENCE else overs[first],
            shares=sorted(loop for loop in behind if loop not in apart),
            next=nearest,
            behind=behind.get(nearest),
            ahead=int((ahead & there).sum()),
            beaten=beaten,
            beaten_by=by,
        )

    def _beaten(
        self, others: dict[str, PerHost], hosts: Ints
    ) -> tuple[int, dict[str, list[MachineKind]]]:
        anywhere = np.zeros(len(hosts), dtype=bool)
        by: dict[str, list[MachineKind]] = {}
        for loop, one in others.items():
            clearly = self._says(one, hosts) < 0
            anywhere |= clearly
            kinds = {self.figures.hosts[hosts[n]].machine for n in np.flatnonzero(clearly)}
            if kinds:
                by[loop] = sorted(kinds, key=lambda kind: kind.title)
        return int(anywhere.sum()), by


def _reference(like: PerHost) -> PerHost:
    """Relative to itself, on the hosts of the others."""
    zero = np.where(like.known, 0.0, np.nan)
    none = np.zeros(len(zero), dtype=bool)
    return PerHost(like.benchmarks, zero, zero, like.processes, none, none)


def kind_of_unit(unit: str) -> Kind | None:
    """As families.kind_of, from the unit of the costs that are stored."""
    if unit.startswith("ns/"):
        return "cost"
    if unit in TIME_UNITS:
        return "wait"
    number, per, _ = unit.partition(" per ")
    return "cost" if per and number in TIME_UNITS else None


def summarise(figures: Figures, *, whole: bool = True) -> Summary:
    """`whole`: also who leads where, which takes all loops."""
    summing = Summing(figures)
    counted = [figures.runs[number] for number in np.unique(figures.run)]
    there = {run.host for run in counted}
    pythons, kinds = summing.sections() if whole else ([], [])
    return Summary(
        hosts=len(there),
        runs=len(counted),
        oldest=min((run.created for run in counted), default=""),
        newest=max((run.created for run in counted), default=""),
        loops=summing.loops(),
        pythons=pythons,
        kinds=kinds,
        strange=figures.strange,
        advisory=sum(run.advisory for run in counted),
        unknown=sum(not figures.hosts[number].host for number in there),
    )


def summarise_days(figures: Figures) -> list[Days]:
    """Of what `read_days` has read. Only where there are two days or more."""
    days, summing = _hosts_of_days(figures)
    found = []
    for (family, kind), members in summing.families.items():
        for build in summing.builds:
            values = build.of(members, figures.benchmarks)
            if values is None:
                continue
            for python, hosts in summing.pythons.items():
                overs = {
                    day: over
                    for day in sorted(set(days))
                    if (over := _of_day(summing, values, hosts, days, day)).known
                }
                if len(overs) > 1:
                    found.append(Days(python, family, kind, build.loop, overs))
    return found


def _of_day(summing: Summing, values: PerHost, hosts: Ints, days: list[str], day: str) -> Over:
    there = [host for host in hosts if days[host] == day]
    return summing.over(values, np.array(there, dtype=np.int64), margin=math.inf)


def _hosts_of_days(figures: Figures) -> tuple[list[str], Summing]:
    """Each host once for every day, with the day of each; and versions of a loop as one, whose
    effect is what a trend shows."""
    pairs = sorted({(run.created[:10], run.host) for run in figures.runs})
    place = {pair: number for number, pair in enumerate(pairs)}
    names = sorted({name for name, _ in figures.loops})
    number = np.array([names.index(name) for name, _ in figures.loops], dtype=np.int64)
    changed = replace(
        figures,
        hosts=[figures.hosts[host] for _, host in pairs],
        runs=[replace(run, host=place[run.created[:10], run.host]) for run in figures.runs],
        loops=[(name, "") for name in names],
        loop=number[figures.loop],
    )
    return [day for day, _ in pairs], Summing(changed)
