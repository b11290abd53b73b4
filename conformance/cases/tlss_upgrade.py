"""TLSS: start_tls."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, Link, link
from loopgauge.conformance.kit.peers import (
    in_thread,
    receive_all,
    receive_exactly,
    tls_client_side,
    tls_server_side,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial


async def plain_link(t: Trial, kind: str) -> Link[Recorder]:
    loop = asyncio.get_running_loop()
    return await link(t, kind, lambda: Recorder(loop))


async def upgrade(made: Link[Recorder], context: Any, **options: Any) -> asyncio.Transport:
    """start_tls() of the connection's transport."""
    loop = asyncio.get_running_loop()
    upgraded: Any = await loop.start_tls(made.transport, made.protocol, context, **options)
    return upgraded  # type: ignore[no-any-return]


@case(
    "TLSS-008.client",
    variants=HALF_CLOSING,
    expected="a new transport; connection_made is not called again; later data is encrypted, and "
    "the same protocol gets what comes; connection_lost in the end",
)
def client(t: Trial, kind: str) -> None:
    """The loop talks plainly to a blocking peer, upgrades as the client, and talks on."""

    async def main() -> None:
        made = await plain_link(t, kind)
        made.transport.write(b"STARTTLS")
        plain = made.peer
        t.equal("plain", await in_thread(receive_exactly, plain, 8), b"STARTTLS")
        work = asyncio.ensure_future(in_thread(tls_server_side, plain, server_context(t.directory)))
        upgraded = await upgrade(made, client_context(), server_hostname=HOSTNAME)
        made.peer = await work
        t.true("it is a new transport", upgraded is not made.transport)
        t.true("it knows its protocol", upgraded.get_protocol() is made.protocol)
        found = upgraded.get_extra_info("ssl_object")
        t.true("'ssl_object'", isinstance(found, ssl.SSLObject | ssl.SSLSocket), "an SSL object")
        upgraded.write(b"secret")
        t.equal("the TLS peer reads", await in_thread(receive_exactly, made.peer, 6), b"secret")
        await in_thread(made.peer.sendall, b"answer")
        t.equal("the protocol gets", await made.protocol.received(6), b"answer")
        t.equal("callbacks", made.protocol.calls, ["connection_made", "data_received"])
        upgraded.abort()
        await made.protocol.lost
        await made.close()

    t.run(main())


@case(
    "TLSS-008.server",
    variants=HALF_CLOSING,
    expected="the handshake of a server; then data flows both ways",
)
def server(t: Trial, kind: str) -> None:
    """The loop reads a plain word, and upgrades as the server (server_side=True). The peer begins
    its handshake only after a plain answer, and sends at once when it is complete."""

    def talk(plain: socket.socket) -> ssl.SSLSocket:
        plain.sendall(b"STARTTLS")
        receive_exactly(plain, 2)
        peer = tls_client_side(plain, client_context(), HOSTNAME)
        peer.sendall(b"at once")
        return peer

    async def main() -> None:
        made = await plain_link(t, kind)
        work = asyncio.ensure_future(in_thread(talk, made.peer))
        t.equal("plain", await made.protocol.received(8), b"STARTTLS")
        made.protocol.data.clear()
        made.transport.write(b"GO")
        upgraded = await upgrade(made, server_context(t.directory), server_side=True)
        made.peer = await work
        t.equal("what comes at once", await made.protocol.received(7), b"at once")
        upgraded.write(b"answer")
        t.equal("the TLS peer reads", await in_thread(receive_exactly, made.peer, 6), b"answer")
        t.equal("callbacks", made.protocol.calls, ["connection_made", "data_received"])
        upgraded.abort()
        await made.protocol.lost
        await made.close()

    t.run(main())


@case(
    "TLSS-008.no-plain-data",
    expected="nothing that comes during the handshake reaches the protocol, and no word that is "
    "written afterwards can be read on the wire",
)
def no_plain_data(t: Trial) -> None:
    """Between the loop and the TLS peer stands a relay that keeps a copy of every byte."""

    def relay(left: socket.socket, right: socket.socket) -> None:
        while data := left.recv(65536):
            copies.append(data)
            right.sendall(data)
        right.shutdown(socket.SHUT_WR)

    async def main() -> None:
        made = await plain_link(t, "tcp")
        near, far = socket.socketpair()
        near.settimeout(5)
        far.settimeout(5)
        wire = made.peer
        relays = [
            asyncio.ensure_future(in_thread(relay, wire, near)),
            asyncio.ensure_future(in_thread(relay, near, wire)),
        ]
        work = asyncio.ensure_future(in_thread(tls_server_side, far, server_context(t.directory)))
        upgraded = await upgrade(made, client_context(), server_hostname=HOSTNAME)
        peer = await work
        t.equal("data during the handshake", bytes(made.protocol.data), b"")
        upgraded.write(b"the secret word")
        arrived = await in_thread(receive_exactly, peer, 15)
        t.equal("the peer reads", arrived, b"the secret word")
        t.equal("times it is on the wire", b"".join(copies).count(b"secret"), 0)
        upgraded.abort()
        await made.protocol.lost
        peer.close()
        await asyncio.gather(*relays, return_exceptions=True)
        near.close()
        await made.close()

    copies: list[bytes] = []
    t.run(main())


@case(
    "TLSS-008.refused",
    expected="ssl.CertificateError, and the connection is closed",
)
def upgrade_refused(t: Trial) -> None:
    """The loop upgrades as a client, and the peer's certificate is for another name."""

    async def main() -> None:
        made = await plain_link(t, "tcp")
        work = asyncio.ensure_future(
            in_thread(tls_server_side, made.peer, server_context(t.directory))
        )
        with t.raises(ssl.CertificateError):
            await upgrade(made, client_context(), server_hostname="other.example")
        with t.raises(OSError, what="the handshake of the peer"):
            await work
        t.equal("is_closing() of the old transport", made.transport.is_closing(), True)
        made.peer.close()

    t.run(main())


@case(
    "TLSS-008.timeout",
    expected="ConnectionAbortedError, and the peer sees the end of the connection",
)
def upgrade_times_out(t: Trial) -> None:
    """The loop upgrades with ssl_handshake_timeout=0.1, and the peer says nothing."""

    async def main() -> None:
        made = await plain_link(t, "tcp")
        with t.raises(ConnectionAbortedError):
            await upgrade(
                made, client_context(), server_hostname=HOSTNAME, ssl_handshake_timeout=0.1
            )
        said = await in_thread(receive_all, made.peer)
        t.equal("the first byte that the peer got", said[:1], b"\x16")
        made.peer.close()

    t.run(main())


@case(
    "TLSS-008.tls-in-tls",
    expected="both layers work: the inner handshake succeeds and data flows",
)
def tls_in_tls(t: Trial) -> None:
    """Client and server of one loop have a TLS connection, and both upgrade it to TLS once more."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = Recorder(loop)
        context = server_context(t.directory)
        serving = await loop.create_server(lambda: accepted, "127.0.0.1", 0, ssl=context)
        host, port = serving.sockets[0].getsockname()
        transport, protocol = await loop.create_connection(
            lambda: Recorder(loop), host, port, ssl=client_context(), server_hostname=HOSTNAME
        )
        await accepted.made
        outer: Any = accepted.transport
        theirs, ours = await asyncio.gather(
            loop.start_tls(outer, accepted, context, server_side=True),
            loop.start_tls(transport, protocol, client_context(), server_hostname=HOSTNAME),
        )
        first: Any = ours
        second: Any = theirs
        first.write(b"down there")
        t.equal("the server reads", await accepted.received(10), b"down there")
        second.write(b"up here")
        t.equal("the client reads", await protocol.received(7), b"up here")
        first.abort()
        second.abort()
        await asyncio.gather(protocol.lost, accepted.lost)
        serving.close()
        await serving.wait_closed()

    t.run(main())


@case(
    "TLSS-009.context",
    variants=("none", "true", "object"),
    expected="TypeError, and the connection stays plain and works",
)
def wrong_context(t: Trial, kind: str) -> None:
    """start_tls() is given something that is no SSLContext."""

    async def main() -> None:
        made = await plain_link(t, "tcp")
        wrong: Any = {"none": None, "true": True, "object": object()}[kind]
        with t.raises(TypeError):
            await upgrade(made, wrong, server_hostname=HOSTNAME)
        made.transport.write(b"plain")
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 5), b"plain")
        made.peer.sendall(b"too")
        t.equal("the loop reads", await made.protocol.received(3), b"too")
        await made.close()

    t.run(main())


@case(
    "TLSS-009.transport",
    seconds=5.0,
    variants=("none", "pipe", "datagram"),
    expected="TypeError",
)
def wrong_transport(t: Trial, kind: str) -> None:
    """start_tls() is given None, a pipe's transport, or a datagram transport."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport: Any = None
        ends: list[int] = []
        if kind == "pipe":
            reading, writing = os.pipe()
            ends.append(writing)
            transport, _ = await loop.connect_read_pipe(
                asyncio.Protocol, os.fdopen(reading, "rb", 0)
            )
        elif kind == "datagram":
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
            )
        with t.raises(TypeError):
            await loop.start_tls(
                transport, asyncio.Protocol(), client_context(), server_hostname=HOSTNAME
            )
        if transport is not None:
            transport.close()
        for end in ends:
            os.close(end)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    t.run(main())


@case(
    "TLSS-010.cancelled",
    variants=HALF_CLOSING,
    expected="CancelledError; the connection is closed; nothing is logged, and nothing is left",
)
def cancelled(t: Trial, kind: str) -> None:
    """start_tls() is cancelled while it waits for the peer, which has got the hello and says
    nothing."""

    async def main() -> None:
        made = await plain_link(t, kind)
        task = asyncio.ensure_future(upgrade(made, client_context(), server_hostname=HOSTNAME))
        hello = await in_thread(made.peer.recv, 1)
        t.equal("the first byte of the hello", hello, b"\x16")
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task
        t.equal("is_closing() of the transport", made.transport.is_closing(), True)
        rest = await in_thread(receive_all, made.peer)
        t.true("the peer reads up to the end", isinstance(rest, bytes))
        made.peer.close()

    t.run(main())


@case(
    "TLSS-010.cancelled-at-once",
    expected="CancelledError; the connection is closed, and no handshake is begun later",
)
def cancelled_at_once(t: Trial) -> None:
    """start_tls() is cancelled in the turn in which it was called."""

    async def main() -> None:
        made = await plain_link(t, "tcp")
        task = asyncio.ensure_future(upgrade(made, client_context(), server_hostname=HOSTNAME))
        asyncio.get_running_loop().call_soon(task.cancel)
        with t.raises(asyncio.CancelledError):
            await task
        said = await in_thread(receive_all, made.peer)
        t.between("bytes that the peer got", len(said), 0, 2000)
        t.equal("is_closing() of the transport", made.transport.is_closing(), True)
        made.peer.close()

    t.run(main())
