"""Result files that are cut, foreign, or from the future."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench


@pytest.fixture(scope="module")
def good(bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    bench = bench_in(tmp_path_factory.mktemp("good"))
    done = bench("run", "sleep0", "--quick", "--loop", "asyncio", "--out", "good.jsonl")
    assert done.returncode == 0, done.stderr
    return (bench.folder / "good.jsonl").read_bytes()


def place(bench: Bench, data: bytes) -> Path:
    path = bench.folder / "run.jsonl"
    path.write_bytes(data)
    return path


def test_a_truncated_run_is_reported_as_far_as_it_goes(bench: Bench, good: bytes) -> None:
    lines = good.count(b"\n")
    place(bench, good[:-20])
    done = bench("report", "run.jsonl", "--format", "csv")
    assert done.returncode == 7
    assert f"run.jsonl, line {lines} is not whole" in done.stderr
    assert "--resume" in done.stderr
    assert "throughput.sleep0" in done.stdout


def test_a_truncated_run_is_resumed(bench: Bench, good: bytes) -> None:
    path = place(bench, good[:-20])
    done = bench("run", "--resume", "run.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads(path.read_bytes().splitlines()[-1])["record"] == "end"


def test_damage_inside_names_the_line(bench: Bench, good: bytes) -> None:
    lines = good.splitlines(keepends=True)
    place(bench, b"".join([*lines[:3], b"{broken\n", *lines[4:]]))
    done = bench("report", "run.jsonl", "--format", "csv")
    assert done.returncode == 7
    assert "run.jsonl, line 4 is not whole" in done.stderr


@pytest.mark.parametrize("command", ["report", "run --resume"])
def test_a_newer_schema(bench: Bench, good: bytes, command: str) -> None:
    header = {**json.loads(good.splitlines()[0]), "schema": 99}
    place(bench, json.dumps(header).encode() + b"\n")
    done = bench(*command.split(), "run.jsonl")
    assert done.returncode == 7
    assert "schema 99" in done.stderr
    assert "pip install -U loopgauge" in done.stderr


@pytest.mark.parametrize("command", ["report", "run --resume"])
@pytest.mark.parametrize(
    "data", [b"", b"hello\n", b'{"benchmarks": []}\n', b"\x00\xff\xfe\n", b"[]"]
)
def test_a_foreign_file(bench: Bench, command: str, data: bytes) -> None:
    path = place(bench, data)
    done = bench(*command.split(), "run.jsonl")
    assert done.returncode == 7, done.stderr
    assert "run.jsonl" in done.stderr
    assert "bench run" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == data


def test_a_folder_is_no_run(bench: Bench) -> None:
    (bench.folder / "run.jsonl").mkdir()
    assert bench("report", "run.jsonl").returncode == 7


def test_a_report_that_cannot_be_written(bench: Bench, good: bytes) -> None:
    place(bench, good)
    done = bench("report", "run.jsonl", "--out", "/dev/full")
    assert done.returncode == 8
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_listing_survives_bad_files(bench: Bench, good: bytes) -> None:
    runs = bench.folder / ".bench/runs"
    runs.mkdir(parents=True)
    (runs / "20260101T000000Z-a.jsonl").write_bytes(good)
    (runs / "20260102T000000Z-b.jsonl").write_bytes(b"hello\n")
    (runs / "20260103T000000Z-c.jsonl").write_bytes(good[:-20])
    done = bench("list", "runs", "--json")
    assert done.returncode == 0
    newest, foreign, oldest = json.loads(done.stdout)["items"]
    assert "is not whole" in newest["reason"]
    assert (newest["name"], newest["complete"]) == ("latest", False)
    assert (foreign["name"], foreign["readable"]) == ("latest~1", False)
    assert oldest["complete"]
    assert "latest~2" in bench("list", "runs").stdout
