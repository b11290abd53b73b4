"""What a store knows of many hosts at once, read as columns: a hundred thousand figures in a few
tenths of a second.

The database puts the figures of a series into one text each (`string_agg`, `group_concat`), and
numpy reads all texts in one go: rows that become objects one by one take three times as long as
everything else. Floating-point numbers keep at least 15 digits on the way.

Of each host the newest runs are looked at, however long the store has been kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, String, cast, func, select

from loopgauge.harness.history import tables
from loopgauge.harness.history.fleet_model import StoredHost
from loopgauge.harness.history.model import COST, RATIO, MachineKind
from loopgauge.harness.statistics import Floats

RECENT = 10  # runs of each host, in which the newest figure of each benchmark is looked for
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """Of one host. The same file of a run on two Pythons is two of these."""

    host: int  # its place in `Figures.hosts`
    created: str
    setting: str


@dataclass
class Figures:
    """Ratios to the reference, a column each; `run`, `benchmark` and `loop` are places in the
    lists. Without a figure the value is NaN; without an interval its ends are. Of the same host,
    benchmark and loop only the newest is here."""

    hosts: list[StoredHost]
    runs: list[Run]  # oldest first
    benchmarks: list[str]
    loops: list[tuple[str, str]]  # name, version
    run: Ints
    benchmark: Ints
    loop: Ints
    value: Floats
    low: Floats
    high: Floats
    processes: Floats
    units: dict[str, str]  # of what the ratios are of, by benchmark: "ns/step"
    strange: int  # series relative to something else, which are not here

    @property
    def host(self) -> Ints:
        return np.array([run.host for run in self.runs], dtype=np.int64)[self.run]

    @property
    def days(self) -> list[str]:
        return [run.created[:10] for run in self.runs]


def read_figures(
    connection: Connection, reference: str, *, loop: str = "", every_day: int = 0
) -> Figures:
    """Relative to `reference`, of all loops or one. `every_day`: not the newest figure of each host
    alone, but that of each day, in this many of its newest runs."""
    numbers, hosts, runs, some = _runs(connection, every_day or RECENT)
    wanted = _figures(reference, loop)
    if some:
        wanted = _only_recent(wanted, every_day or RECENT, runs)
    rows = connection.execute(wanted).all()
    rows = sorted(rows, key=lambda row: (row.id, row.version))
    benchmarks = sorted({row.benchmark for row in rows})
    loops = sorted({(row.loop, row.version) for row in rows})
    place = {name: number for number, name in enumerate(benchmarks)}
    build = {name: number for number, name in enumerate(loops)}
    counts = [row.figures for row in rows]
    machine = np.repeat(_ints(row.machine_id for row in rows), counts)
    found = Figures(
        hosts=hosts,
        runs=runs,
        benchmarks=benchmarks,
        loops=loops,
        run=_places(numbers, machine, _numbers([row.run for row in rows])),
        benchmark=np.repeat(_ints(place[row.benchmark] for row in rows), counts),
        loop=np.repeat(_ints(build[row.loop, row.version] for row in rows), counts),
        value=_numbers([row.value for row in rows]),
        low=_numbers([row.low for row in rows]),
        high=_numbers([row.high for row in rows]),
        processes=_numbers([row.processes for row in rows]),
        units={row.benchmark: row.unit for row in connection.execute(_units())},
        strange=connection.execute(_strange(reference, loop)).scalar_one(),
    )
    return _newest(found, found.days if every_day else [""] * len(runs))


def _recent(runs: int) -> Any:
    """The newest runs of each host, by run and machine; gates are left out, whose sides are no
    loops that anybody could name, and so is what a resumed run has replaced."""
    run, of = tables.run, tables.run_machine
    order = func.row_number().over(
        partition_by=(run.c.host, of.c.machine_id), order_by=(run.c.created.desc(), run.c.id.desc())
    )
    replaced = select(tables.replaced.c.run_id)
    ranked = (
        select(
            run.c.id,
            run.c.created,
            run.c.host,
            run.c.setting,
            of.c.machine_id,
            order.label("newest"),
        )
        .join(of, of.c.run_id == run.c.id)
        .where(run.c.kind == "run", run.c.id.not_in(replaced))
        .subquery()
    )
    return select(ranked).where(ranked.c.newest <= runs)


def _runs(
    connection: Connection, most: int
) -> tuple[dict[tuple[int, int], int], list[StoredHost], list[Run], bool]:
    """Places of runs by the numbers of machine and run; hosts by kind of machine; runs oldest
    first; and whether there are others, which do not count."""
    everything = connection.execute(select(func.count()).select_from(tables.run_machine)).scalar()
    kinds = {
        row.id: MachineKind(
            cpu_model=row.cpu_model, kernel=row.kernel, python=row.python, build_kind=row.build_kind
        )
        for row in connection.execute(select(tables.machine))
    }
    rows = connection.execute(_recent(most)).all()
    rows = sorted(rows, key=lambda row: (row.created, row.id, row.machine_id))
    hosts = sorted(
        {StoredHost(row.host, kinds[row.machine_id]) for row in rows},
        key=lambda one: (one.machine.title, one.host),
    )
    place = {host: number for number, host in enumerate(hosts)}
    runs = [
        Run(place[StoredHost(row.host, kinds[row.machine_id])], row.created, row.setting)
        for row in rows
    ]
    numbers = {(row.machine_id, row.id): n for n, row in enumerate(rows)}
    return numbers, hosts, runs, len(rows) != everything


def _figures(reference: str, loop: str) -> Select[Any]:
    """A row for each series and version, with its figures as lists in texts."""
    series, point = tables.series, tables.point
    wanted = [series.c.metric == RATIO, series.c.against == reference]
    if loop:
        wanted.append(series.c.loop == loop)
    return (
        select(
            series.c.id,
            series.c.machine_id,
            series.c.benchmark,
            series.c.loop,
            point.c.version,
            func.count().label("figures"),
            _listed(point.c.run_id).label("run"),
            *(_listed(point.c[name]).label(name) for name in ("value", "low", "high", "processes")),
        )
        .join(point, point.c.series_id == series.c.id)
        .where(*wanted)
        .group_by(series.c.id, point.c.version)
    )


def _only_recent(statement: Select[Any], most: int, runs: list[Run]) -> Select[Any]:
    """Only where there are other runs, too: before a database has counted its rows, its plan for
    this takes seconds. What is older than all of `runs` is not even looked at, since points lie in
    the order of time."""
    series, point, recent = tables.series, tables.point, _recent(most).subquery()
    pair = (recent.c.id == point.c.run_id) & (recent.c.machine_id == series.c.machine_id)
    oldest = runs[0].created if runs else ""
    return statement.join(recent, pair).where(point.c.created >= oldest)


def _listed(column: Any) -> Any:
    return func.aggregate_strings(func.coalesce(cast(column, String), "nan"), ",")


def _strange(reference: str, loop: str) -> Select[Any]:
    series = tables.series
    other = (series.c.metric == RATIO, series.c.against.not_in((reference, "base")))
    return select(func.count()).where(*other, *([series.c.loop == loop] if loop else []))


def _units() -> Select[Any]:
    """Of what is compared: the ratios have none."""
    series = tables.series
    return (
        select(series.c.benchmark, func.min(series.c.unit).label("unit"))
        .where(series.c.metric == COST)
        .group_by(series.c.benchmark)
    )


def stored_loops(connection: Connection) -> list[str]:
    """That have a ratio, by name."""
    series = tables.series
    return list(
        connection.execute(
            select(series.c.loop).where(series.c.metric == RATIO).distinct().order_by(series.c.loop)
        ).scalars()
    )


def _numbers(texts: list[str]) -> Floats:
    return np.fromstring(",".join(texts), dtype=np.float64, sep=",") if texts else np.empty(0)


def _ints(numbers: Any) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)


def _places(numbers: dict[tuple[int, int], int], machine: Ints, run: Floats) -> Ints:
    """From the numbers of the database to places in a list."""
    width = int(run.max(initial=0)) + 1
    known = sorted(pair for pair in numbers if pair[1] < width)
    keys = _ints(machine * width + run for machine, run in known)
    places = _ints(numbers[pair] for pair in known)
    return places[np.searchsorted(keys, machine * width + run.astype(np.int64))]


def _newest(found: Figures, periods: list[str]) -> Figures:
    """Of each host, benchmark and loop the newest of each period, whatever its version."""
    order = np.argsort(found.run, kind="stable")[::-1]  # the newest first
    names = [name for name, _ in found.loops]
    loop = _ints(names.index(name) for name in names)[found.loop]
    days, period = np.unique(np.array(periods), return_inverse=True)
    key = found.host * len(found.benchmarks) + found.benchmark
    key = (key * len(names) + loop) * len(days) + period[found.run]
    _, first = np.unique(key[order], return_index=True)
    kept = np.sort(order[first])
    for name in ("run", "benchmark", "loop", "value", "low", "high", "processes"):
        setattr(found, name, getattr(found, name)[kept])
    left, found.loop = np.unique(found.loop, return_inverse=True)
    found.loops = [found.loops[number] for number in left]
    return found
