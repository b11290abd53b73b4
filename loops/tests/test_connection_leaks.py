"""What a connection was made of is gone right after connection_lost(), as on stock or better.

With the garbage collector off: a cycle that nobody broke keeps a transport, its protocol and a
closed socket alive until some later collection, and a server has thousands of them.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from loop_testing import certificates
from loop_testing.compare import on
from loop_testing.target import LoopFactory, stock_factory

Alive = dict[str, "weakref.ref[Any]"]
Scenario = Callable[[Alive], Awaitable[None]]


class Watched(asyncio.Protocol, asyncio.SubprocessProtocol):
    """Registers itself and everything it is given; echoes; says when it is lost."""

    def __init__(self, alive: Alive, name: str, *, echo: bool = True) -> None:
        self.alive, self.name, self.echo = alive, name, echo
        self.lost = asyncio.get_running_loop().create_future()
        self.data = asyncio.get_running_loop().create_future()
        alive[f"{name} protocol"] = weakref.ref(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.alive[f"{self.name} transport"] = weakref.ref(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self.alive[f"{self.name} socket"] = weakref.ref(sock._sock)
        pipe = transport.get_extra_info("pipe")
        if pipe is not None:
            self.alive[f"{self.name} pipe"] = weakref.ref(pipe)

    def data_received(self, data: bytes) -> None:
        if self.echo:
            self.transport.write(data)
        elif not self.data.done():
            self.data.set_result(None)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.data_received(data)

    def error_received(self, error: OSError) -> None:
        raise AssertionError(error)

    def connection_lost(self, error: Exception | None) -> None:
        # As applications do: without this the protocol and its transport are a cycle of its own.
        self.transport = None
        if not self.lost.done():
            self.lost.set_result(None)


async def connected(alive: Alive, *, abort: bool = False, **server_options: Any) -> None:
    """A server and a client on the loop; the client writes, reads the echo and goes."""
    loop = asyncio.get_running_loop()
    family = server_options.pop("family", socket.AF_INET)
    listener = socket.socket(family)
    listener.bind("" if family == socket.AF_UNIX else ("127.0.0.1", 0))
    address = listener.getsockname()
    served: list[Watched] = []

    def serve() -> Watched:
        served.append(Watched(alive, "server"))
        return served[-1]

    server = await loop.create_server(serve, sock=listener, **server_options)
    sock = socket.socket(family)
    sock.setblocking(False)
    await loop.sock_connect(sock, address)
    tls = "ssl" in server_options
    transport, protocol = await loop.create_connection(
        lambda: Watched(alive, "client", echo=False),
        sock=sock,
        ssl=certificates.client_context() if tls else None,
        server_hostname=certificates.HOSTNAME if tls else None,
    )
    transport.write(b"hello")
    await protocol.data
    if abort:
        transport.abort()
    else:
        transport.close()
    await protocol.lost
    await served[0].lost
    server.close()
    await server.wait_closed()


async def tcp(alive: Alive) -> None:
    await connected(alive)


async def tcp_abort(alive: Alive) -> None:
    await connected(alive, abort=True)


async def unix(alive: Alive) -> None:
    await connected(alive, family=socket.AF_UNIX)


async def tls(alive: Alive) -> None:
    await connected(alive, ssl=certificates.server_context())


async def streams(alive: Alive) -> None:
    done = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive["server reader"] = weakref.ref(reader)
        alive["server writer"] = weakref.ref(writer)
        alive["server transport"] = weakref.ref(writer.transport)
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        done.set_result(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    alive["client reader"] = weakref.ref(reader)
    alive["client writer"] = weakref.ref(writer)
    alive["client transport"] = weakref.ref(writer.transport)
    writer.write(b"line\n")
    assert await reader.readline() == b"line\n"
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await done
    server.close()
    await server.wait_closed()


async def udp(alive: Alive) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Watched(alive, "datagram", echo=False), local_addr=("127.0.0.1", 0)
    )
    transport.sendto(b"hello", transport.get_extra_info("sockname"))
    await protocol.data
    transport.close()
    await protocol.lost


async def pipes(alive: Alive) -> None:
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    _, reader = await loop.connect_read_pipe(
        lambda: Watched(alive, "reader", echo=False),
        os.fdopen(reading, "rb", 0),
    )
    transport, writer = await loop.connect_write_pipe(
        lambda: Watched(alive, "writer"),
        os.fdopen(writing, "wb", 0),
    )
    transport.write(b"hello")
    await reader.data
    transport.close()
    await writer.lost
    await reader.lost


async def subprocess(alive: Alive) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: Watched(alive, "process"), sys.executable, "-Sc", "input()"
    )
    for fd in (0, 1, 2):
        alive[f"pipe {fd}"] = weakref.ref(transport.get_pipe_transport(fd))
    transport.get_pipe_transport(0).write(b"\n")
    await protocol.lost
    transport.close()


SCENARIOS: dict[str, Scenario] = {
    function.__name__: function
    for function in (tcp, tcp_abort, unix, tls, streams, udp, pipes, subprocess)
}


def kept(loop: asyncio.AbstractEventLoop, name: str) -> tuple[set[str], set[str], set[str]]:
    """What there was, what was left of it after some turns, and after a collection."""
    alive: Alive = {}
    for _ in range(2):  # the first one fills caches
        alive.clear()
        gc.collect()
        gc.disable()
        try:
            loop.run_until_complete(SCENARIOS[name](alive))
            for _ in range(10):
                loop.call_soon(loop.stop)
                loop.run_forever()
            left = {what for what, reference in alive.items() if reference() is not None}
        finally:
            gc.enable()
    gc.collect()
    for_ever = {what for what, reference in alive.items() if reference() is not None}
    return set(alive), left, for_ever


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_kept(loop_factory: LoopFactory, name: str) -> None:
    everything, left, for_ever = on(loop_factory, lambda loop: kept(loop, name))
    there, stock, _ = on(stock_factory(), lambda loop: kept(loop, name))
    assert everything == there
    assert for_ever == set()
    assert left <= stock


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_grows(loop_factory: LoopFactory, name: str) -> None:
    """The number of objects and of descriptors after a hundred connections is that after ten."""

    def grown(loop: asyncio.AbstractEventLoop) -> tuple[int, int]:
        def several(count: int) -> tuple[int, int]:
            for _ in range(count):
                loop.run_until_complete(SCENARIOS[name]({}))
            gc.collect()
            return len(gc.get_objects()), len(list(Path("/proc/self/fd").iterdir()))

        several(10)
        objects, descriptors = several(10)
        more_objects, more_descriptors = several(15 if name == "subprocess" else 90)
        return more_objects - objects, more_descriptors - descriptors

    objects, descriptors = on(loop_factory, grown)
    assert descriptors <= 0
    assert objects < 90
