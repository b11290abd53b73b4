"""The floor of an I/O scenario: bare system calls where a loop would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from loopgauge.scenarios.bare import BareLoop, Work

if TYPE_CHECKING:
    from loopgauge.scenarios.model import Scenario


class Floor(BareLoop):
    """Runs the floor's work of a scenario. Where that is to serve the load generator, it drives
    the floor in Python: the server is C++ (`_bench.FloorServer`): level-triggered epoll, 1 024
    events a wait, recv into a static buffer, immediate send.
    """

    def __init__(self) -> None:
        super().__init__()
        self._server: Any = None
        self._watched: tuple[int, Callable[..., object], tuple[Any, ...]] | None = None
        self._stopping = False
        self._running = False

    def work_for(self, scenario: Scenario, native: Any) -> Work | None:
        if native is None:
            raise NotImplementedError("the floor needs loopgauge._bench")
        return scenario.floor_work(native)

    def serve(self, native: Any, kind: str, address: str, size: int) -> str:
        """Starts the server and returns its address. `native` is the module loopgauge._bench;
        `size`: of the clients' messages."""
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

    def close(self) -> None:
        self.end_service()
        super().close()
