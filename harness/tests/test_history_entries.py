"""From run files, gates and folders to what the history keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing.records import run_of

from loopgauge.harness.errors import NotARunFile, TruncatedRun
from loopgauge.harness.gate.model import GateHeader, Settings, Side
from loopgauge.harness.gate.store import append
from loopgauge.harness.history.entries import Context, entries_of, stored_run
from loopgauge.harness.history.model import Entry, Query, StoredRun
from loopgauge.harness.history.reading import continued, known, read, sources
from loopgauge.harness.history.sqlite import open_history
from loopgauge.harness.model import Benchmark, Event, Interpreter, Metric
from loopgauge.harness.store import RunFile, RunWriter
from loopgauge.harness.summary import figures_of, summarise

COSTS = {
    "asyncio": [1000.0, 1010.0, 990.0, 1005.0, 995.0, 1001.0, 1002.0],
    "fast": [500.0, 505.0, 495.0, 502.0, 498.0, 501.0, 499.0],
    "asyncio~aa": [1001.0, 1009.0, 991.0, 1004.0, 996.0, 1000.0, 1003.0],
}
CREATED = "2026-11-21T12:00:00Z"


def made(costs: dict[str, list[float]] = COSTS, *args: Any, **fields: Any) -> RunFile:
    return run_of(costs, *args, **{"created": CREATED, **fields})


def write(path: Path, run: RunFile) -> Path:
    with RunWriter(path) as writer:
        writer.append([run.header, *run.samples, *run.metrics, *run.events, *run.ends])
    return path


def figures(run: StoredRun) -> dict[tuple[str, str], Entry]:
    return {(entry.arm, entry.series.metric): entry for entry in run.entries}


def test_costs_and_ratios_with_their_intervals() -> None:
    run = stored_run(made(), b"data", commit="abc")
    found = figures(run)
    assert found.keys() == {("asyncio", "cost"), ("fast", "cost"), ("fast", "ratio")}
    ratio = found["fast", "ratio"]
    assert ratio.value == pytest.approx(0.5, rel=0.01)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < ratio.value < ratio.high
    assert (ratio.processes, ratio.commit, ratio.series.against) == (7, "abc", "asyncio")
    assert found["fast", "cost"].value == pytest.approx(500, rel=0.01)
    assert found["fast", "cost"].series.unit == "ns/op"
    assert (run.created, run.size, run.kind) == (CREATED, 4, "run")


def test_too_few_processes_have_no_interval() -> None:
    few = {arm: costs[:3] for arm, costs in COSTS.items()}
    ratio = figures(stored_run(made(few), b""))["fast", "ratio"]
    assert ratio.value is not None
    assert (ratio.low, ratio.high) == (None, None)


def test_a_value_keeps_its_unit_and_direction() -> None:
    rate = Benchmark(
        id="fake.rate", scenario="fake.rate", measure="value", direction="higher", unit="op/s"
    )
    found = figures(stored_run(made(COSTS, rate), b""))
    cost, ratio = found["fast", "cost"].series, found["fast", "ratio"].series
    assert (cost.unit, cost.direction) == ("op/s", "higher")
    assert ratio.direction == "lower", "a ratio is one of costs, whatever the value"


def test_what_was_counted() -> None:
    run = made()
    run.metrics = [
        Metric(benchmark="fake.work", arm="fast", metric="instructions",
               unit="instruction/op", value=4255.0)
    ]  # fmt: skip
    entry = figures(stored_run(run, b""))["fast", "instructions"]
    assert (entry.value, entry.series.unit) == (4255.0, "instruction/op")


def test_a_crash_is_an_event_of_a_loops_life_and_its_absence_is_none() -> None:
    crash = Event(event="crash", benchmark="fake.work", arm="fast", reason="SIGSEGV", final=True)
    found = figures(stored_run(made(COSTS, None, [crash]), b""))
    assert found["fast", "ratio"].status == "crashed"
    assert found["fast", "ratio"].value is None
    absent = made()
    absent.header.arms[1].available = False
    absent.samples = [sample for sample in absent.samples if sample.arm != "fast"]
    assert {arm for arm, _ in figures(stored_run(absent, b""))} == {"asyncio"}


def test_the_asyncio_of_another_python_is_another_yardstick() -> None:
    run = made()
    python = Interpreter(executable="python", version="4", optimized=True)
    run.header.environment.interpreters["4"] = python
    run.header.arms[1].python = "4"
    series = figures(stored_run(run, b""))["fast", "ratio"].series
    assert series.against == "asyncio@3"
    assert series.machine.python == "4"


CRASH = Event(event="crash", benchmark="fake.work", arm="fast", reason="SIGSEGV", final=True)
RATE = Benchmark(
    id="fake.rate", scenario="fake.rate", measure="value", direction="higher", unit="op/s"
)
FLOOR = Benchmark(id="io.echo", scenario="io.echo", unit="message", floor=True, measure="wall")


@pytest.mark.parametrize(
    "run",
    [
        made(),
        made({arm: costs[:3] for arm, costs in COSTS.items()}),
        made({arm: COSTS[arm] for arm in ("asyncio", "fast")}),
        made({**COSTS, "fast": [-1.0, *COSTS["fast"][1:]]}, RATE),
        made(COSTS, RATE),
        made(COSTS, None, [CRASH]),
        made({"floor": [90.0] * 7, **COSTS}, FLOOR),
        made({**COSTS, "asyncio~aa": [2000.0] * 7}),
    ],
)
def test_the_short_way_to_the_figures_leads_to_the_same(run: RunFile) -> None:
    whole, short = summarise(run), figures_of(run)
    assert short.advisory == whole.advisory
    context = Context(run.header, "", {})
    kept = [[*entries_of(one, context)] for found in (whole, short) for one in found.benchmarks]
    assert kept[0] == kept[1]
    assert len(kept) == 2
    assert kept[0]


@pytest.mark.parametrize(
    ("created", "kept"),
    [
        ("2026-11-21T13:00:00+01:00", CREATED),
        ("2026-11-21T12:00:00.123456Z", CREATED),
        ("2026-11-21T12:00:00", CREATED),
    ],
)
def test_times_sort_as_text(created: str, kept: str) -> None:
    assert stored_run(made(created=created), b"").created == kept


def test_a_header_without_a_time_is_refused() -> None:
    with pytest.raises(NotARunFile, match="'now' where the time should be"):
        stored_run(made(created="now"), b"")


# Files


def test_a_file_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", made())
    history = open_history(tmp_path / "h.sqlite", create=True)
    assert not known(path, history)
    assert history.add(read(path)) == ["added"]
    assert known(path, history)
    assert history.add(read(path)) == ["known"]


def test_a_run_that_was_resumed_replaces_itself(tmp_path: Path) -> None:
    whole = made()
    first = made({arm: costs[:3] for arm, costs in COSTS.items()}, complete=False)
    path = write(tmp_path / "run.jsonl", first)
    history = open_history(tmp_path / "h.sqlite", create=True)
    history.add(read(path))
    kept = {id(sample) for sample in whole.samples if sample.round >= 3}
    with RunWriter(path) as writer:
        writer.append([s for s in whole.samples if id(s) in kept])
        writer.append(whole.ends)
    assert not known(path, history)
    assert history.add(continued(run, path, history) for run in read(path)) == ["grown"]
    [series] = history.series(Query(metrics=["ratio"]))
    assert [(point.processes, point.complete) for point in series.points] == [(7, True)]


def test_another_run_of_the_same_name_is_not_taken_for_it(tmp_path: Path) -> None:
    history = open_history(tmp_path / "h.sqlite", create=True)
    history.add(read(write(tmp_path / "a.jsonl", made())))
    other = write(tmp_path / "b.jsonl", made(COSTS, seed=2))
    assert history.add(continued(run, other, history) for run in read(other)) == ["differs"]


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", made())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TruncatedRun):
        read(path)


def test_foreign_files_of_one_name_are_different_runs(tmp_path: Path) -> None:
    document = {
        "context": {"date": "2026-11-21T12:00:00+00:00", "num_cpus": 2, "mhz_per_cpu": 1},
        "benchmarks": [
            {"name": "work", "run_type": "iteration", "iterations": 10, "real_time": 5.0,
             "cpu_time": 5.0, "time_unit": "ns", "repetition_index": n, "repetitions": 2}
            for n in range(2)
        ],
    }  # fmt: skip
    history = open_history(tmp_path / "h.sqlite", create=True)
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        document["context"]["mhz_per_cpu"] = number
        (folder / "out.json").write_bytes(msgspec.json.encode(document))
        assert history.add(read(folder / "out.json")) == ["added"]


def gate_in(folder: Path) -> Path:
    side = {"origin": "revision", "loop": "my:loop", "executable": "python"}
    header = GateHeader(
        gate="g1", created=CREATED, seed=1, settings=Settings(),
        base=Side(name="base", given="main", commit="aaa", content="c1", **side),
        head=Side(name="head", given="HEAD", commit="bbb", content="c2", **side),
    )  # fmt: skip
    append(folder, header)
    return folder


def test_a_gate_gives_both_sides_with_their_commits(tmp_path: Path) -> None:
    folder = gate_in(tmp_path / "gate")
    costs = {"base": COSTS["asyncio"], "head": COSTS["fast"], "base~aa": COSTS["asyncio~aa"]}
    timing = made(costs, run="timing", reference="base")
    timing.header.arms[0].role = "reference"
    timing.header.arms[2].role = "aa"
    write(folder / "timing.jsonl", timing)
    write(folder / "counts-again.jsonl", timing)
    [run] = read(folder)
    assert (run.run, run.kind) == ("g1/timing", "gate")
    found = figures(run)
    assert found.keys() == {("base", "cost"), ("head", "cost"), ("head", "ratio")}
    assert {key: entry.commit for key, entry in found.items()} == {
        ("base", "cost"): "aaa",
        ("head", "cost"): "bbb",
        ("head", "ratio"): "bbb",
    }
    assert found["head", "ratio"].series.against == "base"
    assert {entry.series.loop for entry in run.entries} == {"my:loop"}
    history = open_history(tmp_path / "h.sqlite", create=True)
    assert history.add([run]) == ["added"]
    assert known(folder, history)


def test_a_gate_that_measured_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARunFile, match="nothing yet"):
        read(gate_in(tmp_path / "gate"))


def test_what_a_folder_holds(tmp_path: Path) -> None:
    run = write(tmp_path / "runs" / "b.jsonl", made())
    gate = gate_in(tmp_path / "gates" / "one")
    write(gate / "timing.jsonl", made())
    (tmp_path / "runs" / "empty.jsonl").touch()
    (tmp_path / "verdicts.jsonl").write_text('{"record": "header", "kind": "conformance"}\n')
    foreign = tmp_path / "runs" / "a.jsonl"
    foreign.write_text("hello\n")
    assert [*sources([tmp_path])] == [gate, foreign, run]
    assert [*sources([gate / "gate.jsonl", tmp_path / "missing"])] == [gate, tmp_path / "missing"]
