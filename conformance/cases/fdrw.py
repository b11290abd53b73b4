"""FDRW: add_reader, add_writer, remove_reader, remove_writer: registration and its results."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

#: For `variants=`: what holds for both directions.
BOTH = ("reader", "writer")
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected non-blocking sockets."""
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.setblocking(False)
        peer.setblocking(False)
        yield ours, peer


def add(loop: asyncio.AbstractEventLoop, which: str, fd: Any, callback: Any, *args: Any) -> None:
    """add_reader or add_writer."""
    (loop.add_reader if which == "reader" else loop.add_writer)(fd, callback, *args)


def remove(loop: asyncio.AbstractEventLoop, which: str, fd: Any) -> Any:
    """remove_reader or remove_writer."""
    return (loop.remove_reader if which == "reader" else loop.remove_writer)(fd)


@case("FDRW-001.reader", expected="not called before there is data; then with its arguments")
def reader_is_called(t: Trial) -> None:
    """A reader with two arguments is added to a silent socket; then data comes, twice."""

    def readable(sock: socket.socket, word: str) -> None:
        t.event(f"{word}: {sock.recv(10).decode()}")

    with pair() as (ours, peer):
        t.loop.add_reader(ours.fileno(), readable, ours, "read")
        t.spin(3)
        t.equal("calls without data", len(t.events), 0)
        peer.send(b"one")
        t.until(lambda: t.events, "the reader is called")
        t.spin(3)
        peer.send(b"two")
        t.until(lambda: len(t.events) > 1, "the reader is called again")
        t.spin(3)
        t.loop.remove_reader(ours.fileno())
    t.saw("read: one", "read: two")


@case("FDRW-001.writer", expected="called with its arguments as long as the socket takes data")
def writer_is_called(t: Trial) -> None:
    """A writer with two arguments is added to a socket that can be written to."""
    seen: list[tuple[Any, ...]] = []
    with pair() as (ours, _peer):
        t.loop.add_writer(ours.fileno(), lambda *args: seen.append(args), 1, "two")
        t.until(lambda: len(seen) >= 3, "the writer is called three times")
        t.loop.remove_writer(ours.fileno())
        t.equal("arguments", set(seen), {(1, "two")})
        count = len(seen)
        t.spin(5)
        t.equal("calls after the removal", len(seen) - count, 0)


@case("FDRW-001.level", expected="called again and again until all data is taken")
def reader_is_level_triggered(t: Trial) -> None:
    """Five bytes come at once, and the reader takes one of them at a time."""
    with pair() as (ours, peer):
        t.loop.add_reader(ours.fileno(), lambda: t.event(ours.recv(1).decode()))
        peer.send(b"abcde")
        t.until(lambda: len(t.events) == 5, "the reader is called five times")
        t.spin(3)
        t.loop.remove_reader(ours.fileno())
    t.saw("a", "b", "c", "d", "e")


@case("FDRW-001.full", expected="not called while the socket is full; called when it has room")
def writer_waits_for_room(t: Trial) -> None:
    """A writer is added to a socket whose buffer is full; then the peer reads all of it."""
    with pair() as (ours, peer):
        fill(ours)
        t.loop.add_writer(ours.fileno(), t.event, "writable")
        t.spin(5)
        t.equal("calls while it is full", len(t.events), 0)
        drain(peer)
        t.until(lambda: t.events, "the writer is called")
        t.loop.remove_writer(ours.fileno())


def fill(sock: socket.socket) -> None:
    """Writes until the non-blocking socket takes no more."""
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


def drain(sock: socket.socket) -> None:
    """Reads until the non-blocking socket has no more."""
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        pass


@case("FDRW-002.replace", variants=BOTH, expected="only the second callback is called")
def second_callback_replaces_the_first(t: Trial, which: str) -> None:
    """Two callbacks are added one after the other for a socket that is ready."""
    with pair() as (ours, peer):
        peer.send(b"x")
        add(t.loop, which, ours.fileno(), t.event, "first")
        add(t.loop, which, ours.fileno(), t.event, "second")
        t.until(lambda: len(t.events) >= 3, "a callback is called")
        remove(t.loop, which, ours.fileno())
        t.equal("called", set(t.events), {"second"})
        count = len(t.events)
        t.spin(3)
        t.equal("calls after the removal", len(t.events) - count, 0)


@case("FDRW-002.running", variants=BOTH, expected="first once, then only the second")
def replaced_by_itself(t: Trial, which: str) -> None:
    """A callback replaces itself when it is called."""

    def first() -> None:
        t.event("first")
        add(t.loop, which, ours.fileno(), t.event, "second")

    with pair() as (ours, peer):
        peer.send(b"x")
        add(t.loop, which, ours.fileno(), first)
        t.until(lambda: len(t.events) >= 3, "the second one is called")
        remove(t.loop, which, ours.fileno())
    t.equal("called", t.events[:3], ["first", "second", "second"])


@case("FDRW-003.true", variants=BOTH, expected="True")
def removal_of_a_registered_one(t: Trial, which: str) -> None:
    """A callback is added and removed; then it is not called though the socket is ready."""
    with pair() as (ours, peer):
        peer.send(b"x")
        add(t.loop, which, ours.fileno(), t.event, "called")
        removed = remove(t.loop, which, ours.fileno())
        t.spin(3)
        t.saw()
        t.equal("the result of the removal", removed, True)


@case("FDRW-004.never", variants=BOTH, expected="False")
def removal_of_nothing(t: Trial, which: str) -> None:
    """A removal for a socket that was never added."""
    with pair() as (ours, _peer):
        t.equal("the result of the removal", remove(t.loop, which, ours.fileno()), False)


@case("FDRW-004.twice", variants=BOTH, expected="False")
def second_removal(t: Trial, which: str) -> None:
    """A callback is added and removed twice."""
    with pair() as (ours, _peer):
        add(t.loop, which, ours.fileno(), t.event, "called")
        remove(t.loop, which, ours.fileno())
        t.equal("the result of the second removal", remove(t.loop, which, ours.fileno()), False)


@case("FDRW-004.other", variants=BOTH, expected="False")
def removal_of_the_other_direction(t: Trial, which: str) -> None:
    """A reader is added and a writer removed, and the other way round."""
    other = "writer" if which == "reader" else "reader"
    with pair() as (ours, _peer):
        add(t.loop, other, ours.fileno(), t.event, "called")
        result = remove(t.loop, which, ours.fileno())
        remove(t.loop, other, ours.fileno())
        t.equal("the result of the removal", result, False)


@case("FDRW-004.closed", variants=BOTH, expected="False")
def removal_from_a_closed_loop(t: Trial, which: str) -> None:
    """A callback is added, the loop closed, and the callback removed."""
    loop = t.factory()
    with pair() as (ours, _peer):
        add(loop, which, ours.fileno(), t.event, "called")
        loop.close()
        t.equal("the result of the removal", remove(loop, which, ours.fileno()), False)


@case("FDRW-005.both", expected="both are called; the removal of one leaves the other")
def reader_and_writer(t: Trial) -> None:
    """A socket that is ready for both has a reader and a writer; the reader is removed, then the
    writer."""
    with pair() as (ours, peer):
        peer.send(b"x")
        t.loop.add_reader(ours.fileno(), t.event, "reader")
        t.loop.add_writer(ours.fileno(), t.event, "writer")
        t.until(lambda: {*t.events} == {"reader", "writer"}, "both are called")
        t.loop.remove_reader(ours.fileno())
        t.events.clear()
        t.until(lambda: t.events, "the writer is called")
        t.equal("called without the reader", {*t.events}, {"writer"})
        t.loop.add_reader(ours.fileno(), t.event, "reader")
        t.loop.remove_writer(ours.fileno())
        t.events.clear()
        t.until(lambda: t.events, "the reader is called")
        t.equal("called without the writer", {*t.events}, {"reader"})
        t.loop.remove_reader(ours.fileno())


@case("FDRW-005.one-ready", expected="only the writer is called")
def only_one_direction_is_ready(t: Trial) -> None:
    """A socket without data has a reader and a writer."""
    with pair() as (ours, _peer):
        t.loop.add_reader(ours.fileno(), t.event, "reader")
        t.loop.add_writer(ours.fileno(), t.event, "writer")
        t.until(lambda: len(t.events) > 3, "a callback is called")
        t.loop.remove_reader(ours.fileno())
        t.loop.remove_writer(ours.fileno())
    t.equal("called", {*t.events}, {"writer"})


class HasFileno:
    """An object with a fileno() and nothing else."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


@case("FDRW-006.kinds", variants=BOTH, expected="all three stand for the same descriptor")
def kinds_of_file_objects(t: Trial, which: str) -> None:
    """Added by number, by socket and by an object with fileno(); removed by another one."""
    with pair() as (ours, peer):
        peer.send(b"x")
        kinds = [ours.fileno(), ours, HasFileno(ours.fileno())]
        for number, kind in enumerate(kinds):
            t.events.clear()
            add(t.loop, which, kind, t.event, "called")
            t.until(lambda: t.events, "the callback is called")
            remove(t.loop, which, kinds[number - 1])
            t.events.clear()
            t.spin(3)
            t.equal("calls after the removal", len(t.events), 0)


@case("FDRW-007.object", variants=BOTH, expected="ValueError from adding and from removing")
def invalid_objects(t: Trial, which: str) -> None:
    """Objects that have no descriptor: a bare object, a text, None."""
    for thing in (object(), "text", None):
        with t.raises(ValueError, what=f"adding {type(thing).__name__}"):
            add(t.loop, which, thing, t.event, "called")
        with t.raises(ValueError, what=f"removing {type(thing).__name__}"):
            remove(t.loop, which, thing)


@case("FDRW-007.negative", variants=BOTH, expected="ValueError")
def negative_descriptor(t: Trial, which: str) -> None:
    """A callback is added for descriptor -1 and for a closed socket."""
    closed = socket.socket()
    closed.close()
    for thing in (-1, closed):
        with t.raises(ValueError, what=f"adding {type(thing).__name__}"):
            add(t.loop, which, thing, t.event, "called")


@case("FDRW-008.transport", variants=STREAMS, expected="RuntimeError from all four methods")
def descriptor_of_a_transport(t: Trial, kind: str) -> None:
    """Readers and writers are added to and removed from the socket of a transport, by number and
    by object; afterwards the transport still works."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: Recorder(loop))
        sock = made.transport.get_extra_info("socket")
        for thing in (sock.fileno(), sock):
            for which in BOTH:
                with t.raises(RuntimeError, what=f"add_{which} of a {type(thing).__name__}"):
                    add(loop, which, thing, t.event, "called")
                with t.raises(RuntimeError, what=f"remove_{which} of a {type(thing).__name__}"):
                    remove(loop, which, thing)
        made.peer.sendall(b"works")
        t.equal("received afterwards", await made.protocol.received(5), b"works")
        await made.close()

    t.run(main())
    t.saw()


@case("FDRW-008.closed", expected="no error, and the reader is called: the number is free again")
def descriptor_of_a_closed_transport(t: Trial) -> None:
    """A transport is closed; its descriptor's number is given to another socket with a reader."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await link(t, "tcp", lambda: Recorder(loop))
        number = made.transport.get_extra_info("socket").fileno()
        with pair() as (ours, peer):
            made.transport.close()
            await made.protocol.lost
            await made.close()
            os.dup2(ours.fileno(), number)
            called = asyncio.Event()
            loop.add_reader(number, called.set)
            peer.send(b"x")
            await called.wait()
            loop.remove_reader(number)
            os.close(number)
        t.event("called")

    t.run(main())
    t.saw("called")


@case("FDRW-016.context", variants=BOTH, expected="the value at the time it was added")
def context_of_callbacks(t: Trial, which: str) -> None:
    """A variable is changed between add_reader or add_writer and the call."""
    with pair() as (ours, peer):
        peer.send(b"x")
        VARIABLE.set("added")
        add(t.loop, which, ours.fileno(), lambda: t.event(VARIABLE.get()))
        VARIABLE.set("later")
        t.until(lambda: len(t.events) >= 2, "the callback is called twice")
        remove(t.loop, which, ours.fileno())
    t.equal("values seen", {*t.events}, {"added"})


@case("FDRW-016.kept", expected="second: the same context for every call")
def context_is_kept_between_calls(t: Trial) -> None:
    """A reader reads a variable and sets it; it is called twice."""

    def readable() -> None:
        ours.recv(1)
        t.event(VARIABLE.get())
        VARIABLE.set("second")

    with pair() as (ours, peer):
        VARIABLE.set("first")
        t.loop.add_reader(ours.fileno(), readable)
        peer.send(b"xx")
        t.until(lambda: len(t.events) == 2, "the reader is called twice")
        t.loop.remove_reader(ours.fileno())
    t.saw("first", "second")
    t.equal("outside", VARIABLE.get(), "first")
