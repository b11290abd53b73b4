"""Descriptors: a low soft limit is raised and restored, a low hard limit is said with the cure."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator

import pytest
from scenario_testing.drive import ready

from loopgauge.scenarios.io import limits
from loopgauge.scenarios.io.echo import TcpEcho
from loopgauge.scenarios.model import Lacking


@pytest.fixture
def limited(monkeypatch) -> Iterator[Callable[[int, int], list[tuple[int, int]]]]:
    """Makes the process believe in these limits; returns what is asked of the system since."""
    asked: list[tuple[int, int]] = []

    def pretend(soft: int, hard: int) -> list[tuple[int, int]]:
        now = [(soft, hard)]
        monkeypatch.setattr(resource, "getrlimit", lambda kind: now[0])

        def change(kind: int, wanted: tuple[int, int]) -> None:
            now[0] = wanted
            asked.append(wanted)

        monkeypatch.setattr(resource, "setrlimit", change)
        return asked

    yield pretend
    assert not limits._held


def test_the_last_one_restores_the_limit(limited) -> None:
    asked = limited(256, 100_000)
    limits.make_room(1_000, "connections", "connections")
    limits.make_room(5_000, "connections", "connections")
    assert all(soft > 1_000 and hard == 100_000 for soft, hard in asked)
    assert asked[-1][0] > 5_000
    limits.give_back(1_000)
    assert asked[-1][0] > 5_000
    limits.give_back(5_000)
    assert asked[-1] == (256, 100_000)


def test_a_limit_that_suffices_is_left_alone(limited) -> None:
    asked = limited(5_000, 100_000)
    limits.make_room(1_000, "connections", "connections")
    limits.give_back(1_000)
    assert asked == []


def test_no_limit_is_no_limit(limited) -> None:
    asked = limited(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    limits.make_room(10_000_000, "connections", "connections")
    limits.give_back(10_000_000)
    assert asked == []


def test_the_largest_that_is_offered_fits(limited) -> None:
    limited(1_000, 5_000)
    with pytest.raises(Lacking, match=r"limit is 5000.*`ulimit -n .* as root") as caught:
        limits.make_room(10_000, "connections", "connections")
    largest = int(str(caught.value).rpartition("--param connections=")[2])
    assert largest > 4_000
    limits.make_room(largest, "connections", "connections")
    limits.give_back(largest)


def test_where_nothing_fits_nothing_is_offered(limited) -> None:
    limited(50, 50)
    with pytest.raises(Lacking) as caught:
        limits.make_room(10_000, "connections", "connections")
    assert "--param" not in str(caught.value)


def test_a_scenario_gives_its_room_back_however_it_ends(loop, limited) -> None:
    limited(200, 100_000)
    with ready(TcpEcho(connections=300), loop) as made:
        assert made.run(loop, 300) == 300
        assert limits._held == [300]
    assert not limits._held

    async def refuses(*args: object, **options: object) -> None:
        raise ValueError("not today")

    loop.create_server = refuses
    with pytest.raises(ValueError, match="not today"), ready(TcpEcho(connections=300), loop):
        pass


def test_a_callback_that_meets_the_end_of_something_is_no_failed_check(loop, monkeypatch) -> None:
    """Stock asyncio hands what accept() raised to the exception handler."""
    made = TcpEcho(connections=2)
    with ready(made, loop):

        def fails() -> None:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

        loop.call_soon(fails)
        with pytest.raises(Lacking, match=r"Too many open files in system: .*fs.file-max"):
            made.run(loop, 2)
