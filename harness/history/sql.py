"""A history in an SQL database, through SQLAlchemy: nothing here is SQLite's or PostgreSQL's own.

What differs between databases (how to open one, how many rows go in at once, what its errors mean)
is handed in; `sqlite.py` and `postgresql.py` do so.

Rows are only added, and whoever is first is the first by a unique constraint: of two processes that
import the same run at once, the second waits for the first to commit, and then finds it stored. All
take their rows in one order (machines, series, runs, each sorted), so that two never wait for each
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Engine, Insert, Row, Table, func, select

from loopgauge.harness.history import tables
from loopgauge.harness.history.matching import benchmark_names, fits_any, machine_matches
from loopgauge.harness.history.model import (
    Content,
    Entry,
    MachineKind,
    MachineRow,
    Names,
    Outcome,
    Point,
    Query,
    Series,
    SeriesKey,
    StoredRun,
)

AT_ONCE = 500  # series asked for in one statement: databases bound the number of parameters
ROWS_AT_ONCE = 10_000
MACHINES_KEPT = 100  # whose series are remembered between two runs

# Of an engine's connection: the transaction is going to write.
WRITING = {"loopgauge_writing": True}

SERIES_FIELDS = ("benchmark", "loop", "metric", "against", "unit", "direction")
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Database:
    """What is a database's own. `guard` is entered around every use of the engine, and turns the
    errors of its database into those of harness.errors. `insert`: a statement that leaves out what
    is there already. `fill`: adds many rows to a table."""

    engine: Engine
    guard: Callable[[], AbstractContextManager[None]]
    insert: Callable[[Table], Insert]
    fill: Callable[[Connection, Table, Rows], None]


class SqlHistory:
    """See model.History."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine
        # Rows known to be committed; never deleted.
        self._machines: dict[MachineKind, int] = {}
        self._series: dict[int, dict[SeriesKey, int]] = {}  # by machine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction, for queries beside those of this class."""
        with self._database.guard(), self._engine.begin() as connection:
            yield connection

    def add(self, runs: Iterable[StoredRun]) -> list[Outcome]:
        wanted = list(runs)
        try:
            with self._database.guard(), self._engine.connect() as plain:
                connection = plain.execution_options(**WRITING)
                with connection.begin():
                    return self._add_all(connection, wanted)
        except BaseException:
            self._machines.clear()
            self._series.clear()
            raise

    def content(self, run: str) -> Content | None:
        with self.reading() as connection:
            newest = _revisions(connection, run)[-1:]
        return Content(newest[0].content, newest[0].size) if newest else None

    def names(self) -> Names:
        with self.reading() as connection:
            columns = (tables.series.c[name] for name in ("benchmark", "loop", "metric"))
            return Names(*(_distinct(connection, column) for column in columns))

    def machines(self, query: Query | None = None) -> list[MachineRow]:
        machine, of, run = tables.machine, tables.run_machine, tables.run
        newest = func.max(run.c.created)
        statement = (
            select(machine, func.count(), func.min(run.c.created), newest)
            .join(of, of.c.machine_id == machine.c.id)
            .join(run, run.c.id == of.c.run_id)
            .where(_not_replaced(run.c.id))
            .group_by(machine.c.id)
            .order_by(newest.desc(), machine.c.id)
        )
        with self.reading() as connection:
            if query is not None:
                having = select(tables.series.c.machine_id).where(*_conditions(connection, query))
                statement = statement.where(machine.c.id.in_(having))
            rows = connection.execute(statement).all()
        return [
            MachineRow(machine=_machine(row), runs=row[-3], first=row[-2], last=row[-1])
            for row in rows
        ]

    def keys(self, query: Query) -> list[SeriesKey]:
        return [key for _, key in self._matching(query)]

    def series(self, query: Query) -> list[Series]:
        wanted = self._matching(query)
        with self.reading() as connection:
            points: dict[int, list[Point]] = {}
            for some in _portions([number for number, _ in wanted], AT_ONCE):
                for row in connection.execute(_newest(some, query.last)):
                    points.setdefault(row.series_id, []).append(_point(row))
        newest = slice(-query.last if query.last else None, None)
        return [
            Series(key=key, points=points[number][newest])
            for number, key in wanted
            if number in points
        ]

    def rows(self, query: Query) -> Iterator[dict[str, Any]]:
        for number, key in self._matching(query):
            with self.reading() as connection:
                statement = _newest([number], None).execution_options(yield_per=ROWS_AT_ONCE)
                for row in connection.execute(statement):
                    yield _flat(key, _point(row))

    def close(self) -> None:
        self._engine.dispose()

    def _add_all(self, connection: Connection, runs: list[StoredRun]) -> list[Outcome]:
        self._know_series(connection, {entry.series for run in runs for entry in run.entries})
        in_order = sorted(range(len(runs)), key=lambda index: runs[index].run)
        outcomes = {index: self._add_one(connection, runs[index]) for index in in_order}
        return [outcomes[index] for index in range(len(runs))]

    def _add_one(self, connection: Connection, run: StoredRun) -> Outcome:
        there = _revisions(connection, run.run)
        if any(one.content == run.content for one in there):
            return "known"
        if there and there[-1].content != run.replaces:
            return "differs"
        number = self._new_run(connection, run, revision=there[-1].revision + 1 if there else 0)
        if number is None:  # another process has just stored one
            return self._add_one(connection, run)
        if there:
            connection.execute(tables.replaced.insert(), {"run_id": there[-1].id})
        self._insert_points(connection, run, number)
        return "grown" if there else "added"

    def _new_run(self, connection: Connection, run: StoredRun, revision: int) -> int | None:
        """None where there is such a revision already."""
        statement = self._database.insert(tables.run).returning(tables.run.c.id)
        fields = {
            "run": run.run,
            "revision": revision,
            "kind": run.kind,
            "name": run.name,
            "created": run.created,
            "setting": run.setting,
            "loopgauge": run.loopgauge,
            "complete": run.complete,
            "advisory": run.advisory,
            "content": run.content,
            "size": run.size,
            "host": run.host,
        }
        number: int | None = connection.execute(statement, fields).scalar()
        return number

    def _insert_points(self, connection: Connection, run: StoredRun, number: int) -> None:
        if not run.entries:
            return
        machines = sorted({self._machines[entry.series.machine] for entry in run.entries})
        pairs = [{"machine_id": machine, "run_id": number} for machine in machines]
        connection.execute(tables.run_machine.insert(), pairs)
        points = [
            _row(entry, self._number(entry.series), run.created, number) for entry in run.entries
        ]
        self._database.fill(connection, tables.point, points)

    def _number(self, key: SeriesKey) -> int:
        return self._series[self._machines[key.machine]][key]

    def _know_series(self, connection: Connection, wanted: set[SeriesKey]) -> None:
        """Numbers all of them, those that are new, too."""
        if len(self._series) > MACHINES_KEPT:
            self._series.clear()
        self._know_machines(connection, {key.machine for key in wanted})
        by_machine: dict[int, list[SeriesKey]] = {}
        for key in wanted:
            by_machine.setdefault(self._machines[key.machine], []).append(key)
        for number in sorted(by_machine):
            known = self._series.get(number) or _series_of(connection, number)
            new = sorted(_texts(key) for key in by_machine[number] if key not in known)
            if new:
                rows = [{"machine_id": number, **dict(zip(SERIES_FIELDS, one, strict=True))}
                        for one in new]  # fmt: skip
                connection.execute(self._database.insert(tables.series), rows)
                known = _series_of(connection, number)
            self._series[number] = known

    def _know_machines(self, connection: Connection, wanted: set[MachineKind]) -> None:
        new = sorted(wanted - self._machines.keys(), key=msgspec.structs.astuple)
        if new:
            rows = [msgspec.structs.asdict(one) for one in new]
            connection.execute(self._database.insert(tables.machine), rows)
            there = connection.execute(select(tables.machine))
            self._machines.update({_machine(row): row.id for row in there})

    def _matching(self, query: Query) -> list[tuple[int, SeriesKey]]:
        table = tables.series
        order = (table.c.benchmark, table.c.loop, table.c.metric, table.c.id)
        with self.reading() as connection:
            machines = _machines(connection)
            statement = select(table).where(*_conditions(connection, query)).order_by(*order)
            rows = connection.execute(statement).all()
        return [(row.id, _series_key(row, machines[row.machine_id])) for row in rows]


def _conditions(connection: Connection, query: Query) -> list[Any]:
    """Of the table of series. Patterns are looked up among the names there are, which are few
    beside the series."""
    columns = tables.series.c
    conditions = []
    if query.machines:
        machines = _machines(connection).items()
        fitting = [number for number, one in machines if machine_matches(query.machines, one)]
        conditions.append(columns.machine_id.in_(fitting))
    if query.benchmarks:
        names = _distinct(connection, columns.benchmark)
        wanted = [name for name in names if fits_any(query.benchmarks, benchmark_names(name))]
        conditions.append(columns.benchmark.in_(wanted))
    for column, patterns in ((columns.loop, query.loops), (columns.metric, query.metrics)):
        if patterns:
            names = _distinct(connection, column) if any(map(_is_glob, patterns)) else patterns
            wanted = [name for name in names if fits_any(patterns, [name])]
            conditions.append(column.in_(wanted))
    return conditions


def _is_glob(pattern: str) -> bool:
    return any(letter in pattern for letter in "*?[")


def _distinct(connection: Connection, column: Column[Any]) -> list[str]:
    return [*connection.execute(select(column).distinct().order_by(column)).scalars()]


def _machines(connection: Connection) -> dict[int, MachineKind]:
    return {row.id: _machine(row) for row in connection.execute(select(tables.machine))}


def _series_of(connection: Connection, machine: int) -> dict[SeriesKey, int]:
    kind = select(tables.machine).where(tables.machine.c.id == machine)
    one = _machine(connection.execute(kind).one())
    rows = connection.execute(select(tables.series).where(tables.series.c.machine_id == machine))
    return {_series_key(row, one): row.id for row in rows}


def _texts(key: SeriesKey) -> tuple[str, ...]:
    return tuple(getattr(key, name) for name in SERIES_FIELDS)


def _revisions(connection: Connection, run: str) -> Sequence[Any]:
    """Oldest first."""
    table = tables.run
    columns = select(table.c.id, table.c.revision, table.c.content, table.c.size)
    return connection.execute(columns.where(table.c.run == run).order_by(table.c.revision)).all()


def _not_replaced(run: Column[int]) -> Any:
    """A filter and no join: PostgreSQL takes a table of which it knows nothing yet for one of
    thousands of rows, and then reads all points there are."""
    return run.not_in(select(tables.replaced.c.run_id))


def _newest(series: Sequence[int], last: int | None) -> Any:
    """The points of each series from its `last`-newest on (more where several are of one time),
    by series and time."""
    point, run = tables.point, tables.run
    statement = (
        select(point, run.c.run, run.c.advisory, run.c.complete)
        .select_from(tables.series)
        .join(point, point.c.series_id == tables.series.c.id)
        .join(run, run.c.id == point.c.run_id)
        .where(tables.series.c.id.in_(series), _not_replaced(point.c.run_id))
        .order_by(point.c.series_id, point.c.created, point.c.run_id, point.c.arm)
    )
    if last is None:
        return statement
    other = point.alias()
    first = (
        select(other.c.created)
        .where(other.c.series_id == tables.series.c.id, _not_replaced(other.c.run_id))
        .order_by(other.c.created.desc())
        .limit(1)
        .offset(last - 1)
        .scalar_subquery()
    )
    return statement.where(point.c.created >= func.coalesce(first, ""))


def _row(entry: Entry, series: int, created: str, run: int) -> dict[str, Any]:
    return {
        "series_id": series,
        "created": created,
        "run_id": run,
        "arm": entry.arm,
        "value": entry.value,
        "low": entry.low,
        "high": entry.high,
        "processes": entry.processes,
        "version": entry.version,
        "build": entry.build,
        "commit": entry.commit,
        "status": entry.status,
    }


def _machine(row: Row[Any]) -> MachineKind:
    return MachineKind(
        cpu_model=row.cpu_model,
        kernel=row.kernel,
        python=row.python,
        build_kind=row.build_kind,
    )


def _series_key(row: Row[Any], machine: MachineKind) -> SeriesKey:
    return SeriesKey(
        benchmark=row.benchmark,
        loop=row.loop,
        metric=row.metric,
        against=row.against,
        unit=row.unit,
        direction=row.direction,
        machine=machine,
    )


def _point(row: Row[Any]) -> Point:
    return Point(
        run=row.run,
        created=row.created,
        arm=row.arm,
        value=row.value,
        low=row.low,
        high=row.high,
        processes=row.processes,
        version=row.version,
        build=row.build,
        commit=row.commit,
        status=row.status,
        advisory=row.advisory,
        complete=row.complete,
    )


def _flat(key: SeriesKey, point: Point) -> dict[str, Any]:
    machine = {"machine": key.machine.key, **msgspec.structs.asdict(key.machine)}
    return {**msgspec.structs.asdict(key), **machine, **msgspec.structs.asdict(point)}


def _portions(numbers: list[int], size: int) -> Iterator[list[int]]:
    for begin in range(0, len(numbers), size):
        yield numbers[begin : begin + size]
