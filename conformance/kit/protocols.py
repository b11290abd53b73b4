"""Protocols that write down what the loop tells them."""

from __future__ import annotations

import asyncio


class Recorder(asyncio.Protocol):
    """A stream protocol. `calls`: the names of the callbacks in order ("data_received" once in a
    row, since chunk boundaries mean nothing); `data`: all bytes; `made`, `ended`, `lost`: futures
    of the loop that are done at connection_made, eof_received, connection_lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop, keep_open: bool = False) -> None:
        self.loop = loop
        self.calls: list[str] = []
        self.data = bytearray()
        self.transport: asyncio.Transport | None = None
        self.error: BaseException | None = None
        self.made: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._keep_open = keep_open
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def received(self, count: int) -> bytes:
        """Waits until `count` bytes have come in all, and returns all that are there: fewer, if the
        connection is lost before."""
        if len(self.data) < count and not self.lost.done():
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiting.append((count, waiter))
            await waiter
        return bytes(self.data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._call("connection_made")
        self.made.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self.calls[-1:] != ["data_received"]:
            self._call("data_received")
        self.data += data
        for count, waiter in self._waiting:
            if len(self.data) >= count and not waiter.done():
                waiter.set_result(None)

    def eof_received(self) -> bool:
        self._call("eof_received")
        if not self.ended.done():
            self.ended.set_result(None)
        return self._keep_open

    def pause_writing(self) -> None:
        self._call("pause_writing")

    def resume_writing(self) -> None:
        self._call("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        self._call("connection_lost")
        self.error = exc
        if not self.lost.done():
            self.lost.set_result(None)
        for _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _call(self, name: str) -> None:
        self.calls.append(name)


class BufferedRecorder(asyncio.BufferedProtocol):
    """The same for a protocol that owns its buffer. `calls`: every callback by name, in order;
    `data`: what was put into the buffer; `pieces`: the sizes of the pieces; `hints`: what
    get_buffer() was given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, buffer: bytearray | memoryview) -> None:
        self.buffer = buffer
        self.calls: list[str] = []
        self.data = bytearray()
        self.pieces: list[int] = []
        self.hints: list[object] = []
        self.transport: asyncio.Transport | None = None
        self.error: BaseException | None = None
        self.made: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._call("connection_made")
        self.made.set_result(None)

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        self._call("get_buffer")
        self.hints.append(sizehint)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._call("buffer_updated")
        self.pieces.append(nbytes)
        self.data += self.buffer[:nbytes]

    def eof_received(self) -> None:
        self._call("eof_received")

    def connection_lost(self, exc: Exception | None) -> None:
        self._call("connection_lost")
        self.error = exc
        if not self.lost.done():
            self.lost.set_result(None)

    def _call(self, name: str) -> None:
        self.calls.append(name)
