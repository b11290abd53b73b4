"""CACC: connect_accepted_socket."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import in_thread, socket_pair, tls_client_side
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import ended
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial


@case(
    "CACC-001.data",
    variants=STREAMS,
    expected="(transport, the factory's protocol), and data both ways",
)
def wraps(t: Trial, kind: str) -> None:
    """A socket that was accepted elsewhere is handed over, over TCP, a Unix socket, and as the
    server of TLS."""
    ours, peer = socket_pair("unix" if kind == "unix" else "tcp", t.directory)
    protocol = Recorder(t.loop)

    async def main() -> None:
        client = peer
        options: dict[str, Any] = {}
        if kind == "tls":
            options["ssl"] = server_context(t.directory)
            handshake = asyncio.ensure_future(
                in_thread(tls_client_side, peer, client_context(), HOSTNAME)
            )
        transport, got = await t.loop.connect_accepted_socket(lambda: protocol, ours, **options)
        if kind == "tls":
            client = await handshake
        t.true("the protocol is what the factory returned", got is protocol)
        t.true("connection_made got the transport", protocol.transport is transport)
        await in_thread(client.sendall, b"question")
        t.equal("what the protocol received", await protocol.received(8), b"question")
        transport.write(b"answer")
        t.equal("what the client received", await in_thread(client.recv, 100), b"answer")
        t.equal("peername", transport.get_extra_info("peername"), client.getsockname())
        await ended(protocol)
        client.close()

    t.run(main())
    t.spin()
    t.equal("the protocol's first call", protocol.calls[0], "connection_made")
    t.equal("the descriptor of the socket", ours.fileno(), -1)


@case("CACC-001.blocking", expected="it is non-blocking then")
def makes_non_blocking(t: Trial) -> None:
    """The socket is a blocking one."""
    ours, peer = socket_pair("tcp", t.directory)
    ours.setblocking(True)
    protocol = Recorder(t.loop)

    async def main() -> None:
        transport, _ = await t.loop.connect_accepted_socket(lambda: protocol, ours)
        number = transport.get_extra_info("socket").fileno()
        t.equal("its descriptor blocks", os.get_blocking(number), False)
        await ended(protocol)

    with peer:
        t.run(main())


@case("CACC-001.early-data", expected="connection_made first, then the data, once")
def early_data(t: Trial) -> None:
    """The client has sent data and closed before the socket is handed over."""
    ours, peer = socket_pair("tcp", t.directory)
    protocol = Recorder(t.loop)

    async def main() -> None:
        peer.sendall(b"early")
        peer.close()
        await t.loop.connect_accepted_socket(lambda: protocol, ours)
        await protocol.lost
        t.equal("the data", bytes(protocol.data), b"early")
        wanted = ["connection_made", "data_received", "eof_received", "connection_lost"]
        t.equal("the calls", protocol.calls, wanted)

    t.run(main())


@case(
    "CACC-002.timeouts",
    variants=("ssl_handshake_timeout", "ssl_shutdown_timeout"),
    expected="ValueError; the socket stays the caller's",
)
def timeouts_without_tls(t: Trial, name: str) -> None:
    """A time limit of TLS is given without ssl."""
    ours, peer = socket_pair("tcp", t.directory)
    options: dict[str, Any] = {name: 1.0}
    with ours, peer:
        with t.raises(ValueError):
            t.run(t.loop.connect_accepted_socket(asyncio.Protocol, ours, **options))
        ours.sendall(b"usable")
        t.equal("what the peer reads", peer.recv(10), b"usable")


@case("CACC-003.datagram", variants=("udp", "unix"), expected="ValueError; the socket stays open")
def no_stream(t: Trial, kind: str) -> None:
    """A datagram socket is handed over."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as ours:
        with t.raises(ValueError):
            t.run(t.loop.connect_accepted_socket(asyncio.Protocol, ours))
        t.true("the socket is still open", ours.fileno() >= 0)
