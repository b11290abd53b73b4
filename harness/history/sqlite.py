"""A history in one SQLite file: how it is opened, and what SQLite's errors mean.

Write-ahead logging lets readers go on while somebody writes. Every change is one transaction that
takes the write lock when it begins, so that it waits for other writers before it has read
anything; `synchronous=FULL` has it on the disk when it ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Insert, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from loopgauge.harness.errors import (
    HarnessError,
    NoHistory,
    NotAHistory,
    StoreBusy,
    StoreFull,
    StoreUnusable,
)
from loopgauge.harness.history import tables
from loopgauge.harness.history.migrating import CURE_FOREIGN, migrate, schema_of
from loopgauge.harness.history.sql import WRITING, Database, Rows, SqlHistory

STORE = Path(".bench/history.sqlite")
WAIT_S = 10.0  # for another process that holds the store


def open_history(path: Path = STORE, *, create: bool = False, wait_s: float = WAIT_S) -> SqlHistory:
    """Raises NoHistory where there is no store and none is to be made, NotAHistory for another
    file, StoreBusy, StoreFull and StoreUnusable."""
    if not create and not path.exists():
        raise NoHistory(f"there is no history in {path}", CURE_NO_HISTORY)
    guard = partial(explained, path, wait_s)
    engine = make_engine(path, wait_s)
    try:
        with guard():
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            _prepare(engine, path, create=create)
    except BaseException:
        engine.dispose()
        raise
    return SqlHistory(Database(engine, guard, _insert, _fill))


def _insert(table: Table) -> Insert:
    return insert(table).on_conflict_do_nothing()


def _fill(connection: Connection, table: Table, rows: Rows) -> None:
    connection.execute(table.insert(), rows)


def schema_before(path: Path, wait_s: float) -> int:
    """0 where there is no store yet. Raises as `open_history`."""
    if not path.exists():
        return 0
    engine = make_engine(path, wait_s)
    try:
        with explained(path, wait_s), engine.begin() as connection:
            return schema_of(connection, str(path))
    finally:
        engine.dispose()


CURE_NO_HISTORY = "Fill one from your runs: bench history import --all"


def make_engine(path: Path, wait_s: float) -> Engine:
    """Transactions begin when SQLAlchemy says so (sqlite3's own rule would begin them at the first
    change, after reads that then may be out of date)."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    writing = WRITING.items() <= connection.get_execution_options().items()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _prepare(engine: Engine, path: Path, *, create: bool) -> None:
    """Makes the tables in an empty file, and brings those of an older loopgauge up to date; leaves
    everything else as it is. Raises NoHistory and NotAHistory."""
    with engine.begin() as connection:
        schema = schema_of(connection, str(path))
    if schema == 0 and not create:
        raise NoHistory(f"{path} is empty", CURE_NO_HISTORY)
    if schema == tables.SCHEMA:
        return
    if schema == 0:
        _write_ahead(engine)
    with engine.connect().execution_options(**WRITING) as connection, connection.begin():
        schema = schema_of(connection, str(path))  # unless somebody else was faster
        if schema < tables.SCHEMA:
            migrate(connection, schema)


def _write_ahead(engine: Engine) -> None:
    outside = engine.raw_connection()  # the mode cannot be changed inside a transaction
    try:
        outside.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        outside.close()


@contextmanager
def explained(path: Path, wait_s: float) -> Iterator[None]:
    """Errors of SQLite as those of ours, with cause and cure."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        meaning = meaning_of(original, path, wait_s)
        if meaning is None:
            raise
        raise meaning from error
    except OSError as error:
        raise StoreUnusable(f"{path} cannot be made: {error.strerror}", ELSEWHERE) from error


ELSEWHERE = "Choose another place with --store"
INTACT = "Everything stored before is intact"


def meaning_of(error: BaseException | None, path: Path, wait_s: float) -> HarnessError | None:
    """By SQLite's primary result code; None for what would be a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(
            f"{path} is locked by another process, after {wait_s:g} s still",
            "Nothing was changed: try again when it has ended, or give more time with --wait",
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"cannot write {path}: the disk is full",
            f"{INTACT}: make room, then import again",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreFull(
            f"cannot read or write {path}: {error} (a full disk or quota, or a failing one)",
            f"{INTACT}: make room, then import again",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return NotAHistory(f"{path} is no history or is damaged: {error}", CURE_FOREIGN)
    if code in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    ):
        return StoreUnusable(f"{path} cannot be used: {error}", ELSEWHERE)
    return None
