"""Holds a conversation of `exchange` on a loop and returns its trace."""

from __future__ import annotations

import asyncio
import functools
import random
import socket
import time
from typing import Any

from loop_testing import certificates, exchange, wire

#: Turns without any change after which nothing is under way any more. A TLS close takes three.
QUIET = 8
#: Seconds until a conversation counts as stuck.
PATIENCE = 5.0


@functools.cache
def stream(which: str) -> bytes:
    """What one end sends, never repeating: a piece that is lost or moved cannot go unseen."""
    return random.Random(which).randbytes(16 * exchange.HUGE)


def talk(
    loop: asyncio.AbstractEventLoop, family: str, conversation: exchange.Conversation
) -> dict[str, Any]:
    """The trace; raises AssertionError when bytes are wrong or nothing moves any more.

    `family` is "tcp", "unix" or "tls".
    """
    talking = Talk(loop, family, conversation)
    try:
        talking.connect()
        for step in conversation.steps:
            talking.perform(step)
        talking.finish()
        return talking.outcome()
    finally:
        talking.clean_up()


class Listener:
    """What both kinds of protocol do: note what they are told, and answer the first time."""

    def __init__(self, talk: Talk, number: int) -> None:
        self.talk = talk
        self.number = number

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.talk.transport = transport
        self.talk.sock = transport.get_extra_info("socket")
        self.talk.note("made", self.number)

    def eof_received(self) -> bool:
        self.talk.at_end = True
        self.talk.note("eof", self.number)
        return self.talk.conversation.keep_open

    def pause_writing(self) -> None:
        self.talk.note("pause", self.number)

    def resume_writing(self) -> None:
        self.talk.resuming = True
        self.talk.note("resume", self.number)
        self.talk.resuming = False

    def connection_lost(self, error: Exception | None) -> None:
        self.talk.lost = True
        self.talk.note("lost", self.number, type(error).__name__)


class DataListener(Listener, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.talk.take(self.number, data)


class BufferedListener(Listener, asyncio.BufferedProtocol):
    def get_buffer(self, sizehint: int) -> memoryview:
        # No bytearray: TLS of stock slices it, and reads into the copy.
        self.buffer = memoryview(bytearray(self.talk.conversation.room))
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        assert type(count) is int
        self.talk.take(self.number, bytes(self.buffer[:count]))


LISTENERS = {"data": DataListener, "buffered": BufferedListener}


class Talk:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, family: str, conversation: exchange.Conversation
    ) -> None:
        self.loop = loop
        self.family = family
        self.conversation = conversation
        self.answers = dict(conversation.answers)
        self.transport: asyncio.Transport | None = None
        self.sock: socket.socket | None = None
        self.server: asyncio.AbstractServer | None = None
        self.trace: list[list[Any]] = [[]]
        self.listeners = 0
        self.lost = False
        self.closing = self.aborted = False
        self.shut = False
        self.received = bytearray()
        self.peer: wire.Peer | None = None
        self.hopeless = 0
        self.resuming = False
        self.at_end = False
        self.connected = False
        self.sent = 0
        self.written = 0
        self.started = time.monotonic()
        loop.set_exception_handler(self.told)

    # --- what the protocol does -----------------------------------------------------------

    def listener(self, kind: str) -> Listener:
        self.listeners += 1
        return LISTENERS[kind](self, self.listeners)

    def note(self, *event: Any) -> None:
        self.trace[-1].append(event)
        for action in self.answers.pop(event[0], ()):
            self.act(action)

    def take(self, number: int, data: bytes) -> None:
        events = self.trace[-1]
        self.received += data
        if events and events[-1][:2] == ("data", number):
            events[-1] = ("data", number, events[-1][2] + len(data))
        else:
            self.note("data", number, len(data))

    def told(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's exception handler."""
        error = context.get("exception")
        # A handle's text names the transport's class and method, which each loop has its own of.
        words = context["message"].split(" in callback ")[0]
        self.note("told", words, type(error).__name__)

    # --- what the application does --------------------------------------------------------

    def act(self, action: exchange.Action) -> None:
        transport = self.transport
        if transport is None or self.undefined(transport, action):
            return
        try:
            getattr(self, f"do_{action.kind}")(transport, action)
        except Exception as error:
            self.trace[-1].append(("raised", action.kind, type(error).__name__))

    def undefined(self, transport: asyncio.Transport, action: exchange.Action) -> bool:
        """What stock answers with accidents: AttributeError, the TypeError of a None it called."""
        if self.lost:
            return True
        if self.family == "tls" and (self.closing or self.at_end):
            # Stock closes the transport below first and writes the rest to it afterwards.
            return action.kind != "abort" and (self.closing or action.kind != "close")
        if action.kind in ("write", "writelines") and action.size:
            return self.no_place_to_write(transport, action)
        if self.family == "tls" and action.kind == "pause_reading" and not self.connected:
            # Stock then keeps the end of the handshake to itself until something is written.
            return True
        # Stock then calls connection_lost() a second time, which fails.
        return action.kind in ("close", "abort") and self.resuming

    def no_place_to_write(self, transport: asyncio.Transport, action: exchange.Action) -> bool:
        if transport.is_closing() and not (self.aborted and action.kind == "write"):
            return True
        if self.peer is None or not self.peer.closed:
            return False
        # The first send to somebody who is gone succeeds, the second one fails: two writes show
        # that where they are two system calls.
        self.hopeless += 1
        return self.hopeless > 1

    def do_write(self, transport: asyncio.Transport, action: exchange.Action) -> None:
        copied = self.copies(transport, action)
        data = self.piece(action)
        mutable = bytearray(data)
        if action.form == "bytes":
            transport.write(data)
        elif action.form == "bytearray":
            transport.write(mutable)
        elif action.form == "memoryview":
            transport.write(memoryview(mutable))
        else:
            transport.write(memoryview(b"<" + data + b">")[1:-1])
        if copied:
            mutable[:] = bytes(len(mutable))

    def piece(self, action: exchange.Action) -> bytes:
        """What comes next in the stream, before the write: that may call pause_writing()."""
        if self.shut:
            return stream("local")[: action.size]
        self.written += action.size
        return stream("local")[self.written - action.size : self.written]

    def copies(self, transport: asyncio.Transport, action: exchange.Action) -> bool:
        """From 3.12 on, stock keeps a view of what the kernel refused: it must not change."""
        inherited = isinstance(transport, asyncio.selector_events._SelectorTransport)
        return not inherited or (action.size < exchange.HUGE and not self.outstanding())

    def do_writelines(self, transport: asyncio.Transport, action: exchange.Action) -> None:
        data = self.piece(action)
        # No empty piece: stock's sendmsg never gets rid of one that comes last.
        middle = len(data) // 3
        transport.writelines([part for part in (data[:middle], data[middle:]) if part])

    def do_pause_reading(self, transport: asyncio.Transport, _: exchange.Action) -> None:
        transport.pause_reading()

    def do_resume_reading(self, transport: asyncio.Transport, _: exchange.Action) -> None:
        transport.resume_reading()

    def do_limits(self, transport: asyncio.Transport, action: exchange.Action) -> None:
        transport.set_write_buffer_limits(high=action.size)

    def do_set_protocol(self, transport: asyncio.Transport, action: exchange.Action) -> None:
        listener = self.listener(action.form)
        transport.set_protocol(listener)
        assert transport.get_protocol() is listener

    def do_write_eof(self, transport: asyncio.Transport, _: exchange.Action) -> None:
        transport.write_eof()
        self.shut = not transport.is_closing()

    def do_close(self, transport: asyncio.Transport, _: exchange.Action) -> None:
        self.closing = True
        transport.close()

    def do_abort(self, transport: asyncio.Transport, _: exchange.Action) -> None:
        self.closing = self.aborted = True
        transport.abort()

    # --- steps ----------------------------------------------------------------------------

    def connect(self) -> None:
        listener, client = wire.sockets(self.family)
        tls = self.family == "tls"
        if self.conversation.server:
            made = self.loop.create_server(
                self.factory,
                sock=listener,
                ssl=certificates.server_context() if tls else None,
            )
            self.server = self.loop.run_until_complete(made)
            client.connect(listener.getsockname())
            peer, task = client, None
        else:
            client.connect(listener.getsockname())
            peer, _ = listener.accept()
            listener.close()
            made = self.loop.create_connection(
                self.factory,
                sock=client,
                ssl=certificates.client_context() if tls else None,
                server_hostname=certificates.HOSTNAME if tls else None,
            )
            task = self.loop.create_task(made)
        self.peer = (
            wire.TlsPeer(peer, server_side=not self.conversation.server) if tls else wire.Peer(peer)
        )
        while not (self.transport is not None and (task is None or task.done())):
            self.peer.start()
            self.turn()
            self.in_time("connecting")
        self.connected = True
        self.peer.start()
        self.settle()
        if self.outstanding() < exchange.HUGE:
            self.peer.started()
            self.settle()
        if task is not None:
            task.result()

    def factory(self) -> Any:
        return self.listener(self.conversation.protocol)

    def perform(self, step: exchange.Local | exchange.Remote) -> None:
        self.trace.append([])
        self.hopeless = 0
        if isinstance(step, exchange.Remote):
            self.remote(step)
        elif step.inside:
            self.loop.call_soon(self.act_all, step.actions)
        else:
            self.act_all(step.actions)
        self.settle()
        self.check_amounts()

    def act_all(self, actions: tuple[exchange.Action, ...]) -> None:
        for action in actions:
            self.act(action)

    def remote(self, step: exchange.Remote) -> None:
        if self.peer.closed:
            return
        if self.family == "tls" and step.kind == "half_close" and self.outstanding():
            return  # stock waits half a minute then
        if step.kind == "send":
            self.peer.send(stream("remote")[self.sent : self.sent + step.size])
            self.sent += step.size
        elif step.kind == "drain":
            self.drain()
        elif step.kind == "read":
            # A close_notify may come in a packet of its own, later: read all or nothing.
            if self.family == "tls" and (self.closing or self.at_end):
                self.drain()
            else:
                self.peer.read(step.size)
        else:
            getattr(self.peer, step.kind)()
        assert self.sock is not None
        wire.arrived(self.sock, self.peer)

    def drain(self) -> None:
        """The other end reads until everything under way has arrived there."""
        while not self.drained():
            moved = self.peer.read(1 << 18)
            self.turn()
            if not moved:
                self.peer.wait(1)
            self.in_time("draining")

    def drained(self) -> bool:
        assert self.transport is not None
        if self.peer.closed or self.lost:
            return self.peer.closed or self.peer.end is not None
        if self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() or self.outstanding():
            return False
        return not self.shut or self.peer.end is not None

    def finish(self) -> None:
        """Reads on, lets everything arrive, and ends the connection where nobody did."""
        self.trace.append([])
        self.act(exchange.Action("resume_reading"))
        self.settle()
        self.drain()
        self.settle()
        self.trace.append([])
        self.peer.close()
        self.act(exchange.Action("close"))
        while not self.lost:
            self.turn()
            self.in_time("closing")
        self.settle()

    def settle(self) -> None:
        quiet = 0
        while quiet < QUIET:
            before = self.progress()
            self.turn()
            quiet = quiet + 1 if self.progress() == before else 0

    def progress(self) -> tuple[int, int, int]:
        size = 0
        if self.transport is not None and not (self.closing or self.transport.is_closing()):
            size = self.transport.get_write_buffer_size()
        return len(self.trace[-1]), len(self.received), size

    def turn(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def in_time(self, doing: str) -> None:
        if time.monotonic() - self.started > PATIENCE:
            raise AssertionError(f"nothing moves while {doing}; last: {self.trace[-1][-9:]}")

    # --- what must hold -------------------------------------------------------------------

    def outstanding(self) -> int:
        return self.written - len(self.peer.received)

    def check_amounts(self) -> None:
        """Between callbacks the write buffer holds what the kernel cannot, and no more."""
        if self.closing or self.lost or self.peer.closed or self.family == "tls":
            return
        assert self.transport is not None
        if self.transport.is_closing():
            return
        size = self.transport.get_write_buffer_size()
        assert self.outstanding() - wire.KERNEL_HOLDS <= size <= self.outstanding()

    def outcome(self) -> dict[str, Any]:
        arrived = bytes(self.peer.received)
        assert stream("local").startswith(arrived), "the other end got wrong bytes"
        assert stream("remote").startswith(bytes(self.received)), "the protocol got wrong bytes"
        # After an end in the middle, how much got away and how the other end hears of it depends
        # on what the kernel held.
        whole = self.peer.end in (None, "eof")
        return {
            "trace": self.trace,
            "received": len(self.received),
            "arrived": len(arrived) if whole else None,
            "end": self.peer.end if whole else "broken",
        }

    def clean_up(self) -> None:
        if self.peer is not None:
            self.peer.close()
        if self.transport is not None and not self.lost:
            self.transport.abort()
        if self.server is not None:
            self.server.close()
        for _ in range(QUIET):
            self.turn()
