"""Connections themselves: how fast they come and go, and what an idle one costs."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from loopgauge.scenarios.bare import BareLoop
from loopgauge.scenarios.generator import Traffic
from loopgauge.scenarios.io.served import Served, ServedProtocol
from loopgauge.scenarios.io.servers import Connected, Connections, Echo, ProtocolServer, Server
from loopgauge.scenarios.model import Holds, Param, Scenario, require

AT_ONCE = Param("at_once", int, 16, (1, 16, 64), "connections under way at the same time")


class Counted(Connected, asyncio.Protocol):
    """A whole life: made, end of file, lost."""

    def __init__(self, connections: Connections, tally: list[int]) -> None:
        super().__init__(connections)
        self._tally = tally

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._tally[0] += 1


class AcceptRate(Served):
    """An operation is a whole life of a connection: accepted, end of file seen, closed. The
    next client comes when the server's side is closed."""

    id = "io.accept_rate"
    summary = "clients connect and leave at once"
    unit = "connection"
    rules: tuple[str, ...] = ("SRVR-001", "SRVR-026", "PROT-001", "PROT-005")
    # Nothing is written, and eof_received is left as it is, which closes.
    aside: tuple[str, ...] = ("PROT-005.answer-in-eof-*", "PROT-005.truthy-*")
    params = (AT_ONCE,)
    has_floor = True
    has_native = True
    floor_kind = "accept"
    at_once: int

    @property
    def grain(self) -> int:
        return self.at_once

    def make_server(self) -> Server:
        self._tally = [0]
        return ProtocolServer(lambda connections: Counted(connections, self._tally), None)

    def clients(self) -> dict[str, Any]:
        return {"kind": "tcp", "pattern": "connect", "connections": self.at_once, "size": 0}

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        if isinstance(loop, BareLoop):  # the clients see that the other side was closed
            return super().perform(loop, n)
        self._tally[0] = 0
        done = super().perform(loop, n)
        made = self._tally[0]
        require(made == n, f"connection_made was called {made} times for {n} connections")
        return done


class ConnectRate(Scenario):
    """The other side accepts and waits for our end of file."""

    id = "io.connect_rate"
    summary = "the loop connects, and closes the connection at once"
    unit = "connection"
    rules = ("TCPC-001", "PROT-001", "PROT-007", "TRAN-013")
    carriers = ("tcp",)
    # The address is numeric, nothing is sent, and every connection ends by close().
    aside = (
        "TCPC-001.hosts-ipv6",
        "TCPC-001.hosts-name",
        "TCPC-001.sock-*",
        "PROT-001.data-is-waiting-*",
        "PROT-001.peer-ends-*",
        "PROT-007.abort-*",
        "PROT-007.clean-end-*",
        "PROT-007.reset-*",
        "PROT-007.unix-reset",
        "TRAN-013.flushes-*",
        "TRAN-013.no-data-while-flushing-*",
        "TRAN-013.no-more-data-*",
        "TRAN-013.small-*",
    )
    requires = frozenset({"tcp", "fd"})
    needs_generator = True
    slot_s = 0.010
    params = (AT_ONCE,)
    at_once: int

    @property
    def grain(self) -> int:
        return self.at_once

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._traffic = Traffic(loop, self.generator)
        address = self._traffic.listen(pattern="accept").address
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._connected = 0
        self._traffic.send_go(n)
        loop.run_until_complete(self._connect_all(n))
        served = self._traffic.finish().n
        require(served == n, f"{served} of {n} connections arrived")
        return self._connected

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        traffic = getattr(self, "_traffic", None)
        if traffic is not None:
            traffic.close()

    async def _connect_all(self, n: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(self._connect(loop, n // self.at_once) for _ in range(self.at_once)))

    async def _connect(self, loop: asyncio.AbstractEventLoop, n: int) -> None:
        for _ in range(n):
            transport, protocol = await loop.create_connection(Client, self._host, self._port)
            transport.close()
            error = await protocol.lost
            require(error is None, f"connection_lost was told {error!r} after close()")
            self._connected += 1


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(exc)


class ConnectionMemory(ServedProtocol):
    """What the process grows by while its connections are opened, divided by their number; each
    has carried one message, so that whatever is allocated on first use is there.

    Counted once, in the setup of a fresh process: memory that was used before and is free again
    would hide what a connection takes. The runs report it.
    """

    id = "io.connection_memory"
    summary = "resident memory per idle connection"
    unit = "bytes"
    measure = "value"
    design = "process"
    rules = ("SRVR-001", "PROT-004")
    params = (
        Param("connections", int, 1000, (100, 1000, 10_000), "open at the same time"),
        Param("size", int, 64, (1, 64), "bytes of the one message each has carried"),
    )
    full = ({"connections": 10_000},)
    holds = Holds("connections", "connection", "setup", (250, 1000))
    slot_s = 0.0
    patience = 8.0  # ten thousand connections in one go
    size: int
    connections: int

    @property
    def grain(self) -> int:
        return 1

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        # One connection's worth of what is loaded and allocated once.
        first = type(self)(connections=self.connections, size=self.size)
        first.generator = self.generator
        with first.short_lived(loop, native):
            pass
        release_free_memory()
        before = resident_bytes()
        super().prepare(loop, native)
        done = self._traffic.go(self.connections)
        require(done.n == self.connections, "not every connection carried its message")
        gc.collect()
        self._value = (resident_bytes() - before) / self.connections

    @contextlib.contextmanager
    def short_lived(self, loop: asyncio.AbstractEventLoop, native: Any) -> Iterator[None]:
        """The server with one client, come and gone."""
        self.connections = 1
        super().prepare(loop, native)
        try:
            self._traffic.go(1)
            yield
        finally:
            super().release(loop)

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return Echo(connections)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        """All of them are still there, and answer."""
        done = self._traffic.go(n * self.connections)
        return cast(int, done.n) // self.connections

    def take_value(self) -> float:
        return self._value


_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def release_free_memory() -> None:
    """Back to the system, where the C library can: free memory would be used first."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
