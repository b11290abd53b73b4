"""Parameters, the guard over a run, and what a failing callback becomes."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from scenario_testing.drive import SHORT_PATIENCE, ready

from loopgauge.scenarios.model import BadParam, CheckFailed, Param, Scenario, require


class Example(Scenario):
    """Its work is a function of the test."""

    id = "test.example"
    summary = "for tests"
    unit = "step"
    params = (
        Param("size", int, 10, (1, 10), "how many"),
        Param("share", float, 0.5, (0.0, 0.5), "how much"),
        Param("kind", str, "plain", ("plain", "fancy"), "which"),
        Param("eager", bool, False, (False, True), "whether"),
        Param("exact", int, 3, (0, 3), "one of these", closed=True),
    )
    work = staticmethod(lambda loop, n: n)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return self.work(loop, n)


def example(work, **params) -> Example:
    made = Example(**params)
    made.work = work
    made.patience = SHORT_PATIENCE
    return made


def test_parameters_have_defaults_and_become_attributes() -> None:
    made = Example(size="20", eager="yes", kind="fancy", share=1)
    assert (made.size, made.eager, made.kind, made.share) == (20, True, "fancy", 1.0)
    assert Example().values == {
        "size": 10,
        "share": 0.5,
        "kind": "plain",
        "eager": False,
        "exact": 3,
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"siez": 1}, "no parameter siez; it has size"),
        ({"size": "many"}, "size takes int, not 'many'"),
        ({"size": 0}, "at least 1"),
        ({"size": "-5"}, "at least 1"),
        ({"share": float("nan")}, "at least 0"),
        ({"kind": "other"}, "it takes plain, fancy"),
        ({"eager": "perhaps"}, "eager takes bool"),
        ({"exact": 1}, "it takes 0, 3"),
    ],
)
def test_bad_parameters_name_what_is_taken(params, message) -> None:
    with pytest.raises(BadParam, match=message):
        Example(**params)


def test_a_run_that_did_less_or_more_is_caught(loop) -> None:
    for done in (9, 11):
        with (
            ready(example(lambda loop, n, done=done: done), loop) as scenario,
            pytest.raises(CheckFailed, match=f"{done} of 10"),
        ):
            scenario.run(loop, 10)


def test_a_run_that_never_ends_is_stopped(loop) -> None:
    def forever(loop, n):
        loop.run_forever()
        return n

    with (
        ready(example(forever), loop) as scenario,
        pytest.raises(CheckFailed, match="did not end within"),
    ):
        scenario.run(loop, 1)


def test_a_coroutine_that_never_ends_is_stopped(loop) -> None:
    def forever(loop, n):
        loop.run_until_complete(loop.create_future())

    with (
        ready(example(forever), loop) as scenario,
        pytest.raises(CheckFailed, match="did not end within"),
    ):
        scenario.run(loop, 1)


def test_a_stop_that_comes_too_late_stops_nothing(loop) -> None:
    asked = threading.Event()
    schedule = loop.call_soon_threadsafe

    def work(loop, n):
        asked.wait()
        return n

    def remember(*args):
        schedule(*args)
        asked.set()

    loop.call_soon_threadsafe = remember
    with ready(example(work), loop) as scenario:
        assert scenario.run(loop, 1) == 1
        loop.run_until_complete(loop.create_task(asyncio.sleep(0)))


def test_a_failing_callback_ends_the_run(loop) -> None:
    def fail():
        raise KeyError("gone")

    def work(loop, n):
        loop.call_soon(fail)
        loop.run_forever()
        return n

    with ready(example(work), loop) as scenario:
        scenario.patience = 1000.0
        with pytest.raises(CheckFailed, match="a callback raised KeyError: 'gone'"):
            scenario.run(loop, 1)


def test_a_callback_that_lacks_something_is_unsupported(loop) -> None:
    def fail():
        raise NotImplementedError("sendfile")

    def work(loop, n):
        loop.call_soon(fail)
        loop.run_forever()
        return n

    with ready(example(work), loop) as scenario, pytest.raises(NotImplementedError):
        scenario.run(loop, 1)


def test_forgotten_futures_of_others_are_not_its_failure(loop) -> None:
    def work(loop, n):
        forgotten = loop.create_future()
        forgotten.set_exception(LookupError("of another scenario"))
        del forgotten
        gc.collect()
        loop.call_soon(loop.stop)
        loop.run_forever()
        return n

    with ready(example(work), loop) as scenario:
        assert scenario.run(loop, 1) == 1


def test_an_error_of_the_scenario_stays_what_it_is(loop) -> None:
    def work(loop, n):
        raise ZeroDivisionError("mine")

    with ready(example(work), loop) as scenario, pytest.raises(ZeroDivisionError):
        scenario.run(loop, 1)


def test_require() -> None:
    require(True, "never raised")
    with pytest.raises(CheckFailed, match="broken"):
        require(False, "broken")


def test_a_failing_callback_does_not_end_the_teardown(loop) -> None:
    def fail():
        raise KeyError("gone")

    class Untidy(Example):
        def release(self, loop):
            loop.call_soon(fail)
            loop.run_until_complete(asyncio.sleep(0.001))

    scenario = Untidy()
    scenario.setup(loop)
    scenario.teardown(loop)


def test_a_teardown_that_fails_too_hides_nothing(loop) -> None:
    class Hopeless(Example):
        def prepare(self, loop, native):
            raise LookupError("first")

        def release(self, loop):
            raise ValueError("second")

    with pytest.raises(LookupError, match="first"):
        Hopeless().setup(loop)
