"""TLS connections for tests: a protocol that writes down what it is told, and a peer that is no
asyncio at all, so that it can misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from loop_testing.certificates import client_context, server_context
from loop_testing.compare import on_both, quiet

#: Bytes of one TLS record at most.
RECORD = 16384

#: A scenario opens a connection, does something and returns what is compared.
Steps = Callable[["Connection"], Awaitable[Any]]


class Recorder(asyncio.Protocol):
    """Writes events down. `on` names a callback and what to do in it, after it is written down."""

    def __init__(self, on: dict[str, Callable[[Recorder], Any]] | None = None) -> None:
        self.events: list[Any] = []
        self.received = bytearray()
        self.on = on or {}
        self.transport: Any = None
        self.lost = asyncio.get_running_loop().create_future()
        self.arrived = asyncio.Event()

    def note(self, *event: Any) -> Any:
        # How a stream is cut into pieces is nobody's promise.
        if event[0] != "data" or self.events[-1:] != [event]:
            self.events.append(event)
        action = self.on.get(event[0])
        return action(self) if action else None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.received += data
        self.arrived.set()
        self.note("data")

    def eof_received(self) -> Any:
        return self.note("eof")

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.events.append(("lost", type(exc)))
        self.arrived.set()
        if not self.lost.done():
            self.lost.set_result(None)
        self.note("after")
        self.transport = None

    async def receive(self, size: int) -> bytes:
        """Waits until `size` bytes have come, or the connection is lost."""
        while len(self.received) < size and not self.lost.done():
            self.arrived.clear()
            await self.arrived.wait()
        return bytes(self.received[:size])


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """The same with a buffer of its own, of an awkward size."""

    size = 1000

    def get_buffer(self, sizehint: int) -> memoryview:
        self.buffer = bytearray(self.size)
        return memoryview(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self.buffer[:nbytes]))


class Peer:
    """The other end: an ssl.SSLObject on a bare socket."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, server: bool) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hostname = None if server else "localhost"
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server, server_hostname=hostname
        )
        self.loop = asyncio.get_running_loop()
        self.received = bytearray()

    async def flush(self) -> None:
        if self.outgoing.pending:
            await self.loop.sock_sendall(self.sock, self.outgoing.read())

    async def step(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls until it needs no more from the other side. EOFError if there is no more."""
        while True:
            try:
                result = function(*args)
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self.loop.sock_recv(self.sock, 65536)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)
            else:
                await self.flush()
                return result

    async def handshake(self) -> None:
        await self.step(self.tls.do_handshake)

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[await self.step(self.tls.write, view[:RECORD]) :]

    async def receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = await self.step(self.tls.read, size - len(data))
            if not chunk:
                break
            data += chunk
        return bytes(data)

    async def ending(self) -> str:
        """What the connection ends with, read to its end; `received` is what came before."""
        try:
            while data := await self.step(self.tls.read, 65536):
                self.received += data
            return "close_notify"
        except EOFError:
            return "eof"
        except ssl.SSLZeroReturnError:
            return "close_notify"
        except OSError as error:
            return type(error).__name__

    async def close_notify(self) -> None:
        """Sends it, unless the other side is gone already."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        with contextlib.suppress(ConnectionError):
            await self.flush()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return listener.accept()[0], client


class Connection:
    """One TLS connection of the loop under test, and its peer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Recorder, peer: Peer) -> None:
        self.loop, self.protocol, self.peer = loop, protocol, peer
        self.told: list[dict[str, Any]] = []

    @property
    def transport(self) -> Any:
        return self.protocol.transport

    async def outcome(self) -> Any:
        """Waits for the end. The events, and what the exception handler was told."""
        await self.protocol.lost
        return self.protocol.events, self.reports()

    def reports(self) -> list[tuple[Any, Any]]:
        return [(told["message"], type(told.get("exception"))) for told in self.told]


async def connect(
    loop: asyncio.AbstractEventLoop,
    make: Callable[[], Recorder] = Recorder,
    *,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    pair: Callable[[], tuple[socket.socket, socket.socket]] = socket.socketpair,
    **options: Any,
) -> Connection:
    """A server's side of a connection on the loop, after its handshake."""
    ours, theirs = pair()
    context = limited(version)
    peer = Peer(theirs, context, server=False)
    accepted, _ = await asyncio.gather(
        loop.connect_accepted_socket(make, ours, ssl=server_context(), **options),
        peer.handshake(),
    )
    connection = Connection(loop, accepted[1], peer)
    connection.told = quiet(loop)
    return connection


@functools.cache
def limited(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's context that speaks no newer TLS."""
    if version == ssl.TLSVersion.TLSv1_3:
        return client_context()
    from loop_testing import certificates

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificates._authority().configure_trust(context)
    context.maximum_version = version
    return context


@contextlib.contextmanager
def closing(connection: Connection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.peer.sock.close()
        if connection.transport is not None:
            connection.transport.abort()


def same(steps: Steps, make: Callable[[], Recorder] = Recorder, **options: Any) -> Any:
    """What `steps` returned on the loop under test, after checking that stock returns the same."""

    async def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        connection = await connect(loop, make, **options)
        with closing(connection):
            return await asyncio.wait_for(steps(connection), 30)

    return on_both(lambda loop: loop.run_until_complete(scenario(loop)))
