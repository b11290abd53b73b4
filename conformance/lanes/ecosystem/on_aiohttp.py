"""aiohttp, server and client, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
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

CLIENTS = 30
CHUNKS = [bytes([number]) * 16_384 for number in range(64)]
DIGEST = hashlib.sha256(b"".join(CHUNKS)).hexdigest()


@contextlib.asynccontextmanager
async def site(
    t: Trial, variant: str, build: Callable[[Any], None], **options: Any
) -> AsyncIterator[tuple[Any, str]]:
    """A server with the routes that `build` adds; a client session and the server's URL."""
    aiohttp, web = library(t, "aiohttp"), library(t, "aiohttp.web")
    server_tls, client_tls = contexts(t, variant)
    app = web.Application(client_max_size=1 << 24)
    build(app.router)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=5, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls).start()
        port = runner.addresses[0][1]
        connector = aiohttp.TCPConnector(ssl=client_tls or True, limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield session, f"{'https' if server_tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@program(
    "ecosystem:aiohttp.requests",
    expected="twenty answers over one connection, and a 404",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def requests(t: Trial, variant: str) -> None:
    """A client asks an aiohttp server twenty times for JSON, then for a path that is not there."""
    web = library(t, "aiohttp.web")
    transports = set()

    async def hello(request: Any) -> Any:
        transports.add(id(request.transport))
        return web.json_response(dict(request.query))

    async def main() -> None:
        async with site(t, variant, lambda r: r.add_get("/hello", hello)) as (session, url):
            for number in range(20):
                async with session.get(f"{url}/hello?n={number}") as response:
                    t.equal("the answer", await response.json(), {"n": str(number)})
            async with session.get(f"{url}/nothing") as response:
                t.equal("the status of what is not there", response.status, 404)

    run(t, main)
    t.equal("the number of connections", len(transports), 1)


@program(
    "ecosystem:aiohttp.concurrent",
    expected="every client gets its own answer",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def concurrent(t: Trial, variant: str) -> None:
    """Thirty requests are held by the server until all are there, and then answered."""
    web = library(t, "aiohttp.web")

    async def main() -> list[str]:
        together = asyncio.Barrier(CLIENTS)

        async def meet(request: Any) -> Any:
            await together.wait()
            return web.Response(text=request.query["n"])

        async def one(session: Any, url: str, number: int) -> str:
            async with session.get(f"{url}/meet?n={number}") as response:
                text: str = await response.text()
                return text

        async with site(t, variant, lambda r: r.add_get("/meet", meet)) as (session, url):
            return await asyncio.gather(*(one(session, url, n) for n in range(CLIENTS)))

    t.equal("the answers", run(t, main), [str(number) for number in range(CLIENTS)])


@program(
    "ecosystem:aiohttp.bodies",
    expected="one mebibyte arrives whole in both directions",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def bodies(t: Trial, variant: str) -> None:
    """A chunked upload and a streamed download of one mebibyte, with their checksums."""
    web = library(t, "aiohttp.web")

    async def upload(request: Any) -> Any:
        digest = hashlib.sha256()
        async for chunk in request.content.iter_any():
            digest.update(chunk)
        return web.Response(text=digest.hexdigest())

    async def download(request: Any) -> Any:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in CHUNKS:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def pieces() -> AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    def build(router: Any) -> None:
        router.add_post("/upload", upload)
        router.add_get("/download", download)

    async def main() -> None:
        async with site(t, variant, build) as (session, url):
            async with session.post(f"{url}/upload", data=pieces()) as response:
                t.equal("the checksum of the upload", await response.text(), DIGEST)
            async with session.get(f"{url}/download") as response:
                digest = hashlib.sha256(await response.read()).hexdigest()
                t.equal("the checksum of the download", digest, DIGEST)

    run(t, main)


@program(
    "ecosystem:aiohttp.file",
    expected="the whole file, and a part of it",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def file(t: Trial, variant: str) -> None:
    """A static file is sent, which uses loop.sendfile where there is one; then a range of it."""
    library(t, "aiohttp")
    content = b"".join(CHUNKS)
    (t.directory / "file").write_bytes(content)

    async def main() -> None:
        def build(router: Any) -> None:
            router.add_static("/files", t.directory)

        async with site(t, variant, build) as (session, url):
            async with session.get(f"{url}/files/file") as response:
                t.true("the file arrives whole", await response.read() == content)
            asked = {"Range": "bytes=1000-1999"}
            async with session.get(f"{url}/files/file", headers=asked) as response:
                t.equal("the status of a range", response.status, 206)
                t.true("the range arrives", await response.read() == content[1000:2000])

    run(t, main)


@program(
    "ecosystem:aiohttp.websocket",
    expected="every message comes back",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def websocket(t: Trial, variant: str) -> None:
    """Text and bytes are sent through a WebSocket of aiohttp to a server that echoes them."""
    aiohttp, web = library(t, "aiohttp"), library(t, "aiohttp.web")

    async def echo(request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            else:
                await socket.send_str(message.data)
        return socket

    async def main() -> None:
        async with (
            site(t, variant, lambda r: r.add_get("/echo", echo)) as (session, url),
            session.ws_connect(f"{url}/echo") as socket,
        ):
            for text in ("one", "zwölf", ""):
                await socket.send_str(text)
                t.equal("the text", await socket.receive_str(), text)
            await socket.send_bytes(CHUNKS[1])
            t.true("the bytes come back", await socket.receive_bytes() == CHUNKS[1])

    run(t, main)


@program(
    "ecosystem:aiohttp.cancelled",
    expected="the handler is cancelled, and the server goes on",
    variants=BOTH,
    seconds=PROGRAM_SECONDS,
)
def cancelled(t: Trial, variant: str) -> None:
    """A client gives up while its request is handled, and another asks afterwards."""
    web = library(t, "aiohttp.web")

    async def main() -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        async def wait(request: Any) -> Any:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def hello(request: Any) -> Any:
            return web.Response(text="hello")

        def build(router: Any) -> None:
            router.add_get("/wait", wait)
            router.add_get("/hello", hello)

        async with site(t, variant, build) as (session, url):
            asking = asyncio.ensure_future(session.get(f"{url}/wait"))
            await started.wait()
            asking.cancel()
            with t.raises(asyncio.CancelledError, what="awaiting the request"):
                await asking
            await ended.wait()
            async with session.get(f"{url}/hello") as response:
                t.equal("the next answer", await response.text(), "hello")

    run(t, main)
