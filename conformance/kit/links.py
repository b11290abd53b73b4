"""A connection between the loop under test and a blocking peer, over TCP, a Unix socket, or TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from loopgauge.conformance.kit.peers import in_thread, socket_pair, tls_server_side
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

#: For `variants=`: what a rule about streams holds for.
STREAMS = ("tcp", "unix", "tls")

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass
class Link(Generic[P]):
    """`transport` and `protocol` are the loop's; `peer` is a blocking socket (an SSLSocket for
    TLS), to be used from a thread (`in_thread`) where it may have to wait for the loop."""

    transport: asyncio.Transport
    protocol: P
    peer: socket.socket

    async def close(self) -> None:
        """Ends both sides and lets the loop notice; the peer's data is thrown away."""
        self.transport.abort()
        self.peer.close()
        for _ in range(3):
            await asyncio.sleep(0)


async def link(t: Trial, kind: str, factory: Callable[[], P]) -> Link[P]:
    """Connects a transport of the running loop to a blocking peer; `kind` as in STREAMS."""
    loop = asyncio.get_running_loop()
    ours, peer = socket_pair("unix" if kind == "unix" else "tcp", t.directory)
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
