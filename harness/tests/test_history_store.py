"""The store: what goes in once comes out, whoever else is at it and whatever breaks."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from history_testing import RYZEN, XEON, Opener, key, stored, values
from sqlalchemy import event

from loopgauge.harness.errors import NoHistory, NotAHistory, StoreBusy, StoreFull, StoreUnusable
from loopgauge.harness.history import tables
from loopgauge.harness.history.export import COLUMNS, write_csv, write_json
from loopgauge.harness.history.migrating import migrate
from loopgauge.harness.history.model import (
    Content,
    Entry,
    Query,
)
from loopgauge.harness.history.sqlite import make_engine, open_history


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "history.sqlite"


def test_points_come_back_in_the_order_of_time(opener: Opener) -> None:
    history = opener()
    assert history.add([stored(2, 0.2), stored(1, 0.1), stored(3, None)]) == ["added"] * 3
    [series] = opener().series(Query())
    assert series.key == key()
    assert [point.value for point in series.points] == [0.1, 0.2, None]
    first = series.points[0]
    assert (first.run, first.low, first.high, first.version) == ("run-1", 0.4, 0.6, "1.0")


def test_a_run_is_stored_once(opener: Opener) -> None:
    history = opener()
    assert history.add([stored(1), stored(1)]) == ["added", "known"]
    assert opener().add([stored(1)]) == ["known"]
    assert values(history) == [[0.5]]


def test_a_run_that_goes_on_replaces_what_was_there(opener: Opener) -> None:
    history = opener()
    history.add([stored(1), stored(2)])
    grown = stored(1, 0.7, content="longer", size=20, replaces="hash-1")
    assert history.add([grown]) == ["grown"]
    assert values(history) == [[0.7, 0.5]]
    assert history.content("run-1") == Content("longer", 20)
    # Both are there, and count as one; whoever looks sees the newest.
    assert history.add([stored(1)]) == ["known"]
    assert [(row.runs) for row in history.machines()] == [2]
    assert values(history, last=1) == [[0.5]]
    assert values(history, last=2) == [[0.7, 0.5]]


def test_another_file_of_the_same_name_changes_nothing(opener: Opener) -> None:
    history = opener()
    history.add([stored(1)])
    assert history.add([stored(1, 0.9, content="other", replaces="never")]) == ["differs"]
    assert values(history) == [[0.5]]


def test_a_call_that_fails_half_way_stores_nothing(opener: Opener) -> None:
    history = opener()
    broken = stored(2)
    broken.entries[0].version = None  # type: ignore[assignment]
    other = stored(1, series=key(machine=RYZEN))
    with pytest.raises(Exception, match=r"(?i)not.null"):
        history.add([other, broken])
    assert history.machines() == []
    # The identities that the failed call drew are not remembered.
    assert history.add([stored(3, series=key(machine=RYZEN))]) == ["added"]
    assert values(history) == [[0.5]]


def test_the_newest_points_of_each_series(opener: Opener) -> None:
    history = opener()
    other = key(loop="other")
    history.add(stored(n, n / 10) for n in range(1, 8))
    history.add(stored(n, n / 10, series=other) for n in range(20, 22))
    assert values(history, last=3) == [[0.5, 0.6, 0.7], [2.0, 2.1]]
    same_time = [stored(n, 9.0, created="2026-01-01T00:00:07Z") for n in (30, 31)]
    history.add(same_time)
    assert values(history, last=1, loops=["fast"]) == [[9.0]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"benchmarks": ["work"]}, 2),
        ({"benchmarks": ["fake"]}, 3),
        ({"benchmarks": ["fake.work[n=10]"]}, 2),
        ({"benchmarks": ["w*k"]}, 2),
        ({"benchmarks": ["x"]}, 0),
        ({"loops": ["f*"]}, 2),
        ({"metrics": ["cost"]}, 1),
        ({"machines": ["ryzen"]}, 1),
        ({"machines": [RYZEN.key]}, 1),
        ({"machines": ["3.13"], "loops": ["fast"]}, 1),
        ({"benchmarks": ["work", "rest"]}, 3),
    ],
)
def test_what_a_query_means(opener: Opener, query: dict[str, Any], count: int) -> None:
    history = opener()
    keys = [
        key(),
        key(machine=RYZEN),
        key(benchmark="fake.rest", loop="slow", metric="cost", unit="ns/op"),
    ]
    history.add([stored(n, series=one) for n, one in enumerate(keys)])
    assert len(history.keys(Query(**query))) == count


def test_machines_newest_first(opener: Opener) -> None:
    history = opener()
    history.add([stored(1), stored(2), stored(3, series=key(machine=RYZEN))])
    rows = history.machines()
    assert [(row.machine, row.runs) for row in rows] == [(RYZEN, 1), (XEON, 2)]
    assert (rows[1].first, rows[1].last) == ("2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z")


def test_exports_hold_every_point(opener: Opener) -> None:
    history = opener()
    history.add([stored(1), stored(2, None), stored(3, series=key(machine=RYZEN))])
    text = io.StringIO()
    assert write_csv(history.rows(Query()), text) == 3
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["value"] for row in rows] == ["0.5", "0.5", ""]
    assert {row["machine"] for row in rows} == {XEON.key, RYZEN.key}
    text = io.StringIO()
    assert write_json(history.rows(Query()), text) == 3
    document = json.loads(text.getvalue())
    assert document["kind"] == "history"
    assert [point["value"] for point in document["points"]] == [0.5, 0.5, None]
    empty = io.StringIO()
    write_json([], empty)
    assert json.loads(empty.getvalue())["points"] == []


def test_no_cell_of_an_export_is_a_formula(opener: Opener) -> None:
    history = opener()
    history.add([stored(1, -0.5, series=key(loop="=cmd|' /C calc'!A0", benchmark="@SUM(1+1)"))])
    text = io.StringIO()
    write_csv(history.rows(Query()), text)
    (row,) = csv.DictReader(io.StringIO(text.getvalue()))
    assert (row["loop"], row["benchmark"]) == ("'=cmd|' /C calc'!A0", "'@SUM(1+1)")
    assert row["value"] == "-0.5"


# What breaks


def test_a_store_that_another_process_writes_to(path: Path) -> None:
    open_history(path, create=True).add([stored(1)])
    history = open_history(path, wait_s=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="locked by another process") as caught:
        history.add([stored(2)])
    assert "--wait" in caught.value.cure
    assert values(history) == [[0.5]], "readers go on"
    other.execute("ROLLBACK")
    assert history.add([stored(2)]) == ["added"]
    other.close()


def test_a_store_that_another_process_keeps_to_itself(path: Path) -> None:
    open_history(path, create=True).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy):
        open_history(path, wait_s=0)
    other.close()


def test_a_disk_that_fills_during_a_write_loses_nothing(path: Path) -> None:
    open_history(path, create=True).add([stored(1)])
    history = open_history(path)

    @event.listens_for(history._engine, "checkout")
    def fill(connection: Any, _record: Any, _proxy: Any) -> None:
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    many = [stored(n, version=None) if n < 0 else stored(n) for n in range(2, 60)]
    for run in many:
        run.entries = [
            Entry(series=key(loop=f"loop-{run.run}-{n}"), arm="x" * 50, value=1.0)
            for n in range(20)
        ]
    with pytest.raises(StoreFull, match="the disk is full") as caught:
        history.add(many)
    assert "intact" in caught.value.cure
    assert values(open_history(path)) == [[0.5]]
    assert open_history(path).add(many) == ["added"] * len(many)


def test_no_store(path: Path) -> None:
    with pytest.raises(NoHistory, match="no history") as caught:
        open_history(path)
    assert "import --all" in caught.value.cure
    assert not path.exists()


def test_an_empty_file_is_an_empty_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(NoHistory, match="is empty"):
        open_history(path)
    assert open_history(path, create=True).machines() == []


@pytest.mark.parametrize("create", [False, True])
def test_a_foreign_file_stays_as_it_is(path: Path, create: bool) -> None:
    path.parent.mkdir()
    path.write_text("these are notes, " * 100)
    before = path.read_bytes()
    with pytest.raises(NotAHistory):
        open_history(path, create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
def test_a_foreign_database_stays_as_it_is(path: Path, create: bool) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(NotAHistory, match="another program"):
        open_history(path, create=create)
    assert path.read_bytes() == before


def test_a_store_of_the_future(path: Path) -> None:
    open_history(path, create=True).close()
    other = sqlite3.connect(path)
    other.execute("UPDATE loopgauge_history SET schema = 99")
    other.commit()
    other.close()
    with pytest.raises(NotAHistory, match="schema 99"):
        open_history(path)


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable):
        open_history(tmp_path / "file" / "history.sqlite", create=True)


def test_two_that_make_the_store_at_once(path: Path) -> None:
    """Both find an empty file; the second must not make the tables again."""
    path.parent.mkdir()
    first, second = make_engine(path, 0), make_engine(path, 0)
    from loopgauge.harness.history.sqlite import _prepare

    seen = []

    @event.listens_for(first, "begin")
    def overtake(connection: Any) -> None:
        if not seen:
            seen.append(connection)
            return
        if len(seen) == 1:
            seen.append(connection)
            connection.exec_driver_sql("ROLLBACK")
            _prepare(second, path, create=True)
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    _prepare(first, path, create=True)
    assert len(seen) == 2
    assert open_history(path).machines() == []


def test_a_store_of_before_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of schema 1, which loopgauge made without Alembic."""
    path.parent.mkdir()
    engine = make_engine(path, 0)
    with monkeypatch.context() as patch, engine.begin() as connection:
        patch.setattr(tables, "SCHEMA", 1)
        migrate(connection, 0)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        for statement in (
            "INSERT INTO machine VALUES (7, 'Xeon', '6.1', '3.13.0', 'plain')",
            "INSERT INTO series VALUES (3, 7, 'fake.work[n=10]', 'fast', 'ratio', '', '', 'lower')",
            "INSERT INTO run VALUES (5, 'run-1', 'run', 'x.jsonl', '2026-01-01T00:00:01Z', 'quick',"
            " '1.0', 1, 0, 'hash-1', 10)",
            "INSERT INTO run_machine VALUES (7, 5)",
            "INSERT INTO point VALUES (3, '2026-01-01T00:00:01Z', 5, 'fast', 0.5, 0.4, 0.6, 8,"
            " '1.0', '', '', 'ok')",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    history = open_history(path)
    assert values(history) == [[0.5]]
    assert history.content("run-1") == Content("hash-1", 10)
    grown = stored(1, 0.7, content="longer", size=20, replaces="hash-1")
    assert history.add([stored(1), grown, stored(2)]) == ["known", "grown", "added"]
    assert values(open_history(path)) == [[0.7, 0.5]]
    [row] = history.machines()
    assert (row.machine, row.runs) == (XEON, 2)
    with history.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []


def test_a_store_of_before_that_cannot_be_written(path: Path, monkeypatch: Any) -> None:
    open_history(path, create=True).close()
    other = sqlite3.connect(path)
    other.execute("UPDATE loopgauge_history SET schema = 1")
    other.commit()
    other.close()

    def refuse(*_: Any) -> None:
        raise sqlite_error(sqlite3.SQLITE_READONLY, "attempt to write a readonly database")

    monkeypatch.setattr("loopgauge.harness.history.sqlite.migrate", refuse)
    with pytest.raises(StoreUnusable, match="readonly"):
        open_history(path)


def sqlite_error(code: int, words: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error
