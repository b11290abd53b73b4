"""STRM: StreamWriter.start_tls."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    receive_exactly,
    socket_pair,
    tls_server_side,
)
from loopgauge.conformance.kit.streams import closed
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial


async def end(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


@case(
    "STRM-006.client",
    expected="what is written afterwards reaches the TLS peer decrypted, and the same reader reads",
)
def start_tls_client(t: Trial) -> None:
    """A client talks plainly, then calls its writer's start_tls() while the peer does the
    handshake of a server; then both talk again."""

    async def main() -> None:
        ours, plain = socket_pair("tcp", t.directory)
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"STARTTLS")
        t.equal("plain", await in_thread(receive_exactly, plain, 8), b"STARTTLS")
        await in_thread(plain.sendall, b"GO")
        t.equal("plain answer", await reader.readexactly(2), b"GO")
        before = writer.transport
        handshake = asyncio.ensure_future(
            in_thread(tls_server_side, plain, server_context(t.directory))
        )
        await writer.start_tls(client_context(), server_hostname=HOSTNAME)
        peer = await handshake
        t.true("the writer has a new transport", writer.transport is not before)
        found = writer.get_extra_info("ssl_object")
        t.true("'ssl_object' is an SSLObject", isinstance(found, ssl.SSLObject | ssl.SSLSocket))
        writer.write(b"secret")
        t.equal("what the TLS peer reads", await in_thread(receive_exactly, peer, 6), b"secret")
        await in_thread(peer.sendall, b"answer")
        t.equal("what the stream reads", await reader.readexactly(6), b"answer")
        writer.transport.abort()
        peer.close()
        await closed(writer)

    t.run(main())


@case(
    "STRM-006.server",
    expected="the server's side does the handshake of a server, since the connection was accepted",
)
def start_tls_server(t: Trial) -> None:
    """A stream server reads a plain word, calls its writer's start_tls() without saying which side
    it is, and answers; the peer is a blocking client that trusts the certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        t.equal("plain", await reader.readexactly(8), b"STARTTLS")
        writer.write(b"GO")
        await writer.start_tls(server_context(t.directory))
        writer.write((await reader.readexactly(6)).upper())
        await writer.drain()
        await closed(writer)
        served.set_result(None)

    def talk(address: Any) -> bytes:
        plain = dial(address)
        plain.sendall(b"STARTTLS")
        receive_exactly(plain, 2)
        peer = client_context().wrap_socket(plain, server_hostname=HOSTNAME)
        peer.sendall(b"secret")
        answered = receive_exactly(peer, 6)
        peer.unwrap().close()
        return answered

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        t.equal("what the client reads", await in_thread(talk, address), b"SECRET")
        await served
        await end(server)

    served: asyncio.Future[None] = t.loop.create_future()
    t.run(main())


@case(
    "STRM-006.drains-first",
    expected="what was written before start_tls() arrives plainly, all of it, before the handshake",
)
def start_tls_drains(t: Trial) -> None:
    """A client writes 200 kB plainly and calls start_tls() at once; the peer reads them and only
    then begins its handshake."""

    def receive(plain: Any, context: ssl.SSLContext) -> tuple[int, ssl.SSLSocket]:
        data = receive_exactly(plain, 200_000)
        return data.count(b"p"), tls_server_side(plain, context)

    async def main() -> None:
        ours, plain = socket_pair("tcp", t.directory)
        _reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"p" * 200_000)
        work = asyncio.ensure_future(in_thread(receive, plain, server_context(t.directory)))
        await writer.start_tls(client_context(), server_hostname=HOSTNAME)
        count, peer = await work
        t.equal("plain bytes that arrived", count, 200_000)
        writer.transport.abort()
        peer.close()
        await closed(writer)

    t.run(main())


@case(
    "STRM-011.pipelined",
    expected="the handshake takes them from the reader's buffer, and succeeds",
)
def start_tls_pipelined(t: Trial) -> None:
    """A client sends a plain word and the first message of its handshake in one go; the server
    reads the word and calls start_tls(), when the message is already in the reader's buffer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        t.equal("plain", await reader.readexactly(8), b"STARTTLS")
        await writer.start_tls(server_context(t.directory))
        writer.write((await reader.readexactly(6)).upper())
        await writer.drain()
        await closed(writer)
        served.set_result(None)

    def talk(address: Any) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(incoming, outgoing, server_hostname=HOSTNAME)
        with dial(address) as plain:
            first = b"STARTTLS"
            for step in (tls.do_handshake, lambda: tls.write(b"secret"), lambda: tls.read(6)):
                while True:
                    try:
                        result = step()
                    except ssl.SSLWantReadError:
                        plain.sendall(first + outgoing.read())
                        first = b""
                        incoming.write(plain.recv(65536))
                    else:
                        break
        return result if isinstance(result, bytes) else b""

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        t.equal("what the client reads", await in_thread(talk, address), b"SECRET")
        await served
        await end(server)

    served: asyncio.Future[None] = t.loop.create_future()
    t.run(main())
