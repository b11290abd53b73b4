"""The sock_* coroutines and getaddrinfo().

Coroutine functions, as CPython's are: nothing happens before they are awaited. The system call is
native (loops/native/sock.cpp) and made at once; only an operation that would block gets a Future
and a watcher. CPython's own method takes over what the native one does not do exactly as it does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from loopgauge import _core
from loopgauge._core import SocketOp

if TYPE_CHECKING:
    import socket


class SocketMethods(_core.LoopBase, asyncio.SelectorEventLoop):
    """A part of the loop: coroutines around the native attempts."""

    async def sock_recv(self, sock: socket.socket, n: int) -> bytes:
        """Receives up to `n` bytes; b"" when the other side has finished."""
        done = self._try_recv(sock, n)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_recv(sock, n)
        return done

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        """Receives into a writable buffer; the number of bytes, 0 when the other side has
        finished."""
        done = self._try_recv_into(sock, buf)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_recv_into(sock, buf)
        return done

    async def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> tuple[bytes, Any]:
        """Receives one datagram: (bytes, address it came from)."""
        done = self._try_recvfrom(sock, bufsize)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_recvfrom(sock, bufsize)
        return done

    async def sock_recvfrom_into(
        self, sock: socket.socket, buf: Any, nbytes: int = 0
    ) -> tuple[int, Any]:
        """Receives one datagram into a writable buffer: (number of bytes, address it came from).

        `nbytes` 0 means as many as the buffer takes.
        """
        done = self._try_recvfrom_into(sock, buf, nbytes)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_recvfrom_into(sock, buf, nbytes)
        return done

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """Sends everything. After an error nobody knows how much was sent."""
        done = self._try_sendall(sock, data)
        if type(done) is SocketOp:
            with done:
                await done
        if done is NotImplemented:
            await super().sock_sendall(sock, data)

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        """Sends one datagram to `address`; the number of bytes."""
        done = self._try_sendto(sock, data, address)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_sendto(sock, data, address)
        return done

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connects to `address`, a literal or a name."""
        done = self._try_connect(sock, address)
        if type(done) is SocketOp:
            with done:
                await done
        if done is NotImplemented:
            await super().sock_connect(sock, address)

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accepts a connection: (non-blocking socket, address of the other side)."""
        done = self._try_accept(sock)
        if type(done) is SocketOp:
            with done:
                return await done
        if done is NotImplemented:
            return await super().sock_accept(sock)
        return done

    async def _sock_sendfile_fallback(
        self, sock: socket.socket, file: Any, offset: int, count: int | None
    ) -> int:
        # Before 3.14 CPython starts at the file's position where the offset is 0.
        if hasattr(file, "seek"):
            file.seek(offset)
        sent: int = await super()._sock_sendfile_fallback(sock, file, offset, count)  # type: ignore[misc]
        return sent

    async def _sendfile_fallback(
        self, transp: asyncio.WriteTransport, file: Any, offset: int, count: int | None
    ) -> int:
        if hasattr(file, "seek"):  # the same
            file.seek(offset)
        sent: int = await super()._sendfile_fallback(transp, file, offset, count)  # type: ignore[misc]
        return sent

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """socket.getaddrinfo(), in a thread of the executor unless `host` is a literal address."""
        found = self._resolve_literal(host, port, family, type, proto, flags)
        if found is not None:
            return found
        return await super().getaddrinfo(
            host, port, family=family, type=type, proto=proto, flags=flags
        )
