"""The other end of a connection: plain blocking sockets, so that no loop is tested against itself.

Every socket has a time limit: a peer never waits longer than the case may take.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PEER_SECONDS = 5.0


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Runs what blocks in a thread of its own; only call_soon_threadsafe is asked of the loop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(setter: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            setter(value)

    def work() -> None:
        try:
            result = function(*args)
        except BaseException as error:
            loop.call_soon_threadsafe(tell, done.set_exception, error)
        else:
            loop.call_soon_threadsafe(tell, done.set_result, result)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        return await done
    finally:
        if done.done() and not done.cancelled():
            thread.join(PEER_SECONDS)


def listener(kind: str, directory: Path, backlog: int = 16, buffer: int = 0) -> socket.socket:
    """A listening socket: "tcp" on 127.0.0.1, "tcp6" on ::1, "unix" in `directory`; with kernel
    buffers of `buffer` bytes, unless that is 0, in what it accepts."""
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX)
        _set_buffers(made, buffer)
        made.bind(fresh_path(directory))
    else:
        made = socket.socket(socket.AF_INET6 if kind == "tcp6" else socket.AF_INET)
        _set_buffers(made, buffer)
        made.bind(("::1" if kind == "tcp6" else "127.0.0.1", 0))
    made.listen(backlog)
    made.settimeout(PEER_SECONDS)
    return made


def fresh_path(directory: Path) -> str:
    """A path in `directory` that nobody uses, for a Unix socket."""
    number = 0
    while os.path.lexists(directory / f"s{number}"):
        number += 1
    return str(directory / f"s{number}")


def dial(address: Any, buffer: int = 0) -> socket.socket:
    """A blocking connection to what `getsockname()` of a listener returned."""
    family = socket.AF_UNIX if isinstance(address, str | bytes) else socket.AF_INET
    if isinstance(address, tuple) and ":" in str(address[0]):
        family = socket.AF_INET6
    made = socket.socket(family)
    _set_buffers(made, buffer)
    made.settimeout(PEER_SECONDS)
    made.connect(address)
    return made


def socket_pair(kind: str, directory: Path, buffer: int = 0) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: the first non-blocking, for the loop; the peer blocking."""
    with listener(kind, directory, buffer=buffer) as listening:
        ours = dial(listening.getsockname(), buffer)
        peer, _ = listening.accept()
    ours.setblocking(False)
    peer.settimeout(PEER_SECONDS)
    return ours, peer


def _set_buffers(made: socket.socket, size: int) -> None:
    """Before connecting: a TCP window does not shrink afterwards."""
    if size:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def receive_exactly(peer: socket.socket, count: int) -> bytes:
    """Blocks until `count` bytes are there; returns fewer only where the stream ends."""
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(min(65536, count - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


def receive_all(peer: socket.socket) -> bytes:
    """Blocks until the stream ends."""
    data = bytearray()
    while piece := peer.recv(65536):
        data += piece
    return bytes(data)


def receive_all_and_close(peer: socket.socket) -> bytes:
    """Blocks until the stream ends, and ends the other direction too: a TLS connection is closed
    when both sides have said so."""
    with peer:
        return receive_all(peer)


def read_away(peer: socket.socket) -> None:
    """Blocks until the connection ends in whatever way, and closes this side."""
    with peer, contextlib.suppress(OSError):
        receive_all(peer)


def end_stream(peer: socket.socket) -> None:
    """Tells the other side that no more data will come. Over TLS that blocks until it has answered,
    since a TLS stream cannot be closed in one direction only: call it in a thread."""
    if isinstance(peer, ssl.SSLSocket):
        peer.unwrap()
    else:
        peer.shutdown(socket.SHUT_WR)


def send_and_end(peer: socket.socket, data: bytes) -> None:
    """Sends, and ends the stream; for a thread."""
    peer.sendall(data)
    end_stream(peer)


def reset(peer: socket.socket) -> None:
    """Closes such that the other side gets ECONNRESET: TCP alone can do that at once."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def tls_server_side(peer: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The handshake of a server, blocking."""
    return context.wrap_socket(peer, server_side=True)


def tls_client_side(peer: socket.socket, context: ssl.SSLContext, hostname: str) -> ssl.SSLSocket:
    """The handshake of a client, blocking."""
    return context.wrap_socket(peer, server_hostname=hostname)
