"""Datagram endpoints of the loop under test, and plain sockets at the other end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from loopgauge.conformance.kit.peers import PEER_SECONDS, fresh_path
from loopgauge.conformance.trial import Trial

#: For `variants=`: what a rule about datagrams holds for.
DATAGRAMS = ("udp", "unix")


class DatagramRecorder(asyncio.DatagramProtocol):
    """`calls`: the names of the callbacks in order; `arrived`: (data, address) of each datagram;
    `errors`: what error_received() got; `lost`: a future that is done at connection_lost()."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.calls: list[str] = []
        self.arrived: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.error: BaseException | None = None
        self.transport: asyncio.DatagramTransport | None = None
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self._changed = asyncio.Event()

    async def received(self, count: int) -> list[bytes]:
        """Waits until `count` datagrams have come in all; returns the data of those there."""
        while len(self.arrived) < count and not self.lost.done():
            await self._next()
        return [data for data, _ in self.arrived]

    async def failed(self, count: int = 1) -> list[Exception]:
        """Waits for `count` calls of error_received()."""
        while len(self.errors) < count and not self.lost.done():
            await self._next()
        return self.errors

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._call("connection_made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.arrived.append((data, addr))
        self._call("datagram_received")

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)
        self._call("error_received")

    def pause_writing(self) -> None:
        self._call("pause_writing")

    def resume_writing(self) -> None:
        self._call("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        if not self.lost.done():
            self.lost.set_result(None)
        self._call("connection_lost")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self._changed.set()


def datagram_socket(kind: str, directory: Path) -> socket.socket:
    """A bound blocking socket: "udp" on 127.0.0.1, "udp6" on ::1, "unix" in `directory`."""
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(fresh_path(directory))
    else:
        made = socket.socket(
            socket.AF_INET6 if kind == "udp6" else socket.AF_INET, socket.SOCK_DGRAM
        )
        made.bind(("::1" if kind == "udp6" else "127.0.0.1", 0))
    made.settimeout(PEER_SECONDS)
    return made


async def endpoint(
    t: Trial, kind: str, peer: socket.socket | None = None
) -> tuple[asyncio.DatagramTransport, DatagramRecorder]:
    """An endpoint of the running loop on a socket of its own, connected to `peer` if there is
    one."""
    ours = datagram_socket(kind, t.directory)
    ours.setblocking(False)
    if peer is not None:
        ours.connect(peer.getsockname())
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(DatagramRecorder, sock=ours)


async def end(transport: asyncio.DatagramTransport, protocol: DatagramRecorder) -> None:
    """Aborts and waits for connection_lost()."""
    if not protocol.lost.done():
        transport.abort()
        await asyncio.wait([protocol.lost], timeout=5)
    for _ in range(3):
        await asyncio.sleep(0)


def set_small_buffers(made: socket.socket) -> None:
    """So that few datagrams fill the queue."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
