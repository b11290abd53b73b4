"""The reading end of a pipe: what its protocol is told, in which order, as stock tells it."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import socket
import weakref
from pathlib import Path

import pytest
from loop_testing.compare import on_both, outcome, quiet, run_turns
from loop_testing.pipes import (
    Remembers,
    forget,
    is_lost,
    opened,
    reading_end,
    until,
    until_received,
)

SIZES = [1, 2, 3, 4096, 32767, 32768, 65535, 65536]


@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_exact(loop, size: int) -> None:
    transport, protocol, fd = reading_end(loop)
    sent = b""
    for turn in range(5):
        data = bytes([65 + turn]) * size
        sent += data
        os.write(fd, data)
        assert until_received(loop, protocol, len(sent))
    assert protocol.told == ["made", sent]
    os.close(fd)
    assert until(loop, lambda: is_lost(protocol))
    assert protocol.told[2:] == ["eof", ("lost", type(None))]
    assert transport.is_closing()


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_received_stays_as_it_was(loop, keep: bool) -> None:
    """Buffers that are used again must not be anybody's data."""

    class Keeps(asyncio.Protocol):
        def __init__(self) -> None:
            self.kept: list[tuple[bytes, int]] = []
            self.count = 0

        def data_received(self, data: bytes) -> None:
            self.count += len(data)
            value = hash(data)
            assert data == bytes([data[0]]) * len(data)
            assert hash(bytes(bytearray(data))) == value
            if keep or self.count % 3 == 0:
                self.kept.append((data, data[0]))

    transport, protocol, fd = reading_end(loop, Keeps())
    total = 0
    for turn in range(40):
        size = [65536, 40000, 65536, 10, 1, 65536, 33000][turn % 7]
        os.write(fd, bytes([turn]) * size)
        total += size
        assert until(loop, lambda total=total: protocol.count == total)
    for data, first in protocol.kept:
        assert data == bytes([first]) * len(data)
    transport.close()
    os.close(fd)
    run_turns(loop)


def test_more_than_a_pipe_usually_holds(loop) -> None:
    transport, protocol, fd = reading_end(loop)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    sent = b""
    for turn in range(4):
        data = os.urandom(64) * (4096 + turn)
        assert os.write(fd, data) == len(data)
        sent += data
        assert until_received(loop, protocol, len(sent))
    assert protocol.told[1] == sent
    transport.close()
    os.close(fd)
    run_turns(loop)


def test_pause_and_resume() -> None:
    def scenario(loop):
        transport, protocol, fd = reading_end(loop)
        transport.pause_reading()
        transport.pause_reading()
        states = [transport.is_reading()]
        os.write(fd, b"one")
        run_turns(loop, 6)
        before = list(protocol.told)
        transport.resume_reading()
        transport.resume_reading()
        states.append(transport.is_reading())
        until(loop, lambda: len(protocol.told) == 2)
        transport.pause_reading()
        os.close(fd)
        run_turns(loop, 6)
        paused = list(protocol.told)
        transport.resume_reading()
        until(loop, lambda: is_lost(protocol))
        transport.pause_reading()
        transport.resume_reading()
        return states, before, paused, protocol.told, transport.is_reading()

    on_both(scenario)


@pytest.mark.parametrize("action", ["pause_reading", "close"])
def test_in_connection_made(action: str) -> None:
    def scenario(loop):
        class AtOnce(Remembers):
            def connection_made(self, transport) -> None:
                super().connection_made(transport)
                getattr(transport, action)()

        read_fd, write_fd = os.pipe()
        os.write(write_fd, b"early")
        protocol = AtOnce()
        loop.run_until_complete(
            loop.connect_read_pipe(lambda: protocol, os.fdopen(read_fd, "rb", 0))
        )
        run_turns(loop, 6)
        told = list(protocol.told)
        protocol.transport.resume_reading()
        run_turns(loop, 6)
        told.append(list(protocol.told))
        protocol.transport.close()
        run_turns(loop)
        os.close(write_fd)
        return told, protocol.told

    on_both(scenario)


def test_close_stops_reading() -> None:
    def scenario(loop):
        transport, protocol, fd = reading_end(loop)
        os.write(fd, b"unread")
        transport.close()
        transport.close()
        closing = transport.is_closing()
        run_turns(loop, 6)
        refused = outcome(os.write, fd, b"x")
        os.close(fd)
        return closing, refused, protocol.told, transport.get_protocol()

    assert on_both(scenario)[1] is BrokenPipeError


def test_close_in_data_received() -> None:
    def scenario(loop):
        class Once(Remembers):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                self.transport.close()

        _, protocol, fd = reading_end(loop, Once())
        os.write(fd, b"x" * 65536)
        until(loop, lambda: is_lost(protocol))
        os.close(fd)
        return protocol.told

    on_both(scenario)


def test_failing_callbacks_are_reported_and_change_nothing() -> None:
    def scenario(loop):
        class Fails(Remembers):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                raise LookupError

            def eof_received(self) -> None:
                super().eof_received()
                raise LookupError

            def connection_lost(self, error: Exception | None) -> None:
                super().connection_lost(error)
                raise LookupError

        told = quiet(loop)
        transport, protocol, fd = reading_end(loop, Fails())
        for turn in (1, 2):
            os.write(fd, b"x")
            until(loop, lambda turn=turn: len(told) == turn)
        os.close(fd)
        until(loop, lambda: len(told) == 4)
        pipe = transport.get_extra_info("pipe")
        return protocol.told, [type(t["exception"]) for t in told], pipe.closed

    on_both(scenario)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exceptions_that_leave_the_loop(loop, error: type[BaseException]) -> None:
    class Leaves(Remembers):
        def data_received(self, data: bytes) -> None:
            raise error

    transport, protocol, fd = reading_end(loop, Leaves())
    os.write(fd, b"x")
    with pytest.raises(error):
        run_turns(loop, 6)
    transport.close()
    run_turns(loop)
    os.close(fd)
    assert protocol.told == ["made", ("lost", type(None))]


def test_set_protocol() -> None:
    def scenario(loop):
        transport, first, fd = reading_end(loop)
        os.write(fd, b"1")
        until(loop, lambda: len(first.told) == 2)
        second = Remembers()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        os.write(fd, b"2")
        os.close(fd)
        until(loop, lambda: second.told and is_lost(second))
        return first.told, second.told

    on_both(scenario)


def test_kinds_of_files(tmp_path: Path) -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        master, slave = os.openpty()
        fifo = tmp_path / "fifo"
        if not fifo.exists():
            os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(fifo, os.O_WRONLY)
        heard = []
        for file, source in [
            (right, left.fileno()),
            (os.fdopen(master, "rb", 0), slave),
            (os.fdopen(reader, "rb", 0), writer),
        ]:
            transport, protocol = opened(loop, "connect_read_pipe", file)
            assert not os.get_blocking(file.fileno())
            os.write(source, b"hello\n")
            until(loop, lambda protocol=protocol: len(protocol.told) == 2)
            transport.close()
            until(loop, lambda protocol=protocol: is_lost(protocol))
            heard.append((protocol.told, transport.get_extra_info("pipe") is file))
        left.close()
        os.close(slave)
        os.close(writer)
        return heard

    on_both(scenario)


def test_the_end_of_a_terminal() -> None:
    """EIO says that nobody is at the other end: connection_lost() gets it, nobody is alarmed."""

    def scenario(loop):
        told = quiet(loop)
        master, slave = os.openpty()
        protocol = Remembers()
        loop.run_until_complete(
            loop.connect_read_pipe(lambda: protocol, os.fdopen(master, "rb", 0))
        )
        os.close(slave)
        until(loop, lambda: is_lost(protocol))
        return protocol.told, told

    on_both(scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("connect", ["connect_read_pipe", "connect_write_pipe"])
def test_refused_files(connect: str, tmp_path: Path) -> None:
    def scenario(loop):
        refused = []
        file = (tmp_path / "regular").open("wb")
        closed = (tmp_path / "closed").open("wb")
        closed.close()
        for pipe in (file, closed, os.fdopen(os.dup(file.fileno()), "wb", 0), object(), None):
            with pytest.raises((ValueError, AttributeError)) as caught:
                loop.run_until_complete(getattr(loop, connect)(Remembers, pipe))
            refused.append((caught.type, str(caught.value) if pipe is file else ""))
        run_turns(loop)
        refused.append(file.closed)
        file.close()
        gc.collect()  # stock's half-made transports cannot even warn
        return refused

    assert on_both(scenario)[0][1].startswith("Pipe transport is")


def test_read_errors_are_reported() -> None:
    def scenario(loop):
        told = quiet(loop)
        transport, protocol, fd = reading_end(loop)
        null = os.open("/", os.O_RDONLY)
        os.write(fd, b"x")
        os.dup2(null, transport.get_extra_info("pipe").fileno())
        transport._read_ready()
        until(loop, lambda: is_lost(protocol))
        os.close(fd)
        os.close(null)
        return protocol.told, [(t["message"], type(t["exception"])) for t in told]

    on_both(scenario)


def test_what_it_says_of_itself(loop) -> None:
    transport, _, fd = reading_end(loop)
    number = transport.get_extra_info("pipe").fileno()
    run_turns(loop)
    assert f"fd={number} polling" in repr(transport)
    transport.pause_reading()
    assert "idle" in repr(transport)
    assert isinstance(transport, asyncio.ReadTransport)
    assert not isinstance(transport, asyncio.WriteTransport)
    assert not hasattr(transport, "write")
    assert transport.max_size == 256 * 1024
    assert transport.get_extra_info("nothing") is None
    assert transport.get_extra_info("nothing", 5) == 5
    transport.close()
    assert "closing" in repr(transport)
    run_turns(loop)
    assert "closed" in repr(transport)
    os.close(fd)


def test_an_unclosed_one_warns(loop_factory) -> None:
    loop = loop_factory()
    held = list(reading_end(loop))
    pipe = held[0].get_extra_info("pipe")
    loop.close()
    held[1].transport = None
    os.close(held.pop())
    with pytest.warns(ResourceWarning, match="unclosed transport .*open"):
        forget(held)
    assert pipe.closed


def test_cycles_are_broken_when_it_is_lost(loop) -> None:
    class Remembered(Remembers):
        pass

    transport, protocol, fd = reading_end(loop, Remembered())
    told, gone = protocol.told, weakref.ref(protocol)
    protocol.transport = None
    os.close(fd)
    assert until(loop, lambda: isinstance(told[-1], tuple))
    gc.disable()
    try:
        del protocol
        run_turns(loop)
        assert gone() is None
        assert transport.get_protocol() is None
    finally:
        gc.enable()


def test_two_transports_share_a_terminal(loop) -> None:
    """Reading and writing the same descriptor: neither may end the other's watch."""
    master, slave = os.openpty()
    os.set_blocking(slave, False)
    reads, writes = Remembers(), Remembers()
    file = os.fdopen(master, "r+b", 0)
    loop.run_until_complete(loop.connect_read_pipe(lambda: reads, file))
    loop.run_until_complete(loop.connect_write_pipe(lambda: writes, file))
    writes.transport.write(b"to the slave\n")
    os.write(slave, b"to the master\n")
    assert until(loop, lambda: b"to the master" in b"".join(map(bytes, reads.told[1:])))
    reads.transport.close()
    until(loop, lambda: is_lost(reads))
    writes.transport.abort()
    until(loop, lambda: is_lost(writes))
    os.close(slave)


def test_streams(loop) -> None:
    """asyncio's StreamReader is fed without a call: what it gives is the same."""

    async def main() -> tuple[bytes, bytes, bytes]:
        reader = asyncio.StreamReader(limit=1000)
        read_fd, write_fd = os.pipe()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0)
        )
        os.write(write_fd, b"line\n" + b"x" * 5000)
        line = await reader.readline()
        await asyncio.sleep(0)
        rest = await reader.readexactly(5000)
        os.write(write_fd, b"last")
        os.close(write_fd)
        last = await reader.read()
        transport.close()
        return line, rest, last

    assert loop.run_until_complete(main()) == (b"line\n", b"x" * 5000, b"last")
