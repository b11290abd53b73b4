"""The store: what goes in once comes out, whoever else is at it and whatever breaks."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from loopgauge.harness.errors import NoHistory, NotAHistory, StoreBusy, StoreFull, StoreUnusable
from loopgauge.harness.history.export import COLUMNS, write_csv, write_json
from loopgauge.harness.history.model import (
    Content,
    Entry,
    MachineKind,
    Query,
    SeriesKey,
    StoredRun,
)
from loopgauge.harness.history.sql import SqlHistory
from loopgauge.harness.history.sqlite import make_engine, open_history

XEON = MachineKind(cpu_model="Xeon", kernel="6.1", python="3.13.0", build_kind="plain")
RYZEN = MachineKind(cpu_model="Ryzen", kernel="6.8", python="3.14.8", build_kind="pgo+lto")


def key(**fields: Any) -> SeriesKey:
    given = {"benchmark": "fake.work[n=10]", "loop": "fast", "metric": "ratio", "machine": XEON}
    return SeriesKey(**{**given, **fields})


def stored(number: int, value: float | None = 0.5, **fields: Any) -> StoredRun:
    series = fields.pop("series", key())
    entry = Entry(series=series, arm="fast", value=value, low=0.4, high=0.6, version="1.0")
    given = {
        "run": f"run-{number}",
        "name": "x.jsonl",
        "created": f"2026-01-01T00:00:{number:02}Z",
        "content": f"hash-{number}",
        "size": 10,
        "entries": [entry],
    }
    return StoredRun(**{**given, **fields})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "history.sqlite"


def values(history: SqlHistory, **query: Any) -> list[list[float | None]]:
    return [[point.value for point in one.points] for one in history.series(Query(**query))]


def test_points_come_back_in_the_order_of_time(path: Path) -> None:
    history = open_history(path, create=True)
    assert history.add([stored(2, 0.2), stored(1, 0.1), stored(3, None)]) == ["added"] * 3
    [series] = open_history(path).series(Query())
    assert series.key == key()
    assert [point.value for point in series.points] == [0.1, 0.2, None]
    first = series.points[0]
    assert (first.run, first.low, first.high, first.version) == ("run-1", 0.4, 0.6, "1.0")


def test_a_run_is_stored_once(path: Path) -> None:
    history = open_history(path, create=True)
    assert history.add([stored(1), stored(1)]) == ["added", "known"]
    assert open_history(path, create=True).add([stored(1)]) == ["known"]
    assert values(history) == [[0.5]]


def test_a_run_that_goes_on_replaces_what_was_there(path: Path) -> None:
    history = open_history(path, create=True)
    history.add([stored(1), stored(2)])
    grown = stored(1, 0.7, content="longer", size=20, replaces="hash-1")
    assert history.add([grown]) == ["grown"]
    assert values(history) == [[0.7, 0.5]]
    assert history.content("run-1") == Content("longer", 20)


def test_another_file_of_the_same_name_changes_nothing(path: Path) -> None:
    history = open_history(path, create=True)
    history.add([stored(1)])
    assert history.add([stored(1, 0.9, content="other", replaces="never")]) == ["differs"]
    assert values(history) == [[0.5]]


def test_a_call_that_fails_half_way_stores_nothing(path: Path) -> None:
    history = open_history(path, create=True)
    broken = stored(2)
    broken.entries[0].version = None  # type: ignore[assignment]
    other = stored(1, series=key(machine=RYZEN))
    with pytest.raises(Exception, match="NOT NULL"):
        history.add([other, broken])
    assert history.machines() == []
    # The identities that the failed call drew are not remembered.
    assert history.add([stored(3, series=key(machine=RYZEN))]) == ["added"]
    assert values(history) == [[0.5]]


def test_the_newest_points_of_each_series(path: Path) -> None:
    history = open_history(path, create=True)
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
def test_what_a_query_means(path: Path, query: dict[str, Any], count: int) -> None:
    history = open_history(path, create=True)
    keys = [
        key(),
        key(machine=RYZEN),
        key(benchmark="fake.rest", loop="slow", metric="cost", unit="ns/op"),
    ]
    history.add([stored(n, series=one) for n, one in enumerate(keys)])
    assert len(history.keys(Query(**query))) == count


def test_machines_newest_first(path: Path) -> None:
    history = open_history(path, create=True)
    history.add([stored(1), stored(2), stored(3, series=key(machine=RYZEN))])
    rows = history.machines()
    assert [(row.machine, row.runs) for row in rows] == [(RYZEN, 1), (XEON, 2)]
    assert (rows[1].first, rows[1].last) == ("2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z")


def test_exports_hold_every_point(path: Path) -> None:
    history = open_history(path, create=True)
    history.add([stored(1), stored(2, None), stored(3, series=key(machine=RYZEN))])
    text = io.StringIO()
    assert write_csv(history.rows(Query()), text) == 3
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["value"] for row in rows] == ["0.5", "", "0.5"]
    assert {row["machine"] for row in rows} == {XEON.key, RYZEN.key}
    text = io.StringIO()
    assert write_json(history.rows(Query()), text) == 3
    document = json.loads(text.getvalue())
    assert document["kind"] == "history"
    assert [point["value"] for point in document["points"]] == [0.5, None, 0.5]
    empty = io.StringIO()
    write_json([], empty)
    assert json.loads(empty.getvalue())["points"] == []


def test_no_cell_of_an_export_is_a_formula(path: Path) -> None:
    history = open_history(path, create=True)
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
            _prepare(second)
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    _prepare(first)
    assert len(seen) == 2
    assert open_history(path).machines() == []
