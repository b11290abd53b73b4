"""Signals: what the process is left with, and Ctrl-C on loops that do something else with it."""

from __future__ import annotations

import asyncio
import signal

import pytest
from scenario_testing import cheats
from scenario_testing.drive import SHORT_PATIENCE, measure, ready

from loopgauge.scenarios.model import CheckFailed
from loopgauge.scenarios.registry import all_scenarios, select
from loopgauge.scenarios.signal.delivery import SignalBurst, SignalRoundtrip
from loopgauge.scenarios.signal.interrupt import SigintCancel


def state_of_the_process() -> tuple:
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    return handlers, wakeup, signal.getitimer(signal.ITIMER_REAL)


@pytest.mark.parametrize("scenario", select(["signal"]), ids=lambda scenario: scenario.id)
def test_the_process_is_as_it_was(loop, scenario) -> None:
    before = state_of_the_process()
    measure(scenario(), loop)
    assert state_of_the_process() == before


@pytest.mark.parametrize("cheat", [cheats.DropsSignals, cheats.KeepsHandlers])
def test_the_process_is_as_it_was_after_a_failure(cheat) -> None:
    before = state_of_the_process()[0]
    loop = cheat()
    loop.cheating = True
    scenario = SignalRoundtrip()
    scenario.patience = SHORT_PATIENCE
    with pytest.raises(CheckFailed):
        scenario.setup(loop)
    loop.close()
    assert state_of_the_process()[0] == before


def test_a_loop_without_signals_is_unsupported() -> None:
    class Deaf(asyncio.SelectorEventLoop):
        def add_signal_handler(self, *args, **options):
            raise NotImplementedError

    before = state_of_the_process()
    loop = Deaf()
    for scenario in select(["signal"]):
        if "signal" in scenario().requires:
            with pytest.raises(NotImplementedError):
                measure(scenario(), loop)
    loop.close()
    assert state_of_the_process() == before


def test_coalescing_is_shown() -> None:
    class Coalesces(asyncio.SelectorEventLoop):
        """Runs a signal's callback once, however often it came since the last turn."""

        def _process_self_data(self, data):
            super()._process_self_data(bytes(sorted(set(data))))

    loop = Coalesces()
    with ready(SignalBurst(figure="sent"), loop) as scenario:
        assert scenario.run(loop, 200) == 200
        assert scenario.take_value() == 100.0
    loop.close()


def test_stock_asyncio_coalesces_nothing(loop) -> None:
    with ready(SignalBurst(figure="sent", kinds=3), loop) as scenario:
        scenario.run(loop, 100)
        assert scenario.take_value() == 1.0


def interrupt(kind: type[asyncio.AbstractEventLoop]) -> SigintCancel:
    scenario = SigintCancel()
    scenario.loop_factory = kind
    scenario.give_up_after = SHORT_PATIENCE
    return scenario


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (cheats.SwallowsInterrupts, "did not cancel the main task"),
        (cheats.LetsInterruptsOut, "KeyboardInterrupt"),
    ],
)
def test_what_becomes_of_ctrl_c(loop, kind, says) -> None:
    before = state_of_the_process()
    with ready(interrupt(kind), loop) as scenario, pytest.raises(CheckFailed, match=says):
        scenario.run(loop, 2)
    assert state_of_the_process() == before


def test_a_process_that_ignores_ctrl_c_is_no_obstacle(loop) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ready(all_scenarios()["signal.sigint_cancel"](), loop) as scenario:
            assert scenario.run(loop, 2) == 2
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
