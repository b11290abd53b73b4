"""Loops that are half complete: NotImplementedError comes out as it is, and nothing hangs."""

from __future__ import annotations

import asyncio

import pytest
from scenario_testing.drive import SHORT_PATIENCE, measure

from loopgauge.scenarios.registry import all_scenarios


def without(*methods: str) -> asyncio.AbstractEventLoop:
    """A stock loop that lacks `methods`."""

    def lacking(self, *args, **options):
        raise NotImplementedError

    kind = type("Incomplete", (asyncio.SelectorEventLoop,), dict.fromkeys(methods, lacking))
    return kind()


@pytest.mark.parametrize(
    ("benchmark", "method"),
    [
        ("throughput.call_soon_threadsafe", "call_soon_threadsafe"),
        ("throughput.threadsafe_wakeup", "call_soon_threadsafe"),
        ("throughput.run_coroutine_threadsafe", "call_soon_threadsafe"),
        ("throughput.run_in_executor", "run_in_executor"),
        ("throughput.future_chain", "create_future"),
        ("throughput.cancellation_storm", "create_future"),
        ("throughput.fairness", "call_later"),
        ("timer.schedule_cancel", "call_later"),
        ("throughput.io_under_busy_loop", "add_reader"),
    ],
)
def test_what_a_loop_lacks_is_unsupported(benchmark, method) -> None:
    loop = without(method)
    with pytest.raises(NotImplementedError):
        measure(all_scenarios()[benchmark](), loop)
    loop.close()


def test_descriptors_are_asked_for_only_where_they_are_needed() -> None:
    loop = without("add_reader", "remove_reader")
    # The stock loop registers its own self-pipe by a private method, so it can do without.
    assert measure(all_scenarios()["throughput.idle_turns"](), loop) > 0
    with pytest.raises(NotImplementedError):
        measure(all_scenarios()["throughput.idle_turns"](fds=2), loop)
    loop.close()


def test_exception_handlers_are_not_required() -> None:
    loop = without("set_exception_handler")
    assert measure(all_scenarios()["throughput.call_soon_chain"](), loop) > 0
    loop.close()


def test_eager_tasks_need_a_task_factory() -> None:
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("eager tasks need Python 3.12")
    loop = without("set_task_factory")
    with pytest.raises(NotImplementedError):
        measure(all_scenarios()["throughput.async_tree"](eager=True), loop)
    loop.close()


def test_eager_tasks_are_unsupported_before_3_12(loop) -> None:
    if hasattr(asyncio, "eager_task_factory"):
        pytest.skip("this Python has eager tasks")
    with pytest.raises(NotImplementedError, match=r"3\.12"):
        all_scenarios()["throughput.async_tree"](eager=True).setup(loop)


def test_a_failed_setup_leaves_nothing_behind() -> None:
    import threading

    before = threading.active_count()
    loop = without("call_soon_threadsafe")
    scenario = all_scenarios()["throughput.threadsafe_wakeup"]()
    scenario.patience = SHORT_PATIENCE
    with pytest.raises(NotImplementedError):
        scenario.setup(loop)
    assert threading.active_count() == before
    loop.close()
