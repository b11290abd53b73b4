"""`bench site --store`: from a store to pages, and what is refused."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from history_testing import key, make_run, stored
from postgres_testing import Postgres

from loopgauge.harness.cli import main
from loopgauge.harness.cli.site_folder import MARKER
from loopgauge.harness.history.opening import init_store, open_store
from loopgauge.harness.history.roles import READ

STORE = Path(".bench/history.sqlite")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bench(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


def fill(store: str) -> None:
    for number, factor in enumerate((0.5, 0.6), 1):
        make_run(Path(f"runs/{number}.jsonl"), number, factor, cpu=f"CPU {number}")
    assert bench("history", "import", "runs", "--store", store).exit_code == 0


@pytest.fixture
def store() -> Path:
    fill(str(STORE))
    return STORE


def text(page: str) -> str:
    return Path(page).read_text(encoding="utf-8")


def test_a_site_of_a_store(store: Path) -> None:
    done = bench("site", "--store", store)
    assert done.exit_code == 0, done.output
    assert "html: site/index.html" in done.stderr
    for name in ("loops/fast.html", "trends.html", "badges/fast-speed.svg", "style.css", MARKER):
        assert (Path("site") / name).is_file(), name
    index = text("site/index.html")
    assert "fast is the fastest at" in index
    assert "no reports" not in index
    assert "A store keeps summaries" in index
    assert "faster on all 2 hosts" in text("site/loops/fast.html")


def test_a_database_makes_the_same_site(store: Path, postgres_url: str) -> None:
    init_store(postgres_url)
    fill(postgres_url)
    for name, out in ((store, "one"), (postgres_url, "two")):
        assert bench("site", "--store", name, "--out", out).exit_code == 0
    names = sorted(path.relative_to("one") for path in Path("one").rglob("*") if path.is_file())
    assert [name for name in names if text(f"one/{name}") != text(f"two/{name}")] == []


def test_who_may_only_look_can_build_it(postgres: Postgres, postgres_url: str) -> None:
    init_store(postgres_url)
    fill(postgres_url)
    name = f"looker_{secrets.token_hex(4)}"
    with postgres.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'open' IN ROLE {READ}")
    url = postgres.url(postgres_url.rpartition("/")[2], name, "open")
    for words in ([], ["--loop", "fast", "--out", "fast.html"]):
        done = bench("site", "--store", url, *words)
        assert done.exit_code == 0, done.output


def test_one_loop_is_a_page_by_itself(store: Path) -> None:
    done = bench("site", "--store", store, "--loop", "fast")
    assert done.exit_code == 0, done.output
    page = text("site-fast.html")
    assert "<link" not in page
    assert "style.css" not in page
    assert "faster on all 2 hosts" in page
    assert bench("site", "--store", store, "--loop", "fast", "--out", "a/b.html").exit_code == 0
    assert text("a/b.html") == page
    assert not Path("site").exists()


def test_one_loop_needs_no_plots(store: Path) -> None:
    """They take half a second to import: as long as all of the rest."""
    words = ["site", "--store", str(store), "--loop", "fast"]
    script = f"""if True:
        import sys
        from loopgauge.harness.cli import main
        try:
            main({words!r})
        finally:
            print([name for name in ("matplotlib", "dask", "distributed") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--loop", "fast"], 2, "--loop belongs to --store"),
        (["--store", STORE, "runs"], 2, "leave out PATHs"),
        (["--store", STORE, "--jobs", "2"], 2, "leave out --jobs"),
        (["--store", STORE, "--loop", "fist"], 2, "Did you mean 'fast'?"),
        (["--store", STORE, "--loop", "nothing"], 2, "There are: fast"),
        (["--store", STORE, "--loop", "fast", "--out", "runs"], 2, "is a folder"),
        (["--store", STORE, "--loop", "fast", "--out", "runs/1.jsonl"], 2, "never overwritten"),
        (["--store", STORE, "--out", ".bench"], 2, "which the site is to be made of"),
        (["--store", STORE, "--out", "runs"], 2, "did not write"),
        (["--store", "none.sqlite"], 4, "there is no history in none.sqlite"),
        (["--store", "runs/1.jsonl"], 7, "no history"),
        (["--store", "postgresql://me:hidden@127.0.0.1:1/x"], 8, "cannot connect to"),
        (["--store", "postgresq://me@server/x"], 2, "postgresql://USER@HOST:PORT/DATABASE"),
    ],
)
def test_what_is_refused(store: Path, words: list[str | Path], code: int, says: str) -> None:
    done = bench("site", *words)
    assert done.exit_code == code, done.output
    assert says in done.output.replace("\n", " ")
    assert "hidden" not in done.output
    assert not Path("site").exists()


def test_a_store_without_a_figure() -> None:
    init_store(str(STORE))
    for words in ([], ["--loop", "fast"]):
        done = bench("site", "--store", STORE, *words)
        assert done.exit_code == 4, done.output
        assert "has no figure relative to stock asyncio" in done.stderr


def test_ratios_of_nobody_knows_what_make_no_family() -> None:
    """The store has no costs, whose unit would tell; the benchmark is shown by itself. Nor does
    the run tell its host, or have an interval of more than one process."""
    init_store(str(STORE))
    kept = open_store(str(STORE))
    kept.add([stored(1, series=key(against="asyncio"))])
    kept.close()
    assert bench("site", "--store", STORE).exit_code == 0
    index, loop = text("site/index.html"), text("site/loops/fast.html")
    assert "No loop has a figure of a whole family here" in index
    assert "do not tell which host" in index
    assert "fake.work[n=10]" in loop
    assert "no figure on any host" in loop
    assert "1 with too few processes" in loop
