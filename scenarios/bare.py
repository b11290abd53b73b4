"""What can stand where a loop stands: bare system calls, or a native loop with C++ callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from loopgauge.scenarios.checks import CheckFailed

if TYPE_CHECKING:
    from loopgauge.scenarios.model import Scenario


class Work(Protocol):
    """One scenario in C++ (`_bench.Work`): made once, run in every slot, without the GIL."""

    def run(self, n: int) -> int:
        """Does n operations and returns how many it verified."""

    def value(self) -> float:
        """What the last run measured, of a scenario that measures a value."""


class BareLoop(asyncio.AbstractEventLoop):
    """Takes a loop's place in the slots of a scenario that knows it; no loop that people can
    choose. Everything a loop has and this has not raises NotImplementedError, as
    AbstractEventLoop does.
    """

    def __init__(self) -> None:
        self._closed = False
        self._asked: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def work_for(self, scenario: Scenario, native: Any) -> Work | None:
        """What `scenario` does in C++; None where it drives this loop in Python as it does others.
        Raises NotImplementedError where it does neither. `native`: the module loopgauge._bench."""
        raise NotImplementedError

    def do(self, work: Work, n: int, native: Any) -> int:
        """Runs `work`, then what other threads asked for meanwhile."""
        try:
            return work.run(n)
        except native.NativeFailure as error:
            raise CheckFailed(str(error)) from error
        finally:
            self.run_asked()

    def run_asked(self) -> None:
        asked, self._asked = self._asked, []
        for callback, arguments in asked:
            callback(*arguments)

    def is_running(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return self._closed

    def stop(self) -> None:
        """Nothing runs between two works."""

    def close(self) -> None:
        self._closed = True


class ServingLoop(BareLoop):
    """One that can also serve the load generator, driven in Python as loops are: its server is C++
    and runs until the one watched descriptor is readable."""

    def __init__(self) -> None:
        super().__init__()
        self._server: Any = None
        self._watched: tuple[int, Callable[..., object], tuple[Any, ...]] | None = None
        self._stopping = False
        self._running = False

    def serve(self, native: Any, kind: str, address: str, size: int) -> str:
        """Starts the server and returns its address. `native` is the module loopgauge._bench;
        `size`: of the clients' messages."""
        raise NotImplementedError

    def end_service(self) -> None:
        self._server = None

    def served(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """The watched descriptor is readable."""
        callback(*arguments)

    def run_forever(self) -> None:
        self._stopping, self._running = False, True
        try:
            while not self._stopping and self._watched is not None:
                fd, callback, arguments = self._watched
                self._server.serve_until(fd)
                self.served(callback, arguments)
        finally:
            self._running = False

    def stop(self) -> None:
        self._stopping = True

    def add_reader(  # type: ignore[override]  # one that is not generic
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        self._watched = (fd, callback, args)

    def remove_reader(self, fd: Any) -> bool:
        watched, self._watched = self._watched, None
        return watched is not None

    def is_running(self) -> bool:
        return self._running

    def close(self) -> None:
        self.end_service()
        super().close()
