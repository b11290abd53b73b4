"""Bytes go one way, as fast as they can and no faster than the other side takes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.io.certificate import server_context
from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import (
    READ_SIZE,
    Connected,
    Connections,
    ProtocolServer,
    Server,
)
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.reliance import carriers_of

MIB = 1 << 20
CHUNK = 64 * 1024  # bytes of one write
COUNT = 8  # bytes of a count, big-endian: harness/load/protocol.py, sink and source
SINK_PERIOD = 65521  # bytes
# What may wait in the sender's memory. Loops count and pause differently (TLS has buffers of its
# own), but none needs more; one without flow control would hold a whole run.
MOST_BUFFERED = 2 * MIB


class Pump:
    """Writes chunks to a transport while it takes them."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.peak = 0
        self.transport: Any = None
        self._chunks = chunks
        self._left = 0
        self._position = 0
        self._paused = False

    def start(self, size: int) -> None:
        """`size`: bytes, a multiple of a chunk."""
        self._left = size // CHUNK
        self._position = 0
        self._run()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._run()

    def _run(self) -> None:
        chunks, write = self._chunks, self.transport.write
        while self._left and not self._paused:
            self._left -= 1
            write(chunks[self._position])
            self._position = (self._position + 1) % len(chunks)
        self.peak = max(self.peak, self.transport.get_write_buffer_size())


class Source(Connected, asyncio.Protocol):
    """Sends as many bytes as it is asked for."""

    def __init__(self, connections: Connections, chunks: list[bytes]) -> None:
        super().__init__(connections)
        self.pump = Pump(chunks)
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.pump.transport = transport

    def data_received(self, data: bytes) -> None:
        self._request += data
        if len(self._request) >= COUNT:
            size = int.from_bytes(self._request[:COUNT], "big")
            self._request = self._request[COUNT:]
            self.pump.start(size)

    def pause_writing(self) -> None:
        self.pump.pause()

    def resume_writing(self) -> None:
        self.pump.resume()


class Intake:
    """Counts what arrives and compares a sample of it: every byte in the proof of the setup, every
    sixteenth piece in a run, where comparing all of it would be a third of what is measured.

    What arrives is `pattern` over and over, beginning anywhere in it.
    """

    EVERY = 16

    def __init__(self, pattern: bytes) -> None:
        self.every = self.EVERY
        self.received = 0  # in this run
        self.wrong = 0  # pieces
        self._period = len(pattern)
        self._expected = pattern * (2 + 4 * MIB // len(pattern))
        self._place = -1
        self._pieces = 0

    def start(self) -> None:
        self.received = self._pieces = 0

    def take(self, data: Any) -> None:
        if self._place < 0:
            self._place = self._expected.find(bytes(data[:64]))
        if self._pieces % self.every == 0:
            self.wrong += not self._expected.startswith(data, self._place)
        size = len(data)
        self._pieces += 1
        self.received += size
        self._place = (self._place + size) % self._period


class SinkState:
    """Where one connection of the sink protocol is: in a count, or in what was announced."""

    def __init__(self, pattern: bytes, answer: Callable[[bytes], object]) -> None:
        self.intake = Intake(pattern)
        self._answer = answer
        self._announced = b""
        self._size = 0

    def take(self, data: Any) -> None:
        if not self._size:
            missing = COUNT - len(self._announced)
            self._announced += bytes(data[:missing])
            data = data[missing:]
            if len(self._announced) < COUNT:
                return
            self._size = int.from_bytes(self._announced, "big")
            self.intake.start()
        if len(data):
            self.intake.take(data)
        if self.intake.received >= self._size:
            self.intake.wrong += self.intake.received > self._size
            announced, self._announced, self._size = self._announced, b"", 0
            self._answer(announced)


class Sink(Connected, asyncio.Protocol):
    def __init__(self, connections: Connections, pattern: bytes) -> None:
        super().__init__(connections)
        self.state = SinkState(pattern, lambda data: self.transport.write(data))

    def data_received(self, data: bytes) -> None:
        self.state.take(data)


class BufferedSink(Connected, asyncio.BufferedProtocol):
    def __init__(self, connections: Connections, pattern: bytes) -> None:
        super().__init__(connections)
        self.state = SinkState(pattern, lambda data: self.transport.write(data))
        self._buffer = memoryview(bytearray(READ_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.state.take(self._buffer[:nbytes])


class TcpBulk(Served):
    """CPU time per MiB; its inverse is MiB per CPU second. What waits in the sender's memory is
    bounded, or the result is INVALID."""

    id = "io.tcp_bulk"
    summary = "bytes go one way, with flow control"
    unit = "MiB"
    # Not PROT-014, where exactly a transport pauses: that what waits is bounded is checked here.
    rules: tuple[str, ...] = ("PROT-004", "PROT-013", "TRAN-004", "TRAN-029")
    params = (
        Param("way", str, "send", ("send", "receive"), "what the loop under test does"),
        Param("transport", str, "tcp", ("tcp", "tls"), "what carries the bytes"),
        Param("api", str, "protocol", ("protocol", "buffered"), "how it receives"),
        Param("connections", int, 1, (1, 8), "at the same time"),
    )
    quick = (
        {},
        {"way": "receive"},
        {"transport": "tls"},
    )
    full = (
        *quick,
        {"way": "receive", "transport": "tls"},
        {"way": "receive", "api": "buffered"},
        {"connections": 8},
        {"way": "receive", "connections": 8},
    )
    slot_s = 0.02
    way: str
    transport: str
    api: str
    connections: int

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        if self.way == "send":
            self.aside = ("PROT-004.received-*", "PROT-004.last-bytes-*", "TRAN-029.received-*")
        else:
            self.rules = ("PROT-004", "TRAN-029")
            self.aside = ("PROT-004.sent-*", "TRAN-029.sent-*")
        self.aside += ("PROT-004.echo-*",)
        self.carriers = carriers_of(self.transport)
        self.has_floor = self.transport == "tcp"
        self.floor_kind = "source" if self.way == "send" else "sink"
        if self.transport == "tls":
            self.requires = self.requires | {"tls"}

    @property
    def grain(self) -> int:
        # A whole run is to be more than what may be buffered.
        return 2 * MOST_BUFFERED // MIB * self.connections

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        if native is None:
            raise NotImplementedError("this scenario needs loopgauge._bench")
        self._pattern: bytes = native.load_pattern(SINK_PERIOD)
        block = native.load_pattern(MIB)
        self._chunks = [block[i : i + CHUNK] for i in range(0, MIB, CHUNK)]
        self._made: list[Any] = []
        super().prepare(loop, native)
        self._compare(1)
        super().perform(loop, self.grain)
        self._check()
        self._compare(Intake.EVERY)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        done = super().perform(loop, n)
        self._check()
        return done

    def make_server(self) -> Server:
        tls = server_context() if self.transport == "tls" else None
        return ProtocolServer(self._make, None, tls)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": self.transport,
            "pattern": self.floor_kind,
            "connections": self.connections,
            "size": MIB,
        }

    def _make(self, connections: Connections) -> asyncio.BaseProtocol:
        protocol: Any
        if self.way == "send":
            protocol = Source(connections, self._chunks)
        elif self.api == "buffered":
            protocol = BufferedSink(connections, self._pattern)
        else:
            protocol = Sink(connections, self._pattern)
        self._made.append(protocol)
        return cast(asyncio.BaseProtocol, protocol)

    def _compare(self, every: int) -> None:
        for protocol in self._made:
            if isinstance(protocol, (Sink, BufferedSink)):
                protocol.state.intake.every = every

    def _check(self) -> None:
        for protocol in self._made:
            if isinstance(protocol, Source):
                require_bounded(protocol.pump.peak)
            else:
                wrong = protocol.state.intake.wrong
                require(wrong == 0, f"{wrong} pieces that were received have wrong bytes")


class PipeThroughput(Scenario):
    """Both ends of the pipe belong to the loop under test."""

    id = "io.pipe_throughput"
    summary = "bytes through a pipe, written and read by the same loop"
    unit = "MiB"
    rules = ("PIPE-001", "PIPE-002")
    carriers = ("pipe",)
    requires = frozenset({"pipe"})
    slot_s = 0.02
    has_floor = True
    has_native = True

    @property
    def grain(self) -> int:
        return 2 * MOST_BUFFERED // MIB

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.pipe_throughput())

    def floor_work(self, native: Any) -> Work:
        return cast(Work, native.pipe_floor())

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        pattern = os.urandom(MIB)
        self._chunks = [pattern[i : i + CHUNK] for i in range(0, MIB, CHUNK)]
        self._reader = PipeReader(loop, pattern)
        self._writer = PipeWriter(self._chunks)
        loop.run_until_complete(self._connect(loop))
        self._reader.intake.every = 1
        self.perform(loop, self.grain)
        self._reader.intake.every = Intake.EVERY

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._reader.expect(n * MIB)
        loop.call_soon(self._writer.pump.start, n * MIB)
        loop.run_forever()
        intake = self._reader.intake
        require(intake.wrong == 0, f"{intake.wrong} pieces that were received have wrong bytes")
        require_bounded(self._writer.pump.peak)
        return intake.received // MIB

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        ends = [
            end for end in (getattr(self, "_writer", None), getattr(self, "_reader", None)) if end
        ]
        if ends and not loop.is_closed():
            loop.run_until_complete(self._close(ends))

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        read_fd, write_fd = os.pipe()
        self._read_file = os.fdopen(read_fd, "rb", 0)
        self._write_file = os.fdopen(write_fd, "wb", 0)
        await loop.connect_read_pipe(lambda: self._reader, self._read_file)
        await loop.connect_write_pipe(lambda: self._writer, self._write_file)

    async def _close(self, ends: list[Any]) -> None:
        for end in ends:
            if end.transport is not None:
                end.transport.close()
        waits = [end.lost.wait() for end in ends if end.transport is not None]
        await asyncio.wait_for(asyncio.gather(*waits), 2.0)


class PipeWriter(asyncio.BaseProtocol):
    transport: Any = None

    def __init__(self, chunks: list[bytes]) -> None:
        self.pump = Pump(chunks)
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = self.pump.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def pause_writing(self) -> None:
        self.pump.pause()

    def resume_writing(self) -> None:
        self.pump.resume()


class PipeReader(asyncio.Protocol):
    transport: Any = None

    def __init__(self, loop: asyncio.AbstractEventLoop, pattern: bytes) -> None:
        self.intake = Intake(pattern)
        self.lost = asyncio.Event()
        self._loop = loop
        self._size = 0

    def expect(self, size: int) -> None:
        self._size = size
        self.intake.start()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.intake.take(data)
        if self.intake.received >= self._size:
            self._loop.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


def require_bounded(peak: int) -> None:
    require(
        peak <= MOST_BUFFERED,
        f"{peak / MIB:.1f} MiB waited in memory: the writer was not paused",
    )
