"""The floor of an I/O scenario: bare system calls where a loop would be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Floor(asyncio.AbstractEventLoop):
    """Takes a loop's place in the slots of a scenario that knows it; no loop that people can
    choose. The server is C++ (`_bench.FloorServer`): level-triggered epoll, 1 024 events a wait,
    recv into a static buffer, immediate send.

    Everything a loop has and this has not raises NotImplementedError, as AbstractEventLoop does.
    """

    def __init__(self) -> None:
        self._server: Any = None
        self._watched: tuple[int, Callable[..., object], tuple[Any, ...]] | None = None
        self._stopping = False
        self._running = False
        self._closed = False

    def serve(self, native: Any, kind: str, address: str, size: int) -> str:
        """Starts the server and returns its address. `native` is the module loopgauge._bench;
        `size`: of the clients' messages."""
        if native is None:
            raise NotImplementedError("the floor needs loopgauge._bench")
        self._server = native.FloorServer(kind, address, size)
        return str(self._server.address)

    def end_service(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def run_forever(self) -> None:
        """Serves; the one watched descriptor is looked at between two rounds of epoll."""
        self._stopping, self._running = False, True
        try:
            while not self._stopping and self._watched is not None:
                fd, callback, arguments = self._watched
                self._server.serve_until(fd)
                callback(*arguments)
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

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self.end_service()
        self._closed = True
