"""Pipes with one end on a loop, and a protocol that remembers what it was told."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable
from typing import Any

from loop_testing.compare import run_once

#: Seconds until something that has to happen counts as lost. A terminal's data come from a thread
#: of the kernel, which two slow cores may keep waiting.
PATIENCE = 30.0


class Remembers(asyncio.Protocol):
    """`told` is what happened, adjacent data joined; exceptions by their type."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        if self.told and isinstance(self.told[-1], bytes):
            data = self.told.pop() + data
        self.told.append(data)

    def eof_received(self) -> None:
        self.told.append("eof")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(("lost", type(error)))


def reading_end(
    loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol | None = None
) -> tuple[Any, Any, int]:
    """(transport, protocol, the descriptor that is written to)."""
    read_fd, write_fd = os.pipe()
    made: asyncio.Protocol = protocol or Remembers()
    transport, _ = loop.run_until_complete(
        loop.connect_read_pipe(lambda: made, os.fdopen(read_fd, "rb", 0))
    )
    return transport, made, write_fd


def writing_end(
    loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol | None = None
) -> tuple[Any, Any, int]:
    """(transport, protocol, the descriptor that is read from, which does not block)."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    made: asyncio.Protocol = protocol or Remembers()
    transport, _ = loop.run_until_complete(
        loop.connect_write_pipe(lambda: made, os.fdopen(write_fd, "wb", 0))
    )
    return transport, made, read_fd


def until(loop: asyncio.AbstractEventLoop, condition: Callable[[], object]) -> bool:
    """Turns until the condition holds; False if it does not in time."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        run_once(loop)
    return True


def received(protocol: Remembers) -> bytes:
    """The newest piece of data, all that came since the last other event."""
    newest = protocol.told[-1]
    return newest if isinstance(newest, bytes) else b""


def opened(loop: asyncio.AbstractEventLoop, connect: str, file: Any) -> tuple[Any, Remembers]:
    """(transport, protocol) of loop.connect_read_pipe() or its sister."""
    protocol = Remembers()
    transport, _ = loop.run_until_complete(getattr(loop, connect)(lambda: protocol, file))
    return transport, protocol


def until_received(loop: asyncio.AbstractEventLoop, protocol: Remembers, size: int) -> bool:
    return until(loop, lambda: len(received(protocol)) == size)


def read_all(fd: int) -> bytes:
    """What the pipe holds now."""
    data = b""
    while True:
        try:
            piece = os.read(fd, 1 << 20)
        except BlockingIOError:
            return data
        if not piece:
            return data
        data += piece


def is_lost(protocol: Remembers) -> bool:
    return isinstance(protocol.told[-1], tuple)


def forget(held: list[Any]) -> None:
    """Drops the only references, for what the garbage collector then says."""
    held.clear()
    gc.collect()
