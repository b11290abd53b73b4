"""The tables of a store, in SQL that SQLite and PostgreSQL share.

Points are by far the most rows. Their primary key begins with the series and the time, and SQLite
keeps them in that order (`WITHOUT ROWID`), so that the newest of a series lie side by side and need
no second index: with four million points the newest twenty of a series are found in microseconds.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA = 1

metadata = MetaData()

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
    Column("cpu_model", String, nullable=False),
    Column("kernel", String, nullable=False),
    Column("python", String, nullable=False),
    Column("build_kind", String, nullable=False),
    UniqueConstraint("cpu_model", "kernel", "python", "build_kind"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine_id", ForeignKey("machine.id"), nullable=False),
    Column("benchmark", String, nullable=False),
    Column("loop", String, nullable=False),
    Column("metric", String, nullable=False),
    Column("against", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("direction", String, nullable=False),
    UniqueConstraint("machine_id", "benchmark", "loop", "metric", "against", "unit", "direction"),
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created", String, nullable=False),
    Column("setting", String, nullable=False),
    Column("loopgauge", String, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("advisory", Boolean, nullable=False),
    Column("content", String, nullable=False),
    Column("size", Integer, nullable=False),
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
    Column("created", String, primary_key=True),  # of the run: orders the points
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("arm", String, primary_key=True),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("processes", Integer, nullable=False),
    Column("version", String, nullable=False),
    Column("build", String, nullable=False),
    Column("commit", String, nullable=False),
    Column("status", String, nullable=False),
    sqlite_with_rowid=False,
)
