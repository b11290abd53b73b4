"""uvicorn, in this process and as its own command, with every HTTP parser it has a wheel for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ecosystem_testing import data, packages
from ecosystem_testing.http import Client
from loop_testing import certificates, process, target

uvicorn = packages.installed("uvicorn")

CLIENTS = 100


class Application:
    """An ASGI application without a framework; remembers what happened to it."""

    def __init__(self) -> None:
        self.lifespan: list[str] = []
        self.started = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.proceed = asyncio.Event()
        self.together = asyncio.Barrier(CLIENTS)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "websocket":
            await self.echo(receive, send)
        else:
            handler = getattr(self, scope["path"].strip("/"))
            await handler(scope, receive, send)

    async def live(self, receive, send) -> None:
        for expected in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{expected}"
            self.lifespan.append(expected)
            await send({"type": f"lifespan.{expected}.complete"})

    async def echo(self, receive, send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    async def hello(self, scope, receive, send) -> None:
        await answer(send, f"{scope['scheme']} {scope['query_string'].decode()}".encode())

    async def upload(self, scope, receive, send) -> None:
        digest, more = hashlib.sha256(), True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            more = message.get("more_body", False)
        await answer(send, digest.hexdigest().encode())

    async def download(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for chunk in data.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    async def wait(self, scope, receive, send) -> None:
        self.started.set()
        await self.proceed.wait()
        await answer(send, b"waited")

    async def leave(self, scope, receive, send) -> None:
        self.started.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnected.set()

    async def meet(self, scope, receive, send) -> None:
        await self.together.wait()
        await answer(send, scope["query_string"])


async def answer(send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @property
    def port(self) -> int:
        return self.servers[0].sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def serving(application: Application, secure: bool, **options) -> AsyncIterator[Server]:
    config = uvicorn.Config(
        application, "127.0.0.1", port=0, lifespan="on", log_level="warning", **options
    )
    config.load()
    if secure:
        config.ssl = certificates.server_context()
    server = Server(config)
    serve = asyncio.ensure_future(server.serve())
    await server.listening.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await serve


async def connect(server: Server, secure: bool) -> Client:
    context = certificates.client_context() if secure else None
    name = certificates.HOSTNAME if secure else None
    return Client(
        *await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname=name)
    )


@pytest.fixture(params=["h11", "httptools"])
def http(request: pytest.FixtureRequest) -> str:
    """Which parser uvicorn uses; each has a transport handling of its own."""
    packages.installed(request.param)
    return str(request.param)


def test_httptools_is_compiled() -> None:
    packages.installed("httptools")
    packages.compiled("httptools", "httptools.parser.parser")


def test_requests_share_a_connection(run, secure: bool, http: str) -> None:
    async def main() -> list[str]:
        application = Application()
        async with serving(application, secure, http=http) as server:
            client = await connect(server, secure)
            for number in range(20):
                said = await client.request("GET", f"/hello?n={number}")
                assert said.status == 200
                assert said.body == f"{'https' if secure else 'http'} n={number}".encode()
            await client.close()
        return application.lifespan

    assert run(main) == ["startup", "shutdown"]


def test_pipelined_requests(run, secure: bool, http: str) -> None:
    async def main() -> None:
        async with serving(Application(), secure, http=http) as server:
            client = await connect(server, secure)
            for number in range(10):
                request = f"GET /hello?n={number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                client.writer.write(request.encode())
            for number in range(10):
                assert (await client.answer()).body.endswith(f"n={number}".encode())
            await client.close()

    run(main)


def test_a_hundred_clients_at_once(run, secure: bool, http: str) -> None:
    async def main() -> None:
        async with serving(Application(), secure, http=http) as server:

            async def one(number: int) -> bytes:
                client = await connect(server, secure)
                said = await client.request("GET", f"/meet?{number}")
                await client.close()
                return said.body

            answers = await asyncio.gather(*(one(number) for number in range(CLIENTS)))
            assert answers == [str(number).encode() for number in range(CLIENTS)]

    run(main)


def test_bodies_of_ten_mebibytes(run, secure: bool, http: str) -> None:
    async def main() -> None:
        async with serving(Application(), secure, http=http) as server:
            client = await connect(server, secure)
            said = await client.request("POST", "/upload", data.payload())
            assert said.body.decode() == data.digest()
            said = await client.request("GET", "/download")
            assert hashlib.sha256(said.body).hexdigest() == data.digest()
            await client.close()

    run(main)


def test_a_client_that_leaves_is_noticed(run, secure: bool, http: str) -> None:
    async def main() -> None:
        application = Application()
        async with serving(application, secure, http=http) as server:
            client = await connect(server, secure)
            request = asyncio.ensure_future(client.request("GET", "/leave"))
            await application.started.wait()
            request.cancel()
            client.writer.transport.abort()
            await application.disconnected.wait()
            client = await connect(server, secure)
            assert (await client.request("GET", "/hello")).status == 200
            await client.close()

    run(main)


def test_graceful_shutdown_lets_the_last_request_finish(run, secure: bool, http: str) -> None:
    async def main() -> None:
        application = Application()
        async with serving(application, secure, http=http) as server:
            client = await connect(server, secure)
            request = asyncio.ensure_future(client.request("GET", "/wait"))
            await application.started.wait()
            server.should_exit = True
            application.proceed.set()
            assert (await request).body == b"waited"
            assert await client.reader.read() == b""
            await client.close()
        assert application.lifespan == ["startup", "shutdown"]

    run(main)


@pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:remove second argument")
@pytest.mark.parametrize("implementation", ["websockets", "websockets-sansio"])
def test_websocket(run, secure: bool, implementation: str) -> None:
    client_module = packages.installed("websockets", "websockets.asyncio.client")

    async def main() -> None:
        async with serving(
            Application(), secure, ws=implementation, ws_max_size=2 * data.SIZE
        ) as server:
            options = {"ssl": certificates.client_context()} if secure else {}
            url = f"{'wss' if secure else 'ws'}://localhost:{server.port}/"
            async with client_module.connect(
                url, host="127.0.0.1", max_size=2 * data.SIZE, proxy=None, **options
            ) as socket:
                for message in ("Grüße", b"bytes", b"", data.payload()):
                    await socket.send(message)
                    assert await socket.recv() == message

    run(main)


APPLICATION = """
import asyncio

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    kind = type(asyncio.get_running_loop())
    body = f"{kind.__module__}.{kind.__qualname__}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_its_command_line_takes_our_factory(run, tmp_path: Path, ended_by: int) -> None:
    """`uvicorn --loop module:factory`, on a Unix socket; a signal ends it in good order."""
    (tmp_path / "served.py").write_text(APPLICATION)
    path = tmp_path / "socket"
    words = ["-m", "uvicorn", "served:application", "--uds", str(path), "--lifespan", "off"]
    expected = target.target_factory()()
    name = f"{type(expected).__module__}.{type(expected).__qualname__}"
    expected.close()

    async def main() -> None:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            "--loop",
            target.target_name(),
            cwd=tmp_path,
            env=process.environment(extra={"PYTHONUNBUFFERED": "1"}),
            stderr=subprocess.PIPE,
            # A shell that started the tests in the background has made SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        said = b""
        while b"running on" not in said:
            line = await server.stderr.readline()
            assert line, said.decode()
            said += line
        client = Client(*await asyncio.open_unix_connection(os.fspath(path)))
        assert (await client.request("GET", "/")).body.decode() == name
        await client.close()
        server.send_signal(ended_by)
        _, rest = await server.communicate()
        assert b"Finished server process" in rest, rest.decode()
        assert server.returncode in (0, -ended_by), rest.decode()

    run(main)
