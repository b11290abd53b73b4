"""`bench gate` with real measurements of one benchmark in as few processes as a look takes."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate import shared

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

SHORT = ("sleep0", "--no-conformance", "--no-deterministic", "--minutes", "0.01")
SLOWER = ("--base", "epoll", "--head", "asyncio")
SAME = ("--base", "asyncio", "--head", "asyncio", "--margin", "60")


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def timing(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (one,) = document(done)["result"]["decisions"]
    found: dict[str, Any] = one
    return found


def samples(path: Path) -> list[tuple[int, str, str]]:
    """What each sample is of."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(s["round"], s["benchmark"], s["arm"]) for s in lines if s["record"] == "sample"]


@pytest.fixture(scope="module")
def slower(bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = bench_in(tmp_path_factory.mktemp("slower"))
    outputs = ("--markdown", "out/comment.md", "--junit", "out/gate.xml")
    done = made("gate", *SHORT, *SLOWER, "--seed", "3", "--json", *outputs, "--out", "gate")
    (made.folder / "first.json").write_text(done.stdout)
    (made.folder / "stderr").write_text(done.stderr)
    assert done.returncode == 1, done.stderr
    return made


def test_a_slower_head_fails_the_gate(slower: Bench) -> None:
    first = json.loads((slower.folder / "first.json").read_text())
    (one,) = first["result"]["decisions"]
    assert (first["exit_code"], one["verdict"], one["stage"]) == (1, "REGRESSED", 2)
    assert one["low"] > 0.01
    assert one["base"] < one["head"]


def test_the_second_stage_has_samples_of_its_own(slower: Bench) -> None:
    folder = slower.folder / "gate"
    first, second = (
        json.loads((folder / f"{name}.jsonl").read_text().splitlines()[0])
        for name in ("timing", "confirmation")
    )
    assert first["seed"] == 3
    assert second["seed"] != first["seed"]


def test_the_outputs_are_there(slower: Bench) -> None:
    assert "REGRESSED" in (slower.folder / "out/comment.md").read_text()
    assert "throughput.sleep0" in (slower.folder / "out/gate.xml").read_text()
    assert "gate: gate" in (slower.folder / "stderr").read_text()


def test_a_replay_decides_the_same_and_changes_nothing(slower: Bench) -> None:
    files = {path: path.read_bytes() for path in (slower.folder / "gate").iterdir()}
    done = slower("gate", "--replay", "gate", "--json")
    first = json.loads((slower.folder / "first.json").read_text())
    assert done.returncode == 1
    assert document(done)["result"]["decisions"] == first["result"]["decisions"]
    assert {path: path.read_bytes() for path in (slower.folder / "gate").iterdir()} == files


def test_a_gate_that_ended_has_nothing_to_go_on_with(slower: Bench) -> None:
    before = samples(slower.folder / "gate/timing.jsonl")
    done = slower("gate", "--resume", "gate", "--json")
    assert done.returncode == 1, done.stderr
    assert samples(slower.folder / "gate/timing.jsonl") == before


def test_a_gate_is_never_overwritten(slower: Bench) -> None:
    done = slower("gate", *SHORT, *SAME, "--out", "gate")
    assert done.returncode == 2
    assert "--resume" in done.stderr


def test_equal_sides_pass(bench: Bench) -> None:
    done = bench("gate", *SHORT, *SAME, "--json")
    assert done.returncode == 0, done.stderr
    assert timing(done)["verdict"] == "EQUIVALENT"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_gate_goes_on(bench: Bench, number: signal.Signals, code: int) -> None:
    with bench.started("gate", *SHORT, *SAME, "--seed", "5", "--out", "gate") as process:
        bench.read_until(process.stderr, "measuring 3/")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert "go on with: bench gate --resume gate" in err
    timed = bench.folder / "gate/timing.jsonl"
    before = timed.read_bytes()
    done = bench("gate", "--resume", "gate", "--json")
    assert done.returncode == 0, done.stderr
    assert timed.read_bytes().startswith(before)
    seen = samples(timed)
    assert len(seen) == len(set(seen)), "a sample was measured twice"
    assert {number for number, _, _ in seen} == set(range(8))
    again = bench("gate", "--replay", "gate", "--json")
    assert timing(again) == timing(done)


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_fills_up_keeps_what_is_there(bench: Bench) -> None:
    done = subprocess.run(
        bench.command("gate", *SHORT, *SAME, "--out", "gate"),
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: limit_files(40_000),
    )
    assert done.returncode == 8
    assert "file size limit" in done.stderr
    assert samples(bench.folder / "gate/timing.jsonl")
    again = bench("gate", "--resume", "gate")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--resume", "latest"), 7, "there is no gate 'latest'"),
        (("--replay", "nowhere"), 7, "nowhere cannot be read"),
        (("--replay", "empty"), 7, "is empty"),
        (("--replay", "foreign"), 7, "no record of a gate"),
        (("--replay", "run"), 7, "no record of a gate"),
        (("--replay", "newer"), 7, "newer loopgauge"),
        (("--replay", "empty", "--seed", "1"), 2, "leave out --seed"),
        (("--replay", "empty", "--resume", "empty"), 2, "choose one"),
        (("no_such_scenario", *SAME), 2, "no_such_scenario"),
        (("zzz*", *SAME), 4, "nothing to measure"),
        (("json:nothing_of_that_name", *SAME), 4, "neither base nor head has"),
        (("--find", "3"), 2, "--plan"),
    ],
)
def test_bad_input(bench: Bench, words: tuple[str, ...], code: int, says: str) -> None:
    files = {
        "empty": "",
        "foreign": "hello\n",
        "run": '{"record": "header", "kind": "run", "schema": 1}\n',
        "newer": '{"record": "header", "kind": "gate", "schema": 99}\n',
    }
    for name, text in files.items():
        (bench.folder / name).mkdir()
        (bench.folder / name / "gate.jsonl").write_text(text)
    done = bench("gate", *words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert says in done.stderr


def test_benchmarks_that_only_one_side_has() -> None:
    ids = ["throughput.sleep0", "app:my:old", "app:my:both", "app:my:new"]
    assert shared.own_targets(ids) == ["my:old", "my:both", "my:new"]
    assert shared.shared_benchmarks(ids, {"my:old", "my:both"}, {"my:new", "my:both"}) == (
        ["throughput.sleep0", "app:my:both"],
        ["app:my:new"],
        ["app:my:old"],
    )
    with pytest.raises(NothingToMeasure, match="neither base nor head has my:gone"):
        shared.shared_benchmarks(["app:my:gone"], set(), set())
