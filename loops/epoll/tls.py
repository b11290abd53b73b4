"""TLS over the loop's own transports: the record pump is native, the connection's life CPython's.

CPython names the classes of a TLS connection in two functions, `_make_ssl_transport` and
`start_tls`, which differ between versions, patch releases included. Both run here as they are, with
these classes under the names they look up.
"""

from __future__ import annotations

import asyncio
import types
from asyncio import sslproto
from typing import TYPE_CHECKING, Any

from loopgauge import _core

if TYPE_CHECKING:
    import ssl

    _Base: Any = asyncio.SelectorEventLoop
else:
    _Base = object


class SSLProtocolTransport(_core.TLSTransportBase, sslproto._SSLProtocolTransport):
    """What an application writes to."""

    def is_reading(self) -> bool:
        """False also when closing or closed, where asyncio's says True or raises."""
        return not self.is_closing() and bool(super().is_reading())

    _closed: bool
    _ssl_protocol: Any

    def is_closing(self) -> bool:
        """Also once the connection below is given up, which CPython up to 3.13.0 does not look
        at: a coroutine in a loop of write() and drain() would never give way to its end."""
        if self._closed or self._ssl_protocol is None:
            return True
        below = self._ssl_protocol._transport
        return below is not None and below.is_closing()


class SSLProtocol(_core.TLSBase, sslproto.SSLProtocol):
    """One TLS connection, between its transport and the application's protocol."""

    _app_transport: Any
    _app_transport_created: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # CPython's constructor makes a buffer of max_size. The loop's own transports do not need
        # it; for others get_buffer() makes it.
        self.__dict__["max_size"] = 0
        super().__init__(*args, **kwargs)
        del self.__dict__["max_size"]

    def _get_app_transport(self) -> Any:
        if self._app_transport is None:
            if self._app_transport_created:
                raise RuntimeError("Creating _SSLProtocolTransport twice")
            self._app_transport = SSLProtocolTransport(self._loop, self)
            self._app_transport_created = True
        return self._app_transport


#: CPython's functions that the native half stands in for: a patched one is honoured.
_STOCK = {
    (owner, name): vars(owner)[name]
    for owner, base in (
        (sslproto.SSLProtocol, _core.TLSBase),
        (sslproto._SSLProtocolTransport, _core.TLSTransportBase),
    )
    for name in vars(base)
    if isinstance(vars(owner).get(name), types.FunctionType)
}
_STOCK_CLASSES = (sslproto.SSLProtocol, sslproto._SSLProtocolTransport)


def _is_patched() -> bool:
    classes = (sslproto.SSLProtocol, sslproto._SSLProtocolTransport)
    return classes != _STOCK_CLASSES or any(
        vars(owner).get(name) is not stock for (owner, name), stock in _STOCK.items()
    )


def _is_plain(function: object) -> bool:
    return isinstance(function, types.FunctionType)


def _with_names(function: Any, **names: object) -> Any:
    """The function, with other objects under some of the names that its module has."""
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _socket_transport(loop: Any, *args: Any, **kwargs: Any) -> Any:
    """Called as `_SelectorSocketTransport` is."""
    return loop._make_socket_transport(*args, **kwargs)


_CLASSES = types.SimpleNamespace(SSLProtocol=SSLProtocol)


class TLSConnections(_Base):  # type: ignore[misc]
    """The part of EventLoop that makes TLS connections."""

    _has_foreign_selector: bool

    def _make_ssl_transport(self, *args: Any, **kwargs: Any) -> Any:
        stock = asyncio.SelectorEventLoop._make_ssl_transport  # type: ignore[attr-defined]
        if self._has_foreign_selector or _is_patched() or not _is_plain(stock):
            return stock(self, *args, **kwargs)
        make = _with_names(stock, sslproto=_CLASSES, _SelectorSocketTransport=_socket_transport)
        return make(self, *args, **kwargs)

    async def start_tls(
        self,
        transport: asyncio.BaseTransport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> asyncio.Transport | None:
        """Upgrades the transport to TLS. The new transport is to be used from then on.

        Raises TypeError for a context that is none, or a transport that cannot be upgraded, and
        what the handshake raises.
        """
        stock = asyncio.SelectorEventLoop.start_tls
        if not (self._has_foreign_selector or _is_patched() or not _is_plain(stock)):
            stock = _with_names(stock, sslproto=_CLASSES)
        upgraded: asyncio.Transport | None = await stock(
            self,
            transport,
            protocol,
            sslcontext,
            server_side=server_side,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        return upgraded
