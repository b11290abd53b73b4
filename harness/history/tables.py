"""The tables of a store, in SQL that SQLite and PostgreSQL share. How they came to be, and how an
older store gets there, is in `migrations`.

Rows are only ever added: a run that was resumed is a new revision of it, and the one before it is
named in `replaced`, so that whoever may append to a store can rewrite nothing in it.

Points are by far the most rows. Their primary key begins with the series and the time, and SQLite
keeps them in that order (`WITHOUT ROWID`), so that the newest of a series lie side by side and need
no second index: with four million points the newest twenty of a series are found in microseconds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA = 2

metadata = MetaData()

# Sorts the same in every database, whatever language it was set up for.
TEXT = String().with_variant(String(collation="C"), "postgresql")

# Holds one row. Its name tells a store of ours from another program's database.
about = Table(
    "loopgauge_history",
    metadata,
    Column("schema", Integer, primary_key=True, autoincrement=False),
)

machine = Table(
    "machine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cpu_model", TEXT, nullable=False),
    Column("kernel", TEXT, nullable=False),
    Column("python", TEXT, nullable=False),
    Column("build_kind", TEXT, nullable=False),
    UniqueConstraint("cpu_model", "kernel", "python", "build_kind"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine_id", ForeignKey("machine.id"), nullable=False),
    Column("benchmark", TEXT, nullable=False),
    Column("loop", TEXT, nullable=False),
    Column("metric", TEXT, nullable=False),
    Column("against", TEXT, nullable=False),
    Column("unit", TEXT, nullable=False),
    Column("direction", TEXT, nullable=False),
    UniqueConstraint("machine_id", "benchmark", "loop", "metric", "against", "unit", "direction"),
    Index("series_of_loop", "loop", "metric", "machine_id"),
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", TEXT, nullable=False),
    Column("revision", Integer, nullable=False),  # how often it had been resumed and stored again
    Column("kind", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("created", TEXT, nullable=False),
    Column("setting", TEXT, nullable=False),
    Column("loopgauge", TEXT, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("advisory", Boolean, nullable=False),
    Column("content", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("host", TEXT, nullable=False),  # a hash that tells machines apart; "": not known
    UniqueConstraint("run", "revision", name="run_revision"),
)

# Runs whose figures are no longer the newest of their run. Few beside the runs.
replaced = Table(
    "replaced",
    metadata,
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    sqlite_with_rowid=False,
)

# Which machines a run has points of: counting them among the points would take seconds.
run_machine = Table(
    "run_machine",
    metadata,
    Column("machine_id", ForeignKey("machine.id"), primary_key=True),
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    sqlite_with_rowid=False,
)

point = Table(
    "point",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("created", TEXT, primary_key=True),  # of the run: orders the points
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("arm", TEXT, primary_key=True),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("processes", Integer, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("build", TEXT, nullable=False),
    Column("commit", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    sqlite_with_rowid=False,
)
