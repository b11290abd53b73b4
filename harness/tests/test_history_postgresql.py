"""A history that many write to: who may do what, who is first, and what is there after a crash."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from history_testing import key, stored, values
from postgres_testing import Postgres, free_port

from loopgauge.harness.errors import (
    BadStore,
    HarnessError,
    NoHistory,
    NotAHistory,
    StoreBusy,
    StoreFull,
    StoreLost,
    StoreUnusable,
)
from loopgauge.harness.history import postgresql, tables
from loopgauge.harness.history.migrating import migrate, schema_of
from loopgauge.harness.history.opening import init_store, open_store, shown
from loopgauge.harness.history.roles import APPEND, READ


@pytest.fixture
def store(postgres_url: str) -> str:
    init_store(postgres_url)
    return postgres_url


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def as_user(postgres: Postgres, store: str, role: str) -> str:
    """The store's URL for a new user with that role."""
    name = f"user_{secrets.token_hex(4)}"
    run_sql(store, f"CREATE ROLE {name} LOGIN PASSWORD 'open' IN ROLE {role}")
    return postgres.url(store.rpartition("/")[2], name, "open")


def waiting(store: str) -> int:
    """How many sessions wait for a lock of another."""
    with psycopg.connect(store) as connection:
        [count] = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
        ).fetchone() or (0,)
    return int(count)


# Making it


def test_it_is_made_once_and_by_its_owner(postgres_url: str) -> None:
    with pytest.raises(NoHistory, match="is empty") as caught:
        open_store(postgres_url, create=True)
    assert "bench history init" in caught.value.cure
    made = init_store(postgres_url)
    assert (made.before, made.now, made.missing) == (0, tables.SCHEMA, [])
    assert set(made.roles) == {APPEND, READ}
    assert init_store(postgres_url).before == tables.SCHEMA
    assert open_store(postgres_url).machines() == []


def test_what_the_migrations_make_is_what_is_used(store: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with open_store(store).reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_an_older_schema_is_brought_up_to_date_by_its_owner(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = postgresql.make_engine(postgres_url, 5)
    with monkeypatch.context() as patch, engine.begin() as connection:
        patch.setattr(tables, "SCHEMA", 1)
        migrate(connection, 0)
        connection.exec_driver_sql(
            "INSERT INTO run VALUES (1, 'run-1', 'run', 'x', '2026-01-01T00:00:01Z', '', '',"
            " true, false, 'hash-1', 10)"
        )
    with pytest.raises(StoreUnusable, match="schema 1, and this loopgauge needs") as caught:
        open_store(postgres_url)
    assert "bench history init" in caught.value.cure
    assert init_store(postgres_url).before == 1
    assert open_store(postgres_url).add([stored(1), stored(2)]) == ["known", "added"]
    with engine.begin() as connection:
        assert schema_of(connection, "it") == tables.SCHEMA
    engine.dispose()


def test_an_owner_who_may_make_no_roles(postgres: Postgres, postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    run_sql(
        postgres_url,
        f"DROP ROLE IF EXISTS {APPEND}",
        f"DROP ROLE IF EXISTS {READ}",
        f"CREATE ROLE {database} LOGIN PASSWORD 'open'",
        f"ALTER DATABASE {database} OWNER TO {database}",
    )
    mine = postgres.url(database, database, "open")
    made = init_store(mine)
    assert (made.before, made.roles, made.missing) == (0, [], [APPEND, READ])
    assert open_store(mine).add([stored(1)]) == ["added"], "the tables are there all the same"
    run_sql(postgres_url, f"CREATE ROLE {APPEND}", f"CREATE ROLE {READ}")
    assert init_store(mine).roles == [APPEND, READ]


# Who may do what


def test_who_may_append_can_rewrite_nothing(postgres: Postgres, store: str) -> None:
    url = as_user(postgres, store, APPEND)
    history = open_store(url)
    grown = stored(1, 0.7, content="longer", size=20, replaces="hash-1")
    assert history.add([stored(1), stored(2), grown]) == ["added", "added", "grown"]
    assert values(history) == [[0.7, 0.5]]
    for table in tables.metadata.sorted_tables:
        column = next(iter(table.columns)).name
        for statement in (
            f'UPDATE "{table.name}" SET "{column}" = "{column}"',
            f'DELETE FROM "{table.name}"',
            f'TRUNCATE "{table.name}"',
            f'DROP TABLE "{table.name}"',
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run_sql(url, statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_sql(url, "INSERT INTO loopgauge_history VALUES (99)")


def test_who_may_read_cannot_append(postgres: Postgres, store: str) -> None:
    open_store(store).add([stored(1)])
    history = open_store(as_user(postgres, store, READ))
    assert values(history) == [[0.5]]
    with pytest.raises(StoreUnusable, match="permission denied") as caught:
        history.add([stored(2)])
    assert APPEND in caught.value.cure


def test_who_has_no_role_is_told_which_there_are(postgres: Postgres, store: str) -> None:
    run_sql(store, "CREATE ROLE nobody_of_them")
    with pytest.raises(StoreUnusable, match="permission denied") as caught:
        open_store(as_user(postgres, store, "nobody_of_them"))
    assert READ in caught.value.cure
    run_sql(store, "DROP ROLE nobody_of_them")


# Who is first


def test_of_two_that_store_the_same_run_at_once_the_second_finds_it(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    fill = postgresql._fill

    def slow(*arguments: Any) -> None:
        reached.set()
        assert go_on.wait(60)
        fill(*arguments)

    monkeypatch.setattr(postgresql, "_fill", slow)
    first = open_store(store)
    monkeypatch.setattr(postgresql, "_fill", fill)
    second = open_store(store, wait_s=60)
    outcomes: dict[str, Any] = {}
    one = in_thread(outcomes, "first", lambda: first.add([stored(1), stored(2)]))
    assert reached.wait(60)
    two = in_thread(outcomes, "second", lambda: second.add([stored(2), stored(1)]))
    while two.is_alive() and not waiting(store):
        two.join(0.05)
    go_on.set()
    one.join()
    two.join()
    assert outcomes == {"first": ["added", "added"], "second": ["known", "known"]}
    assert values(second) == [[0.5, 0.5]]


def in_thread(into: dict[str, Any], name: str, function: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=lambda: into.update({name: function()}))
    thread.start()
    return thread


def test_of_two_that_continue_a_run_differently_the_second_differs(store: str) -> None:
    open_store(store).add([stored(1)])
    one, other = (
        stored(1, 0.7, content=content, size=20, replaces="hash-1") for content in ("one", "other")
    )
    assert open_store(store).add([one]) == ["grown"]
    assert open_store(store).add([other]) == ["differs"]


# What breaks


def test_a_server_killed_in_the_middle(
    postgres: Postgres, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = open_store(store)
    history.add([stored(1)])
    fill = postgresql._fill

    def kill_after(*arguments: Any) -> None:
        fill(*arguments)
        postgres.kill()

    monkeypatch.setattr(postgresql, "_fill", kill_after)
    broken = open_store(store)
    monkeypatch.setattr(postgresql, "_fill", fill)
    with pytest.raises(StoreLost, match="broke") as caught:
        broken.add([stored(2, series=key(loop="new")), stored(3)])
    assert "intact" in caught.value.cure
    with pytest.raises(StoreUnusable, match=r"cannot connect|broke"):
        history.machines()
    postgres.start()
    again = open_store(store)
    assert values(again) == [[0.5]]
    runs = [stored(1), stored(2, series=key(loop="new")), stored(3)]
    assert again.add(runs) == ["known", "added", "added"]
    assert values(again) == [[0.5, 0.5], [0.5]]


def test_a_store_that_somebody_keeps_to_himself(store: str) -> None:
    history = open_store(store, wait_s=0)
    history.add([stored(1)])
    with psycopg.connect(store) as other:
        other.execute("LOCK TABLE run")
        with pytest.raises(StoreBusy, match="locked by another process") as caught:
            history.add([stored(2)])
        assert "--wait" in caught.value.cure
        other.rollback()
    assert history.add([stored(2)]) == ["added"]


def test_a_python_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnusable, match="psycopg") as caught:
        open_store("postgresql://me@server/base")
    assert "loopgauge[postgresql]" in caught.value.cure


def test_a_disk_that_fills_loses_nothing(store: str) -> None:
    """A server of which the disk is full says so with this code; a trigger says it, too."""
    history = open_store(store)
    history.add([stored(1)])
    run_sql(
        store,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON point EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(StoreFull, match="No space left") as caught:
        history.add([stored(2)])
    assert "intact" in caught.value.cure
    run_sql(store, "DROP TRIGGER full_disk ON point")
    assert values(history) == [[0.5]]
    assert history.add([stored(2)]) == ["added"]


def test_a_name_that_no_database_can_hold(store: str) -> None:
    with pytest.raises(HarnessError, match="NUL"):
        open_store(store).add([stored(1, series=key(loop="a\0b"))])
    assert open_store(store).machines() == []


def test_a_store_of_the_future(store: str) -> None:
    run_sql(store, "UPDATE loopgauge_history SET schema = 99")
    for use in (open_store, init_store):
        with pytest.raises(NotAHistory, match="schema 99") as caught:
            use(store)
        assert "pip install -U" in caught.value.cure


def test_another_program_s_database_stays_as_it_is(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE TABLE notes (text text)")
    for use in (open_store, init_store):
        with pytest.raises(NotAHistory, match="another program"):
            use(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 2200")
        assert found.fetchall() == [("notes",)]


@pytest.mark.parametrize("use", [open_store, init_store])
def test_a_server_that_is_not_there(use: Callable[..., Any]) -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{free_port()}/loopgauge"
    with pytest.raises(StoreUnusable, match=r"cannot connect.*refused") as caught:
        use(url)
    assert "running" in caught.value.cure
    assert "hidden" not in str(caught.value)


def test_a_wrong_password_is_not_shown(postgres: Postgres) -> None:
    with pytest.raises(StoreUnusable, match="password authentication failed") as caught:
        open_store(postgres.url("postgres", password="mistaken"))
    assert "PGPASSWORD" in caught.value.cure
    assert "mistaken" not in str(caught.value)


def test_a_password_may_come_as_libpq_wants_it(
    postgres: Postgres, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = store.replace(postgres.url("").partition("@")[0], "postgresql://owner")
    with pytest.raises(StoreUnusable, match="no password supplied"):
        open_store(plain)
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:{postgres.port}:*:owner:s3cret/of\\:the@owner\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert open_store(plain).machines() == []


def test_a_database_that_is_not_there(postgres: Postgres) -> None:
    with pytest.raises(StoreUnusable, match="does not exist") as caught:
        open_store(postgres.url("never_made"))
    assert "createdb" in caught.value.cure


@pytest.mark.parametrize(
    "url",
    [
        "postgresq://me:hidden@server/base",
        "postgresql:/me:hidden@server/base",
        "postgresql:me:hidden@server/base",
        "mysql://me:hidden@server/base",
        "sqlite:///me:hidden",
        "postgresql://me:hidden@server:port/base",
        "postgresql://me:hidden@[::1/base",
        "postgresql://me:hidden@server/base?colour=red",
        "postgresql://me:hid%zzden@server/base",
    ],
)
def test_a_url_with_a_mistake(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (open_store, init_store):
        with pytest.raises(HarnessError) as caught:
            use(url)
        assert isinstance(caught.value, BadStore), str(caught.value)
        assert "hid" not in str(caught.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://me:hidden@server:5433/base", "postgresql://me@server:5433/base"),
        ("postgres://server/base?password=hidden", "postgresql://server/base"),
        ("postgresql:///base?host=/run/x", "postgresql:///base"),
        ("postgresql://a:hid@den@server/base", "postgresql://a@server/base"),
        ("runs.sqlite", "runs.sqlite"),
    ],
)
def test_a_name_to_show(url: str, name: str) -> None:
    assert shown(url) == name
