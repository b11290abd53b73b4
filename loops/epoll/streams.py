"""Stream connections: native transports, and accepting without a task for each connection."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.base_events import _ipaddr_info  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

from loopgauge import _core
from loopgauge.loops.epoll import transports as _transports  # noqa: F401 - made by the native half

if TYPE_CHECKING:
    _Base: Any = asyncio.SelectorEventLoop
else:
    _Base = object

#: Whose addresses the native half can read.
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})


class Streams(_Base):  # type: ignore[misc]
    """The part of EventLoop that makes stream transports and accepts connections."""

    _has_foreign_selector: bool

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[Any] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: Any = None,
    ) -> asyncio.Transport:
        if self._has_foreign_selector:
            keywords = {} if context is None else {"context": context}
            made: asyncio.Transport = super()._make_socket_transport(
                sock, protocol, waiter, extra=extra, server=server, **keywords
            )
            return made
        self._ensure_fd_no_transport(sock)
        return _core.SocketTransport(self, sock, protocol, waiter, extra, server, context)

    async def create_connection(
        self,
        protocol_factory: Any,
        host: Any = None,
        port: Any = None,
        **options: Any,
    ) -> tuple[Any, Any]:
        """Connects to a TCP server: (transport, protocol). The options are those of the running
        version. A literal address without options needs none of what CPython's method does for
        names, several addresses and local ones: a quarter of the time."""
        literal = type(host) is str and type(port) is int and not options and not self._debug
        info = _ipaddr_info(host, port, 0, socket.SOCK_STREAM, 0) if literal else None
        if info is None:
            made: tuple[Any, Any] = await super().create_connection(
                protocol_factory, host, port, **options
            )
            return made
        family, kind, proto, _, address = info
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            await self.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        connected: tuple[Any, Any] = await self._create_connection_transport(
            sock, protocol_factory, None, None
        )
        return connected

    if sys.version_info < (3, 14):

        async def _create_connection_transport(
            self, sock: socket.socket, protocol_factory: Any, *arguments: Any, **options: Any
        ) -> tuple[Any, Any]:
            """Closes the socket of a connection whose factory raises, as CPython 3.14 does."""

            def factory() -> Any:
                try:
                    return protocol_factory()
                except BaseException:
                    sock.close()
                    raise

            made: tuple[Any, Any] = await super()._create_connection_transport(
                sock, factory, *arguments, **options
            )
            return made

    def _accept_connection(
        self,
        protocol_factory: Any,
        sock: socket.socket,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        *rest: Any,
        **keywords: Any,
    ) -> None:
        """Accepts what waits, at most `backlog` connections. CPython's own method does it for TLS,
        in debug mode (it logs) and where it fails: what it says then depends on the version."""
        native = sock.family in _FAMILIES and not self._has_foreign_selector
        if native and sslcontext is None and not self._debug:
            context = keywords.get("context", rest[2] if len(rest) > 2 else None)
            try:
                self._accept_batch(
                    sock.fileno(),
                    sock.family,
                    sock.proto,
                    protocol_factory,
                    server,
                    backlog,
                    context,
                )
                return
            except OSError:
                pass
        super()._accept_connection(
            protocol_factory, sock, sslcontext, server, backlog, *rest, **keywords
        )
