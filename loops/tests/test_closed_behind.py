"""Sockets closed behind their transport's back, and whose number is another's then."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loop_testing.target import LoopFactory


class Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.data: asyncio.Future[bytes] = loop.create_future()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()

    def data_received(self, data: bytes) -> None:
        self.data.set_result(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


class Reused:
    """A connected transport whose socket was closed, and a pair that has its number since."""

    transport: Any
    protocol: Receiver

    def __init__(self, *, keeps_socket: bool) -> None:
        self.sock, self.peer = socket.socketpair()
        self.sock.setblocking(False)
        self.keeps_socket = keeps_socket

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport, self.protocol = await loop.create_connection(Receiver, sock=self.sock)

    def take_number(self) -> None:
        number = self.sock.fileno()
        self.sock.close()
        if not self.keeps_socket:
            del self.sock
        left, right = socket.socketpair()
        assert number in (left.fileno(), right.fileno())
        self.owner, self.other = (left, right) if left.fileno() == number else (right, left)
        self.owner.setblocking(False)
        self.other.setblocking(False)

    def close(self) -> None:
        for end in (self.peer, self.owner, self.other):
            end.close()


@pytest.fixture(params=[True, False], ids=["socket kept", "socket dropped"])
def reused(request: pytest.FixtureRequest) -> Iterator[Reused]:
    ends = Reused(keeps_socket=request.param)
    yield ends
    ends.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refuses(sock: socket.socket) -> bool:
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("held_back", [True, False])
def test_write_reaches_nobody_else(
    loop: asyncio.AbstractEventLoop, reused: Reused, held_back: bool
) -> None:
    async def run() -> Exception | None:
        await reused.connect()
        reused.take_number()
        reused.transport.write(b"secret" * (1 if held_back else 10_000))
        return await reused.protocol.lost

    error = loop.run_until_complete(run())
    assert isinstance(error, OSError)
    assert refuses(reused.other)


def test_queue_reaches_nobody_else(loop: asyncio.AbstractEventLoop, reused: Reused) -> None:
    async def run() -> Exception | None:
        await reused.connect()
        reused.transport.write(b"x" * 10_000_000)
        reused.take_number()
        reused.transport._write_ready()
        return await reused.protocol.lost

    assert isinstance(loop.run_until_complete(run()), OSError)
    assert refuses(reused.other)


def test_write_eof_ends_nobody_else(loop: asyncio.AbstractEventLoop, reused: Reused) -> None:
    async def run() -> None:
        await reused.connect()
        reused.take_number()
        with pytest.raises(OSError, match="Bad file descriptor"):
            reused.transport.write_eof()
        reused.transport.abort()
        await reused.protocol.lost

    loop.run_until_complete(run())
    assert refuses(reused.other)


def test_the_lost_connection_leaves_the_next_one_watched(
    loop: asyncio.AbstractEventLoop, reused: Reused
) -> None:
    async def run() -> None:
        await reused.connect()
        reused.transport.close()
        reused.take_number()
        heard = asyncio.Event()
        loop.add_reader(reused.owner, heard.set)
        await reused.protocol.lost
        reused.other.send(b"x")
        await asyncio.wait_for(heard.wait(), 10)
        loop.remove_reader(reused.owner)

    loop.run_until_complete(run())


def test_a_forgotten_watch_does_not_keep_a_connection_from_reading(
    loop: asyncio.AbstractEventLoop, reused: Reused
) -> None:
    def of_nobody() -> None:
        raise AssertionError("a watch of a closed socket was called")

    async def run() -> bytes:
        loop.add_reader(reused.sock, of_nobody)
        reused.take_number()
        _, protocol = await loop.create_connection(Receiver, sock=reused.owner)
        reused.other.send(b"for the new one")
        return await asyncio.wait_for(protocol.data, 10)

    assert loop.run_until_complete(run()) == b"for the new one"


def test_resume_reading_on_a_closed_loop(
    loop_factory: LoopFactory, pair: tuple[socket.socket, socket.socket]
) -> None:
    loop = loop_factory()

    async def run() -> Any:
        transport, _ = await loop.create_connection(Receiver, sock=pair[0])
        transport.pause_reading()
        return transport

    transport = loop.run_until_complete(run())
    loop.close()
    before = open_descriptors()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        transport.resume_reading()
    assert open_descriptors() == before
    pair[0].close()
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        del transport
