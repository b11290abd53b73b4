"""start_tls(), and the classes of a TLS connection that somebody has replaced."""

from __future__ import annotations

import asyncio
import selectors
import socket
import ssl
from asyncio import sslproto

import pytest
from loop_testing.certificates import client_context, server_context
from loop_testing.compare import on_both, quiet
from loop_testing.target import is_stock
from loop_testing.tls import BufferedRecorder, Peer, Recorder, connect


def both(scenario):
    async def limited(loop: asyncio.AbstractEventLoop):
        return await asyncio.wait_for(scenario(loop), 30)

    return on_both(lambda loop: loop.run_until_complete(limited(loop)))


async def plain(loop: asyncio.AbstractEventLoop, make=Recorder) -> tuple[Recorder, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, protocol = await loop.connect_accepted_socket(make, ours)
    return protocol, theirs


async def upgrade(loop, protocol: Recorder, sock: socket.socket, **options) -> Peer:
    """Both sides switch to TLS; the recorder writes to the new transport from then on."""
    peer = Peer(sock, client_context(), server=False)
    protocol.transport, _ = await asyncio.gather(
        loop.start_tls(protocol.transport, protocol, server_context(), server_side=True, **options),
        peer.handshake(),
    )
    return peer


@pytest.mark.parametrize("make", [Recorder, BufferedRecorder])
def test_upgrade(make) -> None:
    """connection_made() is not called again; connection_lost() once."""

    async def scenario(loop):
        protocol, sock = await plain(loop, make)
        await loop.sock_sendall(sock, b"plain")
        await protocol.receive(5)
        protocol.transport.write(b"switch")
        switch = await loop.sock_recv(sock, 6)
        peer = await upgrade(loop, protocol, sock)
        await peer.send(b"secret")
        got = await protocol.receive(11)
        protocol.transport.write(b"x" * 100_000)
        answer = await peer.receive(100_000)
        protocol.transport.close()
        ending = await peer.ending()
        await peer.close_notify()
        await protocol.lost
        sock.close()
        return switch, got, answer, ending, protocol.events

    *_, events = both(scenario)
    assert events == [("made",), ("data",), ("eof",), ("lost", type(None)), ("after",)]


def test_hello_comes_with_plain_data() -> None:
    """A peer that does not wait for the answer to its STARTTLS: on 3.14 and newer a server's stream
    reader hands what it holds to the handshake, before that it is lost. As stock."""

    async def scenario(loop):
        served = loop.create_future()

        async def serve(reader, writer) -> None:
            try:
                line = await reader.readline()
                await writer.start_tls(server_context(), ssl_handshake_timeout=0.5)
                writer.write(line + await reader.readexactly(4))
                await writer.drain()
                served.set_result("served")
            except Exception as error:
                served.set_result(type(error))
            writer.transport.abort()

        quiet(loop)
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, server.sockets[0].getsockname())
        peer = Peer(sock, client_context(), server=False)
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        await loop.sock_sendall(sock, b"STARTTLS\n" + peer.outgoing.read())
        try:
            await peer.handshake()
            await peer.send(b"ping")
            got = await peer.receive(13)
        except (EOFError, OSError):
            got = None
        outcome = await served
        sock.close()
        server.close()
        return outcome, got

    both(scenario)


def test_streams_upgrade() -> None:
    async def scenario(loop):
        async def serve(reader, writer) -> None:
            writer.write(await reader.readline())
            await writer.start_tls(server_context())
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"plain\n")
        first = await reader.readline()
        await writer.start_tls(client_context(), server_hostname="localhost")
        writer.write(b"secret\n")
        second = await reader.readline()
        writer.close()
        server.close()
        return first, second

    assert both(scenario) == (b"plain\n", b"SECRET\n")


def test_tls_in_tls() -> None:
    async def scenario(loop):
        connection = await connect(loop)
        outer = connection.peer
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        upgrading = asyncio.ensure_future(
            loop.start_tls(
                connection.transport, connection.protocol, server_context(), server_side=True
            )
        )

        async def inner_step(function, *arguments):
            while True:
                try:
                    return function(*arguments)
                except ssl.SSLWantReadError:
                    await outer.send(outgoing.read())
                    incoming.write(await outer.step(outer.tls.read, 65536))

        await inner_step(inner.do_handshake)
        await outer.send(outgoing.read())
        transport = await upgrading
        inner.write(b"deep")
        await outer.send(outgoing.read())
        got = await connection.protocol.receive(4)
        transport.write(b"answer")
        answer = await inner_step(inner.read, 6)
        transport.abort()
        outer.sock.close()
        await connection.protocol.lost
        return got, answer, connection.protocol.events

    assert both(scenario)[:2] == (b"deep", b"answer")


@pytest.mark.parametrize("how", ["cancel", "timeout", "garbage", "eof"])
def test_failed_upgrade(how) -> None:
    async def scenario(loop):
        told = quiet(loop)
        protocol, sock = await plain(loop)
        transport = protocol.transport
        options = {"ssl_handshake_timeout": 0.05} if how == "timeout" else {}
        upgrading = asyncio.ensure_future(
            loop.start_tls(transport, protocol, server_context(), server_side=True, **options)
        )
        await asyncio.sleep(0)
        if how == "cancel":
            upgrading.cancel()
        elif how == "garbage":
            await loop.sock_sendall(sock, b"no hello at all, but rather long")
        elif how == "eof":
            sock.shutdown(socket.SHUT_WR)
        (raised,) = await asyncio.gather(upgrading, return_exceptions=True)
        for _ in range(10):
            await asyncio.sleep(0)
        sock.close()
        return type(raised), transport.is_closing(), protocol.events, [t["message"] for t in told]

    assert both(scenario)[1]


@pytest.mark.parametrize("context", [None, "context", object])
def test_no_context(context) -> None:
    async def scenario(loop):
        protocol, sock = await plain(loop)
        with pytest.raises(TypeError) as raised:
            await loop.start_tls(protocol.transport, protocol, context)
        protocol.transport.abort()
        sock.close()
        return str(raised.value)

    both(scenario)


def test_no_transport() -> None:
    async def scenario(loop):
        with pytest.raises(TypeError):
            await loop.start_tls(asyncio.Transport(), Recorder(), client_context())
        with pytest.raises(TypeError):
            await loop.start_tls()
        return True

    assert both(scenario)


def test_debug_mode(loop: asyncio.AbstractEventLoop) -> None:
    loop.set_debug(True)

    async def scenario() -> bytes:
        connection = await connect(loop)
        await connection.peer.send(b"ping")
        got = await connection.protocol.receive(4)
        connection.transport.close()
        await connection.peer.ending()
        await connection.peer.close_notify()
        await connection.protocol.lost
        connection.peer.sock.close()
        return got

    assert loop.run_until_complete(scenario()) == b"ping"


# ---- other people's changes ----------------------------------------------------------------------


async def echo_once(loop) -> tuple[bytes, bytes, object]:
    connection = await connect(loop)
    await connection.peer.send(b"ping")
    got = await connection.protocol.receive(4)
    connection.transport.write(b"pong")
    answer = await connection.peer.receive(4)
    pump = connection.transport._ssl_protocol
    connection.transport.abort()
    connection.peer.sock.close()
    await connection.protocol.lost
    return got, answer, pump


def test_replaced_protocol_class(loop: asyncio.AbstractEventLoop, monkeypatch) -> None:
    made = []

    class Theirs(sslproto.SSLProtocol):
        def __init__(self, *args, **kwargs):
            made.append(self)
            super().__init__(*args, **kwargs)

    async def upgraded():
        protocol, sock = await plain(loop)
        await upgrade(loop, protocol, sock)
        protocol.transport.abort()
        sock.close()
        await protocol.lost

    monkeypatch.setattr(sslproto, "SSLProtocol", Theirs)
    got, answer, pump = loop.run_until_complete(echo_once(loop))
    loop.run_until_complete(upgraded())
    assert (got, answer) == (b"ping", b"pong")
    assert type(pump) is Theirs
    assert len(made) == 2


def test_patched_method(loop: asyncio.AbstractEventLoop, monkeypatch) -> None:
    seen = []
    original = sslproto.SSLProtocol._process_outgoing

    def counted(self):
        seen.append(self)
        return original(self)

    monkeypatch.setattr(sslproto.SSLProtocol, "_process_outgoing", counted)
    got, answer, pump = loop.run_until_complete(echo_once(loop))
    assert (got, answer) == (b"ping", b"pong")
    assert pump in seen


@pytest.mark.parametrize("patched", ["read", "write"])
def test_patched_ssl_object(loop: asyncio.AbstractEventLoop, monkeypatch, patched) -> None:
    seen = []
    original = getattr(ssl.SSLObject, patched)

    def counted(self, *args):
        seen.append(self)
        return original(self, *args)

    monkeypatch.setattr(ssl.SSLObject, patched, counted)
    got, answer, pump = loop.run_until_complete(echo_once(loop))
    assert (got, answer) == (b"ping", b"pong")
    assert pump._sslobj in seen


def test_ssl_object_of_the_users(loop: asyncio.AbstractEventLoop, monkeypatch) -> None:
    class Theirs(ssl.SSLObject):
        pass

    monkeypatch.setattr(server_context(), "sslobject_class", Theirs, raising=False)
    got, answer, pump = loop.run_until_complete(echo_once(loop))
    assert (got, answer) == (b"ping", b"pong")
    assert type(pump._sslobj) is Theirs


def test_selector_of_the_users() -> None:
    if is_stock():
        pytest.skip("the built-in loop's own affair")
    from loopgauge.loops.epoll import EventLoop

    loop = EventLoop(selectors.SelectSelector())
    try:
        got, answer, pump = loop.run_until_complete(echo_once(loop))
    finally:
        loop.close()
    assert (got, answer) == (b"ping", b"pong")
    assert type(pump) is sslproto.SSLProtocol


def test_protocol_is_asyncios(loop: asyncio.AbstractEventLoop) -> None:
    _, _, pump = loop.run_until_complete(echo_once(loop))
    assert isinstance(pump, sslproto.SSLProtocol)
    assert isinstance(pump, asyncio.BufferedProtocol)
