"""A reader that is slower than its writer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

from loopgauge.scenarios.io.bulk import CHUNK, MIB, Intake
from loopgauge.scenarios.io.servers import READ_SIZE
from loopgauge.scenarios.model import Param, Scenario, require


class StreamsBackpressure(Scenario):
    """Both ends belong to the loop under test, and are asyncio's streams. The reader takes 16 KiB
    and then lets others have two turns; the writer awaits drain() after every 64 KiB. So the
    reader's side pauses the transport, the kernel's buffers fill, and the writer's side waits.

    What waits in memory is bounded on both sides, or the result is INVALID: a loop that forgets
    to pause would be the fastest.
    """

    id = "io.streams_backpressure"
    summary = "streams with a reader slower than the writer; memory is bounded"
    unit = "MiB"
    # Not PROT-014, where exactly a transport pauses: that what waits is bounded is checked here.
    rules = ("STRM-004", "STRM-007", "TRAN-016", "TRAN-029", "PROT-004", "PROT-013")
    carriers = ("tcp", "served")
    requires = frozenset({"tcp"})
    params = (Param("limit", int, 65_536, (16_384, 65_536), "bytes: the limit of the reader"),)
    full = ({}, {"limit": 16_384})
    slot_s = 0.020
    limit: int

    @property
    def grain(self) -> int:
        return 2  # far more than all buffers hold

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._server: asyncio.AbstractServer | None = None
        self._ends: list[asyncio.StreamWriter] = []
        self._pattern = os.urandom(MIB)
        self._chunks = [self._pattern[i : i + CHUNK] for i in range(0, MIB, CHUNK)]
        loop.run_until_complete(self._connect())
        self._intake.every = 1  # cheap beside two turns for each piece
        self.perform(loop, self.grain)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._peak_writer = self._peak_reader = self._ahead = 0
        done = loop.run_until_complete(self._transfer(n))
        require(self._intake.wrong == 0, "pieces that were received have wrong bytes")
        most = 2 * self.limit + READ_SIZE
        require(
            self._peak_reader <= most,
            f"{self._peak_reader} bytes waited in the reader: it pauses at {2 * self.limit}",
        )
        require(
            self._peak_writer <= MOST_WAITING,
            f"{self._peak_writer} bytes waited in the writer: drain() returned too soon",
        )
        require(
            self._ahead <= MOST_WAITING + most + 4 * KERNEL,
            f"the writer was {self._ahead} bytes ahead of the reader: nothing held it back",
        )
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        ends, self._ends = getattr(self, "_ends", []), []
        if not loop.is_closed() and hasattr(self, "_server"):
            loop.run_until_complete(self._close(ends))

    async def _transfer(self, n: int) -> int:
        self._intake.start()
        writing = asyncio.get_running_loop().create_task(self._write(n * len(self._chunks)))
        try:
            await self._read(n * MIB)
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
        return self._intake.received // MIB

    async def _write(self, chunks: int) -> None:
        writer, pattern, written = self._ends[0], self._chunks, 0
        for number in range(chunks):
            chunk = pattern[number % len(pattern)]
            writer.write(chunk)
            written += len(chunk)
            self._peak_writer = max(self._peak_writer, writer.transport.get_write_buffer_size())
            await writer.drain()
            self._ahead = max(self._ahead, written - self._intake.received)

    async def _read(self, size: int) -> None:
        reader, intake = self._reader, self._intake
        buffered: Any = reader
        while intake.received < size:
            waiting = len(buffered._buffer)
            self._peak_reader = max(self._peak_reader, waiting)
            data = await reader.read(PIECE)
            require(bool(data), "the stream ended before everything was read")
            intake.take(data)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def _connect(self) -> None:
        """A pair of connected sockets that take little, so that both sides have to wait."""
        accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._ends.append(writer)
            accepted.set_result(reader)

        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
        address = listener.getsockname()  # some loops keep the descriptor for themselves
        try:
            self._server = await asyncio.start_server(serve, sock=listener, limit=self.limit)
        except BaseException:
            listener.close()
            raise
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)
        client.connect(address)
        _, writer = await asyncio.open_connection(sock=client)
        self._ends.insert(0, writer)
        self._reader: asyncio.StreamReader = await accepted
        self._intake = Intake(self._pattern)

    async def _close(self, ends: list[asyncio.StreamWriter]) -> None:
        if self._server is not None:
            self._server.close()
        for writer in ends:
            writer.close()
        for writer in ends:
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(writer.wait_closed(), 2.0)


PIECE = 16 * 1024  # bytes of one read
KERNEL = 64 * 1024  # bytes that a socket is asked to hold; Linux makes it twice as much
# Bytes that may wait in the writer. Transports pause at 64 KiB, and then have one chunk more; some
# count before the kernel has had its part, and come to 256 KiB.
MOST_WAITING = 512 * 1024
