"""Stream connections: native transports, and accepting without a task for each connection."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from loopgauge import _core
from loopgauge.loops.epoll import transports as _transports  # noqa: F401 - made by the native half

if TYPE_CHECKING:
    _Base: Any = asyncio.SelectorEventLoop
else:
    _Base = object


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
        if sslcontext is None and not self._debug and not self._has_foreign_selector:
            tcp = sock.proto == socket.IPPROTO_TCP
            context = keywords.get("context", rest[2] if len(rest) > 2 else None)
            try:
                self._accept_batch(
                    sock.fileno(), sock.family, tcp, protocol_factory, server, backlog, context
                )
                return
            except OSError:
                pass
        super()._accept_connection(
            protocol_factory, sock, sslcontext, server, backlog, *rest, **keywords
        )
