"""A connection between the loop under test and a blocking peer, over TCP, a Unix socket, or TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    listener,
    socket_pair,
    tls_client_side,
    tls_server_side,
)
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

#: For `variants=`: what a rule about streams holds for.
STREAMS = ("tcp", "unix", "tls")
#: Those that can be closed in one direction only.
HALF_CLOSING = ("tcp", "unix")
#: Both sides of connecting: made by the loop, and accepted by a server of the loop.
SIDES = ("tcp", "unix", "tls", "served", "served-tls")

#: Of the kernel's buffers in one direction, where a case asks for small ones.
SMALL_BUFFER = 65536

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass
class Link(Generic[P]):
    """`transport` and `protocol` are the loop's; `peer` is a blocking socket (an SSLSocket for
    TLS), to be used from a thread (`in_thread`) where it may have to wait for the loop."""

    transport: asyncio.Transport
    protocol: P
    peer: socket.socket
    server: asyncio.AbstractServer | None = None

    async def close(self) -> None:
        """Ends both sides and waits until the loop has noticed (as long as the protocol's `lost`
        says, if it has one); the peer's data is thrown away. May be called twice."""
        lost = getattr(self.protocol, "lost", None)
        if not asyncio.isfuture(lost):
            self.transport.abort()
        elif not lost.done():
            self.transport.abort()
            await asyncio.wait([lost], timeout=5)
        self.peer.close()
        if self.server is not None:
            self.server.close()
        for _ in range(3):
            await asyncio.sleep(0)


async def link(t: Trial, kind: str, factory: Callable[[], P], small: bool = False) -> Link[P]:
    """Connects a transport of the running loop to a blocking peer; `kind` as in SIDES.
    `small`: with small buffers of the kernel, so that little data fills them."""
    if kind.startswith("served"):
        return await _served(t, kind, factory, small)
    loop = asyncio.get_running_loop()
    buffer = SMALL_BUFFER if small else 0
    ours, peer = socket_pair("unix" if kind == "unix" else "tcp", t.directory, buffer)
    if kind == "unix":
        transport, protocol = await loop.create_unix_connection(factory, sock=ours)
    elif kind == "tcp":
        transport, protocol = await loop.create_connection(factory, sock=ours)
    else:
        handshake = asyncio.ensure_future(
            in_thread(tls_server_side, peer, server_context(t.directory))
        )
        transport, protocol = await loop.create_connection(
            factory, sock=ours, ssl=client_context(), server_hostname=HOSTNAME
        )
        peer = await handshake
    return Link(transport, protocol, peer)


async def _served(t: Trial, kind: str, factory: Callable[[], P], small: bool) -> Link[P]:
    """The transport is that of a server, which has accepted the peer."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[P] = loop.create_future()

    def remember() -> P:
        protocol = factory()
        made.set_result(protocol)
        return protocol

    listening = listener("tcp", t.directory, buffer=SMALL_BUFFER if small else 0)
    listening.setblocking(False)
    address = listening.getsockname()
    context = server_context(t.directory) if kind == "served-tls" else None
    server = await loop.create_server(remember, sock=listening, ssl=context)
    peer = dial(address, SMALL_BUFFER if small else 0)
    if kind == "served-tls":
        peer = await in_thread(tls_client_side, peer, client_context(), HOSTNAME)
    protocol = await made
    connected = getattr(protocol, "made", None)
    if not asyncio.isfuture(connected):
        raise TypeError("a served link needs a protocol with a future `made`, such as Recorder")
    await connected
    return Link(protocol.transport, protocol, peer, server)  # type: ignore[attr-defined]
