"""loop_lifecycle makes loops of its own, so its cheats are factories."""

from __future__ import annotations

import asyncio

import pytest
from scenario_testing import cheats
from scenario_testing.drive import SHORT_PATIENCE, ready

from loopgauge.scenarios.model import CheckFailed
from loopgauge.scenarios.throughput.cycles import LoopLifecycle


def lifecycle(factory) -> LoopLifecycle:
    scenario = LoopLifecycle()
    scenario.loop_factory = factory
    scenario.patience = SHORT_PATIENCE
    return scenario


def test_uses_the_factory_it_was_given(loop) -> None:
    made = []

    def factory():
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    with ready(lifecycle(factory), loop) as scenario:
        before = len(made)
        assert scenario.run(loop, 3) == 3
    assert len(made) == before + 3
    assert all(other.is_closed() for other in made)


def test_calls_the_type_of_the_loop_without_a_factory(loop) -> None:
    with ready(LoopLifecycle(), loop) as scenario:
        assert scenario.run(loop, 2) == 2


def test_a_factory_that_returns_the_same_loop_is_caught() -> None:
    only = asyncio.SelectorEventLoop()
    with pytest.raises(CheckFailed, match="same loop"):
        lifecycle(lambda: only).setup(only)
    only.close()


def test_a_loop_that_stays_open_is_caught(loop) -> None:
    made = []

    def factory():
        made.append(cheats.StaysOpen())
        return made[-1]

    with ready(lifecycle(factory), loop) as scenario, pytest.raises(CheckFailed, match="0 of 2"):
        scenario.run(loop, 2)
    for other in made:
        other.really_close()


def test_a_loop_that_does_not_run_is_caught(loop) -> None:
    class Skips(asyncio.SelectorEventLoop):
        def run_until_complete(self, future):
            future.close()
            return 1

    with pytest.raises(CheckFailed, match="instead of the coroutine's result"):
        lifecycle(Skips).setup(loop)
