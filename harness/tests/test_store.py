from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing.records import header, sample

from loopgauge.harness.errors import NewerSchema, NotARunFile, PlaceTaken, StoreFull, TruncatedRun
from loopgauge.harness.model import SCHEMA, Benchmark, End, Environment, Event
from loopgauge.harness.store import RunWriter, open_for_resume, read_run, read_whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "run.jsonl"


@pytest.fixture
def written(path: Path) -> Path:
    with RunWriter(path) as writer:
        writer.append([header()])
        writer.append([sample(round_number=0), sample(round_number=1)])
        writer.append([Event(event="note", reason="ä"), End(utc="now")])
    return path


def test_what_is_written_is_read(written: Path) -> None:
    run = read_run(written)
    assert run.header == header()
    assert run.samples == [sample(round_number=0), sample(round_number=1)]
    assert [event.reason for event in run.events] == ["ä"]
    assert run.complete


def test_appending_goes_on_where_the_file_ends(written: Path) -> None:
    with RunWriter(written) as writer:
        writer.append([sample(round_number=2)])
    assert [s.round for s in read_run(written).samples] == [0, 1, 2]


def test_every_line_is_an_envelope(written: Path) -> None:
    for line in written.read_bytes().splitlines():
        record = msgspec.json.decode(line)
        assert (record["schema"], record["kind"]) == (SCHEMA, "run")
        assert record["record"] in ("header", "sample", "event", "end")


# --- what cannot be read


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(NotARunFile, match="No such file"):
        read_run(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"hello\n",
        b"\xff\xfe\x00binary",
        b"[1, 2]\n",
        b'{"context": {"library": "Google Benchmark"}}\n',
        b'{"record":"header","kind":"conformance","schema":1}\n',
        b'{"record":"sample","kind":"run","schema":1}\n',
        b'{"record":"header","kind":"run","schema":1}\n',
    ],
)
def test_a_file_that_is_not_ours(tmp_path: Path, content: bytes) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    with pytest.raises(NotARunFile):
        read_run(foreign)


@pytest.mark.parametrize("line", [0, 2])
def test_a_newer_schema_is_refused_wherever_it_begins(written: Path, line: int) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    ours, newer = (b'"schema":%d' % number for number in (SCHEMA, SCHEMA + 1))
    lines[line] = lines[line].replace(ours, newer)
    lines[line] = lines[line].replace(b'"record":"sample"', b'"record":"histogram"')
    written.write_bytes(b"".join(lines))
    with pytest.raises(NewerSchema, match=rf"line {line + 1}.*schema {SCHEMA + 1}"):
        read_run(written)


def test_unknown_fields_of_the_same_schema_are_ignored(written: Path) -> None:
    written.write_bytes(written.read_bytes().replace(b'"nivcsw":', b'"extra":1,"nivcsw":'))
    assert len(read_run(written).samples) == 2


def test_every_cut_names_the_line_and_keeps_what_is_whole(written: Path) -> None:
    data = written.read_bytes()
    lines = data.splitlines(keepends=True)
    begin = len(lines[0]) + len(lines[1])
    for cut in range(begin + 1, begin + len(lines[2]) - 1, 7):
        written.write_bytes(data[:cut])
        with pytest.raises(TruncatedRun, match="line 3") as caught:
            read_run(written)
        assert caught.value.line == 3
        run, problem = read_whole(written)
        assert [s.round for s in run.samples] == [0]
        assert "line 3" in problem


def test_a_cut_inside_a_character(written: Path) -> None:
    data = written.read_bytes()
    written.write_bytes(data[: data.index("ä".encode()) + 1])
    with pytest.raises(TruncatedRun, match="line 4"):
        read_run(written)


def test_damage_in_the_middle_is_not_taken_for_a_cut(written: Path) -> None:
    lines = written.read_bytes().splitlines(keepends=True)
    lines[1] = b'{"record":"sample"\n'
    written.write_bytes(b"".join(lines))
    before = written.read_bytes()
    with pytest.raises(TruncatedRun, match="line 2"):
        open_for_resume(written)
    assert written.read_bytes() == before


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"wall_ns": [1, 2, 3]}, "different lengths"),
        ({"value": [1.0]}, "different lengths"),
        ({"n": [100, 100, 0, 100]}, "without an operation"),
        ({"costs": []}, "without a slot"),
        ({"value": [1.0, 1e308, 1.0, 1.0]}, "a value that nothing can have"),
        ({"value": [1.0, 1e-308, 1.0, 1.0]}, "a value that nothing can have"),
        ({"wall_ns": [1, 2, 3, 10**18 + 1]}, "more than"),
    ],
)
def test_a_sample_that_makes_no_sense_ends_what_can_be_read(
    path: Path, fields: dict[str, Any], fault: str
) -> None:
    with RunWriter(path) as writer:
        writer.append([header(), sample(round_number=0), sample(round_number=1, **fields)])
    with pytest.raises(TruncatedRun, match=f"line 3 makes no sense .*{fault}.*2 lines before"):
        read_run(path)
    assert [s.round for s in read_whole(path)[0].samples] == [0]


def test_nothing_but_the_header_is_good(path: Path) -> None:
    with RunWriter(path) as writer:
        writer.append([header(), sample(n=[])])
    with pytest.raises(TruncatedRun, match=r"line 2 .*; the line before it is good"):
        read_run(path)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"arms": ["asyncio", "asyncio"]}, "two arms are called 'asyncio'"),
        ({"benchmarks": [Benchmark(id="a", scenario="a")] * 2}, "two benchmarks are called 'a'"),
        ({"environment": Environment()}, "Python '3', which is not described"),
    ],
)
def test_a_header_that_makes_no_sense(path: Path, fields: dict[str, Any], fault: str) -> None:
    with RunWriter(path) as writer:
        writer.append([header(**fields)])
    with pytest.raises(NotARunFile, match=fault):
        read_run(path)


def test_resume_cuts_off_half_a_line(written: Path) -> None:
    data = written.read_bytes()
    whole = data.splitlines(keepends=True)
    written.write_bytes(b"".join(whole[:2]) + whole[2][:30])
    assert [s.round for s in open_for_resume(written).samples] == [0]
    assert written.read_bytes() == b"".join(whole[:2])


def test_resume_ends_a_line_that_lacks_only_its_newline(written: Path) -> None:
    written.write_bytes(written.read_bytes().removesuffix(b"\n"))
    assert open_for_resume(written).complete
    with RunWriter(written) as writer:
        writer.append([sample(round_number=2)])
    assert [s.round for s in read_run(written).samples] == [0, 1, 2]


def test_a_run_that_is_being_written_is_left_alone(written: Path) -> None:
    with RunWriter(written):
        written.write_bytes(written.read_bytes()[:-5])  # as if it were in the middle of a write
        before = written.read_bytes()
        with pytest.raises(PlaceTaken, match="still runs"):
            open_for_resume(written)
        with pytest.raises(PlaceTaken, match="still runs"):
            RunWriter(written)
        assert written.read_bytes() == before
    open_for_resume(written)


# --- a full disk


def test_a_full_device_is_a_clear_error() -> None:
    with RunWriter(Path("/dev/full")) as writer, pytest.raises(StoreFull, match="disk is full"):
        writer.append([header()])


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFull, match="--out"):
        RunWriter(tmp_path / "file" / "run.jsonl")


FILL = textwrap.dedent(
    """
    import resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from manager_testing.records import header, sample
    from loopgauge.harness.errors import StoreFull
    from loopgauge.harness.store import RunWriter
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[2])
    with RunWriter(path) as writer:
        writer.append([header()])
        limit = path.stat().st_size + 3000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for number in range(1000):
            try:
                writer.append([sample(round_number=number), sample(round_number=number)])
            except StoreFull:
                print(number)
                break
    """
)


def test_when_the_file_cannot_grow_nothing_recorded_is_lost(path: Path) -> None:
    """In a process of its own, whose file size limit ends in the middle of a record."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", FILL, here, str(path)]
    failed_at = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert failed_at > 0
    rounds = [s.round for s in read_run(path).samples]
    assert rounds == [number for number in range(failed_at) for _ in range(2)]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up(tiny_disk: Path) -> None:
    path = tiny_disk / "run.jsonl"
    with RunWriter(path) as writer:
        writer.append([header()])
        with pytest.raises(StoreFull, match="disk is full"):
            write_until_it_fails(writer)
    rounds = [s.round for s in read_run(path).samples]
    assert len(rounds) > 1
    assert rounds == list(range(len(rounds)))


def write_until_it_fails(writer: RunWriter) -> None:
    for number in range(10_000):
        writer.append([sample(round_number=number)])
