"""Timer handles: real `asyncio.TimerHandle`s, with order, equality and hash of the original."""

from __future__ import annotations

import asyncio

import pytest
from loop_testing.compare import on_both, outcome


def noop(*args: object) -> None:
    pass


def other(*args: object) -> None:
    pass


@pytest.fixture
def at(loop):
    return loop.time() + 1000


def test_is_a_real_timer_handle(loop, at: float) -> None:
    for handle in (loop.call_later(1000, noop), loop.call_at(at, noop)):
        assert isinstance(handle, asyncio.TimerHandle)
        assert isinstance(handle, asyncio.Handle)
        assert issubclass(type(handle), asyncio.TimerHandle)


def test_when_is_the_deadline(loop, at: float) -> None:
    assert loop.call_at(at, noop).when() == at
    before = loop.time()
    handle = loop.call_later(5, noop)
    assert before + 5 <= handle.when() <= loop.time() + 5


@pytest.mark.parametrize("when", [0, 1, -3, 12.25, 10**12, True])
def test_when_is_what_was_given(when: float) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> float:
        handle = loop.call_at(when, noop)
        result = handle.when()
        handle.cancel()
        return result

    on_both(scenario)


def test_when_survives_cancel(loop, at: float) -> None:
    handle = loop.call_at(at, noop)
    handle.cancel()
    assert handle.when() == at


def test_order(loop, at: float) -> None:
    early, late = loop.call_at(at, noop), loop.call_at(at + 1, noop)
    assert early < late
    assert early <= late
    assert late > early
    assert late >= early
    assert not late < early
    assert not early > late
    assert not late <= early
    assert not early >= late
    assert sorted([late, early]) == [early, late]


def test_equality(loop, at: float) -> None:
    first = loop.call_at(at, noop, 1)
    assert first == loop.call_at(at, noop, 1)
    assert first != loop.call_at(at, noop, 2)
    assert first != loop.call_at(at, other, 1)
    assert first != loop.call_at(at + 1, noop, 1)
    assert first <= loop.call_at(at, noop, 1)
    assert first >= loop.call_at(at, noop, 1)
    cancelled = loop.call_at(at, noop, 1)
    cancelled.cancel()
    assert first != cancelled


def test_hash_is_that_of_the_deadline(loop, at: float) -> None:
    assert hash(loop.call_at(at, noop)) == hash(at)


@pytest.mark.parametrize("operator", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__"])
def test_foreign_operands_are_not_implemented(loop, at: float, operator: str) -> None:
    handle = loop.call_at(at, noop)
    assert getattr(handle, operator)(1.5) is NotImplemented
    assert handle != 1.5
    assert outcome(lambda: handle < 1.5) is TypeError


def test_compares_with_a_plain_timer_handle(loop, at: float) -> None:
    ours = loop.call_at(at, noop, 1)
    plain = asyncio.TimerHandle(at, noop, (1,), loop)
    later = asyncio.TimerHandle(at + 1, noop, (1,), loop)
    assert ours == plain
    assert plain == ours
    assert ours < later
    assert later > ours
    assert hash(ours) == hash(plain)
