"""A history in an SQL database, through SQLAlchemy: nothing here is SQLite's own.

What differs between databases (how to open one, what its errors mean) is handed in; `sqlite.py`
does so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select

from loopgauge.harness.history import tables
from loopgauge.harness.history.matching import machine_matches, matches
from loopgauge.harness.history.model import (
    Content,
    Entry,
    MachineKind,
    MachineRow,
    Outcome,
    Point,
    Query,
    Series,
    SeriesKey,
    StoredRun,
)

AT_ONCE = 500  # series asked for in one statement: databases bound the number of parameters
ROWS_AT_ONCE = 10_000

# Of an engine's connection: the transaction is going to write.
WRITING = {"loopgauge_writing": True}


class SqlHistory:
    """See model.History. `guard` is entered around every use of the engine, and turns the errors
    of its database into those of harness.errors."""

    def __init__(self, engine: Engine, guard: Callable[[], AbstractContextManager[None]]) -> None:
        self._engine = engine
        self._guard = guard
        self._machines: dict[MachineKind, int] = {}  # rows known to be committed; never deleted
        self._series: dict[SeriesKey, int] = {}

    def add(self, runs: Iterable[StoredRun]) -> list[Outcome]:
        try:
            with self._guard(), self._engine.connect() as plain:
                connection = plain.execution_options(**WRITING)
                with connection.begin():
                    return [self._add_one(connection, run) for run in runs]
        except BaseException:
            self._machines.clear()
            self._series.clear()
            raise

    def content(self, run: str) -> Content | None:
        found = select(tables.run.c.content, tables.run.c.size).where(tables.run.c.run == run)
        with self._guard(), self._engine.begin() as connection:
            row = connection.execute(found).one_or_none()
        return Content(*row) if row else None

    def machines(self) -> list[MachineRow]:
        machine, of, run = tables.machine, tables.run_machine, tables.run
        newest = func.max(run.c.created)
        statement = (
            select(machine, func.count(), func.min(run.c.created), newest)
            .join(of, of.c.machine_id == machine.c.id)
            .join(run, run.c.id == of.c.run_id)
            .group_by(machine.c.id)
            .order_by(newest.desc(), machine.c.id)
        )
        with self._guard(), self._engine.begin() as connection:
            rows = connection.execute(statement).all()
        return [
            MachineRow(machine=_machine(row), runs=row[-3], first=row[-2], last=row[-1])
            for row in rows
        ]

    def keys(self, query: Query) -> list[SeriesKey]:
        return [key for _, key in self._matching(query)]

    def series(self, query: Query) -> list[Series]:
        wanted = self._matching(query)
        with self._guard(), self._engine.begin() as connection:
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
            with self._guard(), self._engine.begin() as connection:
                statement = _newest([number], None).execution_options(yield_per=ROWS_AT_ONCE)
                for row in connection.execute(statement):
                    yield _flat(key, _point(row))

    def close(self) -> None:
        self._engine.dispose()

    def _add_one(self, connection: Connection, run: StoredRun) -> Outcome:
        table = tables.run
        columns = select(table.c.id, table.c.created, table.c.content)
        there = connection.execute(columns.where(table.c.run == run.run)).one_or_none()
        if there is None:
            self._insert(connection, run)
            return "added"
        if there.content == run.content:
            return "known"
        if there.content != run.replaces:
            return "differs"
        self._remove(connection, there.id, there.created)
        self._insert(connection, run)
        return "grown"

    def _insert(self, connection: Connection, run: StoredRun) -> None:
        number = _new(
            connection,
            tables.run,
            run=run.run,
            kind=run.kind,
            name=run.name,
            created=run.created,
            setting=run.setting,
            loopgauge=run.loopgauge,
            complete=run.complete,
            advisory=run.advisory,
            content=run.content,
            size=run.size,
        )
        machines = {self._machine_id(connection, entry.series.machine) for entry in run.entries}
        points = [
            _row(entry, self._series_id(connection, entry.series), run.created, number)
            for entry in run.entries
        ]
        if points:
            pairs = [{"machine_id": one, "run_id": number} for one in sorted(machines)]
            connection.execute(insert(tables.run_machine), pairs)
            connection.execute(insert(tables.point), points)

    def _remove(self, connection: Connection, number: int, created: str) -> None:
        """By the primary key of the points: with `created` it finds them without another index."""
        point, of = tables.point, tables.run_machine
        everywhere = select(tables.series.c.id)
        mine = point.c.series_id.in_(everywhere) & (point.c.created == created)
        connection.execute(delete(point).where(mine & (point.c.run_id == number)))
        connection.execute(delete(of).where(of.c.run_id == number))
        connection.execute(delete(tables.run).where(tables.run.c.id == number))

    def _machine_id(self, connection: Connection, machine: MachineKind) -> int:
        if machine not in self._machines:
            fields = {
                "cpu_model": machine.cpu_model,
                "kernel": machine.kernel,
                "python": machine.python,
                "build_kind": machine.build_kind,
            }
            self._machines[machine] = _found_or_new(connection, tables.machine, fields)
        return self._machines[machine]

    def _series_id(self, connection: Connection, key: SeriesKey) -> int:
        if key not in self._series:
            fields = {
                "machine_id": self._machine_id(connection, key.machine),
                "benchmark": key.benchmark,
                "loop": key.loop,
                "metric": key.metric,
                "against": key.against,
                "unit": key.unit,
                "direction": key.direction,
            }
            self._series[key] = _found_or_new(connection, tables.series, fields)
        return self._series[key]

    def _matching(self, query: Query) -> list[tuple[int, SeriesKey]]:
        """All series there are, looked through here: they are few beside the points."""
        table, machine = tables.series, tables.machine
        order = (table.c.benchmark, table.c.loop, table.c.metric, table.c.id)
        with self._guard(), self._engine.begin() as connection:
            machines = {row.id: _machine(row) for row in connection.execute(select(machine))}
            kept = {i for i, one in machines.items() if machine_matches(query.machines, one)}
            rows = connection.execute(select(table).order_by(*order)).all()
        keys = (
            (row.id, _series_key(row, machines[row.machine_id]))
            for row in rows
            if row.machine_id in kept
        )
        return [(number, key) for number, key in keys if matches(query, key)]


def _newest(series: Sequence[int], last: int | None) -> Any:
    """The points of each series from its `last`-newest on (more where several are of one time),
    by series and time."""
    point, run = tables.point, tables.run
    statement = (
        select(point, run.c.run, run.c.advisory, run.c.complete)
        .select_from(tables.series)
        .join(point, point.c.series_id == tables.series.c.id)
        .join(run, run.c.id == point.c.run_id)
        .where(tables.series.c.id.in_(series))
        .order_by(point.c.series_id, point.c.created, point.c.run_id, point.c.arm)
    )
    if last is None:
        return statement
    other = point.alias()
    first = (
        select(other.c.created)
        .where(other.c.series_id == tables.series.c.id)
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


def _found_or_new(connection: Connection, table: Any, fields: dict[str, Any]) -> int:
    same = [table.c[name] == value for name, value in fields.items()]
    number: int | None = connection.execute(select(table.c.id).where(*same)).scalar()
    return _new(connection, table, **fields) if number is None else number


def _new(connection: Connection, table: Any, **fields: Any) -> int:
    key = connection.execute(insert(table), fields).inserted_primary_key
    assert key is not None
    return int(key[0])


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
