"""Makes a history in PostgreSQL, and says who may do what in it.

Its owner alone makes and changes tables. Two roles of the database stand for what others may do:
`loopgauge_append` adds rows and can change none, `loopgauge_read` looks. Whoever imports from a
machine that others can get at should have no more than the first.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from loopgauge.harness.history import tables
from loopgauge.harness.history.migrating import Made, migrate, schema_of
from loopgauge.harness.history.postgresql import explained, make_engine, shown

APPEND = "loopgauge_append"
READ = "loopgauge_read"
LOCK = 0x6C6F6F70  # of this database, while somebody makes or changes the tables


def init_postgresql(url: str, wait_s: float) -> Made:
    """All of it in one transaction. Raises BadStore, NotAHistory, StoreBusy and StoreUnusable."""
    engine = make_engine(url, wait_s)
    name = shown(url)
    try:
        with partial(explained, name, wait_s)(), engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            before = schema_of(connection, name)
            if before < tables.SCHEMA:
                migrate(connection, before)
            missing = [role for role in (APPEND, READ) if not _is_there(connection, role)]
            roles = [role for role in (APPEND, READ) if role not in missing]
            for role in roles:
                _grant(connection, role)
    finally:
        engine.dispose()
    return Made(before=before, now=tables.SCHEMA, roles=roles, missing=missing)


def _is_there(connection: Connection, role: str) -> bool:
    """Makes it if there is none; False where this user may not."""
    found = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    if found.scalar():
        return True
    try:
        with connection.begin_nested():
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
    except ProgrammingError:  # permission denied
        return False
    return True


def _grant(connection: Connection, role: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(connection.execute(text("SELECT current_schema()")).scalar_one())
    names = ", ".join(quote(table.name) for table in tables.metadata.sorted_tables)
    rows = [table for table in tables.metadata.sorted_tables if table is not tables.about]
    grants = [f"USAGE ON SCHEMA {schema}", f"SELECT ON {names}"]
    if role == APPEND:
        numbered = (table for table in rows if "id" in table.columns)
        grants += [
            f"INSERT ON {', '.join(quote(table.name) for table in rows)}",
            f"USAGE ON SEQUENCE {', '.join(f'{table.name}_id_seq' for table in numbered)}",
        ]
    for grant in grants:
        connection.execute(text(f"GRANT {grant} TO {role}"))
