"""What a store knows of many hosts at once, read as columns: a hundred thousand figures in a few
tenths of a second.

The database puts the figures of a series into one text each (`string_agg`, `group_concat`), and
numpy reads all texts in one go: rows that become objects one by one take three times as long as
everything else. Floating-point numbers keep at least 15 digits on the way.

Of each host the newest runs are looked at, however long the store has been kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, Select, String, cast, func, select, tuple_

from loopgauge.harness.history import tables
from loopgauge.harness.history.fleet_model import HOSTS_OF_DAYS, StoredHost, python_of
from loopgauge.harness.history.model import COST, RATIO, MachineKind
from loopgauge.harness.statistics import Floats

AT_MOST = 2  # times as many runs as count are read, and left out here rather than there
RECENT = 10  # runs of each host, in which the newest figure of each benchmark is looked for
DAYS = 40  # runs of each host that its days are told by
FIGURES = ("value", "low", "high", "processes")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """Of one host. The same file of a run on two Pythons is two of these."""

    host: int  # its place in `Figures.hosts`
    created: str
    advisory: bool  # its self-check failed


@dataclass
class Columns:
    """Of one loop as they were read: `version`, `run` and `benchmark` are places in lists."""

    versions: list[str]
    run: Ints
    benchmark: Ints
    version: Ints
    figures: Floats  # a row each, as FIGURES


def _no_places() -> Ints:
    return np.empty(0, dtype=np.int64)


def _no_figures() -> Floats:
    return np.empty((0, len(FIGURES)))


@dataclass
class Figures:
    """Ratios to the reference, a row each; `run`, `benchmark` and `loop` are places in the lists.
    Without a figure the value is NaN; without an interval its ends are."""

    hosts: list[StoredHost]
    runs: list[Run]  # oldest first
    benchmarks: list[str]
    units: dict[str, str]  # of what the ratios are of, by benchmark: "ns/step"
    strange: int  # series relative to something else, which are not here
    loops: list[tuple[str, str]] = field(default_factory=list)  # name, version
    run: Ints = field(default_factory=_no_places)
    benchmark: Ints = field(default_factory=_no_places)
    loop: Ints = field(default_factory=_no_places)
    figures: Floats = field(default_factory=_no_figures)

    @property
    def host(self) -> Ints:
        return _ints(run.host for run in self.runs)[self.run]

    def add(self, loop: str, found: Columns, host: Ints, period: Ints) -> None:
        """Of each host and benchmark the newest figure of each period, whatever its version.
        `host` and `period` are those of the runs."""
        key = host[found.run] * len(self.benchmarks) + found.benchmark
        key = key * (int(period.max()) + 1) + period[found.run]
        order = np.argsort(found.run, kind="stable")[::-1]  # the newest first
        kept = np.sort(order[np.unique(key[order], return_index=True)[1]])
        left, version = np.unique(found.version[kept], return_inverse=True)
        self.loop = np.concatenate([self.loop, version + len(self.loops)])
        self.loops += [(loop, found.versions[number]) for number in left]
        self.run = np.concatenate([self.run, found.run[kept]])
        self.benchmark = np.concatenate([self.benchmark, found.benchmark[kept]])
        self.figures = np.concatenate([self.figures, found.figures[kept]])


@dataclass
class Recent:
    """The runs that count, and by the numbers of machine and run where each is in the list."""

    hosts: list[StoredHost]
    runs: list[Run]  # oldest first
    places: dict[tuple[int, int], int]
    chosen: Select[Any] | None  # that finds them; None where hardly any others are as new

    @property
    def oldest(self) -> str:
        return self.runs[0].created if self.runs else ""


def read_figures(connection: Connection, reference: str, *, loop: str = "") -> Figures:
    """The newest figure on each host relative to `reference`, of all loops or one."""
    recent = _recent(connection, RECENT)
    return _read(connection, reference, loop, recent, [""] * len(recent.runs))


def read_days(connection: Connection, reference: str, *, hosts: int = HOSTS_OF_DAYS) -> Figures:
    """The newest figure of each day, of the hosts with the most runs, so many of each Python."""
    recent = _recent(connection, DAYS, _steady(connection, hosts))
    return _read(connection, reference, "", recent, [run.created[:10] for run in recent.runs])


def _read(
    connection: Connection, reference: str, loop: str, recent: Recent, periods: list[str]
) -> Figures:
    """One loop after the other, of each the newest of each period: what is read and not kept may be
    ten times as much."""
    benchmarks = _benchmarks(connection)
    found = Figures(
        hosts=recent.hosts,
        runs=recent.runs,
        benchmarks=benchmarks,
        units={row.benchmark: row.unit for row in connection.execute(_units())},
        strange=connection.execute(_strange(reference, loop)).scalar_one(),
    )
    host = _ints(run.host for run in recent.runs)
    period = np.unique(np.array(periods), return_inverse=True)[1]
    names = [loop] if loop else stored_loops(connection)
    for name in names if recent.runs else []:
        rows = connection.execute(_figures(reference, name, recent)).all()
        if rows:
            found.add(name, _columns(rows, recent, benchmarks), host, period)
    return found


def _columns(rows: Sequence[Row[Any]], recent: Recent, benchmarks: list[str]) -> Columns:
    rows = sorted(rows, key=lambda row: (row.id, row.version))
    versions = sorted({row.version for row in rows})
    counts = [row.figures for row in rows]
    machine = np.repeat(_ints(row.machine_id for row in rows), counts)
    runs, known = _places(recent.places, machine, _numbers([row.run for row in rows]))
    place = {name: number for number, name in enumerate(benchmarks)}
    columns = [_numbers([getattr(row, name) for row in rows]) for name in FIGURES]
    return Columns(
        versions=versions,
        run=runs[known],
        benchmark=np.repeat(_ints(place[row.benchmark] for row in rows), counts)[known],
        version=np.repeat(_ints(versions.index(row.version) for row in rows), counts)[known],
        figures=np.stack(columns, axis=1)[known],
    )


def _recent(
    connection: Connection, most: int, hosts: Sequence[tuple[str, int]] | None = None
) -> Recent:
    """`most` of each host; `hosts`: of these alone."""
    chosen = _newest_runs(most, hosts)
    kinds = _kinds(connection)
    rows = sorted(connection.execute(chosen), key=lambda row: (row.created, row.id, row.machine_id))
    of_row = [StoredHost(row.host, kinds[row.machine_id]) for row in rows]
    known = sorted(set(of_row), key=lambda one: (one.machine.title, one.host))
    place = {host: number for number, host in enumerate(known)}
    as_new = _as_new(connection, rows[0].created) if rows else 0
    return Recent(
        hosts=known,
        runs=[
            Run(place[host], row.created, row.advisory)
            for host, row in zip(of_row, rows, strict=True)
        ],
        places={(row.machine_id, row.id): number for number, row in enumerate(rows)},
        chosen=chosen if as_new > AT_MOST * len(rows) else None,
    )


def _as_new(connection: Connection, oldest: str) -> int:
    run, of = tables.run, tables.run_machine
    there = select(func.count()).select_from(of).join(run, run.c.id == of.c.run_id)
    return int(connection.execute(there.where(run.c.created >= oldest)).scalar_one())


def _kinds(connection: Connection) -> dict[int, MachineKind]:
    return {
        row.id: MachineKind(
            cpu_model=row.cpu_model, kernel=row.kernel, python=row.python, build_kind=row.build_kind
        )
        for row in connection.execute(select(tables.machine))
    }


def _steady(connection: Connection, most: int) -> list[tuple[str, int]]:
    """The hosts with the most runs, `most` of each Python."""
    kinds, run, of = _kinds(connection), tables.run, tables.run_machine
    statement = (
        select(run.c.host, of.c.machine_id, func.count().label("runs"))
        .join(of, of.c.run_id == run.c.id)
        .where(_counts())
        .group_by(run.c.host, of.c.machine_id)
    )
    found: dict[str, list[tuple[str, int]]] = {}
    rows = connection.execute(statement).all()
    for row in sorted(rows, key=lambda row: (-row.runs, row.host, row.machine_id)):
        found.setdefault(python_of(kinds[row.machine_id]), []).append((row.host, row.machine_id))
    return [host for hosts in found.values() for host in hosts[:most]]


def _counts() -> ColumnElement[bool]:
    """A run: no gate, whose sides are no loops that anybody could name; and none that was resumed
    and replaced."""
    replaced = select(tables.replaced.c.run_id)
    return (tables.run.c.kind == "run") & tables.run.c.id.not_in(replaced)


def _newest_runs(most: int, hosts: Sequence[tuple[str, int]] | None) -> Select[Any]:
    run, of = tables.run, tables.run_machine
    order = func.row_number().over(
        partition_by=(run.c.host, of.c.machine_id), order_by=(run.c.created.desc(), run.c.id.desc())
    )
    ranked = (
        select(
            run.c.id,
            run.c.created,
            run.c.host,
            run.c.advisory,
            of.c.machine_id,
            order.label("newest"),
        )
        .join(of, of.c.run_id == run.c.id)
        .where(_counts())
    )
    if hosts is not None:
        ranked = ranked.where(tuple_(run.c.host, of.c.machine_id).in_(hosts))
    found = ranked.subquery()
    return select(found).where(found.c.newest <= most)


def _figures(reference: str, loop: str, recent: Recent) -> Select[Any]:
    """A row for each series and version, with its figures as lists in texts. What is older than all
    runs that count is not even looked at, since points lie in the order of time."""
    series, point = tables.series, tables.point
    mine = (series.c.metric == RATIO, series.c.against == reference, series.c.loop == loop)
    statement = (
        select(
            series.c.id,
            series.c.machine_id,
            series.c.benchmark,
            point.c.version,
            func.count().label("figures"),
            _listed(point.c.run_id).label("run"),
            *(_listed(point.c[name]).label(name) for name in FIGURES),
        )
        .join(point, point.c.series_id == series.c.id)
        .where(*mine, point.c.created >= recent.oldest)
        .group_by(series.c.id, point.c.version)
    )
    return statement if recent.chosen is None else _only(statement, recent.chosen)


def _only(statement: Select[Any], chosen: Select[Any]) -> Select[Any]:
    """Left out where hardly any other run is as new: before a database has counted its rows, its
    plan for this takes seconds."""
    series, point, wanted = tables.series, tables.point, chosen.subquery()
    pair = (wanted.c.id == point.c.run_id) & (wanted.c.machine_id == series.c.machine_id)
    return statement.join(wanted, pair)


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


def _benchmarks(connection: Connection) -> list[str]:
    """That have a ratio, by name."""
    name, metric = tables.series.c.benchmark, tables.series.c.metric
    wanted = select(name).where(metric == RATIO).distinct().order_by(name)
    return list(connection.execute(wanted).scalars())


def stored_loops(connection: Connection) -> list[str]:
    """That have a ratio, by name."""
    name, metric = tables.series.c.loop, tables.series.c.metric
    wanted = select(name).where(metric == RATIO).distinct().order_by(name)
    return list(connection.execute(wanted).scalars())


def _numbers(texts: list[str]) -> Floats:
    return np.fromstring(",".join(texts), dtype=np.float64, sep=",") if texts else np.empty(0)


def _ints(numbers: Any) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)


def _places(
    numbers: dict[tuple[int, int], int], machine: Ints, run: Floats
) -> tuple[Ints, NDArray[np.bool_]]:
    """From the numbers of the database to places in a list, and which of them are there."""
    width = int(max(run.max(initial=0), *(one for _, one in numbers))) + 1
    known = sorted(numbers)
    keys = _ints(machine * width + run for machine, run in known)
    wanted = machine * width + run.astype(np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return _ints(numbers[pair] for pair in known)[at], keys[at] == wanted
