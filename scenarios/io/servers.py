"""Echo servers in each of asyncio's ways to write one.

All start on a running loop, keep account of their connections, and are stopped with none left.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

# More than any scenario opens at once: a connection that is refused is not what is measured.
BACKLOG = 4096
# Bytes that one read may take: what stock asyncio's own transports read at most.
READ_SIZE = 256 * 1024
# Seconds that connections have to end after their clients have gone.
_END_TIMEOUT = 2.0


class Connections:
    """Who is connected; a server that stops waits until nobody is."""

    def __init__(self) -> None:
        self.transports: set[asyncio.BaseTransport] = set()
        self._emptied: asyncio.Future[None] | None = None

    def add(self, transport: asyncio.BaseTransport) -> None:
        self.transports.add(transport)

    def discard(self, transport: asyncio.BaseTransport) -> None:
        self.transports.discard(transport)
        if not self.transports and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def end(self) -> None:
        """Waits for those whose clients have gone, then closes what is left."""
        if await self._wait():
            return
        for transport in list(self.transports):
            transport.close()
        await self._wait()

    async def _wait(self) -> bool:
        if self.transports:
            self._emptied = asyncio.get_running_loop().create_future()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._emptied, _END_TIMEOUT)
        return not self.transports


class Connected(asyncio.BaseProtocol):
    """What the protocols of all servers share."""

    transport: Any = None

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self.transport)


class Echo(Connected, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(Connected, asyncio.BufferedProtocol):
    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._buffer = memoryview(bytearray(READ_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(self._buffer[:nbytes])


class Server(ABC):
    """`address`: a path for a Unix socket, None for a TCP port that the system chooses."""

    def __init__(self, path: str | None, tls: ssl.SSLContext | None = None) -> None:
        self.connections = Connections()
        self.path = path
        self.tls = tls

    @abstractmethod
    async def start(self) -> str:
        """Returns the address as the load generator takes it."""

    @abstractmethod
    async def stop(self) -> None:
        """Bears a start that failed. The clients have closed their side."""


class ProtocolServer(Server):
    """With a protocol object per connection."""

    _server: asyncio.AbstractServer | None = None

    def __init__(
        self,
        factory: Callable[[Connections], asyncio.BaseProtocol],
        path: str | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(path, tls)
        self._factory = factory

    async def start(self) -> str:
        loop = asyncio.get_running_loop()
        if self.path is not None:
            self._server = await loop.create_unix_server(
                self._make, self.path, backlog=BACKLOG, ssl=self.tls
            )
        else:
            self._server = await loop.create_server(
                self._make, "127.0.0.1", 0, backlog=BACKLOG, ssl=self.tls
            )
        return self.path or address_of(self._server)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.connections.end()

    def _make(self) -> asyncio.BaseProtocol:
        return self._factory(self.connections)


Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_SIZE):
        writer.write(data)
        await writer.drain()


class StreamServer(Server):
    """With a coroutine per connection, on asyncio's StreamReader and StreamWriter. `exchange` is
    what it does with them until the client has gone."""

    _server: asyncio.AbstractServer | None = None

    def __init__(
        self,
        path: str | None,
        tls: ssl.SSLContext | None = None,
        exchange: Exchange = echo_stream,
    ) -> None:
        super().__init__(path, tls)
        self._exchange = exchange

    async def start(self) -> str:
        if self.path is not None:
            self._server = await asyncio.start_unix_server(
                self._serve, self.path, backlog=BACKLOG, ssl=self.tls
            )
        else:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", 0, backlog=BACKLOG, ssl=self.tls
            )
        return self.path or address_of(self._server)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.connections.end()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        self.connections.add(transport)
        try:
            # A client that goes with a reset ends the exchange as one that says goodbye does.
            with contextlib.suppress(ConnectionError):
                await self._exchange(reader, writer)
        finally:
            writer.close()
            self.connections.discard(transport)


class SockServer(Server):
    """With a coroutine per connection, on the loop's sock_* methods."""

    def __init__(self, path: str | None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(path, tls)
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        family = socket.AF_INET if self.path is None else socket.AF_UNIX
        self._listener = listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0) if self.path is None else self.path)
        listener.listen(BACKLOG)
        loop = asyncio.get_running_loop()
        await _require_sock_methods(loop)
        accepting = self._spawn(self._accept(listener))
        await asyncio.sleep(0)
        if accepting.done():
            accepting.result()  # raises what sock_accept did at once
        return self.path or "{}:{}".format(*listener.getsockname())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_TIMEOUT)
        if self._listener is not None:
            self._listener.close()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            if self.path is None:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve(loop, client))

    async def _serve(self, loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
        with client, contextlib.suppress(ConnectionError):
            while data := await loop.sock_recv(client, READ_SIZE):
                await loop.sock_sendall(client, data)


async def _require_sock_methods(loop: asyncio.AbstractEventLoop) -> None:
    """Raises NotImplementedError here: inside a connection it would only look like its end."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        await loop.sock_sendall(left, b"x")
        await loop.sock_recv(right, 1)


def address_of(server: asyncio.AbstractServer) -> str:
    """Of the first socket, as the load generator takes it."""
    sockets: Any = getattr(server, "sockets", None)
    return "{}:{}".format(*sockets[0].getsockname()[:2])
