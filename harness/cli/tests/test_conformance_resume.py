"""A conformance run that ended early goes on, asks nothing twice and forgets nothing."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

AREA = ("conformance", "SOON-00*", "--loop", "mine:Loop", "--jobs", "1", "--out", "r.jsonl")
MINE = """
import asyncio

class Loop(asyncio.SelectorEventLoop):
    pass
"""


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def killed(bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a run that was killed when stock had been asked."""
    bench = bench_in(tmp_path_factory.mktemp("killed"))
    bench.write("mine.py", MINE)
    with bench.started(*AREA) as process:
        assert process.stderr is not None
        bench.read_until(process.stderr, "mine:Loop: rules")
        process.kill()
        process.wait(60)
    return (bench.folder / "r.jsonl").read_bytes()


@pytest.fixture
def begun(bench: Bench, killed: bytes) -> Path:
    bench.write("mine.py", MINE)
    path = bench.folder / "r.jsonl"
    path.write_bytes(killed)
    return path


def changed(path: Path, **members: object) -> None:
    header, *lines = records(path)
    lines = [header | members, *lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_killed_run_goes_on(bench: Bench, begun: Path) -> None:
    before = begun.read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    done = bench("conformance", "--resume", "r.jsonl", "--jobs", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert begun.read_bytes().startswith(whole)
    found = records(begun)
    assert [one["record"] for one in found].count("header") == 1
    assert (found[-1]["record"], found[-1]["complete"]) == ("end", True)
    asked = [(one["loop"], one["case"]) for one in found if one["record"] == "verdict"]
    assert len(asked) == len({*asked})
    assert {case for loop, case in asked if loop == "asyncio"} == {
        case for loop, case in asked if loop == "mine:Loop"
    }
    assert {one["stock"] for one in found if one.get("loop") == "mine:Loop"} >= {"PASS"}
    summary = json.loads(done.stdout)
    assert summary["complete"]
    counts = [sum(loop["verdicts"]["rules"].values()) for loop in summary["loops"]]
    assert counts == [len(asked) // 2] * 2


def test_a_run_that_is_complete_is_shown_elsewhere(bench: Bench, begun: Path) -> None:
    with begun.open("a") as file:
        file.write('{"record":"end","schema":1,"kind":"conformance","complete":true}\n')
    before = begun.read_bytes()
    done = bench("conformance", "--resume", "r.jsonl")
    assert done.returncode == 2
    assert "r.jsonl is complete" in done.stderr
    assert "bench report r.jsonl" in done.stderr
    assert begun.read_bytes() == before


def test_another_python_is_refused(bench: Bench, begun: Path) -> None:
    changed(begun, python="3.10.1")
    before = begun.read_bytes()
    done = bench("conformance", "--resume", "r.jsonl")
    assert done.returncode == 4
    assert "Python (3.10.1 then, " in done.stderr
    assert "Start a new run" in done.stderr
    assert begun.read_bytes() == before


def test_another_version_of_a_loop_is_refused(bench: Bench, begun: Path) -> None:
    subjects = records(begun)[0]["subjects"]
    subjects[1]["version"] = "9.9"
    changed(begun, subjects=subjects)
    done = bench("conformance", "--resume", "r.jsonl")
    assert done.returncode == 4
    assert "mine:Loop (9.9 then, ? now)" in done.stderr


def test_a_run_that_still_goes_on_is_left_alone(bench: Bench, begun: Path) -> None:
    with begun.open("ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        before = begun.read_bytes()
        done = bench("conformance", "--resume", "r.jsonl")
    assert done.returncode == 2
    assert "is being written by another" in done.stderr
    assert begun.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["latest"], 7, ["'latest'", "bench conformance"]),
        (["none.jsonl"], 7, ["none.jsonl", "No such file"]),
        (["r.jsonl", "--loop", "epoll"], 2, ["leave out --loop"]),
        (["r.jsonl", "--repeat", "3"], 2, ["leave out --repeat"]),
        (["r.jsonl", "--in-process"], 2, ["leave out --in-process"]),
        (["r.jsonl", "TIME"], 2, ["leave out WHAT"]),
    ],
)
def test_bad_words(bench: Bench, words: list[str], code: int, said: list[str]) -> None:
    done = bench("conformance", "--resume", *words)
    assert done.returncode == code, done.stderr
    for part in said:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
