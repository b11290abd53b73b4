"""Wrong calls on a stream transport, in each of its states: stock's exceptions and effects.

Every call is made on a connection of its own; afterwards both ends go on, so that a call which
breaks the connection silently shows.
"""

from __future__ import annotations

import array
import asyncio
import functools
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from loop_testing.compare import on, on_both
from loop_testing.exchange import Action, Conversation, Remote
from loop_testing.talk import Talk
from loop_testing.target import LoopFactory, stock_factory

from loopgauge import _core

FAMILIES = ("tcp", "unix", "tls")
STATES: dict[str, tuple[Action, ...]] = {
    "open": (),
    "paused": (Action("pause_reading"),),
    "eof": (Action("write_eof"),),
    "closing": (Action("close"),),
    "aborted": (Action("abort"),),
}

Call = Callable[[Any], Any]


def broken() -> Any:
    yield b"first"
    raise LookupError("the generator")


CALLS: dict[str, Call] = {
    "write nothing": lambda t: t.write(),
    "write None": lambda t: t.write(None),
    "write text": lambda t: t.write("text"),
    "write a number": lambda t: t.write(5),
    "write a list": lambda t: t.write([b"x"]),
    "write an array": lambda t: t.write(array.array("b", [1])),
    "write two": lambda t: t.write(b"a", b"b"),
    "write a wrong keyword": lambda t: t.write(datum=b"keyword"),
    "write by keyword": lambda t: t.write(data=b"keyword"),
    "write twice": lambda t: t.write(b"a", data=b"b"),
    "write no bytes": lambda t: t.write(b""),
    "write an empty view": lambda t: t.write(memoryview(b"")),
    "write a subclass": lambda t: t.write(type("Mine", (bytes,), {})(b"mine")),
    "writelines by keyword": lambda t: t.writelines(list_of_data=[b"key", b"word"]),
    "writelines nothing": lambda t: t.writelines(),
    "writelines a number": lambda t: t.writelines(5),
    "writelines text": lambda t: t.writelines("text"),
    "writelines numbers": lambda t: t.writelines([1, 2]),
    "writelines mixed": lambda t: t.writelines(["a", b"b"]),
    "writelines no pieces": lambda t: t.writelines([]),
    "write_eof an argument": lambda t: t.write_eof(1),
    "write_eof twice": lambda t: (t.write_eof(), t.write_eof()),
    "write after write_eof": lambda t: (t.write_eof(), t.write(b"late")),
    "can_write_eof": lambda t: t.can_write_eof(),
    "close an argument": lambda t: t.close(1),
    "abort an argument": lambda t: t.abort(1),
    "abort twice": lambda t: (t.abort(), t.abort()),
    "abort and close": lambda t: (t.abort(), t.close()),
    "write after abort": lambda t: (t.abort(), t.write(b"late")),
    "pause an argument": lambda t: t.pause_reading(1),
    "pause twice": lambda t: (t.pause_reading(), t.pause_reading(), t.is_reading()),
    "resume": lambda t: (t.resume_reading(), t.is_reading()),
    "resume twice": lambda t: (t.resume_reading(), t.resume_reading(), t.is_reading()),
    "limits negative": lambda t: t.set_write_buffer_limits(-1),
    "limits both negative": lambda t: t.set_write_buffer_limits(-1, -2),
    "limits crossed": lambda t: t.set_write_buffer_limits(high=1, low=2),
    "limits low negative": lambda t: t.set_write_buffer_limits(low=-1),
    "limits text": lambda t: t.set_write_buffer_limits("high"),
    "limits fraction": lambda t: t.set_write_buffer_limits(1.5),
    "limits wrong keyword": lambda t: t.set_write_buffer_limits(higher=1),
    "limits only low": lambda t: (
        t.set_write_buffer_limits(low=100),
        t.get_write_buffer_limits(),
    ),
    "limits zero": lambda t: (t.set_write_buffer_limits(0), t.get_write_buffer_limits()),
    "limits three": lambda t: t.set_write_buffer_limits(3, 2, 1),
    "protocol by keyword": lambda t: t.set_protocol(protocol=t.get_protocol()),
    "no protocol": lambda t: t.set_protocol(),
    "protocol None": lambda t: (t.set_protocol(None), t.get_protocol()),
    "protocol a number": lambda t: (t.set_protocol(5), t.get_protocol()),
    "protocol a class": lambda t: t.set_protocol(asyncio.Protocol),
    "extra nothing": lambda t: t.get_extra_info(),
    "extra unknown": lambda t: (t.get_extra_info("x"), t.get_extra_info("x", 5)),
    "extra a number": lambda t: t.get_extra_info(5),
    "extra a list": lambda t: t.get_extra_info([]),
    "extra keyword": lambda t: t.get_extra_info("x", default=5),
    "size": lambda t: t.get_write_buffer_size(),
    "size an argument": lambda t: t.get_write_buffer_size(1),
    "closing": lambda t: (t.is_closing(), t.is_reading()),
    "unknown attribute": lambda t: t.no_such_method(),
}

#: On TLS stock forgets its protocol in the second close(): every later call is an AttributeError.
CLOSED_TWICE = {"abort and close"}
#: Calls that ask is_reading(), which differs for a TLS transport that is closing (event-loop.md).
ASKS_READING = {"pause twice", "resume", "resume twice", "closing"}


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)


def attempt(loop: asyncio.AbstractEventLoop, family: str, state: str, call: Call) -> Any:
    """What the call answered, and what happened to the connection from then on."""
    talking = Talk(loop, family, Conversation())
    try:
        talking.connect()
        for action in STATES[state]:
            talking.act(action)
        talking.trace.append([])
        answer = answered(call, talking.transport)
        talking.settle()
        talking.perform(Remote("send", 10))
        talking.act(Action("write", 10))
        talking.settle()
        assert talking.peer is not None
        while talking.peer.read(1000):
            talking.settle()
        arrived = bytes(talking.peer.received)
        return answer, talking.trace, arrived, talking.peer.end
    finally:
        talking.clean_up()


def answered(call: Call, transport: Any) -> Any:
    """What it returned, or the type it raised, and whether it was by calling a None."""
    try:
        return call(transport)
    except Exception as error:
        return type(error), "NoneType' object" in str(error)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_same_answer(loop_factory: LoopFactory, family: str, name: str) -> None:
    different = {}
    for state in STATES:
        if family == "tls" and (state in ("eof", "closing") or name in CLOSED_TWICE):
            continue
        if family == "tls" and state == "aborted" and name in ASKS_READING:
            continue
        if name.startswith("writelines") and state in ("closing", "aborted"):
            continue  # each version of stock looks at the arguments then or does not
        attempting = functools.partial(attempt, family=family, state=state, call=CALLS[name])
        ours, stock = on(loop_factory, attempting), on(stock_factory(), attempting)
        if ours != stock and not (accident(stock[0]) or twice_wrong(state, ours, stock)):
            different[state] = {"ours": ours, "stock": stock}
    assert different == {}


def accident(answer: Any) -> bool:
    """Whether stock tripped over something it had set to None in close()."""
    return isinstance(answer, tuple) and len(answer) == 2 and answer[1] is True


def twice_wrong(state: str, ours: Any, stock: Any) -> bool:
    """Whether both raised in a state that forbids writing: which error goes first is open."""
    both_raised = isinstance(ours[0], tuple) and isinstance(stock[0], tuple)
    return state == "eof" and both_raised and ours[1:] == stock[1:]


@pytest.mark.parametrize("kind", [_core.SocketTransport, _core.WritePipeTransport])
def test_a_transport_that_was_never_made(kind: Any) -> None:
    """Every call that needs no protocol: it counts as lost."""
    transport = kind.__new__(kind)
    transport.write(b"x")
    transport.close()
    transport.abort()
    assert transport.is_closing()
    assert "closed" in repr(transport)


def test_a_lost_transport_that_others_have_ended(
    loop: asyncio.AbstractEventLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Its private method was called: stock trips over its missing loop in write()."""

    async def run() -> None:
        transport: Any
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=pair[0])
        transport._call_connection_lost(None)
        transport.write(b"x")
        transport.resume_reading()
        assert transport.is_closing()

    loop.run_until_complete(run())


class Lying(bytes):
    """Says that it is longer than it is."""

    def __len__(self) -> int:
        return 1_000_000


def test_bytes_that_lie_about_their_length(
    loop: asyncio.AbstractEventLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    read_fd, write_fd = os.pipe()
    writing_end = os.fdopen(write_fd, "wb", 0)

    async def run() -> tuple[bytes, bytes]:
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=pair[0])
        pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, writing_end)
        transport.write(Lying(b"mine"))
        pipe.write(Lying(b"mine"))
        transport.close()
        pipe.close()
        return await loop.sock_recv(pair[1], 100_000), os.read(read_fd, 100_000)

    assert loop.run_until_complete(run()) == (b"mine", b"mine")
    os.close(read_fd)


class ReadOnly(asyncio.BufferedProtocol):
    """Gives the transport a buffer that it cannot write to."""

    lost: Exception | None = None

    def get_buffer(self, sizehint: int) -> Any:
        return b"read-only"

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        asyncio.get_running_loop().stop()


def test_a_buffer_that_cannot_be_written() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        left, right = socket.socketpair()
        left.setblocking(False)
        made = loop.create_connection(ReadOnly, sock=left)
        _, protocol = loop.run_until_complete(made)
        right.send(b"x")
        loop.run_forever()
        right.close()
        return type(protocol.lost), str(protocol.lost)

    assert on_both(scenario)[0] is TypeError
