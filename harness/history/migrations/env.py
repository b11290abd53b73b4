"""Alembic runs this for every command: over the connection that `migrating.py` hands in, whose
transaction is the caller's."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # SQLite's, too: its driver is told not to begin or commit by itself
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
