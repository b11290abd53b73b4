"""SURF: the classes of transports and servers, and protocols that inherit from nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import link
from loopgauge.conformance.kit.peers import in_thread, receive_all, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def instances(t: Trial, thing: object, *classes: type) -> None:
    for wanted in classes:
        t.true(f"it is an asyncio.{wanted.__name__}", isinstance(thing, wanted))


async def class_of_stream_transports(t: Trial, kind: str) -> None:
    made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
    instances(t, made.transport, asyncio.Transport)
    await made.close()


async def class_of_accepted_transports(t: Trial, kind: str) -> None:
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    class Accepting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport)

    if kind == "unix":
        path = str(t.directory / "socket")
        server: Any = await loop.create_unix_server(Accepting, path)
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
    else:
        server = await loop.create_server(Accepting, "127.0.0.1", 0)
        peer = socket.create_connection(server.sockets[0].getsockname())
    transport = await accepted
    instances(t, transport, asyncio.Transport)
    transport.abort()
    peer.close()
    server.close()
    await server.wait_closed()


@case("SURF-010.stream", variants=("tcp", "unix"), profile="Net", expected="an asyncio.Transport")
def stream_transports(t: Trial, kind: str) -> None:
    """A connection is made over TCP or a Unix socket; its transport is asked for its class."""
    t.run(class_of_stream_transports(t, kind))


@case("SURF-010.tls", profile="TLS", expected="an asyncio.Transport")
def tls_transport(t: Trial) -> None:
    """A connection is made over TLS; its transport is asked for its class."""
    t.run(class_of_stream_transports(t, "tls"))


@case("SURF-010.accepted", variants=("tcp", "unix"), profile="Net", expected="an asyncio.Transport")
def accepted_transports(t: Trial, kind: str) -> None:
    """A server accepts a connection; its transport is asked for its class."""
    t.run(class_of_accepted_transports(t, kind))


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, lost: asyncio.Future[None]) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)


@case("SURF-010.datagram", profile="Net", expected="an asyncio.DatagramTransport")
def datagram_transport(t: Trial) -> None:
    """A datagram endpoint is made; its transport is asked for its class."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lost = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Datagrams(lost), ("127.0.0.1", 0)
        )
        instances(t, transport, asyncio.DatagramTransport)
        transport.close()
        await lost

    t.run(main())


@case("SURF-010.read-pipe", profile="Process", expected="an asyncio.ReadTransport")
def read_pipe_transport(t: Trial) -> None:
    """The reading end of a pipe is connected; its transport is asked for its class."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        protocol = Recorder(loop)
        reading, writing = os.pipe()
        transport, _ = await loop.connect_read_pipe(
            lambda: protocol, os.fdopen(reading, "rb", buffering=0)
        )
        instances(t, transport, asyncio.ReadTransport)
        os.close(writing)
        await protocol.lost

    t.run(main())


@case("SURF-010.write-pipe", profile="Process", expected="an asyncio.WriteTransport")
def write_pipe_transport(t: Trial) -> None:
    """The writing end of a pipe is connected; its transport is asked for its class."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        protocol = Recorder(loop)
        reading, writing = os.pipe()
        transport, _ = await loop.connect_write_pipe(
            lambda: protocol, os.fdopen(writing, "wb", buffering=0)
        )
        instances(t, transport, asyncio.WriteTransport)
        transport.close()
        await protocol.lost
        os.close(reading)

    t.run(main())


class Child(asyncio.SubprocessProtocol):
    def __init__(self, lost: asyncio.Future[None]) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)


@case("SURF-010.subprocess", profile="Process", expected="SubprocessTransport, and its pipes")
def subprocess_transport(t: Trial) -> None:
    """A child is started; its transport and those of its pipes are asked for their class."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lost = loop.create_future()
        transport, _ = await loop.subprocess_exec(lambda: Child(lost), "cat")
        instances(t, transport, asyncio.SubprocessTransport)
        stdin: Any = transport.get_pipe_transport(0)
        instances(t, stdin, asyncio.WriteTransport)
        instances(t, transport.get_pipe_transport(1), asyncio.ReadTransport)
        stdin.close()
        await lost
        transport.close()

    t.run(main())


class Plain:
    """A stream protocol that inherits from nothing, and has the callbacks that streams need."""

    def __init__(self, t: Trial, lost: asyncio.Future[None]) -> None:
        self.t = t
        self.lost = lost
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.t.event("connection_made")
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.t.event("data_received")
        self.transport.write(data.upper())

    def eof_received(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self.t.event("connection_lost")
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass


async def talk_to_plain(t: Trial, kind: str) -> None:
    lost = asyncio.get_running_loop().create_future()
    made = await link(t, kind, lambda: Plain(t, lost))  # type: ignore[type-var]
    await in_thread(made.peer.sendall, b"abc")
    t.equal("what the peer read", await in_thread(receive_exactly, made.peer, 3), b"ABC")
    made.transport.close()
    await in_thread(receive_all, made.peer)
    made.peer.close()
    await lost
    t.saw("connection_made", "data_received", "connection_lost")


@case(
    "SURF-011.stream", variants=("tcp", "unix"), profile="Net", expected="its callbacks are called"
)
def plain_stream_protocol(t: Trial, kind: str) -> None:
    """A protocol that inherits from nothing is given to a connection; the peer sends three bytes,
    it answers, and closes."""
    t.run(talk_to_plain(t, kind))


@case("SURF-011.tls", profile="TLS", expected="its callbacks are called")
def plain_tls_protocol(t: Trial) -> None:
    """A protocol that inherits from nothing is given to a TLS connection."""
    t.run(talk_to_plain(t, "tls"))


@case("SURF-011.datagram", profile="Net", expected="its callbacks are called")
def plain_datagram_protocol(t: Trial) -> None:
    """A datagram protocol that inherits from nothing gets a datagram from itself."""

    class PlainDatagrams:
        def connection_made(self, transport: Any) -> None:
            t.event("connection_made")
            transport.sendto(b"abc", transport.get_extra_info("sockname"))

        def datagram_received(self, data: bytes, address: object) -> None:
            t.event(f"datagram_received {data!r}")
            received.set_result(None)

        def error_received(self, exc: Exception) -> None:
            t.event("error_received")

        def connection_lost(self, exc: Exception | None) -> None:
            t.event("connection_lost")
            lost.set_result(None)

    received, lost = t.loop.create_future(), t.loop.create_future()

    async def main() -> None:
        factory: Any = PlainDatagrams
        transport, _ = await t.loop.create_datagram_endpoint(factory, ("127.0.0.1", 0))
        await received
        transport.close()
        await lost

    t.run(main())
    t.saw("connection_made", "datagram_received b'abc'", "connection_lost")


@case("SURF-011.subprocess", profile="Process", expected="its callbacks are called")
def plain_subprocess_protocol(t: Trial) -> None:
    """A subprocess protocol that inherits from nothing is given to a child that prints a word."""
    calls: set[str] = set()
    lost = t.loop.create_future()

    class PlainChild:
        def connection_made(self, transport: Any) -> None:
            calls.add("connection_made")

        def pipe_data_received(self, fd: int, data: bytes) -> None:
            calls.add(f"pipe_data_received {fd} {data!r}")

        def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
            calls.add(f"pipe_connection_lost {fd}")

        def process_exited(self) -> None:
            calls.add("process_exited")

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(None)

    async def main() -> None:
        factory: Any = PlainChild
        transport, _ = await t.loop.subprocess_exec(
            factory, "echo", "word", stdin=None, stderr=None
        )
        await lost
        transport.close()

    t.run(main())
    wanted = ["connection_made", "pipe_connection_lost 1", r"pipe_data_received 1 b'word\n'"]
    t.equal("the callbacks", sorted(calls), [*wanted, "process_exited"])


@case("SURF-012.methods", variants=("tcp", "unix"), profile="Net", expected="none is missing")
def methods_of_servers(t: Trial, kind: str) -> None:
    """What create_server and create_unix_server return is asked for the methods of
    asyncio.AbstractServer of this Python, and used as `async with` uses it."""
    names = [name for name in vars(asyncio.AbstractServer) if not name.startswith("_")]
    names += ["sockets", "__aenter__", "__aexit__"]
    if sys.version_info >= (3, 13):
        names += ["close_clients", "abort_clients"]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if kind == "unix":
            server = await loop.create_unix_server(asyncio.Protocol, str(t.directory / "socket"))
        else:
            server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        async with server as entered:
            t.true("`async with` gives the server", entered is server)
            t.true("it is an asyncio.AbstractServer", isinstance(server, asyncio.AbstractServer))
            missing = [name for name in names if not hasattr(server, name)]
            t.equal("names that are missing", missing, [])
            t.true("get_loop() is the loop", server.get_loop() is loop)
            t.equal("is_serving()", server.is_serving(), True)
        t.equal("is_serving() afterwards", server.is_serving(), False)

    t.run(main())
