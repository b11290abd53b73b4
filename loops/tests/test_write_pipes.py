"""The writing end of a pipe: what is sent, what its protocol is told, how it ends, as in stock."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from loop_testing.compare import on_both, outcome, quiet, run_turns
from loop_testing.pipes import Remembers, forget, is_lost, opened, read_all, until, writing_end

FULL = 65536


def drain(loop, fd: int, size: int) -> bytes:
    """Reads until `size` bytes came."""
    got = b""

    def enough() -> bool:
        nonlocal got
        got += read_all(fd)
        return len(got) >= size

    assert until(loop, enough)
    return got


def finish(loop, transport, protocol, fd: int) -> None:
    transport.abort()
    until(loop, lambda: is_lost(protocol))
    os.close(fd)


def test_writes_are_sent_at_once(loop) -> None:
    transport, protocol, fd = writing_end(loop)
    sent = []

    def in_callback() -> None:
        transport.write(b"one")
        sent.append(read_all(fd))
        transport.writelines([b"t", bytearray(b"w"), memoryview(b"o")])
        sent.append(read_all(fd))

    loop.call_soon(in_callback)
    run_turns(loop)
    assert sent == [b"one", b"two"]
    assert transport.get_write_buffer_size() == 0
    finish(loop, transport, protocol, fd)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [1, FULL - 1, FULL, FULL + 1, 300_000])
def test_bytes_are_exact(loop, kind, size: int) -> None:
    transport, protocol, fd = writing_end(loop)
    data = os.urandom(1000) * (size // 1000 + 1)
    sent = b""
    for start in range(3):
        piece = data[start : start + size]
        sent += piece
        source = bytearray(piece)
        transport.write(kind(source) if kind is not bytearray else source)
        if kind is bytearray:
            source[:] = b"\0" * size  # what was written is what it was
    assert transport.get_write_buffer_size() >= max(0, 3 * size - FULL)
    assert drain(loop, fd, 3 * size) == sent
    assert until(loop, lambda: transport.get_write_buffer_size() == 0)
    finish(loop, transport, protocol, fd)


def test_flow_control() -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        sizes = []
        limits = [transport.get_write_buffer_limits()]
        for _ in range(4):
            transport.write(b"x" * 50_000)
            sizes.append((transport.get_write_buffer_size(), list(protocol.told)))
        drain(loop, fd, 200_000)
        until(loop, lambda: transport.get_write_buffer_size() == 0)
        transport.set_write_buffer_limits(high=100)
        limits.append(transport.get_write_buffer_limits())
        transport.write(b"y" * (FULL + 101))
        sizes.append((transport.get_write_buffer_size(), list(protocol.told)))
        drain(loop, fd, FULL + 101)
        until(loop, lambda: transport.get_write_buffer_size() == 0)
        transport.close()
        until(loop, lambda: is_lost(protocol))
        os.close(fd)
        return sizes, limits, protocol.told

    on_both(scenario)


def test_writing_in_resume_writing(loop) -> None:
    class Refills(Remembers):
        left = 20

        def resume_writing(self) -> None:
            super().resume_writing()
            while self.left and self.told[-1] != "pause":
                self.left -= 1
                self.transport.write(bytes([self.left]) * 100_000)

    transport, protocol, fd = writing_end(loop, Refills())
    protocol.resume_writing()
    got = drain(loop, fd, 2_000_000)
    assert got == b"".join(bytes([n]) * 100_000 for n in reversed(range(20)))
    finish(loop, transport, protocol, fd)


@pytest.mark.parametrize("method", ["close", "write_eof"])
def test_closing_sends_what_is_left(method: str) -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        transport.write(b"a" * FULL + b"b" * 1000)
        getattr(transport, method)()
        getattr(transport, method)()
        transport.write(b"too late")
        states = [transport.is_closing(), transport.get_write_buffer_size(), list(protocol.told)]
        got = drain(loop, fd, FULL + 1000)
        until(loop, lambda: is_lost(protocol))
        end = os.read(fd, 10)
        os.close(fd)
        return states, got, end, protocol.told, transport.can_write_eof()

    assert on_both(scenario)[1] == b"a" * FULL + b"b" * 1000


@pytest.mark.parametrize("after_close", [True, False])
def test_abort_drops_what_is_left(after_close: bool) -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        transport.write(b"a" * FULL + b"b" * 1000)
        if after_close:
            transport.close()
        transport.abort()
        size = transport.get_write_buffer_size()
        until(loop, lambda: is_lost(protocol))
        got = read_all(fd)
        os.close(fd)
        return size, len(got), protocol.told

    assert on_both(scenario)[1] == FULL


def test_abort_is_heard_once(loop) -> None:
    told = quiet(loop)
    transport, protocol, fd = writing_end(loop)
    transport.close()
    transport.abort()
    transport.abort()
    run_turns(loop, 6)
    assert protocol.told == ["made", ("lost", type(None))]
    if "loopgauge" in type(loop).__module__:  # stock calls connection_lost() on None
        assert told == []
    os.close(fd)


@pytest.mark.parametrize("pending", [True, False])
def test_the_reader_goes_away(pending: bool) -> None:
    def scenario(loop):
        told = quiet(loop)
        transport, protocol, fd = writing_end(loop)
        run_turns(loop)
        if pending:
            transport.write(b"x" * (FULL + 1))
        os.close(fd)
        until(loop, lambda: is_lost(protocol))
        return protocol.told, transport.is_closing(), told

    on_both(scenario)


def test_writing_to_nobody() -> None:
    """EPIPE at once: connection_lost(BrokenPipeError), and later writes are counted."""

    def scenario(loop):
        told = quiet(loop)
        transport, protocol, fd = writing_end(loop)
        os.close(fd)
        for _ in range(3):
            transport.write(b"x")
        closing = transport.is_closing()
        until(loop, lambda: is_lost(protocol))
        return protocol.told, closing, transport._conn_lost, told

    assert on_both(scenario)[0][-1] == ("lost", BrokenPipeError)


def test_late_writes_warn_from_the_sixth_on(caplog) -> None:
    def scenario(loop):
        transport, _, fd = writing_end(loop)
        transport.close()
        caplog.clear()
        for _ in range(7):
            transport.write(b"x")
        run_turns(loop)
        os.close(fd)
        return [record.getMessage() for record in caplog.records]

    assert (
        on_both(scenario) == ["pipe closed by peer or os.write(pipe, data) raised exception."] * 2
    )


@pytest.mark.parametrize("data", ["text", 5, None, [b"x"], object])
def test_wrong_types(data: object) -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        raised = outcome(transport.write, data)
        finish(loop, transport, protocol, fd)
        return raised, protocol.told

    assert on_both(scenario)[0] is AssertionError


def test_a_view_that_is_not_contiguous() -> None:
    def scenario(loop):
        told = quiet(loop)
        transport, protocol, fd = writing_end(loop)
        raised = outcome(transport.write, memoryview(b"abcdef")[::2])
        until(loop, lambda: is_lost(protocol))
        os.close(fd)
        return raised, protocol.told, [t["message"] for t in told]

    on_both(scenario)


def test_nothing_is_nothing() -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        for nothing in (b"", bytearray(), memoryview(b"")):
            transport.write(nothing)
        transport.writelines([])
        run_turns(loop)
        transport.close()
        transport.write(b"")
        count = transport._conn_lost
        until(loop, lambda: is_lost(protocol))
        os.close(fd)
        return protocol.told, count

    on_both(scenario)


def test_failing_flow_control_is_reported() -> None:
    def scenario(loop):
        class Fails(Remembers):
            def pause_writing(self) -> None:
                raise LookupError

            def resume_writing(self) -> None:
                raise LookupError

        told = quiet(loop)
        transport, protocol, fd = writing_end(loop, Fails())
        transport.write(b"x" * (3 * FULL))
        drain(loop, fd, 3 * FULL)
        until(loop, lambda: len(told) == 2)
        finish(loop, transport, protocol, fd)
        return [t["message"] for t in told], protocol.told

    on_both(scenario)


@pytest.mark.parametrize("method", ["close", "abort"])
def test_closing_in_resume_writing(loop, method: str) -> None:
    class Ends(Remembers):
        def resume_writing(self) -> None:
            super().resume_writing()
            getattr(self.transport, method)()

    transport, protocol, fd = writing_end(loop, Ends())
    transport.write(b"x" * (3 * FULL))
    assert len(drain(loop, fd, 3 * FULL)) == 3 * FULL
    assert until(loop, lambda: is_lost(protocol))
    assert protocol.told == ["made", "pause", "resume", ("lost", type(None))]
    os.close(fd)


def test_sockets_and_terminals() -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        right.setblocking(False)
        master, slave = os.openpty()
        os.set_blocking(master, False)
        heard = []
        for file, sink in [(left, right.fileno()), (os.fdopen(slave, "wb", 0), master)]:
            transport, protocol = opened(loop, "connect_write_pipe", file)
            transport.write(b"hello\n")
            got = drain(loop, sink, 6)
            transport.close()
            until(loop, lambda protocol=protocol: is_lost(protocol))
            heard.append((got, protocol.told, transport.get_extra_info("pipe") is file))
        right.close()
        os.close(master)
        return heard

    on_both(scenario)


def test_what_it_says_of_itself(loop) -> None:
    transport, protocol, fd = writing_end(loop)
    number = transport.get_extra_info("pipe").fileno()
    run_turns(loop)
    assert f"fd={number} idle bufsize=0" in repr(transport)
    transport.write(b"x" * (FULL + 7))
    assert f"fd={number} polling bufsize=7" in repr(transport)
    assert isinstance(transport, asyncio.WriteTransport)
    finish(loop, transport, protocol, fd)
    assert "closed" in repr(transport)


def test_reading_methods_are_those_of_stock() -> None:
    def scenario(loop):
        transport, protocol, fd = writing_end(loop)
        raised = [outcome(getattr(transport, name)) for name in ("pause_reading", "is_reading")]
        finish(loop, transport, protocol, fd)
        return raised

    on_both(scenario)


def test_an_unclosed_one_warns(loop_factory) -> None:
    loop = loop_factory()
    held = list(writing_end(loop))
    pipe = held[0].get_extra_info("pipe")
    loop.close()
    held[1].transport = None
    os.close(held.pop())
    with pytest.warns(ResourceWarning, match="unclosed transport .*open"):
        forget(held)
    assert pipe.closed


def test_debug_mode_tells(loop, caplog) -> None:
    loop.set_debug(True)
    caplog.set_level("DEBUG", logger="asyncio")
    transport, protocol, fd = writing_end(loop)
    transport.write(b"x" * (FULL + 1))
    assert len(drain(loop, fd, FULL + 1)) == FULL + 1
    os.close(fd)
    assert until(loop, lambda: is_lost(protocol))
    assert any("was closed by peer" in record.getMessage() for record in caplog.records)


def test_streams(loop) -> None:
    async def main() -> bytes:
        read_fd, write_fd = os.pipe()
        reader = asyncio.StreamReader()
        source, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0)
        )
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(write_fd, "wb", 0)
        )
        writer = asyncio.StreamWriter(transport, protocol, None, loop)

        async def write() -> None:
            for number in range(100):
                writer.write(bytes([number]) * 10_000)
                await writer.drain()
            writer.close()

        _, got = await asyncio.gather(write(), reader.read())
        source.close()
        return got

    assert loop.run_until_complete(main()) == b"".join(bytes([n]) * 10_000 for n in range(100))
