"""Promises of asyncio's streams that depend on the transport below: limits, back-pressure, ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from loop_testing.compare import on_both

#: More than the kernel's buffers of a connection hold.
HUGE = 16 << 20

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter, socket.socket], Awaitable[Any]]


def talking(conversation: Conversation, *, limit: int = 64, unix: bool = False) -> Any:
    """What `conversation(reader, writer, other end)` returns, on ours and on stock."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        told: list[str] = []
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))

        async def run() -> Any:
            left, right = pair(unix)
            right.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=left, limit=limit)
            try:
                return await conversation(reader, writer, right)
            finally:
                right.close()
                if not writer.is_closing():
                    writer.transport.abort()

        return loop.run_until_complete(run()), told

    answer, told = on_both(scenario)
    assert told == []
    return answer


def pair(unix: bool) -> tuple[socket.socket, socket.socket]:
    if unix:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    return left, right


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_separator_beyond_the_limit() -> None:
    async def conversation(reader: Any, _writer: Any, other: socket.socket) -> Any:
        other.send(b"x" * 100 + b"\nrest\n")
        with pytest.raises(asyncio.LimitOverrunError) as caught:
            await reader.readuntil(b"\n")
        line = await reader.readexactly(caught.value.consumed)
        return caught.value.consumed, line, await reader.readuntil(b"\n"), await reader.readline()

    assert talking(conversation) == (100, b"x" * 100, b"\n", b"rest\n")


def test_line_beyond_the_limit_is_thrown_away() -> None:
    async def conversation(reader: Any, _writer: Any, other: socket.socket) -> Any:
        other.send(b"x" * 100 + b"\nrest\n")
        with pytest.raises(ValueError, match="limit"):
            await reader.readline()
        return await reader.readline()

    assert talking(conversation) == b"rest\n"


@pytest.mark.parametrize("method", ["readexactly", "readuntil"])
def test_end_in_the_middle(method: str) -> None:
    async def conversation(reader: Any, _writer: Any, other: socket.socket) -> Any:
        other.send(b"half")
        other.shutdown(socket.SHUT_WR)
        wanted: Any = 10 if method == "readexactly" else b"\n"
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await getattr(reader, method)(wanted)
        return caught.value.partial, caught.value.expected, reader.at_eof(), await reader.read()

    assert talking(conversation)[::2] == (b"half", True)


def test_iteration_and_at_eof() -> None:
    async def conversation(reader: Any, _writer: Any, other: socket.socket) -> Any:
        other.send(b"one\ntwo\nthr")
        before = reader.at_eof()
        await turns()
        other.send(b"ee")
        other.shutdown(socket.SHUT_WR)
        await turns()
        fed = reader.at_eof()
        return before, fed, [line async for line in reader], reader.at_eof()

    assert talking(conversation) == (False, False, [b"one\n", b"two\n", b"three"], True)


def test_reader_pauses_its_transport() -> None:
    """Beyond twice the limit nothing more is read; a read that empties the buffer resumes."""

    async def conversation(reader: Any, writer: Any, other: socket.socket) -> Any:
        reading = [writer.transport.is_reading()]
        other.send(b"x" * 200)
        await turns()
        reading.append(writer.transport.is_reading())
        other.send(b"y" * 5)
        await turns()
        first = await reader.read(1000)
        reading.append(writer.transport.is_reading())
        return reading, first, await reader.read(1000)

    assert talking(conversation) == ([True, False, True], b"x" * 200, b"y" * 5)


def test_reset_wakes_a_reader() -> None:
    async def conversation(reader: Any, writer: Any, other: socket.socket) -> Any:
        reading = asyncio.ensure_future(reader.read(10))
        await turns()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        other.close()
        with pytest.raises(ConnectionResetError):
            await reading
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
        return type(reader.exception())

    assert talking(conversation) is ConnectionResetError


@pytest.mark.parametrize("waiters", [1, 3])
@pytest.mark.parametrize("unix", [False, True])
def test_drain_waits_for_the_reader(waiters: int, unix: bool) -> None:
    """drain() returns when the other end has read enough, for everybody who waits."""

    async def conversation(_reader: Any, writer: Any, other: socket.socket) -> Any:
        await writer.drain()
        writer.write(bytes(HUGE))
        draining = [asyncio.ensure_future(writer.drain()) for _ in range(waiters)]
        await turns()
        before = [task.done() for task in draining]
        received = 0
        while received < HUGE:
            received += len(await asyncio.get_running_loop().sock_recv(other, 1 << 20))
        await asyncio.gather(*draining)
        return before, received

    assert talking(conversation, unix=unix) == ([False] * waiters, HUGE)


def test_cancelled_drain() -> None:
    """The bytes arrive all the same, and the next drain() works."""

    async def conversation(_reader: Any, writer: Any, other: socket.socket) -> Any:
        writer.write(bytes(HUGE))
        draining = asyncio.ensure_future(writer.drain())
        await turns()
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        received = 0
        while received < HUGE:
            received += len(await asyncio.get_running_loop().sock_recv(other, 1 << 20))
        await writer.drain()
        return received

    assert talking(conversation) == HUGE


def test_drain_of_a_connection_that_is_lost() -> None:
    """Those who wait go on; that there was no error is what abort() means."""

    async def conversation(_reader: Any, writer: Any, _other: socket.socket) -> Any:
        writer.write(bytes(HUGE))
        draining = [asyncio.ensure_future(writer.drain()) for _ in range(2)]
        await turns()
        writer.transport.abort()
        return [type(error) for error in await asyncio.gather(*draining, return_exceptions=True)]

    assert talking(conversation) == [type(None)] * 2


def test_close_sends_what_was_written() -> None:
    async def conversation(_reader: Any, writer: Any, other: socket.socket) -> Any:
        loop = asyncio.get_running_loop()
        writer.write(b"a")
        writer.writelines([b"b", bytearray(b"c"), memoryview(b"d")])
        writer.write(bytes(HUGE))
        writer.close()
        closing = asyncio.ensure_future(writer.wait_closed())
        await turns()
        early = closing.done()
        received = bytearray()
        while piece := await loop.sock_recv(other, 1 << 20):
            received += piece
        await closing
        return early, bytes(received[:5]), len(received), writer.is_closing()

    assert talking(conversation) == (False, b"abcd\0", HUGE + 4, True)


def test_half_close_keeps_reading() -> None:
    async def conversation(reader: Any, writer: Any, other: socket.socket) -> Any:
        loop = asyncio.get_running_loop()
        writer.write(b"question")
        writer.write_eof()
        asked = await loop.sock_recv(other, 100), await loop.sock_recv(other, 100)
        await loop.sock_sendall(other, b"answer")
        other.shutdown(socket.SHUT_WR)
        return asked, await reader.read(), writer.can_write_eof()

    assert talking(conversation) == ((b"question", b""), b"answer", True)


def test_callback_of_a_server_that_raises() -> None:
    """The exception handler is told, and the client's connection ends."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        told: list[Any] = []
        loop.set_exception_handler(
            lambda _, context: told.append((context["message"], type(context["exception"])))
        )

        async def serve(_reader: Any, _writer: Any) -> None:
            raise LookupError("by the callback")

        async def run() -> bytes:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            got = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            server.close()
            return got

        return loop.run_until_complete(run()), told

    got, told = on_both(scenario)
    assert got == b""
    assert [kind for _, kind in told] == [LookupError]
