"""Code that reaches inside asyncio's transports and servers finds what it expects.

Each test does what packages are known to do, so it must pass on stock asyncio too
(`LOOPGAUGE_TEST_LOOP=asyncio:SelectorEventLoop`); a loop that keeps no private names is not asked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import weakref
from asyncio import sslproto, trsock
from collections.abc import Callable
from typing import Any

import pytest
from loop_testing import certificates

PAYLOAD = bytes(range(256)) * 1024


@pytest.fixture
def loop(loop_factory):
    made = loop_factory()
    if not isinstance(made, asyncio.SelectorEventLoop):
        made.close()
        pytest.skip("keeps no private names")
    yield made
    made.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def with_server(use: Callable[..., Any], **options: Any) -> None:
    """Runs `use(address, server)` beside an echo server."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0, **options)
    try:
        await use(server.sockets[0].getsockname(), server)
    finally:
        server.close()  # and no wait_closed(): after a failure it would wait for the connections


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_private_attributes_of_a_transport(loop) -> None:
    async def use(address: Any, _: Any) -> None:
        reader, writer = await asyncio.open_connection(*address)
        transport: Any = writer.transport
        assert transport._loop is loop
        assert isinstance(transport._sock, socket.socket)
        assert transport._sock_fd == transport._sock.fileno()
        assert transport._sock.getpeername() == address
        assert transport._protocol is transport.get_protocol()
        assert transport._extra["peername"] == address
        assert (transport._closing, transport._eof, transport._paused) == (False, False, False)
        assert transport._conn_lost == 0
        assert transport._protocol_paused is False
        transport.pause_reading()
        assert transport._paused is True
        transport.resume_reading()
        transport.set_write_buffer_limits(high=1000, low=100)
        assert (transport._high_water, transport._low_water) == (1000, 100)
        await close(writer)
        assert transport._closing is True
        await reader.read()

    loop.run_until_complete(with_server(use))


def test_after_the_end_it_lets_go(loop) -> None:
    """A closed transport that somebody keeps holds neither socket nor loop."""

    async def use(address: Any, _: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        transport: Any = writer.transport
        await close(writer)
        assert transport._sock is None
        assert transport._loop is None
        assert transport.get_extra_info("peername") == address
        assert transport.get_extra_info("nothing", 3) == 3

    loop.run_until_complete(with_server(use))


def test_the_loop_knows_its_transports(loop) -> None:
    """`loop._transports` by descriptor, and the refusal to use such a descriptor otherwise."""

    async def use(address: Any, _: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        transport: Any = writer.transport
        number = transport._sock_fd
        assert number in loop._transports
        assert loop._transports[number] is transport
        assert loop._transports.get(number) is transport
        assert transport in list(loop._transports.values())
        assert number in list(loop._transports)
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(number, int)
        with pytest.raises(RuntimeError, match="is used by transport"):
            await loop.sock_recv(transport._sock, 1)
        await close(writer)
        assert loop.remove_reader(number) is False

    loop.run_until_complete(with_server(use))


def test_a_transport_can_be_referred_to_weakly(loop) -> None:
    async def use(address: Any, _: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        known = weakref.WeakSet([writer.transport])
        table = {writer.transport: "by hash"}
        assert writer.transport in known
        assert table[writer.transport] == "by hash"
        assert "fd=" in repr(writer.transport)
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_the_socket_of_a_transport(loop) -> None:
    """What servers do with it: options, addresses, credentials, a number for poll()."""

    async def use(address: Any, server: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        plain = writer.get_extra_info("socket")
        assert isinstance(plain, trsock.TransportSocket)
        assert writer.get_extra_info("socket") is plain
        assert plain.family == socket.AF_INET
        assert plain.type == socket.SOCK_STREAM
        assert plain.proto in (0, socket.IPPROTO_TCP)
        assert plain.getpeername() == writer.get_extra_info("peername") == address
        assert plain.getsockname() == writer.get_extra_info("sockname")
        assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert plain.fileno() == writer.transport._sock_fd
        assert plain.gettimeout() == 0
        for wrong in ("send", "recv", "accept", "connect"):
            assert not hasattr(plain, wrong)
        assert all(isinstance(one, trsock.TransportSocket) for one in server.sockets)
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_nodelay_of_accepted_connections(loop) -> None:
    async def main() -> None:
        seen: list[int] = []
        done = asyncio.Event()

        def connected(_: Any, writer: asyncio.StreamWriter) -> None:
            plain = writer.get_extra_info("socket")
            seen.append(plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            done.set()

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await done.wait()
            await close(writer)
        assert seen[0]

    loop.run_until_complete(main())


def test_a_reset_by_linger(loop) -> None:
    """SO_LINGER through the transport's socket, then abort()."""

    async def main() -> None:
        lost: asyncio.Future[Any] = loop.create_future()

        class Server(asyncio.Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                lost.set_result(exc)

        server = await loop.create_server(Server, "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            plain = writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            assert isinstance(await lost, ConnectionResetError)

    loop.run_until_complete(main())


def test_the_socket_goes_to_another_connection(loop) -> None:
    """A database client's way to TLS: pause, duplicate the socket, close, go on with the duplicate.

    The duplicate keeps the kernel's registration alive unless the loop took it out by hand.
    """

    async def use(address: Any, _: Any) -> None:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        for _ in range(3):
            writer.transport.pause_reading()
            raw = writer.get_extra_info("socket").dup()
            raw.setblocking(False)
            writer.transport.close()
            reader, writer = await asyncio.open_connection(sock=raw)
            writer.write(PAYLOAD)
            assert await reader.readexactly(len(PAYLOAD)) == PAYLOAD
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_a_descriptor_taken_from_the_socket(loop) -> None:
    """`socket.socket(fileno=os.dup(...))`, as process managers hand connections over."""

    async def use(address: Any, _: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        number = os.dup(writer.get_extra_info("socket").fileno())
        await close(writer)
        with socket.socket(fileno=number) as taken:
            taken.setblocking(False)
            await loop.sock_sendall(taken, b"taken")
            assert await loop.sock_recv(taken, 10) == b"taken"

    loop.run_until_complete(with_server(use))


def test_protocols_are_changed(loop) -> None:
    """Upgrades to WebSocket: set_protocol() in the middle of a connection."""

    async def use(address: Any, _: Any) -> None:
        received: asyncio.Queue[bytes] = asyncio.Queue()

        class Upgraded(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                received.put_nowait(data)

        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"first")
        assert await reader.readexactly(5) == b"first"
        transport = writer.transport
        old, new = transport.get_protocol(), Upgraded()
        transport.set_protocol(new)
        assert transport.get_protocol() is new
        transport.write(b"second")
        assert await received.get() == b"second"
        transport.set_protocol(old)
        transport.write(b"third")
        assert await reader.readexactly(5) == b"third"
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_tls_by_hand_over_the_transport(loop) -> None:
    """A mail server's STARTTLS: asyncio's own SSLProtocol put between transport and protocol."""

    async def use(address: Any, _: Any) -> None:
        received: asyncio.Queue[bytes] = asyncio.Queue()

        class Inner(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                received.put_nowait(data)

        transport, inner = await loop.create_connection(Inner, *address)
        context = certificates.client_context()
        shaken = loop.create_future()
        layer = sslproto.SSLProtocol(
            loop, inner, context, shaken, server_side=False, server_hostname="localhost"
        )
        transport.set_protocol(layer)
        layer.connection_made(transport)
        await shaken
        secure = layer._app_transport
        assert isinstance(secure.get_extra_info("ssl_object"), ssl.SSLObject)
        secure.write(b"encrypted")
        assert await received.get() == b"encrypted"
        secure.close()
        while not transport.is_closing():
            await asyncio.sleep(0)

    loop.run_until_complete(with_server(use, ssl=certificates.server_context()))


def test_streams_over_a_transport_made_by_hand(loop) -> None:
    """Packages make StreamReader, protocol and StreamWriter themselves."""

    async def use(address: Any, _: Any) -> None:
        reader = asyncio.StreamReader(limit=1 << 20, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, *address)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        writer.write(PAYLOAD)
        await writer.drain()
        assert await reader.readexactly(len(PAYLOAD)) == PAYLOAD
        assert reader._transport is transport
        assert protocol._stream_reader is reader
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_a_reader_that_is_looked_into(loop) -> None:
    """`reader._buffer` and `_eof`, for parsers that do not want to copy."""

    async def use(address: Any, _: Any) -> None:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"one\ntwo\n")
        while len(reader._buffer) < 8:
            await reader._wait_for_data("test")
        assert bytes(reader._buffer) == b"one\ntwo\n"
        del reader._buffer[:4]
        assert await reader.readline() == b"two\n"
        assert reader._eof is False
        writer.write_eof()
        assert await reader.read() == b""
        assert reader._eof is True
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_a_patched_reader(loop) -> None:
    """A subclass, or an instance, with a feed_data() of its own is called, not bypassed."""

    async def use(address: Any, _: Any) -> None:
        fed: list[bytes] = []

        class Counting(asyncio.StreamReader):
            def feed_data(self, data: bytes) -> None:
                fed.append(bytes(data))
                super().feed_data(data)

        reader = Counting(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, *address)
        transport.write(b"subclass")
        assert await reader.readexactly(8) == b"subclass"
        assert b"".join(fed) == b"subclass"
        transport.close()

        plain, writer = await asyncio.open_connection(*address)
        original = plain.feed_data
        plain.feed_data = lambda data: original(bytes(data).upper())
        writer.write(b"instance")
        assert await plain.readexactly(8) == b"INSTANCE"
        await close(writer)

    loop.run_until_complete(with_server(use))


def test_private_attributes_of_a_server(loop) -> None:
    async def main() -> None:
        arrived = asyncio.Event()
        kept: list[asyncio.StreamWriter] = []

        def connected(_: Any, writer: asyncio.StreamWriter) -> None:
            kept.append(writer)
            arrived.set()

        server: Any = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=7)
        assert isinstance(server, asyncio.Server)
        assert server._loop is loop
        assert server._backlog == 7
        assert server._sockets
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await arrived.wait()
        accepted: Any = kept[0].transport
        assert accepted._server is server
        count = server._active_count if hasattr(server, "_active_count") else len(server._clients)
        assert count == 1
        server.close()
        assert not server.is_serving()
        await close(kept[0])
        await close(writer)
        await server.wait_closed()

    loop.run_until_complete(main())


def test_keywords_instead_of_positions(loop) -> None:
    """asyncio's own parameter names work as keywords."""

    ran: list[int] = []
    assert loop.call_soon(callback=lambda: ran.append(1)) is not None
    loop.call_later(delay=0, callback=lambda: ran.append(2))
    loop.call_at(when=loop.time(), callback=lambda: ran.append(3))
    loop.call_soon_threadsafe(callback=loop.stop, context=None)
    loop.run_forever()
    assert sorted(ran) == [1, 2, 3]
