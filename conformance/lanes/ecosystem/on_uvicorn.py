"""uvicorn, with a client on asyncio's own streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.kit.tls import HOSTNAME
from loopgauge.conformance.lanes.ecosystem.program import (
    BOTH,
    PROGRAM_SECONDS,
    contexts,
    library,
    run,
)
from loopgauge.conformance.trial import Trial

PARSERS = ("h11", "httptools")


class Application:
    """An ASGI application without a framework. It answers with what it was sent."""

    def __init__(self) -> None:
        self.lifespan: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                self.lifespan.append(step)
                await send({"type": f"lifespan.{step}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(t: Trial, variant: str, application: Any, http: str) -> AsyncIterator[int]:
    """The port of a server that runs as a task; it is stopped afterwards."""
    uvicorn = library(t, "uvicorn")
    config = uvicorn.Config(
        application, "127.0.0.1", port=0, lifespan="on", log_level="error", http=http
    )
    config.load()
    config.ssl = contexts(t, variant)[0]
    server = uvicorn.Server(config)
    listening = asyncio.Event()
    startup = server.startup

    async def started(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        listening.set()

    server.startup = started
    serve = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(listening.wait())
    await asyncio.wait([serve, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serve.done():
        await serve
        t.fail("the server ends instead of serving")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serve


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
    return await reader.readexactly(size)


def talk(t: Trial, variant: str, http: str) -> None:
    application = Application()

    async def main() -> None:
        async with serving(t, variant, application, http) as port:
            _, client_tls = contexts(t, variant)
            name = HOSTNAME if client_tls else None
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client_tls, server_hostname=name
            )
            for body in (b"one", b"", b"x" * 300_000, b"last"):
                t.true("the body comes back", await exchange(reader, writer, body) == body)
            writer.close()
            await writer.wait_closed()

    run(t, main)
    t.equal("what the application lived through", application.lifespan, ["startup", "shutdown"])


@program(
    "ecosystem:uvicorn.h11",
    expected="every body comes back; the application is started and shut down once",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def with_h11(t: Trial, variant: str) -> None:
    """Four requests over one connection to uvicorn with the parser in Python."""
    library(t, "h11")
    talk(t, variant, "h11")


@program(
    "ecosystem:uvicorn.httptools",
    expected="every body comes back; the application is started and shut down once",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def with_httptools(t: Trial, variant: str) -> None:
    """Four requests over one connection to uvicorn with the parser in C."""
    library(t, "httptools")
    talk(t, variant, "httptools")
