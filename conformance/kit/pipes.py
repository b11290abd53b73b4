"""Pipes, socket pairs and terminals, as file objects for the loop."""

from __future__ import annotations

import os
import socket
import tty
from pathlib import Path
from typing import Any

#: For `variants=`: what a pipe transport may stand on.
ENDS = ("pipe", "socket")


def read_end(kind: str) -> tuple[Any, int]:
    """A file object to read from, for the loop, and the blocking descriptor that writes to it."""
    if kind == "socket":
        ours, peer = socket.socketpair()
        return ours, peer.detach()
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", 0), writing


def write_end(kind: str) -> tuple[Any, int]:
    """A file object to write to, for the loop, and the blocking descriptor that reads from it."""
    if kind == "socket":
        ours, peer = socket.socketpair()
        return ours, peer.detach()
    reading, writing = os.pipe()
    return os.fdopen(writing, "wb", 0), reading


def terminal() -> tuple[int, int]:
    """A pseudo terminal that changes no byte: its master and its slave."""
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, slave


def write_all(fd: int, data: bytes) -> None:
    """Writes to a blocking descriptor until everything is written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_up_to(fd: int, count: int) -> bytes:
    """Reads from a blocking descriptor until `count` bytes are there, or the end."""
    data = bytearray()
    while len(data) < count:
        piece = os.read(fd, min(65536, count - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


def is_open(fd: int) -> bool:
    """Whether this process has a descriptor of that number."""
    return Path(f"/proc/self/fd/{fd}").is_symlink()
