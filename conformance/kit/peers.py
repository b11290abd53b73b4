"""The other end of a connection: plain blocking sockets, so that no loop is tested against itself.

Every socket has a time limit: a peer never waits longer than the case may take.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
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


def listener(kind: str, directory: Path, backlog: int = 16) -> socket.socket:
    """A listening socket: "tcp" on 127.0.0.1, "tcp6" on ::1, "unix" in `directory`."""
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(directory / "listener"))
    else:
        made = socket.socket(socket.AF_INET6 if kind == "tcp6" else socket.AF_INET)
        made.bind(("::1" if kind == "tcp6" else "127.0.0.1", 0))
    made.listen(backlog)
    made.settimeout(PEER_SECONDS)
    return made


def dial(address: Any) -> socket.socket:
    """A blocking connection to what `getsockname()` of a listener returned."""
    family = socket.AF_UNIX if isinstance(address, str | bytes) else socket.AF_INET
    if isinstance(address, tuple) and ":" in str(address[0]):
        family = socket.AF_INET6
    made = socket.socket(family)
    made.settimeout(PEER_SECONDS)
    made.connect(address)
    return made


def socket_pair(kind: str, directory: Path) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: the first non-blocking, for the loop; the peer blocking."""
    with listener(kind, directory) as listening:
        ours = dial(listening.getsockname())
        peer, _ = listening.accept()
    ours.setblocking(False)
    peer.settimeout(PEER_SECONDS)
    return ours, peer


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


def tls_server_side(peer: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The handshake of a server, blocking."""
    return context.wrap_socket(peer, server_side=True)
