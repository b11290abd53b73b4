"""A message to everybody who is there. The library `websockets` is optional: without it the
scenario is UNSUPPORTED and says what to install."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.io.http import optional
from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import Server, address_of
from loopgauge.scenarios.model import Param


class WebsocketBroadcast(Served):
    """One of the clients sends messages, the server sends each to all of them with the library's
    own `broadcast`. An operation is one delivery, so that the cost of a message that comes in is
    shared by those it goes to. No compression, no pings."""

    id = "io.websocket_broadcast"
    summary = "a websockets server sends each message that it gets to all its clients"
    unit = "delivery"
    rules = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001", "TRAN-004", "TASK-001")
    params = (
        Param("connections", int, 32, (1, 32, 100, 1000), "clients"),
        Param("size", int, 256, (1, 256, 10_240), "bytes of a message"),
    )
    full = ({}, {"connections": 1}, {"connections": 100}, {"size": 10_240})
    connections: int
    size: int

    @property
    def grain(self) -> int:
        return self.connections

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._library = optional("websockets.asyncio.server", "websockets")
        self._errors = optional("websockets.exceptions", "websockets")
        super().prepare(loop, native)

    def make_server(self) -> Server:
        return BroadcastServer(self._library, self._errors.ConnectionClosed)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": "tcp",
            "pattern": "broadcast",
            "connections": self.connections,
            "size": self.size,
            "depth": UNDER_WAY,
        }


class BroadcastServer(Server):
    def __init__(self, library: Any, closed: type[Exception]) -> None:
        super().__init__(None)
        self._library = library
        self._closed = closed
        self._server: Any = None
        self._everybody: set[Any] = set()

    async def start(self) -> str:
        self._server = await self._library.serve(
            self._serve, "127.0.0.1", 0, compression=None, ping_interval=None
        )
        return address_of(self._server)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, client: Any) -> None:
        self._everybody.add(client)
        try:
            async for message in client:
                self._library.broadcast(self._everybody, message)
        except self._closed:
            pass  # the generator leaves without a farewell
        finally:
            self._everybody.discard(client)


UNDER_WAY = 4  # messages that have not come back to the one who speaks
