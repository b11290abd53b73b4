"""fork(): the child and the parent do not share a loop, whatever the child does with it."""

from __future__ import annotations

import asyncio
import os
import socket
import warnings

import pytest
from loop_testing import target
from loop_testing.compare import run_once

shares_its_epoll_set = pytest.mark.skipif(
    target.is_stock(), reason="stock takes the parent's registration away from a forked child"
)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_child(function) -> None:
    """Runs `function` in a forked child and wants it to succeed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def watched(loop):
    left, right = socket.socketpair()
    seen: list[bytes] = []
    loop.add_reader(right, lambda: seen.append(right.recv(10)))
    run_once(loop)
    yield left, right, seen
    loop.remove_reader(right)
    left.close()
    right.close()


def parent_still_works(loop, watched) -> None:
    left, _, seen = watched
    left.send(b"x")
    for _ in range(4):
        run_once(loop)
    assert seen == [b"x"]
    import threading

    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    thread.start()
    loop.run_forever()
    thread.join()


def test_child_closes_an_inherited_loop(loop, watched) -> None:
    in_child(loop.close)
    parent_still_works(loop, watched)


@shares_its_epoll_set
def test_child_removes_a_reader(loop, watched) -> None:
    """epoll_ctl in the child would take the registration away from the parent."""
    _, right, _ = watched
    in_child(lambda: loop.remove_reader(right))
    parent_still_works(loop, watched)


@shares_its_epoll_set
def test_child_closes_the_descriptor_and_the_loop(loop, watched) -> None:
    left, right, _ = watched

    def child() -> None:
        loop.remove_reader(right)
        left.close()
        right.close()
        loop.close()

    in_child(child)
    parent_still_works(loop, watched)


def test_child_drops_an_inherited_loop(loop, watched) -> None:
    def child() -> None:
        import gc

        warnings.simplefilter("ignore")
        gc.collect()

    in_child(child)
    parent_still_works(loop, watched)


def test_child_makes_and_runs_a_loop_of_its_own(loop, loop_factory, watched) -> None:
    def child() -> None:
        fresh = loop_factory()
        left, right = socket.socketpair()
        fresh.add_reader(right, fresh.stop)
        left.send(b"x")
        fresh.run_forever()
        fresh.remove_reader(right)
        assert fresh.run_until_complete(asyncio.sleep(0.001, "ran")) == "ran"
        fresh.close()

    in_child(child)
    parent_still_works(loop, watched)


def test_fork_inside_a_running_loop(loop, loop_factory, watched) -> None:
    """In the child no loop is running, and a new one can be."""

    def child() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise AssertionError("the child has a running loop")
        fresh = loop_factory()
        assert fresh.run_until_complete(asyncio.sleep(0, "ran")) == "ran"
        fresh.close()

    loop.call_soon(in_child, child)
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    run_once(loop)
    assert told == []
    parent_still_works(loop, watched)


def test_signal_to_the_child_is_not_the_parents(loop) -> None:
    """The wake-up descriptor is shared: a signal to the child must not reach this loop."""
    import signal

    seen: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    run_once(loop)

    def child() -> None:
        loop.remove_signal_handler(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.kill(os.getpid(), signal.SIGUSR1)

    in_child(child)
    for _ in range(4):
        run_once(loop)
    assert seen == []
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    while not seen:
        run_once(loop)
    assert seen == [1]
