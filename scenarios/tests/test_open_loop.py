"""At a constant rate a stall is everybody's who came meanwhile."""

from __future__ import annotations

import asyncio
import time

import pytest
from scenario_testing.drive import ready

from loopgauge.scenarios.io.open_loop import OpenLoopLatency
from loopgauge.scenarios.io.servers import Connections, Echo
from loopgauge.scenarios.model import BadParam, CheckFailed

STALL_S = 0.2


class StallsOnce(Echo):
    """After a quarter of a run's messages."""

    answered = 0

    def data_received(self, data: bytes) -> None:
        self.answered += 1
        if self.answered == 300:
            time.sleep(STALL_S)
        super().data_received(data)


class Stalling(OpenLoopLatency):
    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return StallsOnce(connections)


def test_the_p99_contains_a_stall_that_the_service_time_hides(loop) -> None:
    """Of 1 200 messages in 1.2 s, 200 were due in the stall; one was being served. On the one
    connection there is, service times follow one another: twelve of half a stall do not fit."""
    seen = {}
    for kind in ("corrected", "service"):
        made = Stalling(rate=1000, connections=1, kind=kind)
        with ready(made, loop):
            assert made.run(loop, made.grain) == made.grain
            seen[kind] = made.take_value()  # µs
            assert made.take_open_loop().open_loop.service.max_ns > 0.9 * STALL_S * 1e9
    assert seen["corrected"] > 0.9 * STALL_S * 1e6
    assert seen["service"] < 0.5 * STALL_S * 1e6


class Slow(Echo):
    def data_received(self, data: bytes) -> None:
        time.sleep(0.02)
        super().data_received(data)


class TooSlow(OpenLoopLatency):
    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return Slow(connections)


def test_a_rate_that_cannot_be_reached_is_in_the_answer(loop) -> None:
    """At most 50 a second, of 10 000."""
    made = TooSlow(rate=10_000, kind="service")
    with ready(made, loop):
        assert made.run(loop, made.grain) == made.grain
        found = made.take_open_loop().open_loop
        assert found.unsent > made.grain / 2
        assert found.achieved_per_second < 1_000
        with pytest.raises(CheckFailed, match=r"too few for p99: \d+ of 1200 were never sent"):
            made.take_value()


def test_a_slot_that_would_last_too_long_names_the_rate_that_would_do() -> None:
    with pytest.raises(BadParam, match="choose rate=20000 or more"):
        OpenLoopLatency(figure="p99.99")
    assert OpenLoopLatency(figure="p99.99", rate=20_000).grain == 120_000


def test_no_rate_beyond_what_the_generator_takes() -> None:
    with pytest.raises(BadParam, match="at most 10000000 per second"):
        OpenLoopLatency(rate=10_000_001)
