"""`bench site`: what it takes, what it refuses, and that an old site survives whatever happens."""

from __future__ import annotations

import lzma
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from report_testing import files, verdicts
from report_testing.pages import Page

from loopgauge.harness.cli import main, site_folder, site_pages
from loopgauge.harness.cli.site_sources import MARKER, find


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path) -> Path:
    return files.write_run(here / "runs/one.jsonl")


def bench_site(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["site", *map(str, words), "--jobs", "1"])


def index(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_site_over_a_run_and_what_its_loops_break(here: Path, run: Path) -> None:
    found = verdicts.verdict("SOON-001.three", "uvloop", verdict="FAIL")
    verdicts.write_results(here / "runs/asked.jsonl", [found], selection=["SOON"])
    done = bench_site("runs")
    assert done.exit_code == 0, done.output
    for name in (
        "index.html",
        "runs/one.html",
        "data/one.csv",
        "loops/uvloop.html",
        "conformance/index.html",
        "conformance/rule/SOON-001.html",
        "trends.html",
        "badges/uvloop.svg",
        "badges/uvloop-speed.svg",
        "style.css",
        "page.js",
    ):
        assert (here / "site" / name).is_file(), name
    assert "SOON-001" in (here / "site/loops/uvloop.html").read_text("utf-8")


def test_an_invalid_result_leads_to_the_case_that_explains_it(here: Path) -> None:
    """The result is of the very build and Python that was measured, and the benchmark depends on
    the rule."""
    path = files.write_run(here / "runs/one.jsonl")
    text = path.read_bytes().replace(b'"rules":[]', b'"rules":["SOON-001"]')
    path.write_bytes(text)
    found = verdicts.verdict(
        "SOON-001.three", "uvloop", verdict="FAIL", version="0.23.0", python="3.14.8"
    )
    verdicts.write_results(here / "runs/asked.jsonl", [found], selection=["SOON"], python="3.14.8")
    assert bench_site("runs").exit_code == 0
    page = Page((here / "site/runs/one.html").read_text("utf-8"))
    assert "INVALID" in page.text
    assert any(a.startswith("../conformance/case/SOON-001.three.html") for a in page.values("href"))
    assert "../index.html" in page.values("href")
    assert "../loops/uvloop.html" in page.values("href")
    assert "breaks 1 of 1" in index(here / "site").text


def test_the_same_bytes_again(here: Path, run: Path) -> None:
    assert bench_site("runs", "--out", "a").exit_code == 0
    assert bench_site("runs", "--out", "b").exit_code == 0
    assert tree(here / "a") == tree(here / "b")


def test_several_processes_make_what_one_makes(here: Path, run: Path) -> None:
    files.write_run(here / "runs/two.jsonl", processes=7)
    assert bench_site("runs", "--out", "one").exit_code == 0
    done = CliRunner().invoke(main, ["site", "runs", "--out", "two", "--jobs", "2"])
    assert done.exit_code == 0, done.output
    assert tree(here / "one") == tree(here / "two")


def test_packed_files_and_what_is_reached_twice(here: Path, run: Path) -> None:
    (here / "packed.jsonl.xz").write_bytes(lzma.compress(run.read_bytes()))
    sources = find([here / "runs", run, here])
    assert len(sources.runs) == 1  # one run, whatever its files are called
    assert bench_site("packed.jsonl.xz").exit_code == 0
    assert (here / "site/runs/packed.html").is_file()


def test_an_older_copy_of_a_resumed_run_is_left_out(here: Path, run: Path) -> None:
    lines = run.read_bytes().splitlines(keepends=True)
    (here / "runs/a-copy.jsonl").write_bytes(b"".join(lines[:-3]))
    assert [path.name for path in find([here / "runs"]).runs] == ["one.jsonl"]


def test_two_runs_that_say_different_things_under_one_name_are_both_shown(
    here: Path, run: Path
) -> None:
    (here / "runs/two.jsonl").write_bytes(run.read_bytes().replace(b'"seed":42', b'"seed":43'))
    assert len(find([here / "runs"]).runs) == 2


def test_two_files_of_one_name(here: Path, run: Path) -> None:
    text = run.read_bytes().replace(b"20261121T153000-abcdef", b"20261122T153000-abcdef")
    (here / "runs/more").mkdir()
    (here / "runs/more/one.jsonl").write_bytes(text)
    assert bench_site("runs").exit_code == 0
    assert len([*(here / "site/runs").iterdir()]) == 2


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"hello\n", "is not a loopgauge run file"),
        (b"\x00\xff\xfe" * 100, "is not a loopgauge run file"),
        (b"\xfd7zXZ\x00 broken", "cannot be unpacked"),
        (b'{"record":"header","schema":99,"kind":"run"}\n', "schema 99"),
        (b'{"record":"header","schema":99,"kind":"conformance"}\n', "schema 99"),
        (b'{"record":"header","schema":1,"kind":"conformance"}\n', "asked.jsonl"),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_built(
    here: Path, run: Path, data: bytes, word: str
) -> None:
    (here / "runs/asked.jsonl").write_bytes(data)
    done = bench_site("runs")
    assert done.exit_code == 7
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert word in index(here / "site").text
    assert (here / "site/runs/one.html").is_file()


def test_a_cut_run_is_shown_as_far_as_it_goes(here: Path, run: Path) -> None:
    run.write_bytes(run.read_bytes()[:-20])
    done = bench_site("runs")
    assert done.exit_code == 7
    assert "is not whole" in done.stderr
    assert (here / "site/runs/one.html").is_file()


def test_a_gate_that_is_none(here: Path, run: Path) -> None:
    (here / "runs/gate").mkdir()
    (here / "runs/gate/gate.jsonl").write_bytes(b"hello\n")
    done = bench_site("runs")
    assert done.exit_code == 7
    assert "gate.jsonl, line 1" in done.stderr


def test_a_folder_with_the_name_of_a_result(here: Path, run: Path) -> None:
    (here / "runs/two.jsonl").mkdir()
    run.rename(here / "runs/two.jsonl/one.jsonl")
    (here / "runs/gate.jsonl").mkdir()
    done = bench_site("runs")
    assert done.exit_code == 0, done.output
    assert (here / "site/runs/one.html").is_file()
    assert not (here / "site/gates").exists()


@pytest.mark.parametrize("kind", ["fleet", "fleet-gate"])
@pytest.mark.parametrize("named", ["runs", "runs/fleet.jsonl"])
def test_a_fleet_is_the_runs_of_its_hosts(here: Path, run: Path, named: str, kind: str) -> None:
    text = f'{{"record":"header","schema":1,"kind":"{kind}","run":"runs"}}\n'
    run.with_name("fleet.jsonl").write_text(text)
    done = bench_site(named)
    assert done.exit_code == 0, done.output
    assert [path.name for path in (here / "site/runs").iterdir()] == ["one.html"]


def test_nothing_readable_leaves_the_old_site(here: Path, run: Path) -> None:
    assert bench_site("runs").exit_code == 0
    before = tree(here / "site")
    run.write_bytes(b"hello\n")
    done = bench_site("runs")
    assert done.exit_code == 7
    assert "No site was built" in done.stderr
    assert tree(here / "site") == before


@pytest.mark.parametrize("there", ["", "empty", "others"])
def test_nothing_to_build_of(here: Path, there: str) -> None:
    if there:
        (here / "runs").mkdir()
    if there == "others":
        (here / "runs/notes.txt").write_text("hello")
        (here / "runs/begun.jsonl").write_bytes(b"")  # what a run leaves that ended as it began
    done = bench_site(*(["runs"] if there else []))
    assert done.exit_code == 4
    assert "there is no result in" in done.stderr
    assert not (here / "site").exists()


def test_a_path_that_is_not_there(here: Path, run: Path) -> None:
    done = bench_site("runs", "gone.jsonl")
    assert done.exit_code == 7
    assert "cannot read gone.jsonl" in done.stderr
    assert (here / "site/index.html").is_file()


def test_a_folder_with_other_things_is_left_alone(here: Path, run: Path) -> None:
    (here / "site").mkdir()
    (here / "site/thesis.tex").write_text("years of work")
    done = bench_site("runs")
    assert done.exit_code == 2
    assert "thesis.tex" in done.stderr
    assert [*(here / "site").iterdir()] == [here / "site/thesis.tex"]


def test_what_somebody_put_into_a_site_is_not_thrown_away(here: Path, run: Path) -> None:
    assert bench_site("runs").exit_code == 0
    (here / "site/.git").mkdir()
    done = bench_site("runs")
    assert done.exit_code == 2
    assert ".git" in done.stderr
    assert (here / "site/.git").is_dir()


def test_notes_deep_in_a_site_are_not_thrown_away(here: Path, run: Path) -> None:
    assert bench_site("runs").exit_code == 0
    (here / "site/runs/notes.md").write_text("years of work")
    done = bench_site("runs")
    assert done.exit_code == 2
    assert "runs/notes.md" in done.stderr
    assert (here / "site/runs/notes.md").is_file()


def test_what_is_put_into_a_site_while_the_next_one_is_made(
    here: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench_site("runs").exit_code == 0
    made = site_pages.make_report

    def meanwhile(*arguments: object) -> object:
        (here / "site/notes.md").write_text("years of work")
        return made(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(site_pages, "make_report", meanwhile)
    assert bench_site("runs").exit_code == 2
    assert (here / "site/notes.md").is_file()
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


def test_a_marker_that_lies(here: Path, run: Path) -> None:
    (here / "site").mkdir()
    (here / "site" / MARKER).write_text('{"kind": "loopgauge-site", "files": 3}')
    assert bench_site("runs").exit_code == 2


@pytest.mark.parametrize("out", ["runs", ".", "runs/.."])
def test_a_site_never_replaces_what_it_is_made_of(here: Path, run: Path, out: str) -> None:
    done = bench_site("runs", "--out", out)
    assert done.exit_code == 2
    assert run.is_file()


def test_a_file_in_its_place(here: Path, run: Path) -> None:
    (here / "site").write_text("x")
    done = bench_site("runs")
    assert done.exit_code == 2
    assert "no folder" in done.stderr


def test_a_site_below_its_sources_is_not_read(here: Path, run: Path) -> None:
    for _ in range(2):
        done = bench_site("runs", "--out", "runs/site")
        assert done.exit_code == 0, done.output
    assert (here / "runs/site/runs/one.html").is_file()


def test_a_new_site_takes_the_place_of_the_old_one(here: Path, run: Path) -> None:
    assert bench_site("runs").exit_code == 0
    run.rename(here / "runs/renamed.jsonl")
    assert bench_site("runs").exit_code == 0
    assert [path.name for path in (here / "site/runs").iterdir()] == ["renamed.html"]
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_the_old_site(
    here: Path, run: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    assert threading.current_thread() is threading.main_thread()
    assert bench_site("runs").exit_code == 0
    before = tree(here / "site")
    made = site_pages.make_report

    def interrupted(*arguments: object) -> object:
        done = made(*arguments)  # type: ignore[arg-type]
        os.kill(os.getpid(), number)
        return done

    monkeypatch.setattr(site_pages, "make_report", interrupted)
    done = bench_site("runs")
    assert done.exit_code == code, done.output
    assert tree(here / "site") == before
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


def test_a_full_disk_leaves_the_old_site(
    here: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench_site("runs").exit_code == 0
    before = tree(here / "site")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "index.html")

    monkeypatch.setattr(site_folder, "_swap", full)
    done = bench_site("runs")
    assert done.exit_code == 8
    assert "No space left" in done.stderr
    assert tree(here / "site") == before
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


def test_a_killed_process_leaves_the_old_site(
    here: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel does where memory is short."""
    files.write_run(here / "runs/two.jsonl", processes=7)
    assert bench_site("runs").exit_code == 0
    before = tree(here / "site")
    monkeypatch.setattr(site_pages, "_make", die)
    done = CliRunner().invoke(main, ["site", "runs", "--jobs", "2"])
    assert done.exit_code == 8, done.output
    assert "--jobs" in done.stderr
    assert tree(here / "site") == before


def die(task: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_interruption_does_not_wait_for_the_pages_in_hand(
    here: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_run(here / "runs/two.jsonl", processes=7)
    monkeypatch.setattr(site_pages, "_make", interrupt_and_stay)
    done = CliRunner().invoke(main, ["site", "runs", "--jobs", "2"])
    assert done.exit_code == 130, done.output
    assert not (here / "site").exists()
    assert multiprocessing.active_children() == []


def interrupt_and_stay(task: site_pages.Task) -> None:
    """Once: a second interruption would come at any time after the first."""
    if task.name == "one":
        os.kill(os.getppid(), signal.SIGINT)
    while True:
        signal.pause()


DIES = """
import os, signal, sys
from pathlib import Path
from loopgauge.harness.cli import site_folder

setattr(site_folder, sys.argv[2], lambda *of: os.kill(os.getpid(), signal.SIGKILL))
with site_folder.replacing(Path(sys.argv[1])) as made:
    (made / "half.html").write_text("half")
"""


def begin_and_die(folder: Path, at: str) -> None:
    """As the function `at` is called, SIGKILL comes."""
    done = subprocess.run([sys.executable, "-c", DIES, folder, at], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("at", ["_files", "_swap"])
def test_what_a_killed_one_was_making_goes_with_the_next(here: Path, run: Path, at: str) -> None:
    begin_and_die(here / "site", at)
    assert len([*here.iterdir()]) == 2
    assert bench_site("runs").exit_code == 0
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


def test_what_a_living_one_is_making_stays(here: Path, run: Path) -> None:
    with site_folder.replacing(here / "site") as made:
        assert bench_site("runs").exit_code == 0
        assert made.is_dir()
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]


def test_a_site_that_was_moved_aside_comes_back(here: Path, run: Path) -> None:
    """Its successor was killed between two renames, and the next one comes to nothing."""
    assert bench_site("runs").exit_code == 0
    before = tree(here / "site")
    begin_and_die(here / "site", "_swap")
    (left,) = (path for path in here.iterdir() if path.name.startswith("."))
    (here / "site").rename(left.with_name(f"{left.name}{site_folder.ASIDE}"))
    (here / "runs/broken.jsonl").write_bytes(b"no run")
    run.unlink()
    assert bench_site("runs").exit_code == 7
    assert tree(here / "site") == before
    assert sorted(path.name for path in here.iterdir()) == ["runs", "site"]
