"""Summaries of runs, in SQLite: what the store was before it could be shared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "loopgauge_history",
        sa.Column("schema", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "machine",
        sa.Column("id", sa.Integer, primary_key=True),
        *texts("cpu_model", "kernel", "python", "build_kind"),
        sa.UniqueConstraint("cpu_model", "kernel", "python", "build_kind"),
    )
    names = ("benchmark", "loop", "metric", "against", "unit", "direction")
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("machine_id", sa.Integer, sa.ForeignKey("machine.id"), nullable=False),
        *texts(*names),
        sa.UniqueConstraint("machine_id", *names),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", TEXT, nullable=False, unique=True),
        *texts("kind", "name", "created", "setting", "loopgauge"),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("advisory", sa.Boolean, nullable=False),
        sa.Column("content", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "run_machine",
        sa.Column("machine_id", sa.Integer, sa.ForeignKey("machine.id"), primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("run.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("created", TEXT, primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("arm", TEXT, primary_key=True),
        sa.Column("value", sa.Float),
        sa.Column("low", sa.Float),
        sa.Column("high", sa.Float),
        sa.Column("processes", sa.Integer, nullable=False),
        *texts("version", "build", "commit", "status"),
        sqlite_with_rowid=False,
    )


def texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]
