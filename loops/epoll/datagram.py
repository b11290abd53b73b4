"""Datagram endpoints: sockets to native transports."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from loopgauge import _core

if TYPE_CHECKING:
    _Base: Any = asyncio.SelectorEventLoop
else:
    _Base = object

#: Whose addresses the native half can read: netlink, vsock and Bluetooth are left to CPython.
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})

_METHODS = (socket.socket.recvfrom, socket.socket.send, socket.socket.sendto)


def _is_plain(sock: socket.socket) -> bool:
    """The system calls can be made behind the socket's back: nobody has a way of his own to send
    and receive, neither a subclass nor a patch."""
    return (
        type(sock) is socket.socket
        and sock.family in _FAMILIES
        and (type(sock).recvfrom, type(sock).send, type(sock).sendto) == _METHODS
    )


class Datagrams(_Base):  # type: ignore[misc]
    """The part of EventLoop that makes datagram transports."""

    _has_foreign_selector: bool

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        address: Any = None,
        waiter: asyncio.Future[Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.DatagramTransport:
        if self._has_foreign_selector or not _is_plain(sock):
            made: asyncio.DatagramTransport = super()._make_datagram_transport(
                sock, protocol, address, waiter, extra
            )
            return made
        self._ensure_fd_no_transport(sock)
        return _core.DatagramTransport(self, sock, protocol, address, waiter, extra)
