"""The floor of an I/O scenario: bare system calls where a loop would be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopgauge.scenarios.bare import ServingLoop, Work

if TYPE_CHECKING:
    from loopgauge.scenarios.model import Scenario


class Floor(ServingLoop):
    """Runs the floor's work of a scenario. Its server (`_bench.FloorServer`) is level-triggered
    epoll, 1 024 events a wait, recv into a static buffer, immediate send; the watched descriptor is
    looked at between two waits.
    """

    def work_for(self, scenario: Scenario, native: Any) -> Work | None:
        if native is None:
            raise NotImplementedError("the floor needs loopgauge._bench")
        return scenario.floor_work(native)

    def serve(self, native: Any, kind: str, address: str, size: int) -> str:
        self._server = native.FloorServer(kind, address, size)
        return str(self._server.address)

    def end_service(self) -> None:
        if self._server is not None:
            self._server.close()
        super().end_service()
