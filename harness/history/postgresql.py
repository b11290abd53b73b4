"""A history in PostgreSQL: how it is opened, and what PostgreSQL's errors mean.

The URL is libpq's, and so is where a password comes from: the URL itself, PGPASSWORD, ~/.pgpass, a
service file. It is never shown. Nobody but `roles.py` makes tables: a store that many append to is
made and changed when its owner says so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from loopgauge.harness.errors import (
    BadStore,
    HarnessError,
    NoHistory,
    NotAHistory,
    NotARunFile,
    StoreBusy,
    StoreFull,
    StoreLost,
    StoreUnusable,
)
from loopgauge.harness.history import tables
from loopgauge.harness.history.migrating import schema_of
from loopgauge.harness.history.sql import Database, Rows, SqlHistory

FORM = "Write it as postgresql://USER@HOST:PORT/DATABASE"
INTACT = "Everything stored before is intact"


def open_postgresql(url: str, *, wait_s: float) -> SqlHistory:
    """Raises BadStore, NoHistory where the database is empty, NotAHistory for another program's,
    StoreBusy, StoreFull and StoreUnusable."""
    name = shown(url)
    engine = make_engine(url, wait_s)
    guard = partial(explained, name, wait_s)
    try:
        with guard(), engine.begin() as connection:
            schema = schema_of(connection, name)
    except BaseException:
        engine.dispose()
        raise
    if schema == tables.SCHEMA:
        return SqlHistory(Database(engine, guard, _insert, _fill))
    engine.dispose()
    if schema == 0:
        raise NoHistory(
            f"{name} is empty", f"Its owner makes it: bench history init --store {name}"
        )
    raise StoreUnusable(
        f"{name} has schema {schema}, and this loopgauge needs {tables.SCHEMA}",
        f"Its owner brings it up to date: bench history init --store {name}",
    )


def shown(url: str) -> str:
    """Without password and options, which may hold one."""
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{place}{parts.path}"
    except ValueError:
        return "postgresql://..."


def make_engine(url: str, wait_s: float) -> Engine:
    """Waits as long for a connection as for a lock."""
    try:
        import psycopg
    except ImportError as error:
        raise StoreUnusable(
            f"a history in PostgreSQL needs psycopg, which this Python lacks ({error})",
            "Install it: pip install 'loopgauge[postgresql]'",
        ) from error
    options: dict[str, Any] = {"application_name": "loopgauge", **_parsed(url)}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        options.setdefault("connect_timeout", max(2, math.ceil(wait_s)))  # libpq's least is 2

    def connect() -> Any:
        try:
            return psycopg.connect(**options)
        except psycopg.OperationalError as error:
            raise unreachable(shown(url), error) from error

    engine = create_engine("postgresql+psycopg://", creator=connect)
    event.listen(engine, "connect", partial(_set_up, wait_s))
    return engine


def _parsed(url: str) -> dict[str, Any]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = urlsplit(url)
        if "," not in parts.netloc:  # not several servers
            _ = parts.port  # has to be a number
        return conninfo_to_dict(url)
    except (ProgrammingError, ValueError) as error:  # their words may hold the password
        raise BadStore(f"{shown(url)} is not the URL of a database", FORM) from error


def _set_up(wait_s: float, connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {max(1, round(wait_s * 1000))}")
    connection.commit()


def _insert(table: Table) -> Insert:
    return insert(table).on_conflict_do_nothing()


def _fill(connection: Connection, table: Table, rows: Rows) -> None:
    """COPY takes a tenth of the time that inserting takes."""
    names = [column.name for column in table.columns]
    quoted = ", ".join(f'"{name}"' for name in names)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as to:
        for row in rows:
            to.write_row([row[name] for name in names])


@contextmanager
def explained(name: str, wait_s: float) -> Iterator[None]:
    """Errors of PostgreSQL as those of ours, with cause and cure."""
    import psycopg

    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        meaning = meaning_of(original, name, wait_s)
        if meaning is None:
            raise
        raise meaning from error


def meaning_of(error: Any, name: str, wait_s: float) -> HarnessError | None:
    """By the SQLSTATE (PostgreSQL's manual, appendix A); None for what would be a mistake of
    ours."""
    import psycopg

    code = error.sqlstate or ""
    words = first_line(error)
    if code in ("53100", "53200", "53400"):
        return StoreFull(
            f"cannot write {name}: the disk or the memory of its server is full ({words})",
            f"{INTACT}: make room, then import again",
        )
    if code in ("55P03", "40P01", "40001", "57014"):
        return StoreBusy(
            f"{name} is locked by another process, after {wait_s:g} s still",
            "Nothing was changed: try again when it has ended, or give more time with --wait",
        )
    if code == "53300":
        return StoreBusy(f"{name} has no connection left ({words})", "Try again in a while")
    if code in ("42501", "25006"):
        return StoreUnusable(
            f"this user may not do that in {name}: {words}",
            "Its owner may grant it: loopgauge_append lets a user import, loopgauge_read look",
        )
    if code in ("XX001", "XX002"):
        return NotAHistory(f"{name} is damaged: {words}", "Restore it from a backup")
    if isinstance(error, psycopg.DataError):
        return NotARunFile(f"{name} cannot hold what is in it: {words}")
    if isinstance(error, psycopg.OperationalError):
        return StoreLost(
            f"the connection to {name} broke: {words}",
            f"{INTACT}: import again when the server is back",
        )
    return None


def unreachable(name: str, error: Exception) -> StoreUnusable:
    """libpq tells why in words only, and in the server's language."""
    words = first_line(error)
    reason = words.removeprefix("connection failed: ").rpartition(" failed: ")[2]
    reason = reason.removeprefix("FATAL:").strip()
    cure = "Is the server running, and are host and port right?"
    if "password" in words:
        cure = "The password comes from the URL, PGPASSWORD or ~/.pgpass"
    elif "database" in words and "exist" in words:
        cure = "Make it: createdb NAME, then bench history init"
    elif "role" in words and "exist" in words:
        cure = "Name the user in the URL: postgresql://USER@HOST/DATABASE"
    return StoreUnusable(f"cannot connect to {name}: {reason}", cure)


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
