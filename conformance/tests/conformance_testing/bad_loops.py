"""Loops that misbehave towards the process they are in. Each is asyncio's own but for one thing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any, ClassVar, NoReturn

Good = asyncio.SelectorEventLoop


def raises() -> NoReturn:
    raise OSError(24, "no more rings")


def no_loop() -> int:
    return 42


_only: list[Good] = []


def same_twice() -> Good:
    if not _only:
        _only.append(Good())
    return _only[0]


def hangs() -> NoReturn:
    threading.Event().wait()
    raise AssertionError


def ends() -> NoReturn:
    os._exit(3)


def exits() -> NoReturn:
    raise SystemExit(0)


class Aborts(Good):
    def call_soon(self, *args: Any, **kwargs: Any) -> NoReturn:
        os.abort()


def dies_of_a_nameless_signal() -> NoReturn:
    os.kill(os.getpid(), signal.SIGRTMIN + 3)
    raise AssertionError


class LeavesOnClose(Good):
    """A non-strict case on it must not hide that close() raises."""

    def close(self) -> None:
        super().close()
        raise OSError(9, "closed twice")


def forks() -> Good:
    os.fork()
    return Good()


class ForksLate(Good):
    """The copy goes on with the body, and would report a second time."""

    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if args == ("b",):
            os.fork()
        return super().call_soon(callback, *args, **kwargs)


class LeavesChild(Good):
    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if args == ("b",) and os.fork() == 0:
            time.sleep(600)  # until it is killed; os._exit if nobody does
            os._exit(0)
        return super().call_soon(callback, *args, **kwargs)


class ClosesForeign(Good):
    """Thinks that it is the only user of descriptors here."""

    def __init__(self) -> None:
        os.closerange(0, 200)
        super().__init__()


class Prints(Good):
    def __init__(self) -> None:
        print('{"verdict": "FAIL"}', flush=True)
        os.write(1, b"\n{}\n")
        super().__init__()


class NeverCloses(Good):
    def close(self) -> None:
        pass


class KeepsWhenClosed(Good):
    """Forgets one descriptor in close()."""

    def close(self) -> None:
        if not self.is_closed():
            os.dup(2)
        super().close()


class SwallowsTermination(Good):
    """Hangs in the body with every signal that can be blocked blocked."""

    def run_forever(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        threading.Event().wait()


class LeaksDescriptor(Good):
    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if args == ("b",):
            os.dup(2)
        return super().call_soon(callback, *args, **kwargs)


class KeepsPerProcess(Good):
    """Opens something at first use and keeps it for the process: no leak."""

    kept: ClassVar[list[int]] = []

    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if args == ("b",) and not self.kept:
            self.kept.append(os.dup(2))
        return super().call_soon(callback, *args, **kwargs)


class WrongOrder(Good):
    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, **kwargs)
        if args == ("b",):
            self._ready.rotate()  # type: ignore[attr-defined]
        return handle


class Teaching:
    """What a tutorial builds: tasks, and nothing else."""

    def create_task(self, coroutine: Any) -> Any:
        return coroutine

    def run_until_complete(self, coroutine: Any) -> Any:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        raise RuntimeError("not finished")


class PrintsAndAborts(Prints):
    def call_soon(self, *args: Any, **kwargs: Any) -> NoReturn:
        os.abort()


class Foreign(asyncio.AbstractEventLoop):
    """Not asyncio's own, and next to nothing: it can be made and closed."""

    def is_closed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class Swaps(Good):
    """Two callbacks that are registered one after the other change places."""

    _ready: Any

    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, **kwargs)
        if len(self._ready) == 2:
            self._ready.rotate(1)
        return handle


class AbortsInTimers(Good):
    """Survives until somebody sets a timer."""

    def call_later(self, *args: Any, **kwargs: Any) -> NoReturn:
        os.abort()
