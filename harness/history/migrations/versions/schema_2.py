"""Rows are only added: a resumed run is a new revision. Runs say on which host they were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
# SQLite gave the constraint of schema 1 no name; PostgreSQL named it as it does.
NAMES = {"uq": "%(table_name)s_%(column_0_name)s_key"}


def upgrade() -> None:
    with op.batch_alter_table("run", naming_convention=NAMES) as run:
        run.add_column(sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
        run.add_column(sa.Column("host", TEXT, nullable=False, server_default=""))
        run.drop_constraint("run_run_key", type_="unique")
        run.create_unique_constraint("run_revision", ["run", "revision"])
    op.create_table(
        "replaced",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("run.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("series_of_loop", "series", ["loop", "metric", "machine_id"])
