"""One figure per family: of what, with which interval, and who is not ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from manager_testing.records import header, sample

from loopgauge.harness.families import FamilyArm, FamilySummary, family_of, kind_of, lead_of
from loopgauge.harness.model import Benchmark, End, Event, Sample
from loopgauge.harness.ratio import Ratio, ratio_of
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import RunSummary, summarise

ROUNDS = 8
LOOPS = ("asyncio", "fast", "gappy", "asyncio~aa")


def bench(name: str, **fields: Any) -> Benchmark:
    return Benchmark(**{"id": name, "scenario": name.partition("[")[0], **fields})


def run_of(
    costs: Mapping[str, Mapping[str, float]],
    benchmarks: Sequence[Benchmark] | None = None,
    rounds: Mapping[tuple[str, str], Sequence[int]] | None = None,
    **fields: Any,
) -> RunFile:
    """`costs`: by benchmark and loop, in ns per operation. Who has none is INVALID there. In round
    n everything costs 1 % more than in the round before. `rounds`: of a benchmark and loop, where
    not all were measured."""
    known = list(benchmarks or map(bench, costs))
    samples: list[Sample] = []
    events: list[Event] = []
    for number, benchmark in enumerate(known):
        for arm in LOOPS:
            if arm not in costs[benchmark.id]:
                events.append(Event(event="invalid", benchmark=benchmark.id, arm=arm, reason="no"))
                continue
            for at in (rounds or {}).get((benchmark.id, arm), range(ROUNDS)):
                cost = costs[benchmark.id][arm] * 1.01**at
                of_value = {"value": [cost] * 4} if benchmark.measure == "value" else {}
                process = 100 * number + at + 1
                samples.append(
                    sample(arm, at, [cost] * 4, benchmark.id, process=process, **of_value)
                )
    head = header(LOOPS, known, **fields)
    return RunFile(
        path=Path("run.jsonl"), header=head, samples=samples, events=events, ends=[End(utc="now")]
    )


def family(summary: RunSummary, name: str = "timer") -> FamilySummary:
    [found] = [one for one in summary.families if one.family == name]
    return found


def test_the_figure_is_the_geometric_mean() -> None:
    run = run_of(
        {
            "timer.a": {"asyncio": 1000, "fast": 500, "gappy": 1000, "asyncio~aa": 1000},
            "timer.b": {"asyncio": 8000, "fast": 1000, "gappy": 8000, "asyncio~aa": 8000},
            "io.c": {"asyncio": 1000, "fast": 2000, "gappy": 1000, "asyncio~aa": 1000},
        }
    )
    found = summarise(run)
    assert [one.family for one in found.families] == ["timer", "io"]
    timer = family(found)
    by_arm = {arm.arm: arm for arm in timer.arms}
    assert list(by_arm) == ["asyncio", "fast", "gappy"]
    assert by_arm["fast"].ratio is not None
    assert by_arm["fast"].ratio.estimate == pytest.approx(math.sqrt(0.5 * 0.125), rel=1e-4)
    assert by_arm["fast"].ratio.n == ROUNDS
    assert by_arm["fast"].verdict == "faster"
    assert by_arm["asyncio"].verdict == "reference"
    assert by_arm["gappy"].verdict == "equivalent"
    assert timer.fastest == ["fast"]
    assert timer.aa is not None
    assert timer.aa.estimate == pytest.approx(1)
    io = family(found, "io")
    assert io.fastest == ["asyncio", "gappy"]


def test_who_lacks_a_figure_is_not_ranked() -> None:
    """By the one benchmark it has, `gappy` would lead: it is the fastest there."""
    run = run_of(
        {
            "timer.a": {"asyncio": 1000, "fast": 500, "gappy": 250, "asyncio~aa": 1000},
            "timer.b": {"asyncio": 1000, "fast": 500, "asyncio~aa": 1000},
        }
    )
    timer = family(summarise(run))
    gappy = next(arm for arm in timer.arms if arm.arm == "gappy")
    assert timer.fastest == ["fast"]
    assert (gappy.measured, gappy.asked, gappy.missing) == (1, 2, ["timer.b"])
    assert not gappy.complete
    assert gappy.ratio is not None
    assert gappy.ratio.estimate == pytest.approx(0.25, rel=1e-4)
    assert gappy.to_fastest is not None  # over timer.a, which both have
    assert gappy.to_fastest.estimate == pytest.approx(0.5, rel=1e-4)


def test_what_the_reference_lacks_is_held_against_nobody() -> None:
    run = run_of(
        {
            "timer.a": {"asyncio": 1000, "fast": 500, "gappy": 800, "asyncio~aa": 1000},
            "timer.b": {"fast": 500},
        }
    )
    timer = family(summarise(run))
    assert timer.benchmarks == ["timer.a", "timer.b"]
    assert timer.compared == ["timer.a"]
    assert timer.fastest == ["fast"]
    assert all(arm.asked == 1 and not arm.missing for arm in timer.arms)


def test_nothing_valid_makes_no_figure() -> None:
    timer = family(summarise(run_of({"timer.a": {"fast": 500}})))
    assert timer.fastest == []
    assert all(arm.ratio is None and arm.verdict == "" for arm in timer.arms)


def test_costs_and_waits_are_not_mixed() -> None:
    costs = {"asyncio": 1000.0, "fast": 500.0, "gappy": 1000.0, "asyncio~aa": 1000.0}
    kinds = [
        bench("timer.cost"),
        bench("timer.wall", measure="wall"),
        bench("timer.share", measure="value", unit="ns per timer"),
        bench("timer.late", measure="value", unit="us"),
        bench("timer.memory", measure="value", unit="bytes"),
        bench("timer.turns", measure="value", unit="turns"),
    ]
    found = summarise(run_of({kind.id: costs for kind in kinds}, kinds))
    assert [kind_of(kind) for kind in kinds] == ["cost", "cost", "cost", "wait", None, None]
    assert [one.benchmarks for one in found.families] == [
        ["timer.cost", "timer.wall", "timer.share"]
    ]
    assert [(one.kind, one.benchmarks) for one in found.waits] == [("wait", ["timer.late"])]


def test_a_round_counts_where_all_benchmarks_have_it() -> None:
    costs = {"asyncio": 1000.0, "fast": 500.0, "gappy": 900.0, "asyncio~aa": 1000.0}
    run = run_of(
        {"timer.a": costs, "timer.b": costs},
        rounds={("timer.a", "fast"): range(6), ("timer.b", "fast"): range(2, ROUNDS)},
    )
    fast = next(arm for arm in family(summarise(run)).arms if arm.arm == "fast")
    assert fast.ratio is not None
    assert fast.ratio.n == 4
    assert fast.ratio.low == 0  # too few for an interval
    assert fast.verdict == "inconclusive"


def test_a_full_run_holds_the_error_over_families() -> None:
    """With 6 rounds the least possible p is 1/32: called alone, and not among eight families."""
    costs = {"asyncio": 1000.0, "fast": 500.0, "gappy": 1000.0, "asyncio~aa": 1000.0}
    names = [f"family{number}.a" for number in range(8)]
    rounds = {(name, "fast"): range(6) for name in names}
    for setting, verdict in (("quick", "faster"), ("full", "inconclusive")):
        found = summarise(run_of(dict.fromkeys(names, costs), rounds=rounds, setting=setting))
        assert {one.arms[1].verdict for one in found.families} == {verdict}


def test_how_sure_the_lead_is() -> None:
    """Constant costs have intervals of no width: what is named first is separated."""

    def lead(advisory: bool = False, rounds: int = ROUNDS, **costs: float) -> str:
        of = {"asyncio": 1000.0, "asyncio~aa": 1000.0, **costs}
        found = run_of({"timer.a": of}, rounds={("timer.a", name): range(rounds) for name in of})
        timer = family(summarise(found))
        return lead_of(timer, 0.01, advisory=advisory)

    assert lead(fast=500, gappy=600) == "clear"
    assert lead(fast=500, gappy=502) == "slight"
    assert lead(fast=500, gappy=500) == "shared"
    assert lead(fast=500, gappy=600, rounds=5) == "unknown"
    assert lead() == "alone"
    off = {"asyncio~aa": 1100.0}
    assert lead(advisory=True, **off, fast=500, gappy=540) == "noise"
    assert lead(advisory=True, **off, fast=500, gappy=600) == "clear"


@pytest.mark.parametrize(
    ("scenario", "family"),
    [
        ("timer.wait_for", "timer"),
        ("pytest:tests/test_feed.py::test_parse", "pytest"),
        ("BM_memcpy/8", "other"),
    ],
)
def test_the_family_is_the_first_word(scenario: str, family: str) -> None:
    assert family_of(scenario) == family


def test_the_interval_holds_what_it_promises() -> None:
    """4 000 simulated runs of nine benchmarks and eight processes. Benchmarks differ in their true
    ratio and in their noise, and the processes have noise in common (a lucky layout): the mean over
    benchmarks is one number per process, so the interval must hold the mean of the true
    log-ratios in at least 95 % of the runs. The exact level at eight processes is 96.1 %, and
    4 000 runs leave ±0.9 % (three standard errors)."""
    draw = np.random.default_rng(20261122)
    true = draw.uniform(-2, 0.5, 9)
    noise = draw.uniform(0.002, 0.05, 9)
    held = 0
    for _ in range(4000):
        common = draw.normal(0, 0.02, (8, 1))
        logs = true + common + draw.standard_t(4, (8, 9)) * noise
        found = ratio_of(logs.mean(axis=1))
        held += found.low <= math.exp(true.mean()) <= found.high
    assert 0.952 <= held / 4000 <= 0.970


def test_a_lead_over_who_shared_no_round_is_not_known() -> None:
    arms = [family_arm("epoll", 0.2, None), family_arm("uvloop", 0.4, None)]
    assert lead_of(family_of_two(arms), 0.01, advisory=False) == "unknown"


def test_a_copy_without_an_interval_is_noise_without_an_end() -> None:
    endless = Ratio(estimate=1.05, low=0, high=math.inf, sign_low=0, sign_high=math.inf, n=3)
    arms = [family_arm("epoll", 0.2, 0.5), family_arm("uvloop", 0.4, 2.0)]
    found = family_of_two(arms)
    found.aa = endless
    assert lead_of(found, 0.01, advisory=True) == "noise"
    assert lead_of(found, 0.01, advisory=False) == "clear"


def test_a_lead_is_as_sure_as_over_the_least_known_of_the_others() -> None:
    arms = [family_arm("epoll", 0.2, 0.5), family_arm("uvloop", 0.4, 2.0)]
    wide = family_arm("rloop", 0.6, 3.0)
    assert wide.to_fastest is not None
    wide.to_fastest = msgspec.structs.replace(wide.to_fastest, low=1.002, high=9)
    found = family_of_two([*arms, wide])
    assert found.runner_up is wide
    assert lead_of(found, 0.01, advisory=False) == "slight"


def family_arm(name: str, of: float, to_fastest: float | None) -> FamilyArm:
    return FamilyArm(
        arm=name,
        ratio=exactly(of),
        to_fastest=None if to_fastest is None else exactly(to_fastest),
        measured=1,
        asked=1,
    )


def exactly(of: float) -> Ratio:
    return Ratio(estimate=of, low=of, high=of, sign_low=of, sign_high=of, n=8)


def family_of_two(arms: list[FamilyArm]) -> FamilySummary:
    return FamilySummary(
        family="timer", benchmarks=["timer.a"], compared=["timer.a"], arms=arms, fastest=["epoll"]
    )
