"""FDRW: stale events, closed descriptors, ends of streams, and what else has a descriptor."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pty
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import Sleeper
from loopgauge.conformance.trial import Trial

JOIN_SECONDS = 5.0


def two_ready() -> tuple[list[socket.socket], list[socket.socket]]:
    """Two sockets with data, and their peers."""
    first, first_peer = socket.socketpair()
    second, second_peer = socket.socketpair()
    for peer in (first_peer, second_peer):
        peer.send(b"x")
    return [first, second], [first_peer, second_peer]


def close_all(*groups: list[socket.socket]) -> None:
    for group in groups:
        for sock in group:
            sock.close()


@case("FDRW-009.other", expected="one call: the callback that was removed is not called")
def removed_in_the_same_batch(t: Trial) -> None:
    """Two sockets are ready in the same iteration; whichever callback comes first removes the
    other one."""
    socks, peers = two_ready()

    def ready(number: int) -> None:
        t.event("called")
        t.loop.remove_reader(socks[1 - number].fileno())
        t.loop.remove_reader(socks[number].fileno())

    for number in range(2):
        t.loop.add_reader(socks[number].fileno(), ready, number)
    t.until(lambda: t.events, "a reader is called")
    t.spin(3)
    close_all(socks, peers)
    t.saw("called")


@case("FDRW-009.replaced", expected="the old callback is not called any more")
def replaced_in_the_same_batch(t: Trial) -> None:
    """Two sockets are ready in the same iteration; whichever callback comes first replaces the
    other one's."""
    socks, peers = two_ready()

    def ready(number: int) -> None:
        t.event("old")
        t.loop.remove_reader(socks[number].fileno())
        t.loop.add_reader(socks[1 - number].fileno(), t.event, "new")

    for number in range(2):
        t.loop.add_reader(socks[number].fileno(), ready, number)
    t.until(lambda: "new" in t.events, "the new callback is called")
    for sock in socks:
        t.loop.remove_reader(sock.fileno())
    close_all(socks, peers)
    t.equal("calls of old callbacks", t.events.count("old"), 1)


@case("FDRW-009.own", variants=("reader", "writer"), expected="one call")
def removed_by_itself(t: Trial, which: str) -> None:
    """A callback removes itself when it is called; the socket stays ready."""
    ours, peer = socket.socketpair()
    peer.send(b"x")
    remove = t.loop.remove_reader if which == "reader" else t.loop.remove_writer

    def ready() -> None:
        t.event("called")
        remove(ours.fileno())

    (t.loop.add_reader if which == "reader" else t.loop.add_writer)(ours.fileno(), ready)
    t.until(lambda: t.events, "the callback is called")
    t.spin(3)
    ours.close()
    peer.close()
    t.saw("called")


@case("FDRW-009.other-direction", expected="the writer is not called after its removal")
def reader_removes_the_writer(t: Trial) -> None:
    """A socket is ready for both; the callback that comes first removes both."""
    ours, peer = socket.socketpair()
    peer.send(b"x")

    def ready() -> None:
        t.event("called")
        t.loop.remove_reader(ours.fileno())
        t.loop.remove_writer(ours.fileno())

    t.loop.add_reader(ours.fileno(), ready)
    t.loop.add_writer(ours.fileno(), ready)
    t.until(lambda: t.events, "a callback is called")
    t.spin(3)
    ours.close()
    peer.close()
    t.saw("called")


@case("FDRW-010.reused", expected="no call before the new socket has data, then one with it")
def number_is_reused(t: Trial) -> None:
    """A reader of a socket with data is removed, the socket closed, and its number given to a
    silent socket that gets a reader."""
    old, old_peer = socket.socketpair()
    new, new_peer = socket.socketpair()
    number = old.fileno()
    old_peer.send(b"old")
    t.loop.add_reader(number, t.event, "old reader")
    t.loop.remove_reader(number)
    old.close()
    os.dup2(new.fileno(), number)
    t.loop.add_reader(number, lambda: t.event(os.read(number, 10).decode()))
    t.spin(5)
    t.equal("calls before there is data", len(t.events), 0)
    new_peer.send(b"new")
    t.until(lambda: t.events, "the reader is called")
    t.loop.remove_reader(number)
    os.close(number)
    close_all([new, new_peer, old_peer])
    t.saw("new")


@case("FDRW-010.same-batch", expected="the new reader is not called: its socket has no data")
def number_is_reused_in_the_same_batch(t: Trial) -> None:
    """Two sockets are ready in the same iteration; whichever callback comes first closes the other
    socket and gives its number to a silent one with a new reader."""
    socks, peers = two_ready()
    numbers = [os.dup(sock.fileno()) for sock in socks]
    silent, silent_peer = socket.socketpair()

    def ready(number: int) -> None:
        t.event("called")
        t.loop.remove_reader(numbers[number])
        other = numbers[1 - number]
        t.loop.remove_reader(other)
        os.close(other)
        os.dup2(silent.fileno(), other)
        t.loop.add_reader(other, t.event, "stale")

    for number in range(2):
        t.loop.add_reader(numbers[number], ready, number)
    t.until(lambda: t.events, "a reader is called")
    t.spin(5)
    for fd in numbers:
        t.loop.remove_reader(fd)
        os.close(fd)
    close_all(socks, peers, [silent, silent_peer])
    t.saw("called")


@case("FDRW-010.many", expected="each round's reader gets each round's data, and nothing else")
def number_is_reused_often(t: Trial) -> None:
    """The same number stands for 50 sockets one after the other, each with a reader of its own."""
    number = os.dup(0)

    def one_round(turn: int) -> None:
        ours, peer = socket.socketpair()
        os.dup2(ours.fileno(), number)
        t.loop.add_reader(number, lambda: t.event(f"{turn}:{os.read(number, 9)[0]}"))
        peer.send(bytes([turn]))
        t.until(lambda: len(t.events) > turn, "the reader is called")
        t.loop.remove_reader(number)
        close_all([ours, peer])

    for turn in range(50):
        one_round(turn)
    os.close(number)
    t.equal("events", t.events, [f"{turn}:{turn}" for turn in range(50)])


@case("FDRW-011.closed", expected="no crash, no spinning; other callbacks and sockets work")
def closed_without_removal(t: Trial) -> None:
    """A socket with a reader is closed before the reader is removed; then the loop is idle."""
    loop = t.loop
    ours, peer = socket.socketpair()
    number = ours.fileno()
    loop.add_reader(number, t.event, "reader")
    t.spin(2)
    ours.close()
    peer.close()
    sleeper = Sleeper()
    found: list[bool] = []

    def look() -> None:
        found.append(sleeper.until_asleep(3.0))
        loop.call_soon_threadsafe(loop.stop)

    thread = t.thread(look)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    loop.remove_reader(number)
    t.equal("asleep", found, [True])
    t.saw()


@case("FDRW-011.reopened", expected="the new socket's reader is called")
def reopened_after_late_removal(t: Trial) -> None:
    """A socket is closed first and its reader removed afterwards; the number comes back with
    another socket, which gets a reader."""
    old, old_peer = socket.socketpair()
    number = old.fileno()
    t.loop.add_reader(number, t.event, "old")
    t.spin(2)
    old.close()
    t.loop.remove_reader(number)
    new, new_peer = socket.socketpair()
    if new.fileno() != number:
        os.dup2(new.fileno(), number)
    t.loop.add_reader(number, lambda: t.event(os.read(number, 10).decode()))
    new_peer.send(b"new")
    t.until(lambda: t.events, "the reader is called")
    t.loop.remove_reader(number)
    if new.fileno() != number:
        os.close(number)
    close_all([new, new_peer, old_peer])
    t.saw("new")


@case(
    "FDRW-012.end-of-stream",
    variants=("socket", "pipe"),
    expected="the reader is called, and reads the end of the stream",
)
def reader_sees_the_end(t: Trial, kind: str) -> None:
    """The peer of a socket, or the writing end of a pipe, is closed."""
    if kind == "pipe":
        ours, peer = os.pipe()
    else:
        first, second = socket.socketpair()
        ours, peer = first.detach(), second.detach()

    def readable() -> None:
        t.event(f"read {os.read(ours, 10)!r}")
        t.loop.remove_reader(ours)

    t.loop.add_reader(ours, readable)
    t.spin(3)
    os.close(peer)
    t.until(lambda: t.events, "the reader is called")
    os.close(ours)
    t.saw("read b''")


@case("FDRW-012.broken-pipe", expected="the writer is called, and finds a broken pipe")
def writer_sees_the_end(t: Trial) -> None:
    """A pipe is full and has a writer; its reading end is closed."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(65536))
    except BlockingIOError:
        pass

    def writable() -> None:
        t.loop.remove_writer(writing)
        try:
            os.write(writing, b"x")
        except BrokenPipeError:
            t.event("broken pipe")

    t.loop.add_writer(writing, writable)
    t.spin(3)
    t.equal("calls while it is full", len(t.events), 0)
    os.close(reading)
    t.until(lambda: t.events, "the writer is called")
    os.close(writing)
    t.saw("broken pipe")


@case("FDRW-012.reset", expected="the reader is called, and finds the connection reset")
def reader_sees_a_reset(t: Trial) -> None:
    """The peer of a TCP connection resets it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        peer, _ = listening.accept()

    def readable() -> None:
        t.loop.remove_reader(ours.fileno())
        try:
            ours.recv(10)
        except ConnectionResetError:
            t.event("reset")

    t.loop.add_reader(ours.fileno(), readable)
    t.spin(2)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    t.until(lambda: t.events, "the reader is called")
    ours.close()
    t.saw("reset")


@case("FDRW-013.file", expected="recorded: refused, or called")
def regular_file(t: Trial) -> None:
    """A reader is added to a regular file, which the kernel's epoll refuses."""
    with tempfile.TemporaryFile() as file:
        try:
            t.loop.add_reader(file, t.event, "called")
        except Exception as error:
            t.note("add_reader of a regular file", f"raises {type(error).__name__}")
        else:
            t.spin(3)
            t.loop.remove_reader(file)
            t.note("add_reader of a regular file", "called" if t.events else "accepted, no call")
    t.loop.call_soon(t.event, "the loop works")
    t.spin(2)
    t.true("the loop works", "the loop works" in t.events)


def ready_pipe() -> tuple[list[int], Callable[[], object]]:
    reading, writing = os.pipe()
    return [reading, writing], lambda: os.write(writing, b"x")


def ready_pty() -> tuple[list[int], Callable[[], object]]:
    ours, theirs = pty.openpty()
    return [ours, theirs], lambda: os.write(theirs, b"x")


def ready_tty() -> tuple[list[int], Callable[[], object]]:
    theirs, ours = pty.openpty()
    return [ours, theirs], lambda: os.write(theirs, b"x\n")


def ready_eventfd() -> tuple[list[int], Callable[[], object]]:
    fd = os.eventfd(0)
    return [fd], lambda: os.eventfd_write(fd, 1)


def ready_pidfd() -> tuple[list[int], Callable[[], object]]:
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)

    def end() -> None:
        child.communicate(b"\n")

    return [os.pidfd_open(child.pid)], end


def ready_inotify() -> tuple[list[int], Callable[[], object]]:
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init()
    place = tempfile.TemporaryDirectory()
    libc.inotify_add_watch(fd, place.name.encode(), 0x200)  # IN_DELETE

    def touch() -> None:
        Path(place.name, "file").touch()
        place.cleanup()

    return [fd], touch


def ready_datagram() -> tuple[list[int], Callable[[], object]]:
    ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    fds = [ours.detach(), peer.detach()]
    return fds, lambda: os.write(fds[1], b"x")


def ready_listener() -> tuple[list[int], Callable[[], object]]:
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    return [listening.detach()], lambda: socket.create_connection(address).close()


KINDS = {
    "pipe": ready_pipe,
    "pty-master": ready_pty,
    "pty-slave": ready_tty,
    "eventfd": ready_eventfd,
    "pidfd": ready_pidfd,
    "inotify": ready_inotify,
    "datagram": ready_datagram,
    "listener": ready_listener,
}


@case(
    "FDRW-014.kinds",
    variants=tuple(KINDS),
    expected="no call while nothing has happened; called when it has",
)
def kinds_of_descriptors(t: Trial, kind: str) -> None:
    """A reader is added to a descriptor of another kind; then it is made ready: a byte is written,
    a child ends, a file is deleted, a connection comes."""
    fds, make_ready = KINDS[kind]()
    t.loop.add_reader(fds[0], t.event, "called")
    t.spin(3)
    t.equal("calls before", len(t.events), 0)
    make_ready()
    t.until(lambda: t.events, "the reader is called")
    t.true("it was registered", t.loop.remove_reader(fds[0]) is not False)
    for fd in fds:
        os.close(fd)


@case("FDRW-015.high", expected="reader and writer are called")
def high_descriptor(t: Trial) -> None:
    """A socket with a number above 1024 has a reader and a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3000 and hard != resource.RLIM_INFINITY and hard < 3000:
        t.not_applicable(f"this process may have no more than {hard} descriptors")
    if soft < 3000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3000, hard))
    ours, peer = socket.socketpair()
    high = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 2500)
    peer.send(b"x")
    t.loop.add_reader(high, t.event, "reader")
    t.loop.add_writer(high, t.event, "writer")
    t.until(lambda: {*t.events} == {"reader", "writer"}, "both are called")
    t.loop.remove_reader(high)
    t.loop.remove_writer(high)
    os.close(high)
    ours.close()
    peer.close()
    t.true("the number is above 1024", high > 1024)
