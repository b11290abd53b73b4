from __future__ import annotations

import pytest
from report_testing import samples
from report_testing.files import write_run

from loopgauge.harness.model import Event, Metric
from loopgauge.harness.store import RunFile, read_run
from loopgauge.harness.summary import ArmPromises, summarise
from loopgauge.reports.exports import field

TIMERS = ("timer.wait_for", "timer.reschedule", "throughput.sleep0")


@pytest.fixture
def file(tmp_path):
    return read_run(write_run(tmp_path / "run.jsonl", benchmarks=TIMERS))


def rows(text: str) -> dict[str, list[str]]:
    """The other cells by the first one."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines[1:]}


def void(file: RunFile, arm: str, name: str) -> None:
    reason = "CheckFailed: early"
    file.events.append(Event(event="invalid", arm=arm, benchmark=name, reason=reason))


def head(text: str) -> list[str]:
    return text.splitlines()[0].strip("| ").split(" | ")


def test_speed_stands_beside_promises_and_the_fastest_is_bold(file):
    run = summarise(file)
    run.promises = [
        ArmPromises(arm="epoll", known=True, must=100, must_failing=0),
        ArmPromises(arm="asyncio", known=True, must=100, must_failing=6),
        ArmPromises(arm="uvloop", known=False),
    ]
    text = field.families(run)
    assert head(text) == ["loop", "timer (2)", "throughput (1)", "MUST cases broken"]
    found = rows(text)
    assert found["epoll 0.23.0"][0].startswith("**0.20 (0.")
    assert found["epoll 0.23.0"][2] == "0 of 100"
    assert found["asyncio 0.23.0"] == ["1", "1", "6 of 100"]
    assert found["uvloop 0.23.0"][0].startswith("0.50 (0.")
    assert found["uvloop 0.23.0"][2] == "not asked"
    assert found["*asyncio against its copy*"] == [
        field.interval(run.families[0].aa),
        field.interval(run.families[1].aa),
        "",
    ]


def test_a_loop_without_some_benchmark_is_not_bold_and_says_how_many(file):
    void(file, "epoll", "timer.wait_for")
    found = rows(field.families(summarise(file)))
    assert found["epoll 0.23.0"][0].startswith("0.20")
    assert found["epoll 0.23.0"][0].endswith(", 1 of 2")
    assert found["uvloop 0.23.0"][0].startswith("**0.50")


def test_a_loop_that_did_nothing_right_has_no_ratio(file):
    for name in TIMERS:
        void(file, "epoll", name)
    assert rows(field.families(summarise(file)))["epoll 0.23.0"][0] == "0 of 2"


def test_absences_are_a_row_per_loop_and_reason(file):
    for name in TIMERS:
        file.events.append(Event(event="unsupported", arm="uvloop", benchmark=name, reason="no|pe"))
    void(file, "epoll", "timer.wait_for")
    found = rows(field.absences(summarise(file)))
    assert found["epoll, 1 of 3"] == ["timer.wait\\_for", "INVALID: early"]
    assert found["uvloop, 3 of 3"][1] == r"UNSUPPORTED: no\|pe"


def test_nothing_is_absent(file):
    assert field.absences(summarise(file)) == "Every loop has a valid figure in every benchmark."


def test_many_benchmarks_are_counted_by_family_and_broken_rules_named():
    arms = [samples.failed("talyn", "invalid", "breaks TIME-001") for _ in range(8)]
    for number, arm in enumerate(arms):
        arm.broken = ["TIME-001.early", "TIME-001.late", f"TASK-00{number}.x"]
    benchmarks = [samples.benchmark(f"timer.b{n}", [arm]) for n, arm in enumerate(arms)]
    text = field.absences(samples.run(benchmarks, arms=["talyn"]))
    assert "| talyn, 8 of 8 | 8 of timer | INVALID: breaks TIME-001 (8), " in text
    assert text.endswith("and 4 rules more |")


def test_noise_is_the_reference_against_its_copy(file):
    found = rows(field.noise(summarise(file)))
    assert found["timer"][0].endswith("of 2")
    assert found["timer"][1].endswith(" %")
    assert found["throughput"][3] == "throughput.sleep0"


def test_a_family_of_benchmarks_has_every_loop(file):
    text = field.benchmarks(summarise(file), "timer")
    assert head(text)[1:] == ["epoll 0.23.0", "asyncio 0.23.0", "uvloop 0.23.0"]
    assert {*rows(text)} >= {"timer.wait\\_for", "timer.reschedule"}
    assert "throughput" not in text


def test_memory_is_what_one_more_takes_and_nothing_where_nothing_was_looked_at(file):
    assert field.memory(summarise(file)) == ""
    for metric, unit, value in (("peak_rss", "byte", 1e7), ("rss", "byte/timer", 2048.0)):
        made = Metric(
            benchmark="timer.wait_for", arm="epoll", metric=metric, unit=unit, value=value
        )
        file.metrics.append(made)
    found = rows(field.memory(summarise(file)))
    assert found["timer.wait\\_for, per timer"][0] == "2.00 KiB"


def test_without_native_loops_there_is_no_table_of_them(file):
    assert field.natives(summarise(file)) == ""
