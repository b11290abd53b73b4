"""Threads that wait for work between runs."""

from __future__ import annotations

import threading

import pytest

from loopgauge.scenarios.crew import Crew
from loopgauge.scenarios.model import CheckFailed


def test_every_thread_does_every_dispatch_once(loop) -> None:
    done: list[tuple[int, int]] = []
    left = 6

    def count():
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    def work(index, amount):
        done.append((index, amount))
        loop.call_soon_threadsafe(count)

    crew = Crew(loop, 3, work)
    crew.dispatch(7)
    crew.dispatch(8)
    loop.run_forever()
    crew.close()
    crew.raise_error()
    assert sorted(done) == [(i, amount) for i in range(3) for amount in (7, 8)]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (NotImplementedError("call_soon_threadsafe"), NotImplementedError),
        (CheckFailed("lost"), CheckFailed),
        (TypeError("bad"), CheckFailed),
    ],
)
def test_an_error_in_a_thread_stops_the_loop_and_is_raised(loop, raised, expected) -> None:
    def work(index, amount):
        raise raised

    crew = Crew(loop, 1, work)
    crew.dispatch(1)
    loop.run_forever()
    with pytest.raises(expected):
        crew.raise_error()
    crew.raise_error()  # once only
    crew.close()


def test_close_ends_the_threads(loop) -> None:
    before = threading.active_count()
    crew = Crew(loop, 4, lambda index, amount: None)
    assert threading.active_count() == before + 4
    crew.close()
    assert threading.active_count() == before
