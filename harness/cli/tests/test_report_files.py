"""What `bench report` makes of files of every kind, alone and together, and of what is none."""

from __future__ import annotations

import errno
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from loopgauge.conformance import model as conformance
from loopgauge.harness import model
from loopgauge.harness.cli import main

COSTS = {"asyncio": 1000, "mine": 500, "asyncio~aa": 1000}
RULE = "TIME-007"
MARKUP = "<script>alert(1)</script>"


def here(*words: str) -> Result:
    """The command in this process: it measures nothing here."""
    return CliRunner().invoke(main, words, prog_name="bench")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_records(name: str = "fake.step", **members: Any) -> list[model.AnyRecord]:
    roles: dict[str, Any] = {"asyncio": "reference", "asyncio~aa": "aa"}
    header = model.Header(
        run="20261122T040000Z-abcdef",
        created="2026-11-22T04:00:00Z",
        seed=1,
        arms=[
            model.Arm(
                label=label,
                loop=label.removesuffix("~aa"),
                factory="mine:loop" if label == "mine" else "asyncio:SelectorEventLoop",
                version="1.0" if label == "mine" else "",
                python="3.13",
                role=roles.get(label, "candidate"),
            )
            for label in COSTS
        ],
        benchmarks=[model.Benchmark(id=name, scenario=name, unit="step", rules=[RULE])],
        plan=model.Plan(method="x", rounds=8, batch=1, slot_s=0.004, warmup=1, budget_s=1,
                        expected_s=1, hang_timeout_s=1),
        environment=model.Environment(
            interpreters={"3.13": model.Interpreter(executable="python", version="3.13.0")}
        ),
    )  # fmt: skip
    samples = [
        sample(name, process, label, cost + process % 3)
        for process in range(8)
        for label, cost in COSTS.items()
    ]
    header = msgspec.structs.replace(header, **members)
    return [header, *samples, model.End(utc="2026-11-22T04:01:00Z")]


def sample(benchmark: str, process: int, arm: str, cost: int) -> model.Sample:
    times = [cost * 1000] * 4
    return model.Sample(
        process=process, round=process, benchmark=benchmark, arm=arm, design="hybrid",
        n=[1000] * 4, block=[*range(4)], slot=[*range(4)],
        wall_ns=times, process_ns=times, thread_ns=times,
    )  # fmt: skip


def lines(records: list[Any]) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def verdict_records(**members: Any) -> list[conformance.AnyRecord]:
    """`mine` breaks the rule that the benchmark depends on."""
    given: dict[str, Any] = {
        "loop": "mine", "rule": RULE, "case": f"{RULE}.early", "level": "MUST", "profile": "Core",
        "verdict": "FAIL", "reason": "fired 0.9 ms early", "factory": "mine:loop",
        "version": "1.0", "python": "3.13.0",
    }  # fmt: skip
    subject = conformance.Subject(loop="mine", factory="mine:loop", version="1.0")
    header = conformance.Header(
        created="2026-11-22T01:08:37+00:00", python="3.13.0", lanes=["rules"], subjects=[subject]
    )
    return [header, conformance.Verdict(**{**given, **members}), conformance.End()]


def write(path: Path, data: bytes) -> Path:
    packers = {".gz": gzip.compress, ".xz": lzma.compress}
    path.write_bytes(packers.get(path.suffix, bytes)(data))
    return path


@pytest.mark.parametrize("name", ["3.14-x.jsonl", "3.14-x.jsonl.xz", "3.14-x.jsonl.gz", "3.14-x"])
def test_a_page_is_called_like_its_run(folder: Path, name: str) -> None:
    write(folder / name, lines(run_records()))
    done = here("report", name)
    assert done.exit_code == 0, done.output
    assert "html: 3.14-x.html" in done.output
    assert "fake.step" in (folder / "3.14-x.html").read_text()
    assert here("report", name, "--format", "svg").exit_code == 0
    assert (folder / "3.14-x-plots").is_dir()


@pytest.mark.parametrize("name", ["3.14-v.jsonl", "3.14-v.jsonl.xz", "3.14-v.jsonl.gz"])
def test_a_matrix_is_called_like_its_result(folder: Path, name: str) -> None:
    write(folder / name, lines(verdict_records()))
    done = here("report", name)
    assert done.exit_code == 0, done.output
    assert (folder / "3.14-v/case/TIME-007.early.html").exists()


def test_a_result_without_an_ending_keeps_its_file(folder: Path) -> None:
    data = lines(verdict_records())
    write(folder / "verdicts", data)
    assert here("report", "verdicts").exit_code == 0
    assert (folder / "verdicts").read_bytes() == data
    assert (folder / "verdicts-pages/index.html").exists()


@pytest.mark.parametrize("name", ["v.jsonl", "v.jsonl.xz"])
def test_given_verdicts_are_joined(folder: Path, name: str) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    write(folder / name, lines(verdict_records()))
    alone = here("report", "r.jsonl", "--format", "csv")
    both = here("report", name, "r.jsonl", "--format", "csv")
    assert (alone.exit_code, both.exit_code) == (0, 0), both.output
    assert "breaks TIME-007" not in alone.output
    assert "breaks TIME-007 (fired 0.9 ms early)" in both.output


def test_given_verdicts_come_after_the_stored_ones(folder: Path) -> None:
    stored = folder / ".bench/conformance"
    stored.mkdir(parents=True)
    write(stored / "20261122T010837Z-000000.jsonl", lines(verdict_records()))
    write(folder / "r.jsonl", lines(run_records()))
    write(folder / "new.jsonl", lines(verdict_records(verdict="PASS", reason="")))
    assert "breaks" in here("report", "r.jsonl", "--format", "csv").output
    assert "breaks" not in here("report", "r.jsonl", "new.jsonl", "--format", "csv").output


def test_verdicts_of_another_build_are_named(folder: Path) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    write(folder / "v.jsonl", lines(verdict_records(python="3.12.1")))
    done = here("report", "r.jsonl", "v.jsonl")
    assert done.exit_code == 6
    assert "v.jsonl says nothing of a build that was measured here" in done.output
    assert "v.jsonl says nothing of a build" in (folder / "r.html").read_text()


def test_of_several_files_the_readable_ones_are_shown(folder: Path) -> None:
    write(folder / "good.jsonl", lines(run_records()))
    write(folder / "bad.jsonl", b"hello\n")
    write(folder / "new.jsonl", lines(run_records()).replace(b'"schema":3', b'"schema":99'))
    done = here("report", "bad.jsonl", "good.jsonl", "new.jsonl", "none.jsonl")
    assert done.exit_code == 7
    said = [line for line in done.output.splitlines() if line.startswith("error: ")]
    page = (folder / "good.html").read_text()
    for name, words in (("bad.jsonl", "not a loopgauge run file"), ("new.jsonl", "schema 99"),
                        ("none.jsonl", "No such file")):  # fmt: skip
        assert any(name in line and words in line for line in said), said
        assert name in page
    assert len(said) == 3
    assert "fake.step" in page


def test_an_older_schema_is_read(folder: Path) -> None:
    write(folder / "r.jsonl", lines(run_records()).replace(b'"schema":3', b'"schema":1'))
    assert here("report", "r.jsonl").exit_code == 0


def test_a_run_with_nothing_valid(folder: Path) -> None:
    lost = [
        model.Event(event="unavailable", arm=label, reason="it is not installed") for label in COSTS
    ]
    write(folder / "r.jsonl", lines([run_records()[0], *lost]))
    done = here("report", "r.jsonl")
    assert done.exit_code == 4
    assert "error: nothing valid was measured in r.jsonl; the report says why." in done.output
    page = (folder / "r.html").read_text()
    assert "it is not installed" in page
    write(folder / "s.jsonl", lines(run_records()))
    assert here("report", "s.jsonl", "r.jsonl").exit_code == 6


def test_a_run_without_its_reference(folder: Path) -> None:
    header, *rest = run_records(reference="gone")
    write(folder / "r.jsonl", lines([header, *rest]))
    done = here("report", "r.jsonl")
    assert done.exit_code == 4
    assert "error: the run has no arm 'gone' to compare with" in done.output


def test_markup_in_names_stays_text(folder: Path) -> None:
    write(folder / "r.jsonl", lines(run_records(MARKUP)))
    write(folder / "v.jsonl", lines(verdict_records(case=f"{RULE}.{MARKUP}", reason=MARKUP)))
    done = here("report", "r.jsonl", "v.jsonl")
    assert done.exit_code == 0, done.output
    assert "<script>alert" not in (folder / "r.html").read_text()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "not a loopgauge run file"),
        (bytes(range(256)) * 40, "not a loopgauge run file"),
        (b"\x1f\x8b" + bytes(range(200)), "cannot read"),
        (b"\xfd7zXZ\x00" + bytes(range(200)), "cannot be unpacked"),
        (lzma.compress(b"x" * 5000)[:40], "cannot be unpacked"),
        (gzip.compress(b"x" * 5000)[:20], "cannot be unpacked"),
        (lzma.compress(b"hello\n"), "not a loopgauge run file"),
        (b'{"benchmarks": []}', "nor JSON of pyperf or Google Benchmark"),
        (b'{"record":"header","kind":"gate","schema":1}\n', "not a loopgauge run file"),
    ],
    ids=["empty", "text", "binary", "gzip", "xz", "cut-xz", "cut-gzip", "packed", "json", "gate"],
)
def test_a_file_that_is_no_run(folder: Path, data: bytes, words: str) -> None:
    (folder / "r.jsonl").write_bytes(data)
    done = here("report", "r.jsonl")
    assert done.exit_code == 7, done.output
    (line,) = done.output.splitlines()
    assert line.startswith("error: ")
    assert "r.jsonl" in line
    assert words in line
    assert [path.name for path in folder.iterdir()] == ["r.jsonl"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_conformance_result(folder: Path, packed: bool) -> None:
    head, middle, end = lines(verdict_records()).splitlines(keepends=True)
    data = head + middle[:50] + b"\n" + end
    (folder / "v.jsonl").write_bytes(lzma.compress(data) if packed else data)
    done = here("report", "v.jsonl")
    assert done.exit_code == 7
    assert "error: v.jsonl, line 2" in done.output


def test_folders(folder: Path) -> None:
    (folder / "other").mkdir()
    done = here("report", "other")
    assert (done.exit_code, done.output) == (
        7, "error: other is a folder without a result. Give a file that `bench` wrote.\n",
    )  # fmt: skip
    write(folder / "other/r.jsonl", lines(run_records()))
    done = here("report", "other")
    assert done.exit_code == 7
    assert "other is a folder with 1 result file" in done.output
    assert "bench site other" in done.output


def test_a_packed_run_is_not_continued(folder: Path) -> None:
    path = write(folder / "r.jsonl.xz", lines(run_records()[:-1]))
    before = path.read_bytes()
    done = here("run", "--resume", "r.jsonl.xz")
    assert done.exit_code == 7
    assert "xz -d" in done.output
    assert path.read_bytes() == before


def test_a_file_given_twice_is_shown_once(folder: Path) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    assert here("report", "r.jsonl", "./r.jsonl", "--out", "one.html").exit_code == 0
    assert "Each was measured on its own" not in (folder / "one.html").read_text()


def test_results_are_never_overwritten(folder: Path) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    write(folder / "v.jsonl", lines(verdict_records()))
    before = (folder / "v.jsonl").read_bytes()
    done = here("report", "r.jsonl", "v.jsonl", "--out", "v.jsonl")
    assert done.exit_code == 2
    assert (folder / "v.jsonl").read_bytes() == before


def test_json_stays_json(folder: Path) -> None:
    write(folder / "3.14-x.jsonl.xz", lines(run_records()))
    done = here("report", "3.14-x.jsonl.xz", "--format", "pyperf", "--format", "md", "--out", "o")
    assert done.exit_code in (0, 6), done.output
    assert json.loads((folder / "o/3.14-x.pyperf.json").read_text())


@pytest.mark.parametrize("words", [["--out"], ["--format", "csv", "--out"]])
@pytest.mark.parametrize("name", ["other.jsonl", "other.xz"])
def test_no_result_is_ever_overwritten(folder: Path, words: list[str], name: str) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    other = write(folder / name, lines(verdict_records()))
    before = other.read_bytes()
    done = here("report", "r.jsonl", *words, name)
    assert done.exit_code == 2
    assert f"{name} is a result file, which is never overwritten" in done.output
    assert other.read_bytes() == before


def test_a_matrix_leaves_other_people_s_folders_alone(folder: Path) -> None:
    write(folder / "v.jsonl", lines(verdict_records()))
    for name in ("index.html", "thesis.txt"):
        theirs = folder / name.partition(".")[0]
        theirs.mkdir()
        (theirs / name).write_text("mine")
        done = here("report", "v.jsonl", "--out", theirs.name)
        assert done.exit_code == 2
        assert "holds what `bench report` did not write" in done.output
        assert [file.name for file in theirs.iterdir()] == [name]
    assert [here("report", "v.jsonl", "--out", "new").exit_code for _ in range(2)] == [0, 0]


def test_a_page_that_finds_no_room_leaves_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "r.jsonl", lines(run_records()))
    (folder / "r.html").write_text("old")

    def full(*args: Any, **words: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    done = here("report", "r.jsonl")
    monkeypatch.undo()
    assert done.exit_code == 8
    assert "r.html: No space left on device" in done.output
    assert (folder / "r.html").read_text() == "old"
    assert sorted(file.name for file in folder.iterdir()) == ["r.html", "r.jsonl"]
