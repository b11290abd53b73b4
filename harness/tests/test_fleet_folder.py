"""The folder of a fleet run: what is read back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from manager_testing.records import run_of

from loopgauge.harness.errors import NewerSchema, NotARunFile
from loopgauge.harness.fleet.folder import (
    FILE,
    FleetFile,
    is_fleet,
    read_fleet,
    read_register,
)
from loopgauge.harness.fleet.model import (
    FLEET_SCHEMA,
    AnyFleetRecord,
    Asked,
    FleetEvent,
    FleetHeader,
    FleetHost,
)
from loopgauge.harness.fleet.register import discreet
from loopgauge.harness.record_lines import cut_partial_line
from loopgauge.harness.store import RunWriter

ASKED = Asked(
    benchmarks=[("throughput.sleep0", {})], arms=["epoll"], setting="quick", tiers=["python"]
)
HEADER = FleetHeader(run="f", created="2026-01-01T00:00:00Z", seed=7, asked=ASKED)


def written(folder: Path, *records: AnyFleetRecord) -> Path:
    with RunWriter(folder / FILE) as writer:
        writer.append(records)
    return folder


def host(key: str = "0a1b2c3d", state: str = "planned", **fields: str) -> FleetHost:
    return FleetHost(key=key, state=state, **fields)  # type: ignore[arg-type]


def test_the_last_word_on_a_host_counts(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "f", HEADER, host(), FleetEvent(event="note", reason="x"), host(state="done")
    )
    found = read_register(folder)
    assert found.header == HEADER
    assert [one.state for one in found.hosts.values()] == ["done"]
    assert [one.reason for one in found.events] == ["x"]
    assert found.complete


@pytest.mark.parametrize(
    ("states", "complete"),
    [
        (["done", "done"], True),
        (["done", "left_out"], True),
        (["done", "lost"], False),
        (["done", "measuring"], False),
        (["left_out"], False),
    ],
)
def test_a_fleet_is_complete_when_all_who_were_to_measure_have(
    states: list[str], complete: bool
) -> None:
    found = FleetFile(Path("f"), HEADER)
    for number, state in enumerate(states):
        found.add(host(f"{number:08x}", state))
    assert found.complete is complete


def test_runs_are_read_with_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    whole, cut = (host(name, "done", file=f"{name}.jsonl") for name in ("aaaaaaaa", "bbbbbbbb"))
    begun = host("cccccccc", "measuring", file="cccccccc.jsonl")
    written(folder, HEADER, whole, cut, begun, host("dddddddd"))
    run = run_of({"asyncio": [1000.0] * 3})
    for one in (whole, cut):
        with RunWriter(folder / one.file) as writer:
            writer.append([run.header, *run.samples])
    with (folder / cut.file).open("ab") as file:
        file.write(b'{"record":"sam')
    found = read_fleet(folder)
    assert set(found.runs) == {"aaaaaaaa", "bbbbbbbb"}
    assert all(one.samples == run.samples for one in found.runs.values())
    assert list(found.problems) == ["bbbbbbbb"]


def test_the_file_in_it_stands_for_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", HEADER)
    assert is_fleet(folder)
    assert is_fleet(folder / FILE)
    assert not is_fleet(tmp_path)
    assert not is_fleet(tmp_path / "run.jsonl")
    assert read_register(folder / FILE).path == folder


def test_a_line_that_was_cut_counts_for_nobody_and_is_mended(tmp_path: Path) -> None:
    folder = written(tmp_path / "f", HEADER, host())
    with (folder / FILE).open("ab") as file:
        file.write(b'{"record":"host","key":"0a1b2c3d","sta')
    assert read_register(folder).hosts["0a1b2c3d"].state == "planned"
    cut_partial_line(folder / FILE)
    written(folder, host(state="done"))
    assert read_register(folder).hosts["0a1b2c3d"].state == "done"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "empty"),
        (b'{"record":"header","kind":"run"}\n', "no record of a fleet"),
        (b"{}\n", "line 1"),
        (b"\x00\n", "line 1"),
    ],
)
def test_what_is_no_fleet_is_refused(tmp_path: Path, line: bytes, told: str) -> None:
    (tmp_path / FILE).write_bytes(line)
    with pytest.raises(NotARunFile, match=told):
        read_register(tmp_path)


def test_a_newer_one_is_told_from_a_broken_one(tmp_path: Path) -> None:
    line = f'{{"record":"new","kind":"fleet","schema":{FLEET_SCHEMA + 1}}}\n'
    (tmp_path / FILE).write_text(line)
    with pytest.raises(NewerSchema, match="Upgrade"):
        read_register(tmp_path)


@pytest.mark.parametrize("name", ["../secret.jsonl", "/etc/passwd", "x/run.jsonl"])
def test_no_run_is_read_from_elsewhere(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "f", HEADER, host(state="done", file=name))
    with pytest.raises(NotARunFile, match="line 2"):
        read_fleet(folder)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("rack-1 has no worker", "the host has no worker"),
        ("lacks it: /var/cache/x: Permission denied", "lacks it: …: Permission denied"),
        ("(/tmp/a.lock: No such file)", "(…: No such file)"),
        ("tcp://10.0.0.7:4711 is gone", "… is gone"),
        ("5 KiB/s and 3.11.2/3.12 on x86_64", "5 KiB/s and 3.11.2/3.12 on x86_64"),
    ],
)
def test_reasons_tell_no_name_and_no_place(said: str, kept: str) -> None:
    assert discreet(said, "rack-1") == kept
