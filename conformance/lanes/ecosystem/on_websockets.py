"""websockets, server and client, in one process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.ecosystem.program import (
    BOTH,
    PROGRAM_SECONDS,
    contexts,
    library,
    run,
)
from loopgauge.conformance.trial import Trial

CLIENTS = 20


@contextlib.asynccontextmanager
async def serving(
    t: Trial, variant: str, handler: Callable[[Any], Coroutine[Any, Any, None]]
) -> AsyncIterator[tuple[Any, Callable[[], Any]]]:
    """The running server, and what connects to it."""
    client = library(t, "websockets.asyncio.client")
    server = library(t, "websockets.asyncio.server")
    server_tls, client_tls = contexts(t, variant)
    async with server.serve(handler, "127.0.0.1", 0, ssl=server_tls) as running:
        port = running.sockets[0].getsockname()[1]
        url = f"{'wss' if server_tls else 'ws'}://127.0.0.1:{port}/"
        options = {"ssl": client_tls} if client_tls else {}
        yield running, lambda: client.connect(url, proxy=None, **options)


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


@program(
    "ecosystem:websockets.echo",
    expected="every message comes back, and the ping is answered",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def messages(t: Trial, variant: str) -> None:
    """Text, bytes and a message of half a mebibyte are sent to a server that echoes them."""

    async def main() -> None:
        async with serving(t, variant, echo) as (_, connect), connect() as connection:
            for message in ("text", b"bytes", b"", b"x" * 500_000):
                await connection.send(message)
                t.true("the message comes back", await connection.recv() == message)
            t.true("the ping is answered", await (await connection.ping()) >= 0)

    run(t, main)


@program(
    "ecosystem:websockets.broadcast",
    expected="every client gets every message in order",
    seconds=PROGRAM_SECONDS,
)
def broadcast(t: Trial) -> None:
    """The server sends ten messages to twenty clients at once."""
    server = library(t, "websockets.asyncio.server")
    wanted = [str(number) for number in range(10)]

    async def main() -> list[list[str]]:
        leave = asyncio.Event()
        together = asyncio.Barrier(CLIENTS + 1)

        async def member(connection: Any) -> None:
            await leave.wait()

        async def one(connect: Callable[[], Any]) -> list[str]:
            async with connect() as connection:
                await together.wait()
                return [await connection.recv() for _ in wanted]

        async with serving(t, "tcp", member) as (running, connect):
            members = [asyncio.ensure_future(one(connect)) for _ in range(CLIENTS)]
            await together.wait()
            for text in wanted:
                server.broadcast(running.connections, text)
            heard = await asyncio.gather(*members)
            leave.set()
        return heard

    t.equal("what the clients heard", run(t, main), [wanted] * CLIENTS)


@program(
    "ecosystem:websockets.closing",
    expected="both ends see the close code of the one that closed",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def closing(t: Trial, variant: str) -> None:
    """One connection is closed by the server, the next by the client."""
    codes: list[int] = []

    async def goodbye(connection: Any) -> None:
        if await connection.recv() == "you":
            await connection.close(1001, "gone")
        await connection.wait_closed()
        codes.append(connection.close_code)

    async def main() -> None:
        async with serving(t, variant, goodbye) as (_, connect):
            async with connect() as connection:
                await connection.send("you")
                await connection.wait_closed()
                t.equal("the code that the client sees", connection.close_code, 1001)
            async with connect() as connection:
                await connection.send("me")

    run(t, main)
    t.equal("the codes that the server sees", sorted(codes), [1000, 1001])
