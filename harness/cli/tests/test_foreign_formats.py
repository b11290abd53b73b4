"""`bench report --format` for other tools, and their files as input, checked with those tools."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from loopgauge.harness.cli import main
from loopgauge.harness.model import (
    Arm,
    Benchmark,
    End,
    Environment,
    Event,
    Header,
    Interpreter,
    Metric,
    Plan,
    Sample,
)
from loopgauge.harness.store import RunWriter

COMPARE = Path("/usr/share/benchmark/compare.py")  # Debian's libbenchmark-tools
STEP = Benchmark(id="fake.step", scenario="fake.step", unit="step", summary="a step")
SIZED = Benchmark(id="fake.wait[n=2]", scenario="fake.wait", unit="wait", measure="wall")
RATE = Benchmark(
    id="fake.rate", scenario="fake.rate", unit="op/s", measure="value", direction="higher"
)
COSTS = {"asyncio": 1000, "mine": 800, "asyncio~aa": 1000}


def write_run(path: Path, *benchmarks: Benchmark, factor: float = 1.0) -> None:
    roles: dict[str, Any] = {"asyncio": "reference", "asyncio~aa": "aa"}
    arms = [
        Arm(
            label=label,
            loop=label.removesuffix("~aa"),
            factory="x:y",
            version="1.0",
            python="3.13",
            role=roles.get(label, "candidate"),
        )
        for label in COSTS
    ]
    plan = Plan(method="x", rounds=10, batch=1, slot_s=0.004, warmup=1, budget_s=1, expected_s=1,
                hang_timeout_s=1)  # fmt: skip
    interpreter = Interpreter(executable="python", version="3.13.0", libc="glibc 2.36")
    header = Header(
        run=path.stem,
        created="2026-11-22T04:00:00Z",
        seed=1,
        plan=plan,
        arms=arms,
        benchmarks=list(benchmarks),
        environment=Environment(interpreters={"3.13": interpreter}),
    )
    draw = random.Random(7)
    with RunWriter(path) as writer:
        writer.append([header])
        for process in range(10):
            writer.append(
                [sample(process, b, label, draw, factor) for b in benchmarks for label in COSTS],
                sync=False,
            )
        writer.append([End(utc="2026-11-22T04:01:00Z")])


def sample(
    process: int, benchmark: Benchmark, arm: str, draw: random.Random, factor: float
) -> Sample:
    scale = factor if arm == "mine" else 1.0
    costs = [COSTS[arm] * scale * draw.lognormvariate(0, 0.01) for _ in range(5)]
    times = [round(cost * 1000) for cost in costs]
    return Sample(
        process=process,
        round=process,
        benchmark=benchmark.id,
        arm=arm,
        design="hybrid",
        n=[1000] * 5,
        block=[*range(5)],
        slot=[*range(5)],
        wall_ns=times,
        process_ns=times,
        thread_ns=times,
        value=costs if benchmark.measure == "value" else None,
    )


def count(path: Path, metric: str, value: float) -> None:
    found = Metric(benchmark="fake.step", arm="mine", metric=metric, unit="x/step", value=value)
    with RunWriter(path) as writer:
        writer.append([found])


@dataclass(frozen=True)
class Here:
    """The command in this process, in a folder of its own: it measures nothing here."""

    folder: Path

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(main, words, prog_name="bench")

    def runs(self) -> list[Path]:
        return sorted(self.folder.glob(".bench/runs/*.jsonl"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.chdir(tmp_path)
    return Here(tmp_path)


def export(here: Here, name: str, *more: str, code: int = 0) -> Any:
    done = here("report", "run.jsonl", "--format", name, *more)
    assert done.exit_code == code, done.stderr
    return json.loads(done.stdout)


def tool(*words: str, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# pyperf


def test_pyperf_compares_two_loops_and_two_runs(here: Here) -> None:
    pytest.importorskip("pyperf")
    write_run(here.folder / "run.jsonl", STEP, SIZED)
    write_run(here.folder / "new.jsonl", STEP, SIZED, factor=1.25)
    pyperf = (sys.executable, "-m", "pyperf")
    for run, arm, file in (
        ("run.jsonl", "asyncio", "asyncio.json"),
        ("run.jsonl", "mine", "mine.json"),
        ("new.jsonl", "mine", "new.json"),
    ):
        done = here("report", run, "--format", "pyperf", "--arm", arm, "--out", file)
        assert done.exit_code == 0, done.stderr
    loops = tool(*pyperf, "compare_to", "asyncio.json", "mine.json", cwd=here.folder)
    assert loops.count("1.25x faster") == 3  # of each benchmark, and on average
    runs = tool(*pyperf, "compare_to", "mine.json", "new.json", cwd=here.folder)
    assert runs.count("1.25x slower") == 3
    stats = tool(*pyperf, "stats", "mine.json", cwd=here.folder)
    assert "Number of run with values: 10" in stats
    assert "Number of value per run: 1" in stats
    assert "Loop iterations per value: 5000" in stats
    tool(*pyperf, "show", "--metadata", "mine.json", cwd=here.folder)


def test_what_pyperf_cannot_say_is_named_and_left_out(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP, RATE)
    done = here("report", "run.jsonl", "--format", "pyperf")
    assert done.exit_code == 6
    assert "left out of pyperf: fake.rate/mine: more is better there" in done.stderr
    names = [b["metadata"]["name"] for b in json.loads(done.stdout)["benchmarks"]]
    assert names == ["fake.step/asyncio", "fake.step/mine"]


def test_a_run_of_pyperf_itself(here: Here) -> None:
    pytest.importorskip("pyperf")
    program = here.folder / "bm.py"
    program.write_text(
        "import pyperf\n"
        "runner = pyperf.Runner(values=2, processes=2, loops=64, warmups=0)\n"
        "runner.bench_func('sorted', sorted, list(range(2000)))\n"
    )
    tool(sys.executable, str(program), "-o", "theirs.json", "--quiet", cwd=here.folder)
    done = here("report", "theirs.json", "--format", "csv")
    assert done.exit_code == 0, done.stderr
    row = done.stdout.splitlines()[1].split(",")
    assert row[1:7] == ["sorted", "wall", "loop", "lower", "pyperf", "pyperf"]
    theirs = json.loads((here.folder / "theirs.json").read_text())["benchmarks"][0]["runs"]
    values = [run["values"] for run in theirs if "values" in run]
    medians = [1e9 * sum(pair) / 2 for pair in values]
    assert [float(value) for value in row[-1].split()] == pytest.approx(medians, rel=1e-4)
    assert here("report", "theirs.json", "--out", "page.html").exit_code == 0


# Google Benchmark


def compare_tool() -> list[str]:
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    if not COMPARE.exists():
        pytest.skip("Google Benchmark's compare.py is not here (apt install libbenchmark-tools)")
    asked = subprocess.run([python, "-c", "import scipy.stats"], capture_output=True)
    if asked.returncode:
        pytest.skip("compare.py needs scipy (apt install python3-scipy)")
    return [python, str(COMPARE), "--no-color"]


def test_google_benchmarks_own_tool_compares_our_files(here: Here) -> None:
    command = compare_tool()
    write_run(here.folder / "run.jsonl", STEP, SIZED)
    for arm in ("asyncio", "mine"):
        options = ("--format", "google-benchmark", "--arm", arm, "--out", f"{arm}.json")
        assert here("report", "run.jsonl", *options).exit_code == 0
    shown = tool(*command, "benchmarks", "asyncio.json", "mine.json", cwd=here.folder)
    medians = [line.split() for line in shown.splitlines() if "_median" in line]
    assert [line[0] for line in medians] == ["fake.step_median", "fake.wait[n=2]/real_time_median"]
    for line in medians:
        assert float(line[2]) == pytest.approx(-0.2, abs=0.02)
    assert "Repetitions: 10 vs 10" in shown


def test_google_benchmark_json_has_what_the_tool_reads(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP, SIZED)
    document = export(here, "google-benchmark")
    assert document["context"]["json_schema_version"] == 1
    repetitions = [e for e in document["benchmarks"] if e["run_type"] == "iteration"]
    assert len(repetitions) == 2 * 2 * 10
    needed = {"name", "run_name", "repetitions", "repetition_index", "threads", "iterations",
              "real_time", "cpu_time", "time_unit", "family_index"}  # fmt: skip
    assert all(needed <= entry.keys() for entry in repetitions)
    names = {entry["run_name"] for entry in repetitions}
    assert "fake.wait[n=2]/mine/real_time" in names
    assert "fake.step/mine" in names


# Services


def test_github_action_benchmark(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    entries = {entry["name"]: entry for entry in export(here, "github-action-benchmark")}
    assert [*entries] == ["fake.step/asyncio", "fake.step/mine", "fake.step/mine / asyncio"]
    mine = entries["fake.step/mine"]
    assert mine["unit"] == "ns/step"
    assert mine["value"] == pytest.approx(800, rel=0.01)
    assert float(mine["range"].removeprefix("± ")) < 10
    assert "processes: 10" in mine["extra"]
    ratio = entries["fake.step/mine / asyncio"]
    assert (ratio["unit"], ratio["value"]) == ("ratio", pytest.approx(0.8, rel=0.01))


def test_one_direction_a_file_for_github_action_benchmark(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP, RATE)
    smaller = export(here, "github-action-benchmark", code=6)
    bigger = export(here, "github-action-benchmark-bigger")
    assert [e["name"] for e in bigger] == ["fake.rate/asyncio", "fake.rate/mine"]
    assert {e["unit"] for e in bigger} == {"op/s"}
    # A ratio of costs is lower-is-better, whatever the benchmark: 800 op/s cost more than 1000.
    ratios = {e["name"]: e["value"] for e in smaller if e["unit"] == "ratio"}
    assert ratios["fake.rate/mine / asyncio"] == pytest.approx(1.25, rel=0.01)
    assert "fake.rate/mine" not in {e["name"] for e in smaller}


def test_bencher(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP, RATE)
    count(here.folder / "run.jsonl", "instructions", 4255.0)
    count(here.folder / "run.jsonl", "involuntary_switches", 0.1)
    document = export(here, "bencher")
    mine = document["fake.step/mine"]
    assert mine["latency"]["value"] == pytest.approx(800, rel=0.01)
    assert mine["latency"]["lower_value"] < 800 * 1.01
    assert mine["latency"]["upper_value"] > 800 * 0.99
    assert mine["ratio-to-asyncio"]["value"] == pytest.approx(0.8, rel=0.01)
    assert mine["instructions"] == {"value": 4255.0}
    assert "involuntary-switches" not in mine  # they do not repeat
    assert "op-s" in document["fake.rate/mine"]
    assert "ratio-to-asyncio" not in document["fake.step/asyncio"]


def test_counts_alone_are_for_services_and_not_for_tools_that_time(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    lines = (here.folder / "run.jsonl").read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"record":"sample"' not in line]
    (here.folder / "run.jsonl").write_bytes(b"".join(kept))
    count(here.folder / "run.jsonl", "instructions", 4255.0)
    [entry] = export(here, "github-action-benchmark")
    assert entry == {"name": "fake.step/mine instructions", "unit": "x/step", "value": 4255.0}
    for name in ("pyperf", "google-benchmark"):
        done = here("report", "run.jsonl", "--format", name)
        assert done.exit_code == 4
        assert "was counted, not timed" in done.stderr


def test_a_foreign_file_is_converted_with_its_names(here: Here) -> None:
    google_file(here.folder / "g.json", 100)
    done = here("report", "g.json", "--format", "pyperf", "--out", "p.json")
    assert done.exit_code == 0, done.stderr
    suite = json.loads((here.folder / "p.json").read_text())
    [group] = suite["benchmarks"]
    assert group["metadata"]["name"] == "BM"
    assert [run["values"] for run in group["runs"]] == [
        [pytest.approx(cost * 1e-9)] for cost in (100, 101, 102)
    ]
    back = here("report", "p.json", "--format", "google-benchmark")
    assert {e["run_name"] for e in json.loads(back.stdout)["benchmarks"]} == {"BM"}


def test_failed_arms_are_not_exported(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    with RunWriter(here.folder / "run.jsonl") as writer:
        crash = Event(event="crash", arm="mine", benchmark="fake.step", reason="x", final=True)
        writer.append([crash])
    for name in ("pyperf", "google-benchmark", "bencher", "github-action-benchmark"):
        done = here("report", "run.jsonl", "--format", name)
        assert "mine" not in done.stdout
        assert "asyncio" in done.stdout


# Bad input


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--format", "pyperf", "--arm", "mime"], 2, "Did you mean 'mine'?"),
        (["--format", "pyperf", "other.jsonl"], 2, "give one RUN"),
        (["--arm", "mine"], 2, "--arm chooses"),
        (["--format", "pyprf"], 2, "pyperf"),
        (["--format", "github-action-benchmark-bigger"], 4, "less is better in all"),
        (["--format", "bencher", "--out", "run.jsonl"], 2, "never overwritten"),
        (["--format", "bencher", "--out", "/dev/full"], 8, "No space left"),
        (["--format", "md", "--out", "/dev/full"], 8, "No space left"),
    ],
)
def test_bad_words(here: Here, words: list[str], code: int, said: str) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    before = (here.folder / "run.jsonl").read_bytes()
    done = here("report", "run.jsonl", *words)
    assert done.exit_code == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (here.folder / "run.jsonl").read_bytes() == before


def test_import_makes_run_files(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP, SIZED)
    export_to = ("--format", "pyperf", "--out", "theirs.json")
    assert here("report", "run.jsonl", *export_to).exit_code == 0
    done = here("import", "theirs.json")
    assert done.exit_code == 0, done.stderr
    assert "2 benchmarks of asyncio, mine, 40 samples" in done.stdout
    assert "imported from pyperf" in done.stderr
    [stored] = here.runs()
    again = here("report", "latest", "--format", "csv")
    original = here("report", "run.jsonl", "--format", "csv")
    cost = [row.split(",")[12] for row in again.stdout.splitlines()[1:]]
    wanted = [row.split(",")[12] for row in original.stdout.splitlines()[1:] if "~aa" not in row]
    assert [float(c) for c in cost] == pytest.approx([float(c) for c in wanted], rel=1e-6)
    twice = here("import", "theirs.json", "--out", str(stored))
    assert twice.exit_code == 2
    assert "never overwritten" in twice.stderr


def test_import_says_it_in_json(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    for name in ("pyperf", "google-benchmark"):
        here("report", "run.jsonl", "--format", name, "--out", f"{name}.json")
    done = here("import", "pyperf.json", "google-benchmark.json", "--out", "made", "--json")
    items = json.loads(done.stdout)
    assert [item["run"] for item in items] == ["made/pyperf.jsonl", "made/google-benchmark.jsonl"]
    assert [item["samples"] for item in items] == [20, 20]
    assert all((here.folder / item["run"]).is_file() for item in items)


def test_one_bad_file_imports_nothing(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    here("report", "run.jsonl", "--format", "pyperf", "--out", "good.json")
    (here.folder / "bad.json").write_text('{"a": 1}')
    done = here("import", "good.json", "bad.json", "--out", "made")
    assert done.exit_code == 7
    assert "bad.json" in done.stderr
    assert not (here.folder / "made").exists()


def test_an_imported_run_cannot_go_on(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    here("report", "run.jsonl", "--format", "pyperf", "--out", "theirs.json")
    here("import", "theirs.json", "--out", "made.jsonl")
    before = (here.folder / "made.jsonl").read_bytes()
    done = here("run", "--resume", "made.jsonl")
    assert done.exit_code == 4, done.stderr
    assert "imported" in done.stderr
    assert (here.folder / "made.jsonl").read_bytes() == before


def test_import_of_our_own_run_says_so(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    done = here("import", "run.jsonl")
    assert done.exit_code == 7
    assert "is a run file already" in done.stderr


def google_file(path: Path, cost: float, **context: Any) -> None:
    """One process with three repetitions."""
    entries = [
        {"name": "BM", "repetition_index": i, "iterations": 10**6, "real_time": cost + i,
         "cpu_time": cost + i, "time_unit": "ns"}
        for i in range(3)
    ]  # fmt: skip
    path.write_text(json.dumps({"context": context, "benchmarks": entries}))


def test_files_together_are_processes_of_one_run(here: Here) -> None:
    names = [f"g{number}.json" for number in range(6)]
    for number, name in enumerate(names):
        google_file(here.folder / name, 100.0 + number)
    done = here("import", *names, "--together", "--out", "all.jsonl")
    assert done.exit_code == 0, done.stderr
    assert "1 benchmark of google-benchmark, 6 samples" in done.stdout
    assert "share a process" not in done.stderr
    table = here("report", "all.jsonl", "--format", "csv").stdout.splitlines()
    row = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    # A process gives the median of its repetitions, and six give an interval.
    assert [float(v) for v in row["values"].split()] == [101, 102, 103, 104, 105, 106]
    assert float(row["cost_low"]) == pytest.approx(101)


def test_pyperf_files_together_add_their_processes(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    here("report", "run.jsonl", "--format", "pyperf", "--out", "p.json")
    done = here("import", "p.json", "p.json", "--together", "--out", "all.jsonl", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)[0]["samples"] == 2 * 2 * 10
    lines = [json.loads(line) for line in (here.folder / "all.jsonl").read_text().splitlines()]
    mine = [line for line in lines if line.get("arm") == "mine"]
    assert sorted(sample["round"] for sample in mine) == [*range(20)]


def test_files_of_two_machines_are_no_processes_of_one_run(here: Here) -> None:
    google_file(here.folder / "a.json", 100, host_name="a")
    google_file(here.folder / "b.json", 100, host_name="b")
    done = here("import", "a.json", "b.json", "--together")
    assert done.exit_code == 4
    assert "different machines" in done.stderr
    assert here.runs() == []


def test_files_of_two_formats_are_no_processes_of_one_run(here: Here) -> None:
    write_run(here.folder / "run.jsonl", STEP)
    here("report", "run.jsonl", "--format", "pyperf", "--out", "p.json")
    google_file(here.folder / "g.json", 100)
    done = here("import", "p.json", "g.json", "--together")
    assert done.exit_code == 4
    assert "different formats" in done.stderr
