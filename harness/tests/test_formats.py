"""Files of pyperf and Google Benchmark: what is read, what is written, and back again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from manager_testing.records import run_of

from loopgauge.harness.errors import NotARunFile, TruncatedRun
from loopgauge.harness.formats import google_benchmark, pyperf, read_any, read_any_whole
from loopgauge.harness.model import Benchmark, Metric
from loopgauge.harness.store import RunFile, RunWriter
from loopgauge.harness.summary import ArmSummary, summarise

LATE = Benchmark(id="fake.late", scenario="fake.late", measure="value", unit="us")
TURNS = Benchmark(id="fake.turns", scenario="fake.turns", measure="value", unit="turns")
RATE = Benchmark(
    id="fake.rate", scenario="fake.rate", measure="value", direction="higher", unit="op/s"
)
WALL = Benchmark(id="fake.wall", scenario="fake.wall", measure="wall")
COSTS = {
    "asyncio": [1000.0, 1010.0, 990.0, 1005.0, 995.0, 1001.0, 1002.0],
    "fast": [500.0, 505.0, 495.0, 502.0, 498.0, 501.0, 499.0],
}


def arms(run: RunFile) -> dict[str, ArmSummary]:
    [benchmark] = summarise(run).benchmarks
    return {arm.arm: arm for arm in benchmark.arms}


def write(module: Any, run: RunFile, path: Path, **options: Any) -> Any:
    made = module.write(run, summarise(run), **options)
    path.write_text(made.text, encoding="utf-8")
    return made


def place(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


# Both formats, of our own runs


@pytest.mark.parametrize("module", [pyperf, google_benchmark], ids=["pyperf", "google"])
@pytest.mark.parametrize("what", [None, WALL, LATE], ids=["cpu", "wall", "value"])
def test_a_run_comes_back_with_its_figures(
    tmp_path: Path, module: Any, what: Benchmark | None
) -> None:
    run = run_of(COSTS, what)
    write(module, run, tmp_path / "x.json")
    back = read_any(tmp_path / "x.json")
    before, after = arms(run), arms(back)
    scale = 1000 if module is google_benchmark and what is LATE else 1  # a time, so in ns
    assert after.keys() == before.keys()
    for label, arm in after.items():
        assert arm.cost == pytest.approx(scale * before[label].cost, rel=1e-6)
        assert len(arm.values) == 7
    assert back.header.reference == "asyncio"
    assert back.header.imported
    [model], [original] = back.header.benchmarks, run.header.benchmarks
    assert model.id == original.id


@pytest.mark.parametrize("module", [pyperf, google_benchmark], ids=["pyperf", "google"])
def test_one_arm_alone_is_called_by_the_benchmark(tmp_path: Path, module: Any) -> None:
    run = run_of(COSTS)
    text = write(module, run, tmp_path / "x.json", alone=True).text
    assert f'"{run.header.benchmarks[0].id}"' in text
    assert f"{run.header.benchmarks[0].id}/" not in text


def test_what_pyperf_cannot_say_is_named(tmp_path: Path) -> None:
    rate = write(pyperf, run_of(COSTS, RATE), tmp_path / "x.json")
    assert rate.text == ""
    assert "more is better" in rate.left_out[0]
    none = write(pyperf, run_of({"asyncio": [0.0] * 6}, TURNS), tmp_path / "x.json")
    assert "not above zero" in none.left_out[0]


def test_google_benchmark_gets_counts_as_counters_and_aggregates(tmp_path: Path) -> None:
    run = run_of(COSTS)
    name = run.header.benchmarks[0].id
    run.metrics.append(
        Metric(benchmark=name, arm="fast", metric="instructions", unit="instruction/op", value=42)
    )
    write(google_benchmark, run, tmp_path / "x.json")
    entries = json.loads((tmp_path / "x.json").read_text())["benchmarks"]
    fast = [entry for entry in entries if entry["run_name"] == f"{name}/fast"]
    assert fast[0]["instructions"] == 42
    assert [e["aggregate_name"] for e in fast[7:]] == ["mean", "median", "stddev", "cv"]
    assert fast[8]["cpu_time"] == pytest.approx(500, rel=0.01)
    assert {entry["time_unit"] for entry in entries} == {"ns"}
    slow = [entry for entry in entries if entry["run_name"] == f"{name}/asyncio"]
    assert (slow[0]["family_index"], slow[0]["per_family_instance_index"]) == (0, 0)
    assert fast[0]["per_family_instance_index"] == 1


# pyperf's own files


def pyperf_suite(**metadata: Any) -> dict[str, Any]:
    runs = [{"metadata": {"calibrate_loops": 8}, "warmups": [[8, 1.1e-6]]}]
    runs += [{"values": [1e-6 + i * 1e-9, 1.1e-6], "warmups": [[512, 2e-6]]} for i in range(8)]
    return {
        "version": "1.0",
        "metadata": {
            "cpu_count": 4,
            "cpu_model_name": "Example CPU",
            "hostname": "host",
            "platform": "Linux-6.1.0-13-amd64-x86_64-with-glibc2.36",
            "python_version": "3.12.1 (64-bit)",
            "aslr": "Full randomization",
            "timer": "clock_gettime(CLOCK_MONOTONIC), resolution: 1.00 ns",
            **metadata,
        },
        "benchmarks": [{"metadata": {"name": "dumps", "loops": 512, "inner_loops": 10, "unit":
                                     "second"}, "runs": runs}],
    }  # fmt: skip


def test_a_pyperf_run_is_a_process(tmp_path: Path) -> None:
    run = read_any(place(tmp_path / "p.json", pyperf_suite()))
    assert len(run.samples) == 8  # the calibration is none
    assert [sample.round for sample in run.samples] == [*range(8)]
    assert run.samples[0].n == [5120, 5120]
    assert run.samples[0].wall_ns == [5120000, 5632000]
    [arm] = arms(run).values()
    assert (arm.arm, arm.loop) == ("pyperf", "pyperf")
    assert arm.cost == pytest.approx(1053.5, rel=0.005)
    assert run.header.benchmarks[0].measure == "wall"
    machine = run.header.environment.machine
    assert (machine.cpu_model, machine.cpus_logical, machine.aslr) == ("Example CPU", 4, "2")
    assert machine.kernel == "6.1.0-13-amd64"
    assert run.header.environment.interpreters["3.12"].libc == "glibc 2.36"


def test_what_a_file_does_not_tell_is_unknown_and_no_fault(tmp_path: Path) -> None:
    run = read_any(place(tmp_path / "p.json", pyperf_suite()))
    summary = summarise(run)
    assert str(summary.benchmarks[0].arms[0].process_ns) == "nan"
    assert summary.advisory
    assert not any("optimizations" in note for note in summary.notes)
    assert any("imported from pyperf" in note for note in summary.notes)


def test_a_name_for_what_was_measured(tmp_path: Path) -> None:
    run = read_any(place(tmp_path / "p.json", pyperf_suite()), loop="mine")
    assert [arm.loop for arm in run.header.arms] == ["mine"]


def test_short_times_keep_their_digits(tmp_path: Path) -> None:
    suite = pyperf_suite()
    suite["benchmarks"][0]["metadata"] = {"name": "tiny"}
    suite["benchmarks"][0]["runs"] = [{"values": [1.2345e-8]} for _ in range(6)]
    run = read_any(place(tmp_path / "p.json", suite))
    [arm] = arms(run).values()
    assert arm.cost == pytest.approx(12.345)
    assert run.header.benchmarks[0].unit == "ns per loop"


@pytest.mark.parametrize(("unit", "value"), [("byte", 4096), ("integer", 3)])
def test_other_units_of_pyperf_are_values(tmp_path: Path, unit: str, value: int) -> None:
    suite = pyperf_suite()
    suite["benchmarks"][0]["metadata"]["unit"] = unit
    suite["benchmarks"][0]["runs"] = [{"values": [value]} for _ in range(6)]
    run = read_any(place(tmp_path / "p.json", suite))
    [arm] = arms(run).values()
    assert (arm.cost, run.header.benchmarks[0].unit) == (pytest.approx(value), unit)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps(pyperf_suite()).encode()))
    assert len(read_any(path).samples) == 8
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(NotARunFile, match="cannot read"):
        read_any(path)


# Google Benchmark's own files


def entry(name: str = "BM_x", index: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 6,
        "repetition_index": index,
        "threads": 1,
        "iterations": 1000,
        "real_time": 2.0 + index / 100,
        "cpu_time": 1.0 + index / 100,
        "time_unit": "us",
        **more,
    }


def google(*entries: dict[str, Any], **context: Any) -> dict[str, Any]:
    facts = {"date": "2026-11-22T04:00:00+00:00", "host_name": "host", "num_cpus": 8,
             "executable": "./bm", "load_avg": [0.5], "library_version": "v1.9.5",
             "library_build_type": "release", "json_schema_version": 1}  # fmt: skip
    return {"context": {**facts, **context}, "benchmarks": list(entries)}


@pytest.mark.parametrize(
    ("name", "cost"),
    [("BM_x", 1025), ("BM_x/real_time", 2025), ("BM_x/process_time/manual_time/threads:2", 2025)],
)
def test_the_name_says_which_clock_counts(tmp_path: Path, name: str, cost: float) -> None:
    run = read_any(place(tmp_path / "g.json", google(*[entry(name, i) for i in range(6)])))
    [arm] = arms(run).values()
    assert (arm.arm, arm.cost) == ("google-benchmark", pytest.approx(cost, rel=0.001))
    assert run.header.benchmarks[0].id == name
    assert run.header.environment.machine.cpus_logical == 8
    assert any("share a process" in note for note in summarise(run).notes)


def test_aggregates_are_no_measurements(tmp_path: Path) -> None:
    mean = entry(run_type="aggregate", aggregate_name="mean")
    run = read_any(place(tmp_path / "g.json", google(entry(), mean)))
    assert len(run.samples) == 1
    with pytest.raises(NotARunFile, match="aggregates alone"):
        read_any(place(tmp_path / "g.json", google(mean)))


def test_errors_and_skips_are_events(tmp_path: Path) -> None:
    bad = entry("BM_bad", error_occurred=True, error_message="no socket")
    skipped = entry("BM_skip", skipped=True, skip_message="no root")
    run = read_any(place(tmp_path / "g.json", google(entry(), bad, skipped)))
    found = {b.id: (b.arms[0].status, b.arms[0].reason) for b in summarise(run).benchmarks}
    assert found["BM_x"] == ("ok", "")
    assert found["BM_bad"] == ("error", "no socket")
    assert found["BM_skip"] == ("unsupported", "no root")


def test_not_a_number_is_left_out_and_named(tmp_path: Path) -> None:
    text = json.dumps(google(entry(), entry(index=1, cpu_time=float("nan"))))
    assert "NaN" in text
    run = read_any(place(tmp_path / "g.json", text))
    assert len(run.samples) == 1
    assert any("no time that can be" in event.reason for event in run.events)


def test_a_debug_build_is_pointed_out(tmp_path: Path) -> None:
    run = read_any(place(tmp_path / "g.json", google(entry(), library_build_type="debug")))
    assert any("debug build" in note for note in summarise(run).notes)


# What is none of them


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("hello", "not a loopgauge run file"),
        ("[1, 2]", "not a loopgauge run file"),
        ("{", "not whole JSON"),
        ('{"a": 1}', "nor JSON of pyperf or Google Benchmark"),
        ('{"version": "4.0.0", "machine_info": {}, "benchmarks": []}', "nor JSON of pyperf"),
        ('{"version": "1.0", "benchmarks": []}', "no figures"),
        ('{"version": "1.0", "benchmarks": [{"runs": "x"}]}', r"benchmarks\[0\].runs"),
        ('{"context": {}, "benchmarks": [{"name": "x", "real_time": "1"}]}', "real_time"),
        ('{"context": {}, "benchmarks": []}', "no figures"),
        ('{"record": "header", "kind": "conformance", "schema": 1}', "not a loopgauge run file"),
    ],
)
def test_foreign_files_are_refused_with_the_reason(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(NotARunFile, match=words):
        read_any(place(tmp_path / "x.json", text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotARunFile, match=r"none\.json"):
        read_any(tmp_path / "none.json")


def test_our_own_runs_are_read_as_ever(tmp_path: Path) -> None:
    run = run_of(COSTS)
    path = tmp_path / "run.jsonl"
    with RunWriter(path) as writer:
        writer.append([run.header, *run.samples])
    assert len(read_any(path).samples) == 14
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(TruncatedRun):
        read_any(path)
    whole, problem = read_any_whole(path)
    assert (len(whole.samples), "is not whole" in problem) == (13, True)


@pytest.mark.parametrize("module", [pyperf, google_benchmark], ids=["pyperf", "google"])
def test_files_cut_anywhere_never_raise_anything_else(tmp_path: Path, module: Any) -> None:
    run = run_of(COSTS)
    text = module.write(run, summarise(run)).text
    for end in range(0, len(text) - 3, len(text) // 60):
        with pytest.raises(NotARunFile):
            read_any(place(tmp_path / "x.json", text[:end]))


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": float("nan")},
        {"iterations": 0},
        {"cpu_time": 1e300},
        {"cpu_time": float("inf")},
        {"time_unit": "fortnight"},
        {"cpu_time": None},
    ],
)
def test_figures_that_cannot_be_are_left_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = read_any(place(tmp_path / "g.json", google(entry(), entry(index=1, **changes))))
    assert [sample.round for sample in run.samples] == [0]
    assert any("left out" in event.reason for event in run.events)


@pytest.mark.parametrize("load", [float("nan"), -1, "x", {}])
def test_circumstances_that_make_no_sense_are_unknown(tmp_path: Path, load: Any) -> None:
    run = read_any(place(tmp_path / "p.json", pyperf_suite(load_avg_1min=load, cpu_count="many")))
    assert run.header.environment.load.load_1m == 0
    assert run.header.environment.machine.cpus_logical == 0
    assert len(run.samples) == 8
