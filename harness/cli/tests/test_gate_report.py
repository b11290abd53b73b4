"""`bench report` of a gate's folder, and `bench gate --replay --html`: nothing is measured."""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from loopgauge.harness.cli import main
from loopgauge.harness.cli.output import require_writable
from loopgauge.harness.gate.model import (
    Decision,
    GateHeader,
    GateResult,
    GateStep,
    Settings,
    Side,
)
from loopgauge.harness.gate.store import append


def here(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="bench")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_gate(folder: Path, *, ended: bool = True) -> Path:
    """Whose promises were asked, and broken by head; its other files are not there."""
    sides = [
        Side(name=name, origin="factory", given=loop, loop=loop, executable="python3")
        for name, loop in (("base", "asyncio"), ("head", "mine:loop"))
    ]
    header = GateHeader(
        gate=folder.name,
        created="2026-11-22T04:15:00Z",
        seed=7,
        settings=Settings(deterministic=False, timing=False),
        base=sides[0],
        head=sides[1],
    )
    append(folder, header)
    append(folder, GateStep(step="promises", state="done" if ended else "interrupted"))
    if ended:
        broken = Decision(tier="promises", subject="TIME-003.sleep", verdict="BROKEN")
        append(folder, GateResult(utc="2026-11-22T04:16:00Z", exit_code=5, decisions=[broken]))
    return folder


def test_the_page_of_a_gate_lies_in_its_folder(folder: Path) -> None:
    made = make_gate(folder / "g")
    done = here("report", "g")
    assert done.exit_code == 0, done.output
    assert "html: g/gate.html" in done.output
    assert "Head breaks a promise that base keeps" in (made / "gate.html").read_text()


def test_the_file_that_makes_a_folder_a_gate_does_too(folder: Path) -> None:
    make_gate(folder / "g")
    assert here("report", "g/gate.jsonl", "--out", "page.html").exit_code == 0
    assert "TIME-003.sleep" in (folder / "page.html").read_text()


def test_a_gate_whose_files_were_packed_is_one_too(folder: Path) -> None:
    made = make_gate(folder / "g")
    here("report", "g", "--out", "plain.html")
    for file in made.glob("*.jsonl"):
        file.with_name(f"{file.name}.xz").write_bytes(lzma.compress(file.read_bytes()))
        file.unlink()
    for words in ("g", "g/gate.jsonl.xz"):
        done = here("report", words, "--out", "packed.html")
        assert done.exit_code == 0, done.output
        assert (folder / "packed.html").read_text() == (folder / "plain.html").read_text()
    done = here("gate", "--resume", "g")
    assert done.exit_code == 7
    assert "gate.jsonl.xz is packed, so that nothing can be added to it" in done.output
    assert sorted(file.name for file in made.iterdir()) == ["gate.jsonl.xz"]


@pytest.mark.parametrize(
    "words",
    [
        ("report", "g", "--out", "g/gate.jsonl"),
        ("gate", "--replay", "g", "--html", "g/gate.jsonl"),
        ("gate", "--replay", "g", "--markdown", "g/../g/timing.jsonl"),
        ("gate", "--out", "g", "--junit", "g/timing.jsonl.xz"),
    ],
)
def test_a_page_never_takes_the_place_of_what_it_is_made_of(
    folder: Path, words: tuple[str, ...]
) -> None:
    made = make_gate(folder / "g")
    before = (made / "gate.jsonl").read_bytes()
    done = here(*words)
    assert done.exit_code == 2
    assert "never overwritten" in done.output
    assert (made / "gate.jsonl").read_bytes() == before
    assert [path.name for path in made.iterdir()] == ["gate.jsonl"]


def test_several_gates_make_a_folder_of_pages(folder: Path) -> None:
    make_gate(folder / "a" / "gate")
    make_gate(folder / "b" / "gate")
    assert here("report", "a/gate", "b/gate", "--out", "pages").exit_code == 0
    assert sorted(path.name for path in (folder / "pages").iterdir()) == [
        "1-gate.html", "2-gate.html",
    ]  # fmt: skip


def test_a_gate_that_was_interrupted_has_a_page_that_says_so(folder: Path) -> None:
    make_gate(folder / "g", ended=False)
    done = here("report", "g")
    assert done.exit_code == 0, done.output
    text = (folder / "g" / "gate.html").read_text()
    assert "The gate did not come to an end" in text
    assert "promises: not finished" in text


def test_a_file_that_is_not_whole_is_named(folder: Path) -> None:
    made = make_gate(folder / "g")
    (made / "counts.jsonl").write_text("{}\n")
    (made / "explanation.jsonl").write_text('{"cut')
    done = here("report", "g")
    assert done.exit_code == 7, done.output
    assert "counts.jsonl is not a loopgauge run file" in done.output
    text = (made / "gate.html").read_text()
    assert "counts.jsonl is not a loopgauge run file" in text
    assert "explanation.jsonl, line 1 cannot be read" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("g", "run.jsonl"), "A gate has a page of its own"),
        (("g", "--format", "csv"), "makes html only"),
        (("g", "--diff"), "makes html only"),
    ],
)
def test_what_a_gate_is_no_part_of(folder: Path, words: tuple[str, ...], says: str) -> None:
    make_gate(folder / "g")
    (folder / "run.jsonl").write_text('{"record":"header","kind":"run"}\n')
    done = here("report", *words)
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("\x00\xff\n", "no record of a gate"),
        ('{"record":"header","kind":"gate","schema":99}\n', "newer loopgauge"),
    ],
)
def test_a_gate_that_cannot_be_read(folder: Path, text: str, says: str) -> None:
    (folder / "g").mkdir()
    (folder / "g" / "gate.jsonl").write_text(text, encoding="latin-1")
    done = here("report", "g")
    assert done.exit_code == 7, done.output
    (line,) = done.output.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_a_replay_writes_the_page(folder: Path) -> None:
    make_gate(folder / "g")
    done = here("gate", "--replay", "g", "--html", "out/page.html", "--markdown", "out/c.md")
    assert "html: out/page.html" in done.output
    assert (folder / "out" / "page.html").read_text().startswith("<!doctype html>")
    assert (folder / "out" / "c.md").read_text().startswith("<!-- loopgauge gate -->")


@pytest.mark.parametrize("option", ["--html", "--markdown", "--junit"])
@pytest.mark.parametrize(
    ("place", "says"), [("file/out", "Not a directory"), ("/proc/out", "cannot be written")]
)
def test_where_nothing_can_be_written_nothing_is_measured(
    folder: Path, option: str, place: str, says: str
) -> None:
    (folder / "file").touch()
    done = here("gate", "--base", "asyncio", "--head", "asyncio", option, place)
    assert done.exit_code == 8, done.output
    assert f"{option} {place} cannot be written" in done.output
    assert says in done.output
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_place_that_is_tried_stays_as_it_is(folder: Path) -> None:
    make_gate(folder / "g")
    (folder / "old").write_text("old")
    os.mkfifo(folder / "pipe")
    require_writable({"--html": Path("old"), "--junit": Path("new/deep"), "--markdown": None})
    require_writable({"--markdown": Path("pipe")})
    assert (folder / "old").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["g", "old", "pipe"]


def test_a_result_of_another_gate_is_not_written_to(folder: Path) -> None:
    make_gate(folder / "g")
    other = make_gate(folder / "other") / "gate.jsonl"
    before = other.read_bytes()
    done = here("gate", "--replay", "g", "--html", "other/gate.jsonl")
    assert done.exit_code == 2
    assert "never overwritten" in done.output
    assert other.read_bytes() == before
