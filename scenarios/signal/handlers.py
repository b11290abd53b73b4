"""Signal handlers of one run, and the process as it was before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loopgauge.scenarios.model import require


def send(number: int) -> None:
    """To this process; its C handler has run when this returns."""
    os.kill(os.getpid(), number)


@contextmanager
def handled(
    loop: asyncio.AbstractEventLoop, callbacks: Mapping[signal.Signals, Callable[[], Any]]
) -> Iterator[None]:
    """`loop` handles the signals of `callbacks` inside the block. Raises CheckFailed when it does
    not know afterwards that it had a handler. Rules SIGN-001, SIGN-003."""
    before = {number: signal.getsignal(number) for number in callbacks}

    def add() -> None:
        for number, callback in callbacks.items():
            loop.add_signal_handler(number, callback)

    def remove() -> None:
        for number in callbacks:
            known = loop.remove_signal_handler(number)
            require(known, f"remove_signal_handler says that {number.name} had no handler")

    try:
        for number in callbacks:
            # A loop that installs nothing is to be found out, not to be killed with the process.
            signal.signal(number, _ignore)
        _inside(loop, add)
        yield
        _inside(loop, remove)
    finally:
        for number, handler in before.items():
            _forget(loop, number)
            signal.signal(number, handler)


def _inside(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """`work()` in a callback, as programs do it: some loops know of signals only while they run.
    What it raises is raised here."""
    errors: list[Exception] = []

    def call() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)
        finally:
            loop.stop()

    loop.call_soon(call)
    loop.run_forever()
    if errors:
        raise errors[0]


def turns(loop: asyncio.AbstractEventLoop, count: int = 3) -> None:
    """Lets what is late arrive: no rule says in which turn a signal's callback runs."""
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run_forever()


def prove_delivery(loop: asyncio.AbstractEventLoop) -> None:
    """A signal that is sent once runs its callback once, with its arguments, and not inside the
    call that sends it; one whose handler was removed runs none. Rules SIGN-001, SIGN-003."""
    got: list[str] = []
    inside = 0

    def send_one() -> None:
        nonlocal inside
        send(signal.SIGUSR1)
        inside = len(got)

    def arrive() -> None:
        got.append("USR1")
        loop.stop()

    callbacks = {signal.SIGUSR1: arrive, signal.SIGUSR2: lambda: got.append("USR2")}
    with handled(loop, callbacks):
        loop.call_soon(send_one)
        loop.run_forever()
        turns(loop)
    require(inside == 0, "the callback of a signal ran inside os.kill")
    require(got == ["USR1"], f"one SIGUSR1 was sent, and the callbacks of {got} ran")


def _ignore(number: int, frame: object) -> None:
    pass


def _forget(loop: asyncio.AbstractEventLoop, number: int) -> None:
    """After a failure too, when anything may be wrong with the handler."""
    try:
        loop.remove_signal_handler(number)
    except Exception:
        return
