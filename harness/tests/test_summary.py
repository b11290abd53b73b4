from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from manager_testing.records import run_of, sample

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.model import Benchmark, Event
from loopgauge.harness.pairing import SampleIndex, log_ratios
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, summarise

NOISE = [1.0, 1.002, 0.998, 1.001, 0.999, 1.0015, 0.9985, 1.0]


def costs(**factors: float) -> dict[str, list[float]]:
    """Eight processes: all arms share a drift of 20 %, each has its own small noise."""
    drift = np.linspace(1.0, 1.2, 8)
    names = {"aa": "asyncio~aa"}
    return {
        names.get(name, name): list(1000 * factor * drift * np.roll(NOISE, i))
        for i, (name, factor) in enumerate(factors.items())
    }


def only(run: Any, **options: Any) -> tuple[BenchmarkSummary, dict[str, ArmSummary]]:
    [benchmark] = summarise(run, **options).benchmarks
    return benchmark, {arm.arm: arm for arm in benchmark.arms}


def test_ratios_verdicts_and_ranks() -> None:
    benchmark, arms = only(run_of(costs(asyncio=1, fast=0.5, slow=1.3, even=1.0, aa=1)))
    assert {name: arm.verdict for name, arm in arms.items()} == {
        "asyncio": "reference",
        "fast": "faster",
        "slow": "slower",
        "even": "equivalent",
        "asyncio~aa": "equivalent",
    }
    fast = arms["fast"].ratio
    assert fast is not None
    assert fast.estimate == pytest.approx(0.5, rel=0.003)
    assert fast.low < fast.estimate < fast.high
    assert fast.sign_low <= fast.low
    assert fast.n == 8
    assert benchmark.fastest == ["fast"]


def test_the_winner_is_held_against_the_runner_up() -> None:
    _, arms = only(run_of(costs(asyncio=1, first=0.5, second=0.6, aa=1)))
    assert arms["first"].to_fastest is not None
    assert arms["first"].to_fastest.estimate == pytest.approx(0.5 / 0.6, rel=0.003)
    assert arms["second"].to_fastest is not None
    assert arms["second"].to_fastest.estimate == pytest.approx(0.6 / 0.5, rel=0.003)


def test_arms_that_are_not_separated_share_the_first_place() -> None:
    benchmark, _ = only(run_of(costs(asyncio=1, first=0.5, second=0.5, third=0.6, aa=1)))
    assert set(benchmark.fastest) == {"first", "second"}


def test_the_twin_never_wins() -> None:
    benchmark, arms = only(run_of(costs(asyncio=1, slow=1.5, aa=0.9)))
    assert benchmark.fastest == ["asyncio"]
    assert arms["asyncio"].to_fastest is not None
    assert arms["asyncio"].to_fastest.estimate < 1


def test_the_drift_of_the_machine_is_not_in_the_ratio() -> None:
    _, arms = only(run_of(costs(asyncio=1, fast=0.5, aa=1)))
    assert arms["fast"].cost_high / arms["fast"].cost_low > 1.05
    assert arms["fast"].ratio is not None
    assert arms["fast"].ratio.high / arms["fast"].ratio.low < 1.01


def test_where_more_is_better_the_quotient_is_turned_round() -> None:
    rate = Benchmark(
        id="fake.rate", scenario="fake.rate", measure="value", direction="higher", unit="op/s"
    )
    benchmark, arms = only(run_of(costs(asyncio=1, fast=2.0, aa=1), rate))
    assert arms["fast"].ratio is not None
    assert arms["fast"].ratio.estimate == pytest.approx(0.5, rel=0.003)
    assert arms["fast"].cost > arms["asyncio"].cost
    assert arms["fast"].verdict == "faster"
    assert benchmark.fastest == ["fast"]


def test_values_of_zero_have_a_cost_and_no_ratio() -> None:
    turns = Benchmark(id="fake.turns", scenario="fake.turns", measure="value", unit="turn")
    given = {"asyncio": [0.0] * 8, "late": [3.0] * 8, "asyncio~aa": [0.0] * 8}
    benchmark, arms = only(run_of(given, turns))
    assert arms["asyncio"].cost == 0.0
    assert arms["late"].cost == pytest.approx(3.0)
    assert arms["late"].ratio is None
    assert arms["late"].verdict == ""
    assert benchmark.fastest[0] == "asyncio"


@pytest.mark.parametrize(("measure", "field"), [("cpu", "process_ns"), ("wall", "wall_ns")])
def test_each_measure_reads_its_own_clock(measure: Any, field: str) -> None:
    run = run_of(costs(asyncio=1, aa=1), Benchmark(id="x", scenario="x", measure=measure))
    for entry in run.samples:
        setattr(entry, field, [7 * total for total in getattr(entry, field)])
    _, arms = only(run)
    assert arms["asyncio"].cost == pytest.approx(7 * 1100, rel=0.02)


def test_helper_threads_are_pointed_out() -> None:
    run = run_of(costs(asyncio=1, threaded=1, aa=1))
    for entry in run.samples:
        if entry.arm == "threaded":
            entry.thread_ns = [round(total / 1.05) for total in entry.thread_ns]
    _, arms = only(run)
    assert arms["threaded"].helper_gap == pytest.approx(0.05, rel=0.01)
    assert arms["threaded"].helper_flag
    assert not arms["asyncio"].helper_flag


def test_blocks_are_paired_inside_a_process() -> None:
    """Block by block the ratio is 2; the medians over unequal blocks would say otherwise."""
    index = SampleIndex(
        [
            sample("asyncio", 0, [100, 200, 300]),
            sample("x", 0, [400, 600], block=[1, 2], slot=[1, 2]),
        ]
    )
    logs = log_ratios(index, Benchmark(id="fake.work", scenario="w"), "x", "asyncio")
    assert logs is not None
    assert logs == pytest.approx([math.log(2)])


def test_processes_are_paired_by_round() -> None:
    index = SampleIndex(
        [
            sample("asyncio", 0, [100, 100, 900], process=1),
            sample("x", 0, [250, 50, 250], process=2),
            sample("x", 1, [1, 1, 1], process=3),  # has no partner
        ]
    )
    logs = log_ratios(index, Benchmark(id="fake.work", scenario="w"), "x", "asyncio")
    assert logs == pytest.approx([math.log(2.5)])


def test_a_sample_that_was_measured_again_counts_once() -> None:
    index = SampleIndex([sample("x", 0, [5, 5]), sample("x", 0, [7, 7], process=9)])
    assert [s.process for s in index.samples("fake.work", "x")] == [9]


def test_few_processes_give_no_verdict() -> None:
    few = {name: values[:5] for name, values in costs(asyncio=1, fast=0.5, aa=1).items()}
    _, arms = only(run_of(few))
    assert arms["fast"].ratio is not None
    assert (arms["fast"].ratio.low, arms["fast"].ratio.high) == (0.0, math.inf)
    assert arms["fast"].verdict == "inconclusive"


# --- who takes part


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Event(event="unsupported", arm="odd", benchmark="fake.work", reason="why"), "unsupported"),
        (Event(event="invalid", arm="odd", benchmark="fake.work", reason="why"), "invalid"),
        (Event(event="unavailable", arm="odd", reason="why"), "unavailable"),
        (
            Event(event="crash", arm="odd", benchmark="fake.work", reason="why", final=True),
            "crashed",
        ),
        (Event(event="hang", arm="odd", benchmark="fake.work", reason="why", final=True), "hung"),
    ],
)
def test_what_does_not_count_has_no_figures(event: Event, status: str) -> None:
    run = run_of(costs(asyncio=1, odd=0.1, aa=1), events=[event])
    benchmark, arms = only(run)
    odd = arms["odd"]
    assert (odd.status, odd.reason) == (status, "why")
    assert odd.ratio is None
    assert odd.to_fastest is None
    assert odd.values == []
    assert math.isnan(odd.cost)
    assert benchmark.fastest == ["asyncio"]


def test_a_death_that_was_survived_is_no_status() -> None:
    event = Event(event="crash", arm="odd", benchmark="fake.work", reason="once")
    _, arms = only(run_of(costs(asyncio=1, odd=0.5, aa=1), events=[event]))
    assert arms["odd"].status == "ok"


def test_without_a_reference_there_are_costs_and_ranks() -> None:
    event = Event(event="invalid", arm="asyncio", benchmark="fake.work", reason="broken")
    benchmark, arms = only(run_of(costs(asyncio=1, a=0.5, b=0.6, aa=1), events=[event]))
    assert arms["a"].ratio is None
    assert arms["a"].cost < arms["b"].cost
    assert benchmark.fastest == ["a"]
    assert benchmark.aa is None


def test_another_reference() -> None:
    _, arms = only(run_of(costs(asyncio=1, fast=0.5, aa=1)), reference="fast")
    assert arms["fast"].verdict == "reference"
    assert arms["asyncio"].verdict == "slower"
    with pytest.raises(NothingToMeasure, match="fast"):
        summarise(run_of(costs(asyncio=1, fast=0.5, aa=1)), reference="nobody")


# --- whether it may be believed


def test_a_good_self_check() -> None:
    summary = summarise(run_of(costs(asyncio=1, aa=1.002)))
    assert summary.aa_ok
    assert not summary.advisory
    assert summary.self_check.endswith(": fake.work)")


def test_an_a_a_ratio_outside_the_margin_makes_the_run_advisory() -> None:
    summary = summarise(run_of(costs(asyncio=1, fast=0.5, aa=1.02)))
    assert not summary.benchmarks[0].aa_ok
    assert summary.advisory
    assert "advisory" in summary.self_check


def test_a_value_fails_the_self_check_only_if_a_difference_is_called() -> None:
    late = Benchmark(id="fake.late", scenario="fake.late", measure="value", unit="us")
    spread = {
        "asyncio": [5.0, 50, 8, 20, 11, 90, 30, 6],
        "asyncio~aa": [45.0, 9, 90, 13, 60, 10, 7, 120],
    }
    summary = summarise(run_of(spread, late))
    assert summary.aa_ok
    assert "fake.late, whose interval reaches into the margin)" in summary.self_check
    assert not summarise(run_of(costs(asyncio=1, aa=1.5), late)).aa_ok


def test_a_run_without_self_check_is_advisory() -> None:
    assert summarise(run_of(costs(asyncio=1, fast=0.5))).advisory


def test_an_unfinished_run_says_so() -> None:
    summary = summarise(run_of(costs(asyncio=1, aa=1), complete=False))
    assert not summary.complete
    assert any("--resume" in note for note in summary.notes)


def test_a_change_of_process_wide_state_that_is_nobodys_is_said() -> None:
    changed = Event(event="poison", process=3, reason="gc.isenabled() changed from True to False")
    summary = summarise(run_of(costs(asyncio=1, aa=1), events=[changed]))
    assert any("in 1 shared process " in note and "gc.isenabled" in note for note in summary.notes)
    blamed = Event(event="poison", process=3, arm="aa", reason=changed.reason)
    assert not summarise(run_of(costs(asyncio=1, aa=1), events=[blamed])).notes


# --- many benchmarks


def test_at_full_a_call_has_to_survive_holm() -> None:
    """Eight processes cannot give a p small enough for forty benchmarks; sixteen can."""
    for processes, expected in ((8, "inconclusive"), (16, "faster")):
        given = {
            name: (values * 2)[:processes]
            for name, values in costs(asyncio=1, fast=0.97, aa=1).items()
        }
        one = run_of(given, Benchmark(id="b0", scenario="b"), setting="full")
        for number in range(1, 40):
            other = run_of(given, Benchmark(id=f"b{number}", scenario="b"))
            one.header.benchmarks += other.header.benchmarks
            one.samples += other.samples
        verdicts = {b.arms[1].verdict for b in summarise(one).benchmarks}
        assert verdicts == {expected}


def test_a_quick_run_keeps_its_calls() -> None:
    one = run_of(costs(asyncio=1, fast=0.5, aa=1), setting="quick")
    assert summarise(one).benchmarks[0].arms[1].verdict == "faster"
