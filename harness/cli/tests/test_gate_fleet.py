"""`bench gate --on`: wheels that travel to a host, one gate per host, and how it goes on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fleet_testing import Cluster, wait_until
from gate_testing import git, tiny_project
from test_fleet_wheels import FOREIGN, wheel_file

from loopgauge.harness.errors import NewerSchema, NotARunFile, SideUnusable
from loopgauge.harness.fleet import gate_decision
from loopgauge.harness.fleet.delivery import Equipped, Unfitting
from loopgauge.harness.fleet.gate_model import FILE, KEPT, GatesHeader, read_gates
from loopgauge.harness.fleet.gate_sides import Brought, bring
from loopgauge.harness.fleet.gates import Holding
from loopgauge.harness.fleet.hosts import Host, HostFacts
from loopgauge.harness.fleet.place import place_of
from loopgauge.harness.fleet.register import Register
from loopgauge.harness.fleet.wheels import read_wheel
from loopgauge.harness.gate.judging import Flag
from loopgauge.harness.gate.model import Settings, Side
from loopgauge.harness.gate.store import GateFile
from loopgauge.harness.model import Interpreter, Machine
from loopgauge.harness.record_lines import cut_partial_line

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

SHORT = ("sleep0", "--no-conformance", "--no-deterministic", "--no-explain", "--minutes", "0.01")

FACTS = HostFacts(
    machine=Machine(),
    interpreter=Interpreter(executable="", version="3.13"),
    boot_id="",
    source="",
)


def records(path: Path, kind: str) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [one for one in map(json.loads, lines) if one["record"] == kind]


@pytest.fixture(scope="module")
def slower(
    cluster: Cluster, bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """Head is a loop of the host's own that is slower."""
    made = bench_in(tmp_path_factory.mktemp("slower"))
    sides = ("--base", "asyncio", "--head", "fleet_loops:sluggish")
    done = made("gate", *SHORT, *sides, "--on", cluster.on, "--out", "gate", "--seed", "3")
    (made.folder / "stdout").write_text(done.stdout)
    assert done.returncode == 1, done.stderr
    return made


def test_a_head_that_is_slower_on_a_host_fails_and_names_it(slower: Bench) -> None:
    told = (slower.folder / "stdout").read_text()
    assert "REGRESSED throughput.sleep0 on one (" in told
    assert re.search(r"Python 3\.\d+\.\S+\): timing \+\d", " ".join(told.split()))
    assert "Worse on 1 of 1 host." in told


def test_the_gate_of_a_host_is_an_ordinary_one(slower: Bench) -> None:
    (host,) = (path for path in (slower.folder / "gate").iterdir() if path.is_dir())
    done = slower("gate", "--replay", f"gate/{host.name}", "--markdown", "comment.md", "--json")
    assert done.returncode == 1, done.stderr
    (decision,) = json.loads(done.stdout)["result"]["decisions"]
    assert (decision["verdict"], decision["stage"]) == ("REGRESSED", 2)
    assert "REGRESSED" in (slower.folder / "comment.md").read_text()


def test_a_replay_needs_no_cluster_and_changes_nothing(slower: Bench) -> None:
    def files() -> dict[Path, bytes]:
        paths = (slower.folder / "gate").rglob("*.jsonl")
        return {path: path.read_bytes() for path in paths}

    before = files()
    done = slower("gate", "--replay", "gate", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["kind"]) == (1, "fleet-gate")
    (finding,) = document["result"]["findings"]
    assert (finding["decision"]["subject"], [finding["host"]]) == (
        "throughput.sleep0", [*document["gates"]],
    )  # fmt: skip
    assert files() == before


def test_no_file_names_a_folder_or_a_worker_of_the_host(cluster: Cluster, slower: Bench) -> None:
    for path in (slower.folder / "gate").rglob("*.jsonl"):
        text = path.read_text()
        assert str(cluster.folder) not in text
        assert '"one"' not in text
        assert '"one:' not in text


def test_a_gate_that_was_killed_goes_on(cluster: Cluster, bench: Bench) -> None:
    """Every sample that was there is there once, and the schedule is the one it would have been."""
    words = ("gate", *SHORT, "--base", "asyncio", "--head", "asyncio", "--margin", "60",
             "--on", cluster.on, "--out", "gate", "--seed", "5")  # fmt: skip

    def samples() -> list[tuple[int, str]]:
        found = [
            one
            for path in bench.folder.glob("gate/*/timing.jsonl")
            for one in records(path, "sample")
        ]
        return [(one["round"], one["arm"]) for one in found]

    with bench.started(*words) as process:
        wait_until(lambda: len(samples()) >= 6 or process.poll() is not None)
        process.kill()
    before = samples()
    assert before
    done = bench("gate", "--resume", "gate", "--on", cluster.on, "--json")
    assert done.returncode == 0, done.stderr
    after = samples()
    assert after[: len(before)] == before
    assert len(set(after)) == len(after) == 24


def test_sides_travel_as_wheels(cluster: Cluster, bench: Bench) -> None:
    """Each into an environment of its own, where its loop is found and has its version."""
    sides = [str(wheel_file(bench.folder / version, version=version)) for version in ("1.0", "1.1")]
    done = bench("gate", *SHORT, "--no-timing", "--base", sides[0], "--head", sides[1],
                 "--on", cluster.on, "--json")  # fmt: skip
    assert done.returncode == 4, done.stderr
    (gate,) = json.loads(done.stdout)["gates"].values()
    made = {name: gate["header"][name] for name in ("base", "head")}
    assert [(name, one["version"], one["executable"]) for name, one in made.items()] == [
        ("base", "1.0", "base"),
        ("head", "1.1", "head"),
    ]
    assert gate["result"]["left_out"] == []


def test_a_host_that_cannot_have_a_side_is_left_out_in_words(tmp_path: Path) -> None:
    foreign = read_wheel(wheel_file(tmp_path, tag=FOREIGN))
    words = f"{foreign.file} does not fit"
    side = Side(name="head", origin="wheel", given="x", loop="tinyloop", executable="head")
    fleet: Any = SimpleNamespace(
        equip=lambda host, goods: Equipped("python", [], [Unfitting(foreign.project, words)])
    )
    host = Host(key="0123", name="one", facts=FACTS, executable="")
    told: list[str] = []
    with Register(tmp_path / "gate", FILE, KEPT) as register:
        place = place_of("local:1")
        sides = (Brought(side, foreign), Brought(side, foreign))
        header: Any = None
        Holding(header, fleet, register, place, sides, told.append).hold([host])
    (lost, _) = (json.loads(line) for line in (tmp_path / "gate" / FILE).read_text().splitlines())
    assert (lost["state"], lost["reason"]) == ("lost", words)
    assert told == [f"one: {words}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--on", "local:1", "--html", "x.html"), "leave out --html"),
        (("--on", "local:1", "--plan"), "leave out --plan"),
        (("--on", "local:1", "pytest:tests"), "Leave them out, or hold the gate without --on"),
        (("--on", "nowhere",), "--on dask://HOST:PORT"),
        (("--unfit",), "needs --on"),
        (("--on", "local:1", "--loop", "asyncio", "--base", "asyncio", "--head", "{python}"),
         "Python of this machine"),
    ],
)  # fmt: skip
def test_bad_input(bench: Bench, words: tuple[str, ...], told: str) -> None:
    python = bench.folder / "python"
    python.symlink_to(shutil.which("python3") or "/usr/bin/python3")
    done = bench("gate", *(word.format(python=python) for word in words))
    assert done.returncode == 2, done.stderr
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert not list(bench.folder.glob(".bench/gates/*"))


def test_a_gate_on_a_fleet_goes_on_there_alone(slower: Bench) -> None:
    done = slower("gate", "--resume", "gate")
    assert done.returncode == 2
    assert "--on dask://HOST:PORT" in done.stderr


def test_a_revision_travels_as_a_wheel_that_is_built_once(tmp_path: Path) -> None:
    project = tiny_project(tmp_path / "project")
    commit = git(project, "rev-parse", "main")
    told: list[str] = []
    for _ in range(2):
        base, head = bring(commit, ".", Settings(), project, tmp_path / "builds", told.append)
        assert (base.side.loop, base.side.commit, base.side.executable) == ("tiny", commit, "base")
        for one in (base, head):
            assert one.wheel is not None
            assert one.wheel.project == "tinyloop"
        assert base.wheel != head.wheel
    assert [line.partition(" of ")[0] for line in told] == ["building a wheel"] * 2


def test_a_line_that_a_kill_cut_spoils_nothing(tmp_path: Path) -> None:
    header = GatesHeader(gate="g", created="2026-01-01", seed=1, settings=Settings(),
                         base="a", head="b", benchmarks=[])  # fmt: skip
    with Register(tmp_path, FILE, KEPT) as register:
        register.append(header)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + b'{"record":"host","ke')
    assert read_gates(tmp_path).hosts == {}
    cut_partial_line(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == whole


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", NotARunFile, "is empty"),
        ("{}", NotARunFile, "no record"),
        ('{"record":"header","schema":99}\n{}', NewerSchema, "newer loopgauge"),
        ('{"record":"host","key":"a","state":"done","file":"../b"}\n{}', NotARunFile, "outside"),
    ],
)
def test_what_is_no_gate_on_a_fleet(
    tmp_path: Path, text: str, error: type[Exception], words: str
) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(error, match=words):
        read_gates(tmp_path)


def test_a_build_command_makes_no_wheel(tmp_path: Path) -> None:
    project = tiny_project(tmp_path / "project")
    with pytest.raises(SideUnusable, match="makes no wheel"):
        bring("main", ".", Settings(build="make"), project, tmp_path / "builds", print)


def test_the_error_of_all_hosts_is_held_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that one gate would confirm by itself is one of twenty chances among twenty hosts:
    one-sided signed ranks of 8 give p = 1/256."""
    fresh = np.full(8, 0.05)
    flags = {"a": [Flag("x", fresh, 0.01, 1)]}
    monkeypatch.setattr(gate_decision, "flags_of", lambda file: flags[file])
    alone: dict[str, GateFile] = {"a": "a"}  # type: ignore[dict-item]
    assert gate_decision.confirmed(alone) == {"a": {"x": True}}
    flags |= {str(number): [Flag("x", -fresh, 0.01, 1)] for number in range(19)}
    many: dict[str, GateFile] = {key: key for key in flags}  # type: ignore[misc]
    assert not any(one["x"] for one in gate_decision.confirmed(many).values())
