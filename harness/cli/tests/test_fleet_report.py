"""`bench report` of a fleet's folder: nothing is measured, and nobody is connected to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fleets_testing import Host, write_fleet

from loopgauge.harness.cli import main

KEYS = [f"{number:08x}" for number in range(1, 5)]


def here(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="bench")


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    hosts = [Host(key, {"epoll": 0.6}) for key in KEYS[:3]]
    write_fleet(Path("f"), [*hosts, Host(KEYS[3], {"epoll": 1.6})])
    return "f"


@pytest.mark.parametrize("word", ["f", "f/fleet.jsonl"])
def test_makes_the_page_in_the_folder(fleet: str, word: str) -> None:
    done = here("report", word)
    assert done.exit_code == 0, done.output
    assert "html: f/fleet.html" in done.stderr
    assert "slower on 00000004" in Path("f/fleet.html").read_text("utf-8")


def test_markdown_and_json_go_to_standard_output(fleet: str) -> None:
    text = here("report", fleet, "--format", "md")
    assert text.stdout.startswith("### loopgauge: Not everywhere")
    found = json.loads(here("report", fleet, "--json").stdout)
    assert (found["kind"], found["exit_code"]) == ("fleet-summary", 0)
    assert [host["key"] for host in found["hosts"]] == KEYS
    assert found["benchmarks"][0]["arms"][0]["against"] == [KEYS[3]]
    assert not Path("f/fleet.html").exists()


def test_several_formats_go_into_a_folder(fleet: str) -> None:
    done = here("report", fleet, "--format", "md", "--format", "html", "--out", "out")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in Path("out").iterdir()) == ["f.html", "f.md"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["f", "f/00000001.jsonl"], "A fleet has a page of its own"),
        (["f", "--format", "csv"], "The folder of a fleet makes html, md and --json"),
        (["f", "--json", "--open"], "--open shows the HTML page"),
        (["f", "--out", "f/00000001.jsonl"], "never overwritten"),
        (["f/00000001.jsonl", "--json"], "--json is of the folder of a fleet"),
    ],
)
def test_what_makes_no_sense_is_refused(fleet: str, words: list[str], said: str) -> None:
    done = here("report", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_host_whose_file_is_torn_is_named(fleet: str) -> None:
    file = Path("f/00000002.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    done = here("report", fleet)
    assert done.exit_code == 7
    assert "error: 00000002: " in done.stderr
    page = Path("f/fleet.html").read_text("utf-8")
    assert "Hosts without all figures" in page
    assert "00000002.jsonl, line" in page


def test_a_file_that_is_no_run_leaves_the_others(fleet: str) -> None:
    Path("f/00000002.jsonl").write_text("nothing\n")
    done = here("report", fleet, "--json")
    assert done.exit_code == 7
    measured = [host["key"] for host in json.loads(done.stdout)["hosts"] if host["measured"]]
    assert measured == [KEYS[0], KEYS[2], KEYS[3]]


def test_a_file_without_a_reference_leaves_the_others(fleet: str) -> None:
    file = Path("f/00000002.jsonl")
    file.write_text(file.read_text("utf-8").replace('"reference":"asyncio"', '"reference":"x"'))
    done = here("report", fleet)
    assert done.exit_code == 7
    assert "error: 00000002: the run has no arm 'x' to compare with" in done.stderr
    assert "3 of 4 hosts measured" in Path("f/fleet.html").read_text("utf-8")


def test_a_fleet_without_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_fleet(Path("f"), [Host(KEYS[0], {}, state="left_out", reason="no disk")])
    done = here("report", "f")
    assert done.exit_code == 4
    assert "no host of f has a figure" in done.stderr
    assert "no disk" in Path("f/fleet.html").read_text("utf-8")


def test_a_register_of_another_schema(fleet: str) -> None:
    file = Path("f/fleet.jsonl")
    file.write_text(file.read_text("utf-8").replace('"schema":1', '"schema":99'), "utf-8")
    done = here("report", fleet)
    assert done.exit_code == 7
    assert "newer loopgauge" in done.stderr
