"""Opens a store by what its user calls it: the path of an SQLite file, or a PostgreSQL URL."""

from __future__ import annotations

import re
from pathlib import Path

from loopgauge.harness.errors import BadStore
from loopgauge.harness.history.migrating import Made
from loopgauge.harness.history.sql import SqlHistory
from loopgauge.harness.history.sqlite import WAIT_S, open_history, schema_before
from loopgauge.harness.history.tables import SCHEMA

VARIABLE = "LOOPGAUGE_STORE"  # of the environment: the store where none is named
SCHEMES = ("postgresql://", "postgres://")


def open_store(store: str, *, create: bool = False, wait_s: float = WAIT_S) -> SqlHistory:
    """`create`: make an SQLite file where there is none; a database is made by its owner
    (roles.py). Raises BadStore, NoHistory, NotAHistory, StoreBusy, StoreFull and StoreUnusable."""
    if is_url(store):
        from loopgauge.harness.history.postgresql import open_postgresql

        return open_postgresql(store, wait_s=wait_s)
    return open_history(Path(store), create=create, wait_s=wait_s)


def init_store(store: str, wait_s: float = WAIT_S) -> Made:
    """Makes a store, or brings it up to date; of a database this is its owner's. Raises the errors
    of `open_store`."""
    if is_url(store):
        from loopgauge.harness.history.roles import init_postgresql

        return init_postgresql(store, wait_s)
    before = schema_before(Path(store), wait_s)
    open_history(Path(store), create=True, wait_s=wait_s).close()
    return Made(before=before, now=SCHEMA)


def shown(store: str) -> str:
    """Its name without a password."""
    if not is_url(store):
        return store
    from loopgauge.harness.history import postgresql

    return postgresql.shown(store)


def is_url(store: str) -> bool:
    """Raises BadStore for what looks like a URL and is none of ours: a file of that name would be
    made otherwise."""
    if store.startswith(SCHEMES):
        return True
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", store)
    if scheme or store.startswith(("postgresql:", "postgres:")):
        named = scheme[1] if scheme else store.partition(":")[0]
        raise BadStore(
            f"a store is a file or postgresql://USER@HOST:PORT/DATABASE, not {named}:...",
            "Name an SQLite file by its path",
        )
    return False
