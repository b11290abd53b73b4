"""A host name with several addresses, for loops that resolve through the socket module."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loopgauge.conformance.trial import Trial

SEVERAL = "several.invalid"


@dataclass
class Address:
    """An address without a socket of its own, for `resolving`."""

    family: int
    address: Any

    def getsockname(self) -> Any:
        return self.address


@contextmanager
def resolving(t: Trial, sockets: Sequence[socket.socket | Address]) -> Iterator[str]:
    """Within it the name it hands out has the addresses of `sockets`, in this order. Ends the
    case where the loop has a resolver of its own, which does not see that."""
    infos = [(s.family, socket.SOCK_STREAM, 6, "", s.getsockname()) for s in sockets]
    original = socket.getaddrinfo

    def answer(host: Any, port: Any, family: int = 0, *rest: Any, **more: Any) -> list[Any]:
        if host == SEVERAL:
            return [info for info in infos if family in (0, info[0])]
        if host == "localhost" and port == 1:
            return infos  # the probe below
        return original(host, port, family, *rest, **more)

    socket.getaddrinfo = answer
    try:
        if t.run(t.loop.getaddrinfo("localhost", 1)) != infos:
            t.not_applicable("this loop has a resolver of its own: no name has several addresses")
        yield SEVERAL
    finally:
        socket.getaddrinfo = original


async def connect(t: Trial, host: str, **options: Any) -> Any:
    """Where create_connection connects to, as `getpeername()` says; the connection is ended."""
    loop = asyncio.get_running_loop()
    lost = loop.create_future()

    class Ending(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(None)

    transport, _ = await loop.create_connection(Ending, host, 1, **options)
    address = transport.get_extra_info("peername")
    transport.abort()
    await lost
    return address
