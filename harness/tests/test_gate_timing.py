"""How long the stages of a gate's timing go on."""

from __future__ import annotations

import msgspec
import pytest
from manager_testing.records import run_of

from loopgauge.harness.gate import looks, timing
from loopgauge.harness.gate.model import Settings
from loopgauge.harness.gate.timing import Fixed
from loopgauge.harness.store import RunFile

SETTINGS = Settings(minutes=5)


def took(seconds: float) -> RunFile:
    file = run_of({"base": [1.0], "head": [1.0]})
    file.ends = [msgspec.structs.replace(end, wall_s=seconds) for end in file.ends]
    return file


@pytest.mark.parametrize(("first_s", "second_s"), [(40, 260), (180, 120), (300, 120)])
def test_the_second_stage_has_what_is_left_and_its_share_in_any_case(
    first_s: float, second_s: float
) -> None:
    assert timing.second_s(SETTINGS, took(first_s)) == pytest.approx(second_s)


def test_a_stage_that_was_interrupted_counts_all_its_sessions() -> None:
    file = took(60)
    file.ends *= 2
    assert timing.second_s(SETTINGS, file) == pytest.approx(180)


def test_a_process_that_would_end_too_late_is_not_begun() -> None:
    pacer = Fixed(plan_rounds=32, limit_s=100)
    assert pacer.wants(9, 0.0, 90)
    assert not pacer.wants(9, 0.0, 91)
    assert pacer.told(9) == "time ran short"
    assert not pacer.wants(32, 0.0, 1)
    assert pacer.told(32) == ""


def test_the_fewest_that_can_be_judged_are_measured_however_long_it_takes() -> None:
    pacer = Fixed(plan_rounds=32, limit_s=1)
    assert pacer.wants(looks.LEAST - 1, 0.0, 1000)
    assert not pacer.wants(looks.LEAST, 0.0, 1000)
