"""The base of scenarios in which the loop under test is a server and the generator its clients."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, cast

from loopgauge.scenarios.bare import ServingLoop, Work
from loopgauge.scenarios.generator import Traffic
from loopgauge.scenarios.io import limits
from loopgauge.scenarios.io.servers import Connections, ProtocolServer, Server
from loopgauge.scenarios.model import Scenario


class Served(Scenario):
    """Connections are opened in the setup and stay; a run has exactly n operations of theirs, and
    ends when the last is answered and every byte of it verified by the generator.

    A run costs a command and its answer beside its operations, and its first and last turns are
    not full ones. Measured on two cores: with slots of 2 ms two loops of 1.25 and 1.09 times the
    floor read as 1.42 and 1.16, with 5 ms as 1.29 and 1.11, with 10 ms as 1.28 and 1.10; the spread
    of the ratio from slot to slot was least at 10 ms (9 %, 6 %, 4 %, and 5 % at 20 ms).
    """

    needs_generator = True
    requires = frozenset({"tcp", "fd"})
    carriers: tuple[str, ...] = ("tcp", "served")
    slot_s = 0.010
    floor_kind: str = "tcp"

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._server: Server | None = None
        self._folder = ""
        self._room = 0
        clients = self.clients()
        count = clients["connections"]
        param = "connections" if "connections" in self.values else "at_once"
        limits.make_room(count, "connections", param)
        self._room = count
        self._traffic = Traffic(loop, self.generator)
        if isinstance(loop, ServingLoop):
            address = self._serve_bare(loop, native)
        else:
            self._server = self.make_server()
            address = loop.run_until_complete(self._server.start())
        self._traffic.open(address=address, **clients)

    def floor_work(self, native: Any) -> Work | None:
        return None if self.has_floor else super().floor_work(native)  # it serves as loops do

    def native_work(self, loop: Any) -> Work | None:
        return None if self.has_native else super().native_work(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return cast(int, self._traffic.go(n).n)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._close(loop)
        finally:
            room, self._room = getattr(self, "_room", 0), 0
            if room:
                limits.give_back(room)

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        traffic = getattr(self, "_traffic", None)
        if traffic is None:
            return
        traffic.close()
        if isinstance(loop, ServingLoop):
            loop.end_service()
        server, self._server = self._server, None
        if server is not None and not loop.is_closed():
            loop.run_until_complete(server.stop())
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    @abstractmethod
    def make_server(self) -> Server: ...

    @abstractmethod
    def clients(self) -> dict[str, Any]:
        """What the generator opens, but for the address."""

    def new_path(self) -> str:
        """For a Unix socket, in a folder that goes with the scenario."""
        self._folder = tempfile.mkdtemp(prefix="loopgauge-")
        return str(Path(self._folder) / "socket")

    def _serve_bare(self, loop: ServingLoop, native: Any) -> str:
        address = self.new_path() if self.floor_kind == "unix" else "127.0.0.1:0"
        return loop.serve(native, self.floor_kind, address, self.clients()["size"])


class ServedProtocol(Served):
    """With one protocol class over TCP, and echo clients that send `size` bytes."""

    size: int
    connections: int

    @property
    def grain(self) -> int:
        return self.connections

    def make_server(self) -> Server:
        return ProtocolServer(self.make_protocol, None)

    def clients(self) -> dict[str, Any]:
        return {"kind": "tcp", "connections": self.connections, "size": self.size}

    @abstractmethod
    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol: ...
