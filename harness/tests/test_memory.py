"""The memory tier: processes that do nothing but hold what a benchmark makes them hold."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from manager_testing.records import header

from loopgauge.harness.isolation import Roster
from loopgauge.harness.memory import figures, resident, tier
from loopgauge.harness.model import AnyRecord, Arm, Benchmark, Event, Metric
from loopgauge.harness.request import RunRequest
from loopgauge.harness.store import RunFile
from loopgauge.harness.subject import resolve
from loopgauge.scenarios.model import Holds
from loopgauge.scenarios.registry import all_scenarios

MEBIBYTE = 1 << 20


def measured(scenario: str, loop: str = "asyncio", **params: Any) -> list[AnyRecord]:
    """The records of one benchmark on one loop."""
    here = str(Path(__file__).parent)
    request = RunRequest(benchmarks=[(scenario, params)], arms=[loop], setting="quick", path=[here])
    what = resolve(request)
    made = header(setting="quick", path=[here], environment=what.environment)
    made.arms, made.benchmarks = what.arms, what.benchmarks
    arm = next(arm for arm in what.arms if arm.loop == loop and arm.role != "aa")
    [records] = tier.count(
        made, [(what.benchmarks[0], arm)], record=lambda event: None, at=lambda *names: None
    )
    return records


def test_what_is_touched_is_resident_and_what_is_gone_was_its_peak() -> None:
    resident.give_back()
    before = resident.resident()
    assert resident.forget_peak()
    with mmap.mmap(-1, 64 * MEBIBYTE) as area:
        for place in range(0, len(area), mmap.PAGESIZE):
            area[place] = 1
        assert resident.resident() - before > 60 * MEBIBYTE
    assert resident.resident() - before < 32 * MEBIBYTE
    assert resident.peak() - before > 60 * MEBIBYTE
    assert resident.forget_peak()
    assert resident.peak() - before < 32 * MEBIBYTE


def test_timers_have_a_peak_and_a_size_each() -> None:
    peak, each = measured("timer.schedule_cancel")
    assert isinstance(peak, Metric)
    assert (peak.metric, peak.unit) == ("peak_rss", "byte")
    assert peak.raw[0] + peak.value == peak.raw[1]
    assert isinstance(each, Metric)
    assert (each.metric, each.unit) == ("rss", "byte/timer")
    # A TimerHandle has eleven slots and an entry in a heap: far from these bounds on any Python.
    assert 100 < each.value < 1_000
    assert each.value == (each.raw[1] - each.raw[0]) / (each.n[1] - each.n[0])


class Hoards(asyncio.SelectorEventLoop):
    """Keeps 4 KiB for every callback."""

    def __init__(self) -> None:
        super().__init__()
        self.hoard: list[bytes] = []

    def call_soon(self, *args: Any, **options: Any) -> Any:
        self.hoard.append(bytes(4096))
        return super().call_soon(*args, **options)


def test_a_loop_that_hoards_is_seen() -> None:
    [peak] = measured("throughput.sleep0", f"{Path(__file__).stem}:Hoards")
    assert isinstance(peak, Metric)
    assert peak.by_name["left after the runs"] > MEBIBYTE


class Dies(asyncio.SelectorEventLoop):
    def call_soon(self, *args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Lacks(asyncio.SelectorEventLoop):
    def call_later(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError("no timers here")


def talkative() -> asyncio.AbstractEventLoop:
    raise RuntimeError("no loop today\nand none tomorrow")


@pytest.mark.parametrize(
    ("scenario", "loop", "words"),
    [
        ("throughput.sleep0", "talkative", "memory: loop 'test_memory:talkative': "),
        ("throughput.sleep0", "Dies", "memory: the process was killed by SIGKILL"),
        ("timer.schedule_cancel", "Lacks", "memory: NotImplementedError: no timers here"),
    ],
)
def test_a_loop_without_figures_is_left_out_with_the_reason(
    scenario: str, loop: str, words: str
) -> None:
    [event] = measured(scenario, f"{Path(__file__).stem}:{loop}")
    assert isinstance(event, Event)
    assert (event.event, event.benchmark) == ("left_out", scenario)
    assert event.reason.startswith(words)
    assert "\n" not in event.reason


def totals(baseline: float, setup: float, peak: float, after: float) -> dict[str, float]:
    return {"baseline": baseline, "setup": setup, "peak": peak, "after": after}


WORK = Benchmark(id="fake.work", scenario="fake.work")


def test_the_median_of_several_processes_counts() -> None:
    processes = [totals(100, 110, base, 111) for base in (150.0, 140.0, 900.0)]
    found = figures.peak(WORK, "a", processes)
    assert found.value == 50
    assert found.raw == [100, 150, 100, 140, 100, 900]
    assert found.by_name == {"set up": 10, "left after the runs": 1}


@pytest.mark.parametrize(("moment", "value"), [("setup", 2.0), ("after", 3.0), ("peak", 4.0)])
def test_one_of_many_is_the_difference_of_two_sizes(moment: Any, value: float) -> None:
    holds = Holds("size", "thing", moment, (10, 20))
    few, many = totals(100, 120, 140, 130), totals(200, 240, 280, 260)
    found = figures.each(WORK, "a", holds, [few], [many])
    assert (found.value, found.unit, found.n) == (value, "byte/thing", [10, 20])


def test_what_is_in_the_file_is_not_done_again() -> None:
    made = header(("asyncio", "asyncio~aa", "fast", "floor"))
    file = RunFile(Path("run.jsonl"), made)
    roster = Roster(made.arms, made.benchmarks)

    def left() -> list[str]:
        return [arm.label for _, arm in tier.pending(file, roster)]

    assert left() == ["asyncio", "fast"]  # the twin holds the same, the benchmark has no floor
    file.add(figures.peak(made.benchmarks[0], "fast", [totals(1, 2, 3, 4)]))
    assert left() == ["asyncio"]
    reason = "memory: the process hangs"
    file.add(Event(event="left_out", benchmark="fake.work", arm="asyncio", reason=reason))
    assert left() == []


def test_whatever_is_held_is_a_parameter_of_its_scenario() -> None:
    found = {name: each.holds for name, each in all_scenarios().items() if each.holds is not None}
    assert {holds.unit for holds in found.values()} >= {"connection", "timer", "callback"}
    for name, holds in found.items():
        for size in holds.sizes:
            assert all_scenarios()[name](**{holds.param: size}).values[holds.param] == size


def test_an_application_has_a_peak_only() -> None:
    assert tier.holds_of(Benchmark(id="app:x:main", scenario="app:x:main")) is None
    pair = (WORK, Arm(label="a", loop="a", factory="x:y"))
    assert tier.expected_s([pair]) == tier.ABOUT_S
