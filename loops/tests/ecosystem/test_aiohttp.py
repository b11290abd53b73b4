"""aiohttp, server and client, over TCP and TLS: exchanges, big bodies, cancellation, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ecosystem_testing import data, packages
from loop_testing import certificates, process

aiohttp = packages.installed("aiohttp")
web = packages.installed("aiohttp", "aiohttp.web")

CLIENTS = 100


def test_the_compiled_parts_are_used() -> None:
    packages.compiled(
        "aiohttp",
        "aiohttp._http_parser",
        "aiohttp._http_writer",
        "aiohttp._websocket.mask",
        "aiohttp._websocket.reader_c",
    )
    from aiohttp import http_parser

    assert http_parser.HttpRequestParser.__module__ == "aiohttp._http_parser"
    assert http_parser.HttpResponseParser.__module__ == "aiohttp._http_parser"


@dataclass
class Site:
    """A running server: where it is, and what its handlers have seen."""

    url: str
    runner: object
    transports: set[int] = field(default_factory=set)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    together: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(CLIENTS))


def application(site: Site) -> object:
    async def hello(request) -> object:
        site.transports.add(id(request.transport))
        return web.json_response({"path": request.path, "query": dict(request.query)})

    async def upload(request) -> object:
        digest, size = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            size += len(chunk)
        return web.json_response({"size": size, "digest": digest.hexdigest()})

    async def download(request) -> object:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in data.chunks():
            await response.write(chunk)
        await response.write_eof()
        return response

    async def wait(request) -> object:
        site.started.set()
        try:
            await site.proceed.wait()
        except asyncio.CancelledError:
            site.cancelled.set()
            raise
        return web.Response(text="waited")

    async def meet(request) -> object:
        await site.together.wait()
        return web.Response(text=request.query["n"])

    async def child(request) -> object:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; sys.stdout.write(sys.stdin.read().upper())",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate(await request.read())
        return web.Response(body=said, headers={"X-Exit": str(process.returncode)})

    async def echo(request) -> object:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            else:
                await socket.send_str(message.data)
        return socket

    app = web.Application(client_max_size=2 * data.SIZE)
    app.router.add_get("/hello", hello)
    app.router.add_post("/upload", upload)
    app.router.add_get("/download", download)
    app.router.add_get("/wait", wait)
    app.router.add_get("/meet", meet)
    app.router.add_post("/child", child)
    app.router.add_get("/echo", echo)
    return app


@contextlib.asynccontextmanager
async def serving(secure: bool, files: Path | None = None) -> AsyncIterator[Site]:
    site = Site("", None)
    app = application(site)
    if files is not None:
        app.router.add_static("/files", files)
    # Handlers are told of a client that left (off by default since aiohttp 3.7).
    site.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=60)
    await site.runner.setup()
    context = certificates.server_context() if secure else None
    await web.TCPSite(site.runner, "localhost", 0, ssl_context=context).start()
    port = site.runner.addresses[0][1]
    site.url = f"{'https' if secure else 'http'}://localhost:{port}"
    try:
        yield site
    finally:
        await site.runner.cleanup()


def session(secure: bool, **options: object) -> object:
    context = certificates.client_context() if secure else True
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, **options))


def test_requests_share_a_connection(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            for number in range(20):
                async with client.get(f"{site.url}/hello?n={number}") as response:
                    assert response.status == 200
                    assert await response.json() == {"path": "/hello", "query": {"n": str(number)}}
            assert len(site.transports) == 1
            async with client.get(f"{site.url}/nothing") as response:
                assert response.status == 404

    run(main)


def test_a_hundred_clients_at_once(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure, limit=0) as client:

            async def one(number: int) -> str:
                async with client.get(f"{site.url}/meet?n={number}") as response:
                    return await response.text()

            answers = await asyncio.gather(*(one(number) for number in range(CLIENTS)))
            assert answers == [str(number) for number in range(CLIENTS)]

    run(main)


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_upload_of_ten_mebibytes(run, secure: bool, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for chunk in data.chunks():
            yield chunk

    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            body = pieces() if chunked else data.payload()
            async with client.post(f"{site.url}/upload", data=body) as response:
                assert await response.json() == {"size": data.SIZE, "digest": data.digest()}

    run(main)


def test_streaming_download_of_ten_mebibytes(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            digest = hashlib.sha256()
            async with client.get(f"{site.url}/download") as response:
                async for chunk in response.content.iter_chunked(4096):
                    digest.update(chunk)
            assert digest.hexdigest() == data.digest()

    run(main)


def test_a_file_is_sent(run, secure: bool, tmp_path: Path) -> None:
    """Through loop.sendfile(), and through its fallback where the connection is encrypted."""
    (tmp_path / "file").write_bytes(data.payload())

    async def main() -> None:
        async with serving(secure, files=tmp_path) as site, session(secure) as client:
            async with client.get(f"{site.url}/files/file") as response:
                assert hashlib.sha256(await response.read()).hexdigest() == data.digest()
            headers = {"Range": "bytes=1000-1999"}
            async with client.get(f"{site.url}/files/file", headers=headers) as response:
                assert response.status == 206
                assert await response.read() == data.payload()[1000:2000]

    run(main)


def test_a_client_that_leaves_cancels_its_handler(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            request = asyncio.ensure_future(client.get(f"{site.url}/wait"))
            await site.started.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            await site.cancelled.wait()
            async with client.get(f"{site.url}/hello") as response:
                assert response.status == 200

    run(main)


def test_a_client_that_leaves_in_the_middle_of_a_download(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            for _ in range(5):
                async with client.get(f"{site.url}/download") as response:
                    assert len(await response.content.readexactly(1000)) == 1000
                    response.close()
            async with client.get(f"{site.url}/hello") as response:
                assert response.status == 200

    run(main)


def test_a_timeout_of_the_client(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            with pytest.raises(asyncio.TimeoutError):
                await client.get(f"{site.url}/wait", timeout=aiohttp.ClientTimeout(total=0.05))
            site.proceed.set()
            async with client.get(f"{site.url}/wait") as response:
                assert await response.text() == "waited"

    run(main)


def test_graceful_shutdown_lets_the_last_request_finish(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:
            request = asyncio.ensure_future(client.get(f"{site.url}/wait"))
            await site.started.wait()
            shutdown = asyncio.ensure_future(site.runner.cleanup())
            await refused(site.url)
            assert not shutdown.done()
            site.proceed.set()
            async with await request as response:
                assert await response.text() == "waited"
            await shutdown

    run(main)


async def refused(url: str) -> None:
    """Returns once nobody listens there any more."""
    port = int(url.rpartition(":")[2])
    while True:
        try:
            _, writer = await asyncio.open_connection("localhost", port)
        except ConnectionRefusedError:
            return
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def test_a_subprocess_in_a_handler(run, secure: bool) -> None:
    async def main() -> None:
        async with serving(secure) as site, session(secure) as client:

            async def one(number: int) -> tuple[str, str]:
                body = f"letters {number}\n" * 10_000
                async with client.post(f"{site.url}/child", data=body) as response:
                    assert await response.text() == body.upper()
                    return response.headers["X-Exit"]

            assert await asyncio.gather(*(one(number) for number in range(4))) == ["0"] * 4

    run(main)


@pytest.mark.parametrize("compress", [0, 15], ids=["plain", "deflate"])
def test_websocket(run, secure: bool, compress: int) -> None:
    async def main() -> None:
        async with (
            serving(secure) as site,
            session(secure) as client,
            client.ws_connect(f"{site.url}/echo", max_msg_size=0, compress=compress) as socket,
        ):
            for size in (0, 1, 125, 126, 65535, 65536):
                await socket.send_bytes(data.payload()[:size])
                assert await socket.receive_bytes() == data.payload()[:size]
            await socket.send_str("Grüße")
            assert await socket.receive_str() == "Grüße"
            sending = asyncio.ensure_future(socket.send_bytes(data.payload()))
            assert await socket.receive_bytes() == data.payload()
            await sending
            assert await socket.close()

    run(main)


def test_unix_socket(run, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        async with serving(secure=False) as site:
            await web.UnixSite(site.runner, path).start()
            connector = aiohttp.UnixConnector(path)
            async with (
                aiohttp.ClientSession(connector=connector) as client,
                client.post("http://localhost/upload", data=data.payload()) as response,
            ):
                assert (await response.json())["digest"] == data.digest()

    run(main)


def test_run_app_ends_on_sigterm() -> None:
    """web.run_app(loop=...): a request is answered, a signal ends it, clean-up runs."""
    said = process.output(
        """
        import socket
        import aiohttp
        from aiohttp import web

        loop = new_loop()
        listener = socket.create_server(("127.0.0.1", 0))

        async def answer(request):
            return web.Response(text=str(asyncio.get_running_loop() is loop))

        async def visit(app):
            async with aiohttp.ClientSession() as client:
                url = "http://127.0.0.1:%d/" % listener.getsockname()[1]
                async with client.get(url) as response:
                    print(response.status, await response.text())
            os.kill(os.getpid(), signal.SIGTERM)

        async def start(app):
            app["visit"] = asyncio.create_task(visit(app))

        async def clean(app):
            await app["visit"]
            print("cleaned up")

        app = web.Application()
        app.router.add_get("/", answer)
        app.on_startup.append(start)
        app.on_cleanup.append(clean)
        web.run_app(app, sock=listener, loop=loop, print=None)
        print(loop.is_closed())
        """,
        options=("-W", "ignore"),
    )
    assert said.splitlines() == ["200 True", "cleaned up", "True"]
