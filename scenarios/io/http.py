"""Web servers that people use, answering a plain text. Both are optional: without them the
scenarios are UNSUPPORTED and say what to install."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from abc import abstractmethod
from typing import Any

from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import BACKLOG, Server, address_of
from loopgauge.scenarios.model import Param

BODY = "Hello, World!"
REQUEST = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n"
# Longer than any run: the connections of an arm rest while other arms are measured.
KEEP_ALIVE_S = 3600


def optional(module: str, distribution: str) -> Any:
    """The module. Raises NotImplementedError, with the cure, where it is not installed.

    Some of what they import adds warning filters, which would be blamed on the loop under test.
    """
    try:
        with warnings.catch_warnings():
            return importlib.import_module(module)
    except ImportError as error:
        raise NotImplementedError(
            f"needs {distribution} (pip install {distribution}): {error}"
        ) from error


class Plaintext(Served):
    unit = "request"
    rules = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001")
    params = (Param("connections", int, 32, (1, 32, 100), "clients that keep their connection"),)
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
    id = "io.http_aiohttp"
    summary = "aiohttp answers GET /plaintext"

    def load(self) -> None:
        self._web = optional("aiohttp.web", "aiohttp")

    def make_server(self) -> Server:
        return AiohttpServer(self._web)


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
