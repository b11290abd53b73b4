"""Sockets for cases about the sock_* coroutines, and the four ways to receive on one of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from loopgauge.conformance.kit.peers import PEER_SECONDS, listener

T = TypeVar("T")

#: For `variants=`: what a rule about stream sockets holds for.
SOCKETS = ("tcp", "unix")

#: For `variants=`: the coroutines that receive; `receive` takes their names.
RECEIVERS = ("recv", "recv_into", "recvfrom", "recvfrom_into")


async def receive(sock: socket.socket, how: str, size: int = 100) -> bytes:
    """Waits in loop.sock_<how> of the running loop and returns the bytes it got."""
    loop = asyncio.get_running_loop()
    buffer = bytearray(size)
    if how == "recv":
        return await loop.sock_recv(sock, size)
    if how == "recv_into":
        return bytes(buffer[: await loop.sock_recv_into(sock, buffer)])
    if how == "recvfrom":
        return (await loop.sock_recvfrom(sock, size))[0]
    count, _ = await loop.sock_recvfrom_into(sock, buffer)
    return bytes(buffer[:count])


def datagram_pair() -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on 127.0.0.1: the first non-blocking, for the loop; the peer blocking."""
    ours, peer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "12")
    for made in (ours, peer):
        made.bind(("127.0.0.1", 0))
    ours.setblocking(False)
    peer.settimeout(PEER_SECONDS)
    return ours, peer


def full_datagram_pair(directory: Path) -> tuple[socket.socket, socket.socket]:
    """Two Unix datagram sockets: the first, non-blocking, has filled the queue of the second."""
    ours, peer = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in "12")
    peer.bind(str(directory / "datagrams"))
    peer.settimeout(PEER_SECONDS)
    ours.connect(peer.getsockname())
    ours.setblocking(False)
    fill(ours)
    return ours, peer


def fill(sock: socket.socket) -> int:
    """Sends on a non-blocking Unix socket until nothing more is taken; how many bytes that were.
    A TCP socket is never full for sure: the kernel moves data on and enlarges buffers."""
    count = 0
    try:
        while True:
            count += sock.send(bytes(1024))
    except BlockingIOError:
        return count


def refusing(host: str = "127.0.0.1") -> socket.socket:
    """Bound, and never listening: a connection to its address is refused."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.bind((host, 0))
    return made


class Unanswered:
    """A TCP listener whose queue is full: a connection to `address` stays pending, since the
    kernel drops its packets, until `close`."""

    def __init__(self, directory: Path) -> None:
        self._listening = listener("tcp", directory, backlog=0)
        self.address = self._listening.getsockname()
        self._queued = socket.create_connection(self.address, timeout=PEER_SECONDS)

    def close(self) -> None:
        self._queued.close()
        self._listening.close()


def has_ipv6() -> bool:
    """Whether this machine has the loopback address ::1."""
    try:
        with socket.socket(socket.AF_INET6) as made:
            made.bind(("::1", 0))
    except OSError:
        return False
    return True


async def begun(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task for the coroutine that has had some turns to get to where it has to wait. What a loop
    does not implement is raised here."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(3):
        await asyncio.sleep(0)
    if task.done() and not task.cancelled() and isinstance(task.exception(), NotImplementedError):
        await task
    return task


def still_watched(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> list[str]:
    """Which watchers of the socket the loop still had: "reader", "writer". They are gone now."""
    fd = sock.fileno()
    found = {"reader": loop.remove_reader(fd), "writer": loop.remove_writer(fd)}
    return [name for name, was_there in found.items() if was_there]
