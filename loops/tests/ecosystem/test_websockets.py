"""websockets, server and client, over TCP and TLS: broadcast, big messages, closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from ecosystem_testing import data, packages
from loop_testing import certificates

websockets = packages.installed("websockets")
client = packages.installed("websockets", "websockets.asyncio.client")
server = packages.installed("websockets", "websockets.asyncio.server")

CLIENTS = 100

Handler = Callable[[Any], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, secure: bool) -> AsyncIterator[Any]:
    context = certificates.server_context() if secure else None
    async with server.serve(handler, "127.0.0.1", 0, ssl=context, max_size=None) as running:
        yield running


def connect(running: Any, secure: bool, **options: Any) -> Any:
    port = running.sockets[0].getsockname()[1]
    if secure:
        options["ssl"] = certificates.client_context()
    url = f"{'wss' if secure else 'ws'}://localhost:{port}/"
    return client.connect(url, host="127.0.0.1", max_size=None, proxy=None, **options)


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


def test_the_compiled_part_is_used() -> None:
    packages.compiled("websockets", "websockets.speedups")


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_echo(run, secure: bool, compression: str | None) -> None:
    async def main() -> None:
        async with (
            serving(echo, secure) as running,
            connect(running, secure, compression=compression) as connection,
        ):
            for message in ("Grüße", b"", b"bytes", data.payload()[:65536], data.payload()):
                await connection.send(message)
                assert await connection.recv() == message
            assert await (await connection.ping()) >= 0

    run(main)


def test_messages_in_pieces(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(echo, secure) as running, connect(running, secure) as connection:
            await connection.send(data.chunks())
            assert await connection.recv() == data.payload()

    run(main)


def test_broadcast_to_a_hundred_clients(run, secure: bool) -> None:
    async def main() -> None:
        leave = asyncio.Event()

        async def member(connection: Any) -> None:
            await connection.send("welcome")
            await leave.wait()

        async def one(running: Any, together: asyncio.Barrier) -> list[Any]:
            async with connect(running, secure) as connection:
                assert await connection.recv() == "welcome"
                await together.wait()
                return [await connection.recv() for _ in range(50)]

        async with serving(member, secure) as running:
            together = asyncio.Barrier(CLIENTS + 1)
            members = [asyncio.ensure_future(one(running, together)) for _ in range(CLIENTS)]
            await together.wait()
            for number in range(50):
                server.broadcast(running.connections, f"message {number}")
            heard = await asyncio.gather(*members)
            leave.set()
        assert heard == [[f"message {number}" for number in range(50)]] * CLIENTS

    run(main)


def test_closing_from_either_side(run, secure: bool) -> None:
    async def main() -> None:
        seen: list[tuple[int, str]] = []

        async def goodbye(connection: Any) -> None:
            if await connection.recv() == "you":
                await connection.close(1001, "gone")
            await connection.wait_closed()
            seen.append((connection.close_code, connection.close_reason))

        async with serving(goodbye, secure) as running:
            async with connect(running, secure) as connection:
                await connection.send("you")
                with pytest.raises(websockets.exceptions.ConnectionClosed):
                    await connection.recv()
                assert (connection.close_code, connection.close_reason) == (1001, "gone")
            async with connect(running, secure) as connection:
                await connection.send("me")
                await connection.close(1000, "bye")
        assert sorted(seen) == [(1000, "bye"), (1001, "gone")]

    run(main)


def test_shutting_down_closes_what_is_open(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(echo, secure) as running:
            connections = [await connect(running, secure) for _ in range(10)]
            running.close()
            await running.wait_closed()
            for connection in connections:
                await connection.wait_closed()
                assert connection.close_code == 1001

    run(main)


def test_a_client_that_breaks_off(run, secure: bool) -> None:
    """Without a closing handshake: the server's handler is told, and others are served."""

    async def main() -> None:
        codes: asyncio.Queue[int] = asyncio.Queue()

        async def handler(connection: Any) -> None:
            try:
                await echo(connection)
                await connection.recv()
            except websockets.exceptions.ConnectionClosed:
                await codes.put(connection.close_code)

        async with serving(handler, secure) as running:
            broken = await connect(running, secure)
            broken.transport.abort()
            assert await codes.get() == 1006
            async with connect(running, secure) as connection:
                await connection.send("still here")
                assert await connection.recv() == "still here"

    run(main)


def test_a_cancelled_receive_loses_nothing(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(echo, secure) as running, connect(running, secure) as connection:
            for number in range(20):
                receiving = asyncio.ensure_future(connection.recv())
                await asyncio.sleep(0)
                receiving.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await receiving
                await connection.send(str(number))
                assert await connection.recv() == str(number)

    run(main)
