"""`bench history` as a user meets it: files in, trends and steps out, and what goes wrong."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from history_testing import make_run

from loopgauge.harness.cli import main
from loopgauge.harness.cli.history_shown import sparkline
from loopgauge.harness.fleet import gate_model
from loopgauge.harness.fleet import model as fleet_model
from loopgauge.harness.history.model import Entry, MachineKind, SeriesKey, StoredRun
from loopgauge.harness.history.sqlite import STORE, open_history

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def history(*words: str) -> Result:
    return CliRunner().invoke(main, ["history", *words])


def answer(*words: str) -> Any:
    done = history(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def fill(count: int = 40, step_at: int = 25, **fields: Any) -> None:
    """Stored runs with a step of 10 %."""
    machine = MachineKind(cpu_model="Xeon", kernel="6.1", python="3.13.0", build_kind="pgo+lto")
    series = {"benchmark": "fake.work", "loop": "fast", "metric": "ratio", "against": "asyncio"}
    key = SeriesKey(**{**series, "machine": machine, **fields})
    kept = open_history(STORE, create=True)
    kept.add(
        StoredRun(
            run=f"{key.loop}-{key.machine.key}-{n}", name="x", content="c", size=1,
            created=f"2026-01-01T00:{n:02}:00Z",
            entries=[Entry(series=key, arm="a", version="1.0" if n < step_at else "1.1",
                           value=(0.5 if n < step_at else 0.55) * (1 + 0.001 * (n * 7 % 5)))],
        )
        for n in range(count)
    )  # fmt: skip
    kept.close()


def test_from_runs_to_a_trend() -> None:
    for number, factor in enumerate((0.5, 0.5, 0.6), 1):
        make_run(Path(f".bench/runs/{number}.jsonl"), number, factor)
    done = history("import", "--all")
    assert (done.exit_code, done.stdout) == (0, ".bench/history.sqlite: 3 new\n")
    assert history("import", "--all").stdout == ".bench/history.sqlite: 3 there already\n"
    shown = history("work")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    row = lines[lines.index("  fake.work") + 1]
    assert row.startswith("    fast  ")
    assert "0.600 [0.600, 0.600]" in row
    assert "▁▁█" in row
    assert "Xeon, 6.1, Python 3.13.0" in shown.stdout


@pytest.mark.parametrize("packer", [gzip, lzma])
def test_packed_runs_are_the_runs_they_hold(packer: Any) -> None:
    ending = {gzip: ".gz", lzma: ".xz"}[packer]
    plain = Path("results/1.jsonl")
    make_run(plain, 1, 0.5)
    packed = Path(f"results/1.jsonl{ending}")
    packed.write_bytes(packer.compress(plain.read_bytes()))
    assert history("import", str(plain)).stdout.endswith("1 new\n")
    plain.unlink()
    assert history("import", "results").stdout.endswith("1 there already\n")
    STORE.unlink()
    assert history("import", "results").stdout.endswith("1 new\n")


def test_trends_as_json() -> None:
    make_run(Path("a.jsonl"))
    history("import", "a.jsonl", "--commit", "abc123")
    document = answer("--metric", "all", "--last", "5")
    assert document["kind"] == "history-trends"
    assert {(s["key"]["loop"], s["key"]["metric"]) for s in document["series"]} == {
        ("asyncio", "cost"),
        ("fast", "cost"),
        ("fast", "ratio"),
    }
    assert {s["points"][0]["commit"] for s in document["series"]} == {"abc123"}


def test_machines_are_kept_apart() -> None:
    make_run(Path("runs/a.jsonl"), 1, 0.5, "Xeon")
    make_run(Path("runs/b.jsonl"), 2, 0.7, "Ryzen")
    history("import", "runs")
    machines = answer("machines")["machines"]
    assert [one["machine"]["cpu_model"] for one in machines] == ["Ryzen", "Xeon"]
    newest = history()
    assert "Ryzen" in newest.stdout
    assert "Xeon" not in newest.stdout
    assert "1 other kind of machine" in newest.stdout
    by_key = history("--machine", machines[1]["key"])
    assert "Xeon" in by_key.stdout
    assert "Ryzen" not in by_key.stdout
    both = history("--machine", "all").stdout
    assert "Xeon" in both
    assert "Ryzen" in both
    assert "Ryzen" in history("machines").stdout


def test_the_machine_that_has_what_is_asked_for() -> None:
    fill(5)
    fill(6, loop="other", machine=MachineKind(
        cpu_model="Ryzen", kernel="6", python="3.14.0", build_kind=""))  # fmt: skip
    shown = history("--loop", "fast")
    assert shown.exit_code == 0, shown.output
    assert "Xeon" in shown.stdout


def test_steps_say_where_how_large_and_how_sure() -> None:
    fill()
    shown = history("steps")
    assert shown.exit_code == 0, shown.output
    assert "+10.0% [+9.9%, +10.1%]  fake.work  fast  ratio to asyncio  worse" in shown.stdout
    assert "since 2026-01-01T00:25:00Z" in shown.stdout
    assert "1.0 → 1.1" in shown.stdout
    assert "25 runs before, 15 since" in shown.stdout
    found = answer("steps", "--seed", "4")["search"]
    [step] = found["steps"]
    assert step["at"]["version"] == "1.1"
    assert step["change"] == pytest.approx(0.1, abs=0.003)
    assert (found["seed"], found["alpha"], found["series"]) == (4, 0.05, 1)
    assert answer("steps", "--margin", "20")["search"]["steps"] == []
    assert "too few runs" in history("steps", "--last", "6").stdout


def test_exports() -> None:
    fill(3)
    done = history("export")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4
    assert done.stdout.startswith("created,run,benchmark,")
    done = history("export", "work", "--format", "json", "--out", "to/points.json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert len(json.loads(Path("to/points.json").read_bytes())["points"]) == 3


def test_a_failed_run_and_an_empty_line() -> None:
    assert sparkline([1.0, None, 2.0]) == "▁·█"
    assert sparkline([1.0, 1.0]) == "▅▅"
    assert sparkline([None]) == "·"


# What goes wrong


def test_no_history_yet() -> None:
    done = history()
    assert done.exit_code == 4
    assert "there is no history in .bench/history.sqlite" in done.stderr
    assert "bench history import --all" in done.stderr
    assert not STORE.exists()


def test_nothing_to_import() -> None:
    done = history("import", "--all")
    assert done.exit_code == 4
    assert "no run files were found" in done.stdout
    assert history().exit_code == 4


@pytest.mark.parametrize("words", [["import"], ["import", "--all", "x.jsonl"]])
def test_import_of_nothing_in_particular(words: list[str]) -> None:
    assert history(*words).exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wrk"], "'work'"),
        (["--loop", "fats"], "'fast'"),
        (["--metric", "rato"], "'ratio'"),
        (["--machine", "epyc"], "bench history machines"),
        (["steps", "wrk"], "'work'"),
        (["export", "wrk"], "'work'"),
    ],
)
def test_names_that_fit_nothing(words: list[str], said: str) -> None:
    fill(3)
    done = history(*words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_names_that_fit_nothing_together() -> None:
    fill(3)
    fill(3, benchmark="fake.rest", loop="slow")
    done = history("rest", "--loop", "fast")
    assert done.exit_code == 4
    assert "nothing in the history is all of what was asked for" in done.stderr


def test_bad_files_are_named_and_the_good_are_kept() -> None:
    make_run(Path("runs/a.jsonl"))
    cut = make_run(Path("runs/b.jsonl"), 2)
    cut.write_bytes(cut.read_bytes()[:-9])
    Path("runs/c.jsonl").write_text("hello\n")
    done = history("import", "runs", "missing.jsonl", "--json")
    assert done.exit_code == 7
    document = json.loads(done.stdout)
    assert document["runs"] == {"added": 1, "known": 0, "grown": 0, "differs": 0}
    problems = document["problems"]
    assert len(problems) == 3
    assert "runs/b.jsonl" in problems[0]
    assert "is not whole" in problems[0]
    assert "runs/c.jsonl is not a loopgauge run file" in problems[1]
    assert "cannot read missing.jsonl" in problems[2]
    assert "error: " in history("import", "runs").stderr


def test_two_files_that_claim_to_be_one_run() -> None:
    make_run(Path("a.jsonl"), 1, 0.5)
    make_run(Path("b.jsonl"), 1, 0.9)
    done = history("import", "a.jsonl", "b.jsonl")
    assert done.exit_code == 6
    assert "b.jsonl: another file of the run run-1 is stored" in done.stderr
    assert "0.500" in history().stdout


def test_a_store_that_is_locked() -> None:
    make_run(Path("a.jsonl"), 1)
    make_run(Path("b.jsonl"), 2)
    history("import", "a.jsonl")
    other = sqlite3.connect(STORE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = history("import", "b.jsonl", "--wait", "0")
    assert done.exit_code == 8
    assert "locked by another process" in done.stderr
    assert history().exit_code == 0, "who only reads goes on"
    other.close()
    assert history("import", "b.jsonl").stdout.endswith("1 new\n")


def test_a_store_where_there_is_no_room() -> None:
    make_run(Path("a.jsonl"))
    done = history("import", "a.jsonl", "--store", "/dev/full")
    assert done.exit_code == 8, done.output


@pytest.mark.parametrize("words", [[], ["machines"], ["import", "a.jsonl"]])
def test_a_store_that_is_none(words: list[str]) -> None:
    make_run(Path("a.jsonl"))
    Path("notes").write_text("milk, bread, " * 100)
    done = history(*words, "--store", "notes")
    assert done.exit_code == 7, done.output
    assert "notes is no history" in done.stderr
    assert Path("notes").read_text() == "milk, bread, " * 100


def test_a_damaged_store_is_not_taken_for_a_bad_run() -> None:
    make_run(Path("a.jsonl"))
    fill(30)
    data = bytearray(STORE.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    STORE.write_bytes(data)
    done = history("import", "a.jsonl")
    assert done.exit_code == 7, done.output
    assert "history.sqlite is no history or is damaged" in done.stderr


def test_ctrl_c_leaves_what_was_imported(bench: Bench) -> None:
    """The second file is a pipe that nobody writes to: the import stands still there."""
    make_run(bench.folder / "a.jsonl")
    os.mkfifo(bench.folder / "b.jsonl")
    with (
        bench.started("history", "import", "a.jsonl", "b.jsonl") as process,
        (bench.folder / "b.jsonl").open("wb"),  # opens once the import reads from it
    ):
        errors = interrupted(process)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert [row.runs for row in open_history(bench.folder / STORE).machines()] == [1]


def interrupted(process: subprocess.Popen[str]) -> str:
    """Ctrl-C, and again where the first one came between opening the pipe and waiting for it:
    Python looks for signals before a call that waits, and in it, but not just as it begins."""
    while True:
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=15)[1]
        except subprocess.TimeoutExpired:
            continue


def test_help_of_the_group_and_of_each_command() -> None:
    assert "bench history import --all" in history("--help").stdout
    for name in ("init", "show", "import", "steps", "machines", "export"):
        done = history(name, "--help")
        assert "Exit codes:" in done.stdout
        assert "Examples:" in done.stdout


def test_the_documented_members_are_there() -> None:
    fill()
    [series] = answer()["series"]
    assert {*series["points"][0]} == {
        "run", "created", "arm", "value", "low", "high", "processes", "version", "build",
        "commit", "status", "advisory", "complete",
    }  # fmt: skip
    assert {*series["key"]} == {field.name for field in msgspec.structs.fields(SeriesKey)}
    assert {*answer("steps")["search"]} == {
        "method", "series", "too_short", "alpha", "level", "margin", "least", "orders", "seed",
        "steps",
    }  # fmt: skip


def test_several_processes_read_what_one_reads() -> None:
    for number in range(17):
        make_run(Path(f"runs/{number:02}.jsonl"), number, 0.5 + number / 100)
    Path("runs/05.jsonl").write_text("no run at all\n")
    several = history("import", "runs", "--jobs", "2", "--store", "several.sqlite")
    alone = history("import", "runs", "--jobs", "1", "--store", "alone.sqlite")
    assert several.exit_code == alone.exit_code == 7
    assert several.stdout.replace("several", "alone") == alone.stdout
    assert several.stderr == alone.stderr
    assert "runs/05.jsonl" in alone.stderr
    exported = [history("export", "--store", f"{name}.sqlite") for name in ("several", "alone")]
    assert exported[0].stdout == exported[1].stdout
    assert exported[0].stdout.count("\n") == 1 + 16 * 3


def test_a_fleet_is_the_runs_of_its_hosts() -> None:
    folder = Path(".bench/fleets/20260101T000000Z-abcdef")
    for number, cpu in enumerate(("Xeon", "Ryzen")):
        make_run(folder / f"{cpu}.jsonl", number, 0.5, cpu)
    register = {"record": "header", "schema": 1, "kind": fleet_model.KIND, "run": folder.name}
    (folder / "fleet.jsonl").write_text(json.dumps(register) + "\n")
    gate = Path(".bench/gates/20260101T000000Z-abcdef")
    gate.mkdir(parents=True)
    (gate / "gates.jsonl").write_text(json.dumps({"kind": gate_model.KIND}) + "\n")
    done = history("import", "--all")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "2 new" in done.stdout
    cpus = [item["machine"]["cpu_model"] for item in answer("machines")["machines"]]
    assert cpus == ["Ryzen", "Xeon"]
    again = history("import", *map(str, sorted(folder.iterdir())))  # as a shell spells FOLDER/*
    assert (again.exit_code, again.stderr) == (0, "")
