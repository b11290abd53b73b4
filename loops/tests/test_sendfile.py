"""sendfile() and sock_sendfile(): bytes, counts and file positions as on stock."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loop_testing.compare import on_both, run_turns
from loop_testing.sockets import refused

CONTENT = os.urandom(700_000)
#: Larger than all buffers between two sockets.
LARGE = 32 * 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    return file


@contextlib.contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets that do not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        yield client, server


async def everything(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    received = bytearray()
    while data := await loop.sock_recv(sock, 65536):
        received += data
    return bytes(received)


def sent_by_socket(loop, file: Any, *args: Any, **kwargs: Any) -> tuple[int, bytes, int]:
    """(what sock_sendfile() returns, what arrives, where the file is afterwards)."""

    async def main() -> tuple[int, bytes, int]:
        with connection() as (client, server):
            receiving = loop.create_task(everything(loop, server))
            count = await loop.sock_sendfile(client, file, *args, **kwargs)
            client.shutdown(socket.SHUT_WR)
            return count, await receiving, file.tell()

    return loop.run_until_complete(main())


def sent_by_transport(loop, file: Any, *args: Any, **kwargs: Any) -> tuple[int, bytes, int]:
    """The same of sendfile(), between a write before and a write after it."""

    async def main() -> tuple[int, bytes, int]:
        with connection() as (client, server):
            receiving = loop.create_task(everything(loop, server))
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=client)
            transport.write(b"<")
            count = await loop.sendfile(transport, file, *args, **kwargs)
            transport.write(b">")
            transport.close()
            received = await receiving
            assert (received[:1], received[-1:]) == (b"<", b">")
            return count, received[1:-1], file.tell()

    return loop.run_until_complete(main())


both_ways = pytest.mark.parametrize("sent", [sent_by_socket, sent_by_transport])
RANGES = [
    (),
    (0, None),
    (10,),
    (10, 100),
    (0, len(CONTENT)),
    (0, len(CONTENT) + 10),
    (len(CONTENT) - 5, 10),
    (len(CONTENT),),
    (len(CONTENT) + 10,),
    (1, 1),
    (300_000, 300_000),
]


@both_ways
@pytest.mark.parametrize("part", RANGES, ids=str)
def test_ranges(path: Path, sent, part: tuple[Any, ...]) -> None:
    offset, count = (*part, *(0, None)[len(part) :])
    expected = CONTENT[offset:][:count]

    def scenario(loop):
        with path.open("rb") as file:
            return sent(loop, file, *part)

    total, received, _ = on_both(scenario)
    assert (total, received) == (len(expected), expected)


@both_ways
@pytest.mark.parametrize("part", RANGES, ids=str)
def test_ranges_without_the_system_call(path: Path, sent, part: tuple[Any, ...]) -> None:
    """A file with no descriptor is read in the executor and sent."""

    def scenario(loop):
        result = sent(loop, io.BytesIO(CONTENT), *part)
        loop.run_until_complete(loop.shutdown_default_executor())
        return result

    on_both(scenario)


@both_ways
def test_empty_file(tmp_path: Path, sent) -> None:
    (tmp_path / "empty").touch()

    def scenario(loop):
        with (tmp_path / "empty").open("rb") as file:
            return sent(loop, file)

    assert on_both(scenario)[:2] == (0, b"")


@both_ways
def test_file_that_was_read_before(path: Path, sent) -> None:
    """The offset counts from the beginning, wherever the file stands."""

    def scenario(loop):
        with path.open("rb", buffering=0) as file:
            file.read(1000)
            return sent(loop, file, 10, 100)

    assert on_both(scenario)[1] == CONTENT[10:110]


@both_ways
def test_no_fallback(sent) -> None:
    def scenario(loop):
        with pytest.raises((RuntimeError, asyncio.SendfileNotAvailableError)) as raised:
            sent(loop, io.BytesIO(CONTENT), fallback=False)
        return type(raised.value), str(raised.value)

    on_both(scenario)


@both_ways
def test_pipe_instead_of_a_file(sent) -> None:
    def scenario(loop):
        reading, writing = os.pipe()
        os.write(writing, b"through the pipe")
        os.close(writing)
        with open(reading, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever stock raises
                sent(loop, file, fallback=False)
            return type(raised.value), str(raised.value)

    on_both(scenario)


@pytest.mark.parametrize(
    ("offset", "count"),
    [(-1, None), (0, 0), (0, -1), (0, 1.5), (1.5, None), ("0", None), (0, "1")],
)
def test_wrong_arguments(path: Path, offset: Any, count: Any) -> None:
    def scenario(loop):
        with connection() as (client, _), path.open("rb") as file:
            return refused(loop, loop.sock_sendfile(client, file, offset, count))

    on_both(scenario)


def test_wrong_objects(path: Path) -> None:
    def scenario(loop):
        with connection() as (client, _), path.open("r", encoding="latin-1") as text:
            told = [refused(loop, loop.sock_sendfile(client, text))]
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams, path.open("rb") as file:
            told.append(refused(loop, loop.sock_sendfile(datagrams, file)))
        with connection() as (client, _), path.open("rb") as file:
            client.setblocking(True)
            loop.set_debug(True)
            told.append(refused(loop, loop.sock_sendfile(client, file)))
        return told

    assert [kind for kind, _ in on_both(scenario)] == [ValueError] * 3


def test_socket_that_is_not_connected(path: Path) -> None:
    def scenario(loop):
        with socket.socket() as sock, path.open("rb") as file:
            sock.setblocking(False)
            return refused(loop, loop.sock_sendfile(sock, file, fallback=False)), file.tell()

    on_both(scenario)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large"
    with file.open("wb") as writing:
        writing.truncate(LARGE)
    return file


def test_cancelled_in_the_middle(loop, large: Path) -> None:
    """The position tells how much was sent; the socket stays usable."""
    with connection() as (client, server), large.open("rb") as file:
        task = loop.create_task(loop.sock_sendfile(client, file))
        run_turns(loop, 8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        run_turns(loop)
        assert not loop.remove_writer(client)

        async def drain() -> int:
            receiving = loop.create_task(everything(loop, server))
            await loop.sock_sendall(client, b"end")
            client.shutdown(socket.SHUT_WR)
            received = await receiving
            assert received.endswith(b"end")
            return len(received) - 3

        assert 0 < loop.run_until_complete(drain()) < LARGE


def test_receiver_goes_away_in_the_middle(loop, large: Path) -> None:
    with connection() as (client, server), large.open("rb") as file:
        task = loop.create_task(loop.sock_sendfile(client, file))
        run_turns(loop, 8)
        assert not task.done()
        server.close()
        with pytest.raises(ConnectionError):
            loop.run_until_complete(task)
        assert 0 < file.tell() < LARGE


def test_file_that_shrinks_meanwhile(loop, large: Path) -> None:
    """sendfile(2) finds the end: what was sent counts."""
    with connection() as (client, server), large.open("r+b") as file:
        task = loop.create_task(loop.sock_sendfile(client, file))
        run_turns(loop, 8)
        file.truncate(0)

        async def main() -> tuple[int, int]:
            receiving = loop.create_task(everything(loop, server))
            count = await task
            client.shutdown(socket.SHUT_WR)
            return count, len(await receiving)

        count, received = loop.run_until_complete(main())
        assert 0 < count == received < LARGE


def test_slow_receiver_gets_everything(loop, large: Path) -> None:
    with large.open("rb") as file:
        count, received, position = sent_by_socket(loop, file)
    assert (count, len(received), position) == (LARGE, LARGE, LARGE)


def test_transport_cannot_write_meanwhile(loop, large: Path) -> None:
    async def main() -> None:
        with connection() as (client, server), large.open("rb") as file:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=client)
            task = loop.create_task(loop.sendfile(transport, file))
            for _ in range(5):
                await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="sendfile is in progress"):
                transport.write(b"between")
            server.close()
            with pytest.raises(ConnectionError):
                await task
            transport.abort()
            await asyncio.sleep(0)

    loop.run_until_complete(main())


def test_transport_that_closes(loop, path: Path) -> None:
    async def main() -> None:
        with connection() as (client, _), path.open("rb") as file:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=client)
            transport.close()
            with pytest.raises(RuntimeError, match="Transport is closing"):
                await loop.sendfile(transport, file)
            await asyncio.sleep(0)

    loop.run_until_complete(main())


def test_transport_reads_again_afterwards(loop, path: Path) -> None:
    """Reading was paused for the time of the call."""

    async def main() -> bytes:
        with connection() as (client, server), path.open("rb") as file:
            reader, writer = await asyncio.open_connection(sock=client)
            receiving = loop.create_task(everything(loop, server))
            await loop.sendfile(writer.transport, file)
            await loop.sock_sendall(server, b"answer\n")
            answer = await reader.readline()
            writer.close()
            assert await receiving == CONTENT
            return answer

    assert loop.run_until_complete(main()) == b"answer\n"
