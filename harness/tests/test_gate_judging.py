from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest
from manager_testing.records import run_of

from loopgauge.harness.gate import judging, looks
from loopgauge.harness.gate.decision import alpha_of
from loopgauge.harness.gate.model import Decision, GateHeader, Settings, Side
from loopgauge.harness.model import Benchmark, Event, Sample
from loopgauge.harness.pairing import SampleIndex
from loopgauge.harness.store import RunFile

SAME = [1000.0, 1001.0, 999.0, 1000.0, 1002.0, 998.0, 1000.0, 1001.0]
SLOWER = [1.03 * cost for cost in SAME]
FASTER = [0.97 * cost for cost in SAME]
WILD = [900.0, 1100.0, 950.0, 1050.0, 1000.0, 1200.0, 870.0, 1010.0]
ROLES = {"base": "reference", "head": "candidate", "base~aa": "aa"}


def run(
    head: Sequence[float], twin: Sequence[float] = SAME, events: Sequence[Event] = ()
) -> RunFile:
    costs: Mapping[str, Sequence[float]] = {"base": SAME, "head": head, "base~aa": twin}
    file = run_of(costs, events=events)
    for arm in file.header.arms:
        arm.role = ROLES[arm.label]  # type: ignore[assignment]
    return file


def decided(
    first: RunFile, second: RunFile | None = None, settings: Settings | None = None
) -> Decision:
    (made,) = judging.decisions(first, second, settings or Settings())
    return made


def test_identical_sides_are_equivalent() -> None:
    made = decided(run(SAME))
    assert (made.verdict, made.stage, made.processes) == ("EQUIVALENT", 1, 8)
    assert made.base == made.head == 1000.0
    assert made.change == pytest.approx(0.0)


@pytest.mark.parametrize(("head", "verdict"), [(SLOWER, "REGRESSED"), (FASTER, "IMPROVED")])
def test_a_change_is_called_when_fresh_processes_confirm_it(
    head: list[float], verdict: str
) -> None:
    made = decided(run(head), run(head))
    assert (made.verdict, made.stage) == (verdict, 2)


@pytest.mark.parametrize("head", [SLOWER, FASTER])
def test_a_flag_alone_is_no_verdict(head: list[float]) -> None:
    made = decided(run(head))
    assert made.verdict == "INCONCLUSIVE"
    assert "second stage" in made.reason


def test_a_flag_that_fresh_processes_contradict() -> None:
    made = decided(run(SLOWER), run(SAME))
    assert (made.verdict, made.stage) == ("EQUIVALENT", 2)
    assert "fresh processes" in made.reason


def test_a_flag_that_fresh_processes_leave_open() -> None:
    made = decided(run(SLOWER), run(WILD))
    assert (made.verdict, made.stage) == ("INCONCLUSIVE", 2)


def test_the_second_stage_counts_for_the_direction_of_the_first_only() -> None:
    assert decided(run(SLOWER), run(FASTER)).verdict == "INCONCLUSIVE"


def test_a_wide_interval_is_no_verdict() -> None:
    made = decided(run(WILD))
    assert made.verdict == "INCONCLUSIVE"
    assert "margin" in made.reason


def test_a_wider_margin_lets_a_small_change_pass() -> None:
    wide = Settings(margins={"fake.*": 0.05})
    assert decided(run(SLOWER), None, wide).verdict == "EQUIVALENT"


def test_a_base_that_differs_from_itself_regresses_nobody() -> None:
    noisy = run(SLOWER, twin=SLOWER)
    made = decided(noisy, noisy)
    assert made.verdict == "INCONCLUSIVE"
    assert "itself" in made.reason
    ok, text = judging.self_check(noisy, Settings())
    assert not ok
    assert "0 of 1" in text


def test_too_few_processes() -> None:
    few = run(SAME[:7], SAME[:7])
    assert decided(few).verdict == "INCONCLUSIVE"


def test_a_head_that_cannot_is_broken() -> None:
    wrong = Event(event="invalid", arm="head", benchmark="fake.work", reason="the sum is wrong")
    made = decided(run([], events=[wrong]))
    assert made.verdict == "BROKEN"
    assert "the sum is wrong" in made.reason


def test_a_base_that_cannot_is_repaired() -> None:
    crash = Event(event="crash", arm="base", benchmark="fake.work", reason="SIGSEGV", final=True)
    assert decided(run(SAME, events=[crash])).verdict == "REPAIRED"


def test_the_verdict_survives_the_file() -> None:
    """What is decided from samples that were written and read again is the same."""
    first = run(SLOWER)
    written = msgspec.json.encode(first.samples)
    first.samples, before = msgspec.json.decode(written, type=list[Sample]), decided(first, first)
    assert decided(first, first) == before


def test_head_is_held_against_both_copies_of_base() -> None:
    twin = [1.002 * cost for cost in SAME]
    made = decided(run(SAME, twin))
    assert made.change == pytest.approx(1 / math.sqrt(1.002) - 1, abs=1e-4)


def test_a_twin_that_lost_a_process_is_left_out() -> None:
    made = decided(run(SAME, [1.005 * cost for cost in SAME[1:]]))
    assert made.change == pytest.approx(0.0)


def test_what_a_calibration_goes_by_is_as_narrow_as_what_is_judged() -> None:
    """Over many rounds of one noise."""
    drawn = np.random.default_rng(5).normal(1000, 10, (3, 4000))
    file = run_of(dict(zip(ROLES, drawn.tolist(), strict=True)))
    (benchmark,) = file.header.benchmarks
    judged = judging.against_base(SampleIndex(file.samples), benchmark)
    assert judged is not None
    assert np.std(judging.spread(file)[benchmark.id]) == pytest.approx(np.std(judged), rel=0.05)


def death(arm: str, final: bool = False, signal: str = "SIGSEGV") -> Event:
    reason = f"killed by {signal}"
    return Event(event="crash", benchmark="fake.work", arm=arm, reason=reason, signal=signal,
                 final=final)  # fmt: skip


@pytest.mark.parametrize("head", [SAME, FASTER])
def test_a_head_that_crashes_at_times_does_not_pass(head: list[float]) -> None:
    made = decided(run(head, events=[death("head")]), run(head))
    assert made.verdict == "INCONCLUSIVE"
    assert "SIGSEGV" in made.reason


@pytest.mark.parametrize(
    "events", [[death("head"), death("base")], [death("base")], [death("head", signal="SIGKILL")]]
)
def test_a_crash_that_is_not_heads_alone_is_held_against_nobody(events: list[Event]) -> None:
    assert decided(run(SAME, events=events)).verdict == "EQUIVALENT"


def test_a_head_that_breaks_in_the_second_stage_is_broken() -> None:
    second = run([], events=[death("head", final=True)])
    made = decided(run(SLOWER), second)
    assert made.verdict == "BROKEN"
    assert "SIGSEGV" in made.reason


def several(heads: Mapping[str, Sequence[float]]) -> RunFile:
    """One run of many benchmarks."""
    files = [
        run_of({"base": SAME, "head": head, "base~aa": SAME}, Benchmark(id=name, scenario=name))
        for name, head in heads.items()
    ]
    whole = files[0]
    for file in files[1:]:
        whole.samples += file.samples
        whole.header.benchmarks += file.header.benchmarks
        whole.header.plan.allocations |= file.header.plan.allocations
    for arm in whole.header.arms:
        arm.role = ROLES[arm.label]  # type: ignore[assignment]
    return whole


def test_what_was_not_flagged_makes_no_confirmation_harder() -> None:
    """A project's tests run in the second stage, too, where they were not flagged or not there."""
    names = [f"same{number}" for number in range(20)]
    first = several({"slow": SLOWER, **dict.fromkeys(names, SAME)})
    second = several({"slow": SLOWER, "new": SLOWER, **dict.fromkeys(names, SAME)})
    verdicts = {made.subject: made.verdict for made in judging.decisions(first, second, Settings())}
    assert verdicts == {"slow": "REGRESSED", **dict.fromkeys(names, "EQUIVALENT")}


@pytest.mark.parametrize(("share", "verdict"), [(1.0, "REGRESSED"), (0.5, "INCONCLUSIVE")])
def test_two_families_of_one_gate_share_its_error(share: float, verdict: str) -> None:
    """Of eight signed ranks the fifth is negative: p = 10 / 256."""
    over = [1, 2, 3, 4, -5, 6, 7, 8]
    head = [cost * 1.01 * math.exp(d / 1000) for cost, d in zip(SAME, over, strict=True)]
    (made,) = judging.decisions(run(SLOWER), run(head), Settings(), share * looks.ALPHA)
    assert made.verdict == verdict


@pytest.mark.parametrize(
    ("benchmarks", "tests", "share"), [(["a"], [], 1.0), ([], ["t"], 1.0), (["a"], ["t"], 0.5)]
)
def test_a_gate_of_benchmarks_and_tests_has_two_families(
    benchmarks: list[str], tests: list[str], share: float
) -> None:
    side = Side(name="base", origin="factory", given="x", loop="asyncio", executable="python")
    header = GateHeader(gate="g", created="2026-11-22T00:00:00Z", seed=1, settings=Settings(),
                        base=side, head=side, benchmarks=benchmarks, tests=tests)  # fmt: skip
    assert alpha_of(header) == share * looks.ALPHA
