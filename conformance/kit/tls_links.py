"""TLS connections between the loop under test and a blocking peer, with contexts and options of the
case's choice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from loopgauge.conformance.kit.links import Link
from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    socket_pair,
    tls_client_side,
    tls_server_side,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: Which side of a TLS connection the loop is.
ROLES = ("client", "server")


async def tls_client(
    t: Trial,
    factory: Callable[[], P],
    context: ssl.SSLContext | None = None,
    peer_context: ssl.SSLContext | None = None,
    hostname: str = HOSTNAME,
    **options: Any,
) -> Link[P]:
    """The loop is the client. `context` is its, `peer_context` the blocking server's."""
    loop = asyncio.get_running_loop()
    ours, plain = socket_pair("tcp", t.directory)
    peer_context = peer_context or server_context(t.directory)
    handshake = asyncio.ensure_future(in_thread(tls_server_side, plain, peer_context))
    transport, protocol = await loop.create_connection(
        factory, sock=ours, ssl=context or client_context(), server_hostname=hostname, **options
    )
    return Link(transport, protocol, await handshake)


async def tls_server(
    t: Trial,
    factory: Callable[[], Recorder],
    context: ssl.SSLContext | None = None,
    peer_context: ssl.SSLContext | None = None,
    hostname: str = HOSTNAME,
    **options: Any,
) -> Link[Recorder]:
    """The loop is the server. `context` is its, `peer_context` the blocking client's."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Recorder] = loop.create_future()

    def remember() -> Recorder:
        protocol = factory()
        accepted.set_result(protocol)
        return protocol

    server = await loop.create_server(
        remember, "127.0.0.1", 0, ssl=context or server_context(t.directory), **options
    )
    plain = dial(server.sockets[0].getsockname())
    peer = await in_thread(tls_client_side, plain, peer_context or client_context(), hostname)
    protocol = await accepted
    await protocol.made
    made: Any = protocol.transport
    return Link(made, protocol, peer, server)


async def tls_role(t: Trial, role: str, keep_open: bool = False, **options: Any) -> Link[Recorder]:
    """A connection with a Recorder, of which the loop is the client or the server."""
    loop = asyncio.get_running_loop()
    connect = tls_client if role == "client" else tls_server
    return await connect(t, lambda: Recorder(loop, keep_open), **options)


def strictly(context: ssl.SSLContext) -> Callable[[Any], ssl.SSLSocket]:
    """The handshake of a blocking server whose recv() tells an end with a close_notify (b"") from
    one without (SSLEOFError)."""

    def wrap(plain: Any) -> ssl.SSLSocket:
        return context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)

    return wrap
