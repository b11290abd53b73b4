"""Every deliberate difference from stock asyncio that docs/event-loop.md names.

These are promises of the built-in loop: on another loop they are skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
import weakref
from asyncio import selector_events
from collections.abc import Callable
from typing import Any

import pytest
from loop_testing.compare import run_once

import loopgauge


@pytest.fixture
def loop(loop_factory):
    made = loop_factory()
    if not isinstance(made, loopgauge.EventLoop):
        made.close()
        pytest.skip("a promise of the built-in loop")
    yield made
    made.close()


class Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.pauses = 0
        self.received: list[bytes] = []
        self.lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def pause_writing(self) -> None:
        self.pauses += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


class Connection:
    """A native transport, and the other end as a plain socket that does not block."""

    def __init__(self, transport: Any, protocol: Protocol, peer: socket.socket) -> None:
        self.transport = transport
        self.protocol = protocol
        self.peer = peer

    def arrived(self) -> bytes:
        """What one recv() at the other end gives now."""
        with contextlib.suppress(BlockingIOError):
            return self.peer.recv(1 << 20)
        return b""


@pytest.fixture
def connection(loop):
    ours, peer = socket.socketpair()
    peer.setblocking(False)

    async def connect() -> tuple[asyncio.Transport, Protocol]:
        return await loop.create_connection(Protocol, sock=ours)

    transport, protocol = loop.run_until_complete(connect())
    yield Connection(transport, protocol, peer)
    transport.abort()
    loop.run_until_complete(protocol.lost)
    peer.close()


def in_callback(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> Any:
    """What `function` returns when the loop calls it."""
    results: list[Any] = []
    loop.call_soon(lambda: results.append(function()))
    run_once(loop)
    return results[0]


@pytest.fixture(params=["native", "compatible"])
def scheduler(request: pytest.FixtureRequest, loop) -> str:
    """For rules that hold, or end, where CPython's scheduler has taken over."""
    if request.param == "compatible":
        assert loop._ready is not None  # a look at it is what changes over
    return str(request.param)


def test_small_writes_leave_together_when_the_callback_returns(
    loop, connection, scheduler: str
) -> None:
    def write() -> tuple[bytes, int]:
        connection.transport.write(b"header,")
        connection.transport.writelines([b"bo", b"dy,"])
        connection.transport.write(b"x" * 4000)
        return connection.arrived(), connection.transport.get_write_buffer_size()

    written = b"header,body," + b"x" * 4000
    if scheduler == "compatible":
        assert in_callback(loop, write) == (written, 0)
        return
    assert in_callback(loop, write) == (b"", len(written))
    assert connection.transport.get_write_buffer_size() == 0
    assert connection.arrived() == written


def test_larger_writes_are_sent_at_once(loop, connection, scheduler: str) -> None:
    def write() -> bytes:
        connection.transport.write(b"small")
        connection.transport.write(b"x" * 5000)
        return connection.arrived()

    assert in_callback(loop, write) == b"small" + b"x" * 5000


def test_large_writes_of_one_callback_are_joined_from_the_second_on(
    loop, connection, scheduler: str
) -> None:
    pieces = [bytes([65 + i]) * 5000 for i in range(3)]

    def write() -> tuple[bytes, int]:
        for piece in pieces:
            connection.transport.write(piece)
        return connection.arrived(), connection.transport.get_write_buffer_size()

    if scheduler == "compatible":
        assert in_callback(loop, write) == (b"".join(pieces), 0)
        return
    for _ in range(2):  # each turn by itself
        assert in_callback(loop, write) == (pieces[0], 10_000)
        assert connection.arrived() == pieces[1] + pieces[2]
        assert connection.transport.get_write_buffer_size() == 0


def test_joined_writes_are_sent_when_their_callback_returns(loop, connection) -> None:
    arrived: list[bytes] = []

    def write() -> None:
        connection.transport.write(b"a" * 5000)
        connection.transport.write(b"b" * 5000)

    loop.call_soon(write)
    loop.call_soon(lambda: arrived.append(connection.arrived()))
    run_once(loop)
    assert arrived == [b"a" * 5000 + b"b" * 5000]


def test_what_may_change_and_what_is_too_much_is_not_joined(loop, connection) -> None:
    def write(second: Any) -> tuple[bytes, int]:
        connection.transport.write(b"a" * 5000)
        connection.transport.write(second)
        return connection.arrived(), connection.transport.get_write_buffer_size()

    assert in_callback(loop, lambda: write(bytearray(5000))) == (b"a" * 5000 + bytes(5000), 0)
    arrived, _ = in_callback(loop, lambda: write(bytes(200_000)))
    assert len(arrived) > 5000


def test_what_is_held_back_in_many_pieces_is_offered_whole(loop, connection) -> None:
    """More pieces than one system call takes: neither flow control nor abort() may notice."""
    pieces = [bytes([i]) * 900 for i in range(100)]
    connection.transport.set_write_buffer_limits(0)

    def write(end: Callable[[], None]) -> None:
        connection.transport.write(b"a" * 5000)
        connection.transport.writelines(pieces)
        end()

    for end in (lambda: None, connection.transport.abort):
        in_callback(loop, functools.partial(write, end))
        arrived = b"".join(iter(connection.arrived, b""))
        assert arrived == b"a" * 5000 + b"".join(pieces)
        assert connection.protocol.pauses == 0


@pytest.mark.parametrize("size", [10, 5000])
def test_what_was_written_before_a_protocol_raises_is_sent(loop, connection, size: int) -> None:
    class Answers(asyncio.Protocol):
        def __init__(self) -> None:
            self.lost = connection.protocol.lost

        def data_received(self, data: bytes) -> None:
            for _ in range(3):
                connection.transport.write(b"x" * size)
            raise ValueError(data)

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set_result(exc)

    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    connection.transport.set_protocol(Answers())
    connection.peer.send(b"question")
    lost = loop.run_until_complete(asyncio.wait_for(connection.protocol.lost, 30))
    assert isinstance(lost, ValueError)
    assert [context["exception"] for context in told] == [lost]
    assert b"".join(iter(connection.arrived, b"")) == b"x" * (3 * size)


def test_writes_outside_callbacks_are_sent_at_once(loop, connection, scheduler: str) -> None:
    connection.transport.write(b"small")
    assert connection.arrived() == b"small"
    assert connection.transport.get_write_buffer_size() == 0


def test_the_callbacks_of_a_turn_send_together(loop, connection, scheduler: str) -> None:
    seen: list[bytes] = []
    loop.call_soon(connection.transport.write, b"first")
    loop.call_soon(lambda: seen.append(connection.arrived()))
    loop.call_soon(connection.transport.write, b"second")
    run_once(loop)
    assert seen == [b"first" if scheduler == "compatible" else b""]
    assert b"".join([*seen, connection.arrived()]) == b"firstsecond"


def test_a_long_turn_sends_in_between(loop, connection, scheduler: str) -> None:
    def work() -> None:
        end = time.monotonic_ns() + 1_000_000
        while time.monotonic_ns() < end:
            pass

    seen: list[bytes] = []
    loop.call_soon(connection.transport.write, b"first")
    loop.call_soon(work)
    loop.call_soon(lambda: seen.append(connection.arrived()))
    run_once(loop)
    assert seen == [b"first"]


@pytest.mark.parametrize("end", ["close", "abort", "write_eof"])
def test_what_was_written_arrives_whatever_follows(
    loop, connection, scheduler: str, end: str
) -> None:
    def write() -> None:
        connection.transport.write(b"last words")
        getattr(connection.transport, end)()

    in_callback(loop, write)
    run_once(loop)
    assert connection.arrived() == b"last words"
    assert connection.arrived() == b""


def test_pause_writing_counts_what_the_kernel_refused(loop, connection, scheduler: str) -> None:
    def write() -> None:
        connection.transport.set_write_buffer_limits(high=10)
        connection.transport.write(b"x" * 1000)

    in_callback(loop, write)
    assert connection.protocol.pauses == 0
    connection.transport.write(b"x" * (1 << 24))
    assert connection.protocol.pauses == 1


def test_pause_reading_is_lazy_and_calls_nobody(loop, connection, scheduler: str) -> None:
    connection.transport.pause_reading()
    descriptor = connection.transport.get_extra_info("socket").fileno()
    assert loop._selector.get_key(descriptor).events
    connection.peer.send(b"data")
    for _ in range(4):
        run_once(loop)
    with pytest.raises(KeyError):
        loop._selector.get_key(descriptor)
    assert connection.protocol.received == []
    connection.transport.resume_reading()
    for _ in range(4):
        run_once(loop)
    assert connection.protocol.received == [b"data"]


def test_a_protocol_hears_of_the_end_once(loop, connection, scheduler: str) -> None:
    ends: list[object] = []

    def keep_open() -> bool:
        ends.append(None)
        return True

    connection.protocol.eof_received = keep_open
    connection.peer.shutdown(socket.SHUT_WR)
    for _ in range(3):
        for _ in range(4):
            run_once(loop)
        connection.transport.pause_reading()
        connection.transport.resume_reading()
    assert len(ends) == 1


def test_equal_deadlines_keep_their_order(loop) -> None:
    ran: list[int] = []
    when = loop.time()
    for number in range(100):
        loop.call_at(when, ran.append, number)
    run_once(loop)
    assert ran == list(range(100))


def test_a_cancelled_timer_lets_go_at_once(loop) -> None:
    class Argument:
        pass

    argument = Argument()
    gone = weakref.ref(argument)
    timer = loop.call_later(1000, id, argument)
    del argument
    timer.cancel()
    del timer
    assert gone() is None
    assert len(loop._scheduled) == 0


def test_no_timer_is_early(loop) -> None:
    seen: list[float] = []
    when = loop.time() + 0.002
    loop.call_at(when, lambda: (seen.append(loop.time()), loop.stop()))
    loop.run_forever()
    assert seen[0] >= when


@pytest.mark.parametrize("schedule", ["call_later", "call_at"])
def test_not_a_number(loop, schedule: str, scheduler: str) -> None:
    with pytest.raises(ValueError, match="NaN"):
        getattr(loop, schedule)(float("nan"), int)


def test_what_cannot_be_changed(loop) -> None:
    handle = loop.call_soon(int)
    with pytest.raises((AttributeError, TypeError)):
        handle._loop = None
    with pytest.raises((AttributeError, TypeError)):
        loop._selector = object()
    handle.cancel()


def test_transports_are_asyncio_s_but_not_the_selector_s(connection) -> None:
    assert isinstance(connection.transport, asyncio.Transport)
    assert not isinstance(connection.transport, selector_events._SelectorTransport)
