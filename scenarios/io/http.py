"""Web servers and clients that people use, and a plain text. Both are optional: without them the
scenarios are UNSUPPORTED and say what to install."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from abc import abstractmethod
from typing import Any, ClassVar

from loopgauge.scenarios.generator import Traffic
from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import BACKLOG, Server, address_of
from loopgauge.scenarios.model import Lacking, Param, require

BODY = "Hello, World!"
REQUEST = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n"
# Longer than any run: the connections of an arm rest while other arms are measured.
KEEP_ALIVE_S = 3600


def optional(module: str, distribution: str) -> Any:
    """The module. Raises Lacking, with the cure, where it is not installed.

    Some of what they import adds warning filters, which would be blamed on the loop under test.
    """
    try:
        with warnings.catch_warnings():
            return importlib.import_module(module)
    except ImportError as error:
        raise Lacking(f"needs {distribution} (pip install {distribution}): {error}") from error


class Plaintext(Served):
    unit = "request"
    rules: tuple[str, ...] = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001")
    params: ClassVar[tuple[Param, ...]] = (
        Param("connections", int, 32, (1, 32, 100), "clients that keep their connection"),
    )
    connections: int

    @property
    def grain(self) -> int:
        return self.connections

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self.load()
        super().prepare(loop, native)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": "tcp",
            "pattern": "http",
            "connections": self.connections,
            "request": REQUEST,
            "expect": BODY,
        }

    @abstractmethod
    def load(self) -> None:
        """Imports the server. Raises NotImplementedError."""


class HttpAiohttp(Plaintext):
    """As the client it has one session, and as many tasks as connections, each of which waits for
    its answer before it asks again."""

    id = "io.http_aiohttp"
    summary = "aiohttp answers GET /plaintext, or asks for it"
    params = (
        *Plaintext.params,
        Param("side", str, "server", ("server", "client"), "what the loop under test is"),
    )
    rules: tuple[str, ...] = (*Plaintext.rules, "TCPC-001")
    quick = ({}, {"side": "client"})
    full = quick
    side: str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.rules = Plaintext.rules
        if self.side == "client":
            self.rules = ("TCPC-001", "PROT-001", "PROT-004", "TRAN-001")
            self.carriers = ("tcp",)
            # The address is numeric, and sockets are made by the loop or aiohttp's own connector.
            self.aside = ("TCPC-001.hosts-ipv6", "TCPC-001.hosts-name")

    def load(self) -> None:
        self._web = optional("aiohttp.web", "aiohttp")
        self._aiohttp = optional("aiohttp", "aiohttp")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._session: Any = None
        self._asking: list[asyncio.Task[int]] = []
        if self.side == "server":
            super().prepare(loop, native)
            return
        self.load()
        self._server, self._folder = None, ""
        self._traffic = Traffic(loop, self.generator)
        address = self._traffic.listen(pattern="http", expect=BODY).address
        self._url = f"http://{address}/plaintext"
        self._session = loop.run_until_complete(self._open_session())
        self.perform(loop, self.grain)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        if self.side == "server":
            return super().perform(loop, n)
        self._traffic.send_go(n)
        answered = loop.run_until_complete(self._ask_all(n))
        served = self._traffic.finish().n
        require(served == n, f"{served} of {n} requests arrived")
        return answered

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        session, self._session = getattr(self, "_session", None), None
        if session is not None and not loop.is_closed():
            loop.run_until_complete(self._close_session(session))
        super().release(loop)

    def make_server(self) -> Server:
        return AiohttpServer(self._web)

    async def _open_session(self) -> Any:
        aiohttp = self._aiohttp
        connector = aiohttp.TCPConnector(limit=self.connections, keepalive_timeout=KEEP_ALIVE_S)
        return aiohttp.ClientSession(connector=connector)

    async def _close_session(self, session: Any) -> None:
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking, timeout=1.0)
        await session.close()
        await asyncio.sleep(0)  # its connections end a turn later

    async def _ask_all(self, n: int) -> int:
        share, loop = n // self.connections, asyncio.get_running_loop()
        self._asking = [loop.create_task(self._ask(share)) for _ in range(self.connections)]
        return sum(await asyncio.gather(*self._asking))

    async def _ask(self, n: int) -> int:
        for _ in range(n):
            async with self._session.get(self._url) as answer:
                text = await answer.text()
            require(answer.status == 200, f"the answer has the status {answer.status}")
            require(text == BODY, "the answer has another body than was sent")
        return n


class AiohttpServer(Server):
    def __init__(self, web: Any) -> None:
        super().__init__(None)
        self._web = web
        self._runner: Any = None

    async def start(self) -> str:
        web = self._web

        async def answer(request: Any) -> Any:
            return web.Response(text=BODY)

        application = web.Application()
        application.router.add_get("/plaintext", answer)
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=KEEP_ALIVE_S, handle_signals=False
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=BACKLOG).start()
        return "{}:{}".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


class HttpUvicorn(Plaintext):
    id = "io.http_uvicorn"
    summary = "uvicorn answers GET /plaintext with an ASGI application"

    def load(self) -> None:
        optional("uvicorn", "uvicorn")
        self._config = optional("uvicorn.config", "uvicorn")
        self._state = optional("uvicorn.server", "uvicorn").ServerState()

    def make_server(self) -> Server:
        return UvicornServer(self._config, self._state)


class UvicornServer(Server):
    """Its protocol class on a server of ours: uvicorn's own start-up takes over the process's
    signals, which are not this scenario's to give."""

    def __init__(self, config: Any, state: Any) -> None:
        super().__init__(None)
        self._config = config.Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._state = state
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> str:
        with warnings.catch_warnings():
            self._config.load()  # imports the HTTP parser
        self._state.default_headers = [(b"server", b"uvicorn")]
        self._server = await asyncio.get_running_loop().create_server(
            self._make, "127.0.0.1", 0, backlog=BACKLOG
        )
        return address_of(self._server)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        for task in list(self._state.tasks):
            await asyncio.wait([task], timeout=1.0)

    def _make(self) -> asyncio.BaseProtocol:
        made: asyncio.BaseProtocol = self._config.http_protocol_class(
            config=self._config, server_state=self._state, app_state={}
        )
        return made


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The least that ASGI lets a plain text be."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY.encode()})
