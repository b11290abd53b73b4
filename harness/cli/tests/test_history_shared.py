"""`bench history` on a database that many share, and what becomes of an import that is hit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from history_testing import make_run
from postgres_testing import QUOTED, Postgres

from loopgauge.harness.cli import main
from loopgauge.harness.history import postgresql
from loopgauge.harness.history.opening import init_store

RUNS = 6


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def store(postgres_url: str) -> str:
    init_store(postgres_url)
    return postgres_url


def history(*words: str) -> Result:
    return CliRunner().invoke(main, ["history", *words])


def answer(*words: str) -> Any:
    done = history(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def make_runs() -> None:
    for number in range(RUNS):
        make_run(Path(f"runs/{number}.jsonl"), number, 0.5 + number / 100)


def everything(store: str) -> list[tuple[Any, ...]]:
    """Each run with how many points it has."""
    with psycopg.connect(store) as connection:
        return connection.execute(
            "SELECT run.run, revision, count(*) FROM run JOIN point ON point.run_id = run.id"
            " GROUP BY run.id ORDER BY run.run"
        ).fetchall()


ONCE = [(f"run-{number}", 0, 3) for number in range(RUNS)]  # two costs and a ratio


def test_from_making_it_to_a_trend(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = history("import", "runs", "--store", postgres_url)
    assert refused.exit_code == 4
    assert "bench history init" in refused.stderr
    made = history("init", "--store", postgres_url)
    assert made.exit_code == 0, made.output
    assert "loopgauge_append, loopgauge_read" in made.stdout
    make_runs()
    monkeypatch.setenv("LOOPGAUGE_STORE", postgres_url)
    done = history("import", "runs")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "6 new" in done.stdout
    assert answer("import", "runs")["runs"]["known"] == RUNS
    [series] = answer("show", "work")["series"]
    assert [round(point["value"], 2) for point in series["points"]] == [
        0.5, 0.51, 0.52, 0.53, 0.54, 0.55,
    ]  # fmt: skip
    assert answer("init")["before"] == answer("init")["now"]
    for words in (["show"], ["steps"], ["machines"], ["export"]):
        assert history(*words).exit_code == 0
    for each in (made, done, refused):
        assert QUOTED not in each.output


def test_two_that_import_the_same_runs_at_once(store: str, tmp_path: Path) -> None:
    make_runs()
    command = [sys.executable, "-m", "loopgauge.harness.cli", "history", "import", "runs", "--json"]
    both = [
        subprocess.Popen([*command, "--store", store], stdout=subprocess.PIPE, cwd=tmp_path)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0])["runs"] for process in both]
    assert sum(one["added"] for one in answers) == RUNS
    assert sum(one["known"] for one in answers) == RUNS
    assert everything(store) == ONCE


def test_who_may_only_look_imports_nothing(postgres: Postgres, store: str) -> None:
    """With several files, which are read by processes of their own: they end, too."""
    make_runs()
    reader = f"reader_{store.rpartition('/')[2]}"
    with psycopg.connect(store, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {reader} LOGIN PASSWORD 'r' IN ROLE loopgauge_read")
    command = [sys.executable, "-m", "loopgauge.harness.cli", "history", "import", "runs"]
    theirs = postgres.url(store.rpartition("/")[2], reader, "r")
    done = subprocess.run(
        [*command, "--jobs", "2", "--store", theirs], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 8
    assert "may not do that" in done.stderr
    assert everything(store) == []


def test_a_server_killed_during_an_import(
    postgres: Postgres, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the fourth run was sent and before it was committed."""
    make_runs()
    fill, filled = postgresql._fill, []

    def counting(*arguments: Any) -> None:
        fill(*arguments)
        filled.append(arguments)
        if len(filled) == 4:
            postgres.kill()

    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "_fill", counting)
        done = history("import", "runs", "--store", store)
    assert done.exit_code == 8
    assert "broke" in done.stderr
    assert "Everything stored before is intact" in done.stderr
    assert "Traceback" not in done.stderr
    postgres.start()
    assert everything(store) == ONCE[:3]
    counts = answer("import", "runs", "--store", store)["runs"]
    assert (counts["known"], counts["added"]) == (3, 3)
    assert everything(store) == ONCE


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("postgresq://me:hidden@server/base", 2, "postgresql://USER@HOST:PORT/DATABASE"),
        ("postgresql://me:hidden@server:port/base", 2, "is not the URL of a database"),
        ("postgresql://me:hidden@127.0.0.1:1/base", 8, "cannot connect to"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, code: int, words: str, tmp_path: Path) -> None:
    for command in (["show"], ["import", "--all"], ["init"], ["machines"]):
        done = history(*command, "--store", url)
        assert done.exit_code == code, done.output
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert "hidden" not in done.output
    assert [*tmp_path.iterdir()] == []


def test_a_wrong_password(postgres: Postgres) -> None:
    done = history("--store", postgres.url("postgres", password="mistaken"))
    assert done.exit_code == 8
    assert "password authentication failed" in done.stderr
    assert "mistaken" not in done.output


def test_a_database_of_a_newer_schema(store: str) -> None:
    with psycopg.connect(store) as connection:
        connection.execute("UPDATE loopgauge_history SET schema = 99")
    done = history("--store", store)
    assert done.exit_code == 7
    assert "schema 99" in done.stderr
    assert "pip install -U loopgauge" in done.stderr


def test_roles_that_nobody_could_make(postgres: Postgres, postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS loopgauge_append")
        connection.execute(f"CREATE ROLE {database} LOGIN PASSWORD 'open'")
        connection.execute(f"ALTER DATABASE {database} OWNER TO {database}")
    done = history("init", "--store", postgres.url(database, database, "open"))
    assert done.exit_code == 6
    assert "CREATE ROLE loopgauge_append;" in done.stderr


def test_a_run_that_the_database_cannot_hold(store: str) -> None:
    make_run(Path("runs/0.jsonl"), 0)
    text = make_run(Path("runs/1.jsonl"), 1).read_text()
    Path("runs/1.jsonl").write_text(text.replace("fake.work", "fake.wo\\u0000rk"))
    done = history("import", "runs", "--store", store)
    assert done.exit_code == 7
    assert "1 new, 1 unreadable" in done.stdout
    assert "runs/1.jsonl" in done.stderr
    assert "NUL" in done.stderr


def test_a_file_needs_no_making(tmp_path: Path) -> None:
    assert "made, with schema" in history("init").stdout
    assert "already" in history("init").stdout
    assert (tmp_path / ".bench/history.sqlite").exists()
