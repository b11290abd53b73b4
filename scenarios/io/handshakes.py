"""Connections that become encrypted: from their first byte, or in the middle."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, cast

from loopgauge.scenarios.io.certificate import client_context, server_context
from loopgauge.scenarios.io.connections import AcceptRate, Counted
from loopgauge.scenarios.io.servers import (
    Connected,
    Connections,
    ProtocolServer,
    Server,
)
from loopgauge.scenarios.model import Param, Scenario, require


class TlsHandshake(AcceptRate):
    """An operation is a whole life of a connection: accepted, handshake (TLS 1.3, an elliptic
    key, no resumption), closed from both sides. The generator proves that it is encrypted. Most
    of the work is OpenSSL's, the same for all."""

    id = "io.tls_handshake"
    summary = "clients connect, shake hands, and leave"
    unit = "handshake"
    rules = ("SRVR-001", "TLSS-001", "TLSS-003", "TLSS-011", "PROT-001")
    carriers = ("tls",)
    # The loop is the server, its own listener accepts, and no handshake fails.
    aside = (
        "TLSS-001.*-client",
        "TLSS-001.name-*",
        "TLSS-001.accepted-socket",
        "TLSS-003.client",
        "TLSS-003.no-tls",
        "TLSS-003.vanishes-*",
    )
    requires = frozenset({"tcp", "fd", "tls"})
    full = ({}, {"at_once": 1})
    has_floor = False
    has_native = False

    def make_server(self) -> Server:
        self._tally = [0]
        return ProtocolServer(
            lambda connections: Counted(connections, self._tally), None, server_context()
        )

    def clients(self) -> dict[str, Any]:
        return {**super().clients(), "kind": "tls"}


class Upgradable(Connected, asyncio.Protocol):
    """Either side of a connection that begins in the clear. Its owner awaits `line()`."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the connection ended"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._waiting is not None and self._received.endswith(b"\n"):
            waiting, self._waiting = self._waiting, None
            waiting.set_result(self._take())

    async def line(self) -> bytes:
        """The one line that the other side has sent, or will send."""
        if self._received.endswith(b"\n"):
            return self._take()
        self._waiting = asyncio.get_running_loop().create_future()
        return await self._waiting

    async def upgrade(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        """Raises CheckFailed where what it gets is not encrypted."""
        name = None if server_side else "localhost"
        transport: Any = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_side=server_side, server_hostname=name
        )
        session: Any = transport.get_extra_info("ssl_object") if transport is not None else None
        require(session is not None and session.version(), "start_tls returned no TLS transport")
        self._connections.discard(self.transport)
        self.transport = transport
        self._connections.add(transport)

    def _take(self) -> bytes:
        received, self._received = self._received, b""
        return received


class StartTls(Scenario):
    """Both ends belong to the loop under test. An operation is a whole life of a connection as mail
    and data base protocols have it: a line each way in the clear, the upgrade, a line each way."""

    id = "io.start_tls"
    summary = "connections that are upgraded with start_tls after a first message"
    unit = "connection"
    rules = ("TLSS-008", "TLSS-011", "TCPC-001", "SRVR-001", "PROT-001", "PROT-004")
    carriers = ("tcp", "served", "tls")
    # The address is numeric.
    aside = ("TCPC-001.hosts-ipv6", "TCPC-001.hosts-name", "TCPC-001.sock-*")
    requires = frozenset({"tcp", "tls", "start_tls"})
    params = (Param("at_once", int, 8, (1, 8, 32), "connections under way at the same time"),)
    full = ({}, {"at_once": 1})
    slot_s = 0.010
    at_once: int

    @property
    def grain(self) -> int:
        return self.at_once

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._server: ProtocolServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: list[asyncio.Task[int]] = []
        self._client_context = client_context()
        self._server_context = server_context()
        self._clients = Connections()
        self._server = ProtocolServer(self._accept, None)
        host, _, port = loop.run_until_complete(self._server.start()).rpartition(":")
        self._host, self._port = host, int(port)
        self.perform(loop, self.grain)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._served = 0
        done = loop.run_until_complete(self._connect_all(n))
        require(self._served == n, f"{self._served} of {n} connections were upgraded and answered")
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        server, self._server = getattr(self, "_server", None), None
        if server is not None and not loop.is_closed():
            loop.run_until_complete(self._end(server))

    async def _end(self, server: ProtocolServer) -> None:
        """After a run that failed both sides may be anywhere."""
        tasks = [*self._tasks, *self._connecting]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        left = (*self._clients.transports, *server.connections.transports)
        for transport in left:
            cast(asyncio.Transport, transport).abort()
        server.connections.transports.clear()  # whose handshake ends like this is not told
        await server.stop()

    def _accept(self, connections: Connections) -> asyncio.BaseProtocol:
        protocol = Upgradable(connections)
        task = asyncio.get_running_loop().create_task(self._serve(protocol))
        self._tasks.add(task)
        task.add_done_callback(self._report)
        return protocol

    async def _serve(self, protocol: Upgradable) -> None:
        require(await protocol.line() == ASK, "the server received other bytes")
        # What follows this answer is the client's handshake: nothing may be read in between.
        protocol.transport.pause_reading()
        protocol.transport.write(AGREE)
        await protocol.upgrade(self._server_context, server_side=True)
        require(await protocol.line() == SECRET, "the server received other bytes after start_tls")
        protocol.transport.write(SECRET_ANSWER)
        await protocol.lost
        self._served += 1

    def _report(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": "the server of io.start_tls failed", "exception": error}
            )

    async def _connect_all(self, n: int) -> int:
        share, loop = n // self.at_once, asyncio.get_running_loop()
        self._connecting = [loop.create_task(self._connect(share)) for _ in range(self.at_once)]
        done = sum(await asyncio.gather(*self._connecting))
        if self._tasks:
            await asyncio.wait(self._tasks)
        return done

    async def _connect(self, n: int) -> int:
        loop = asyncio.get_running_loop()
        make = lambda: Upgradable(self._clients)  # noqa: E731
        for _ in range(n):
            transport, protocol = await loop.create_connection(make, self._host, self._port)
            transport.write(ASK)
            require(await protocol.line() == AGREE, "the client received other bytes")
            await protocol.upgrade(self._client_context, server_side=False)
            protocol.transport.write(SECRET)
            answer = await protocol.line()
            require(answer == SECRET_ANSWER, "the client received other bytes after start_tls")
            protocol.transport.close()
            await protocol.lost
        return n


ASK = b"STARTTLS\n"
AGREE = b"220 go ahead\n"
SECRET = b"EHLO localhost\n"
SECRET_ANSWER = b"250 localhost\n"
