"""Brings a store to the schema of this loopgauge, by Alembic.

The number of the schema is kept in the store's own table, where every version of loopgauge looks
first; Alembic is only imported where there is something to change. The first stores were made
without it: they are told that they have schema 1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select

from loopgauge.harness.errors import NotAHistory
from loopgauge.harness.history import tables


@dataclass
class Made:
    """What was done to a store: its schema before (0: there was nothing) and now; which roles of
    the database have their rights, and which could not be made."""

    before: int
    now: int
    roles: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


FOLDER = Path(__file__).parent / "migrations"


def schema_of(connection: Connection, name: str) -> int:
    """0 where there is no table at all. `name` is the store's, for the error: NotAHistory for
    another program's database, and for one that a newer loopgauge made."""
    names = inspect(connection).get_table_names()
    if not names:
        return 0
    if tables.about.name not in names:
        raise NotAHistory(f"{name} is another program's database", CURE_FOREIGN)
    schema = connection.execute(select(tables.about.c.schema)).scalar()
    if schema is None or schema > tables.SCHEMA:
        raise NotAHistory(
            f"{name} was written with schema {schema}, this loopgauge reads up to {tables.SCHEMA}",
            "Update loopgauge: pip install -U loopgauge",
        )
    return int(schema)


CURE_FOREIGN = "Name a store that `bench history` made, or another place with --store"


def migrate(connection: Connection, schema: int) -> None:
    """From `schema` to that of today, in the transaction of the connection: all of it, or
    nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    if schema == 1 and "alembic_version" not in inspect(connection).get_table_names():
        command.stamp(config, "1")
    command.upgrade(config, str(tables.SCHEMA))
    if schema == 0:
        connection.execute(tables.about.insert(), {"schema": tables.SCHEMA})
    else:
        connection.execute(tables.about.update().values(schema=tables.SCHEMA))
