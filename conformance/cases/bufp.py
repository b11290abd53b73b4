"""BUFP: protocols that own the buffer into which data is read."""

from __future__ import annotations

import array
import asyncio
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.complaints import Complaints
from loopgauge.conformance.kit.links import SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import in_thread, send_and_end
from loopgauge.conformance.kit.protocols import BufferedRecorder
from loopgauge.conformance.trial import Trial

PLAIN = ("tcp", "unix", "served")
WHOLE_LIFE = ["connection_made", "get_buffer", "buffer_updated", "eof_received", "connection_lost"]


def pattern(count: int) -> bytes:
    """Bytes in which a piece that is lost, doubled or out of place shows."""
    return (b"".join(number.to_bytes(4, "big") for number in range(count // 4 + 1)))[:count]


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


async def buffered(t: Trial, kind: str, buffer: Any) -> Link[BufferedRecorder]:
    loop = asyncio.get_running_loop()
    return await link(t, kind, lambda: BufferedRecorder(loop, buffer))


@case(
    "BUFP-001.sizes",
    variants=SIDES,
    expected="each buffer_updated(n) has 0 < n <= the size of the buffer; the stream is whole",
)
def sizes(t: Trial, kind: str) -> None:
    """100 kB are received into a buffer of 1000 bytes."""

    async def main() -> None:
        made = await buffered(t, kind, memoryview(bytearray(1000)))
        data = pattern(100_000)
        await in_thread(send_and_end, made.peer, data)
        await made.protocol.lost
        wrong = [count for count in made.protocol.pieces if not 0 < count <= 1000]
        t.equal("counts that are out of range", wrong, [])
        types = sorted({type(count).__name__ for count in made.protocol.pieces})
        t.equal("types of the counts", types, ["int"])
        t.true("the stream is whole", bytes(made.protocol.data) == data)
        await made.close()

    t.run(main())


@case(
    "BUFP-001.one-byte",
    variants=STREAMS,
    expected="buffer_updated(1) for each byte",
)
def one_byte(t: Trial, kind: str) -> None:
    """get_buffer() hands out a buffer of one byte, and the other end sends 100 bytes."""

    async def main() -> None:
        made = await buffered(t, kind, memoryview(bytearray(1)))
        await in_thread(send_and_end, made.peer, bytes(range(100)))
        await made.protocol.lost
        t.equal("the counts", made.protocol.pieces, [1] * 100)
        t.equal("the data", bytes(made.protocol.data), bytes(range(100)))
        await made.close()

    t.run(main())


@case(
    "BUFP-001.hint",
    variants=SIDES,
    expected="an int: -1, or the size that is wished for",
)
def hints(t: Trial, kind: str) -> None:
    """The argument of get_buffer() is looked at."""

    async def main() -> None:
        made = await buffered(t, kind, bytearray(1000))
        await in_thread(send_and_end, made.peer, b"data")
        await made.protocol.lost
        t.true("get_buffer() was called", made.protocol.hints)
        types = sorted({type(hint).__name__ for hint in made.protocol.hints})
        t.equal("types of the hints", types, ["int"])
        t.note("hints", made.protocol.hints[:3])
        await made.close()

    t.run(main())


class Chooses(asyncio.BufferedProtocol):
    """Hands out one buffer after the other, and keeps what is put into them."""

    def __init__(self, buffers: list[Any]) -> None:
        self.buffers = buffers
        self.given: Any = None
        self.data = bytearray()
        self.transport: Any = None
        loop = asyncio.get_running_loop()
        self.made: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.made.set_result(None)

    def get_buffer(self, sizehint: int) -> Any:
        self.given = self.buffers[0]
        return self.given

    def buffer_updated(self, nbytes: int) -> None:
        self.buffers.append(self.buffers.pop(0))
        self.data += memoryview(self.given).cast("B")[:nbytes]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


@case(
    "BUFP-001.kinds",
    variants=PLAIN,
    expected="a bytearray, a memoryview, a part of one, and an array of bytes are filled alike",
)
def kinds_of_buffers(t: Trial, kind: str) -> None:
    """50 kB are received into four kinds of buffers, which take turns."""

    async def main() -> None:
        part = memoryview(bytearray(500))[100:300]
        kinds = [bytearray(100), memoryview(bytearray(300)), part, array.array("B", bytes(77))]
        made = await link(t, kind, lambda: Chooses(kinds))
        data = pattern(50_000)
        await in_thread(send_and_end, made.peer, data)
        await made.protocol.lost
        t.equal("bytes received", len(made.protocol.data), 50_000)
        t.true("they are those that were sent", bytes(made.protocol.data) == data)
        await made.close()

    t.run(main())


@case(
    "BUFP-001.bytearray",
    variants=SIDES,
    expected="the stream is whole: the data is in the bytearray itself, not in a copy",
)
def bytearray_over_many_records(t: Trial, kind: str) -> None:
    """200 kB are received into a bytearray of 60 kB, which is larger than a TLS record."""

    async def main() -> None:
        made = await buffered(t, kind, bytearray(60_000))
        data = pattern(200_000)
        await in_thread(send_and_end, made.peer, data)
        await made.protocol.lost
        t.equal("bytes received", len(made.protocol.data), 200_000)
        t.true("they are those that were sent", bytes(made.protocol.data) == data)
        await made.close()

    t.run(main())


async def judge_fatal(t: Trial, made: Link[Any], complaints: Complaints, name: str) -> None:
    """The handler is told once, the connection is lost with the exception."""
    made.protocol.armed = True
    made.peer.sendall(b"data")
    await made.protocol.lost
    await turns(5)
    t.equal("exceptions the handler was given", complaints.names(), [name])
    context = complaints.contexts[0]
    keys = sorted({"message", "exception", "transport", "protocol"} & set(context))
    t.equal("keys", keys, ["exception", "message", "protocol", "transport"])
    t.true("connection_lost() got it", made.protocol.error is context["exception"])
    t.equal("is_closing()", made.transport.is_closing(), True)
    complaints.clear()
    await made.close()


@case(
    "BUFP-002.empty",
    variants=PLAIN,
    expected="the exception handler gets a RuntimeError, and so does connection_lost()",
)
def empty_buffer(t: Trial, kind: str) -> None:
    """get_buffer() returns an empty bytearray, and then an empty memoryview."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        for empty in (bytearray(), memoryview(b"")):
            made = await buffered(t, kind, empty)
            await judge_fatal(t, made, complaints, "RuntimeError")
            t.equal("callbacks", made.protocol.calls[:2], ["connection_made", "get_buffer"])
            t.equal("buffer_updated() was called", made.protocol.pieces, [])

    t.run(main())


@case(
    "BUFP-002.no-buffer",
    variants=PLAIN,
    expected="the exception handler gets one exception, and so does connection_lost()",
)
def no_buffer(t: Trial, kind: str) -> None:
    """get_buffer() returns None, and then bytes, which cannot be written to."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        for wrong in (None, b"read-only"):
            made = await buffered(t, kind, wrong)
            made.peer.sendall(b"data")
            await made.protocol.lost
            await turns(5)
            t.equal("calls of the exception handler", len(complaints.contexts), 1)
            error = complaints.exceptions()[0]
            t.true("there is an exception", isinstance(error, Exception))
            t.note("the exception", type(error).__name__)
            t.true("connection_lost() got it", made.protocol.error is error)
            complaints.clear()
            await made.close()

    t.run(main())


class Raises(BufferedRecorder):
    """Raises `error` in the callback named `place`, once `armed`: over TLS a buffer may be asked
    for as soon as the connection is made."""

    def __init__(self, place: str, error: BaseException) -> None:
        super().__init__(asyncio.get_running_loop(), bytearray(100))
        self.place = place
        self.raised = error
        self.armed = False

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        made = super().get_buffer(sizehint)
        if self.armed and self.place == "get_buffer":
            raise self.raised
        return made

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        if self.armed and self.place == "buffer_updated":
            raise self.raised


@case(
    "BUFP-003.raises",
    variants=STREAMS,
    expected="the exception handler is told once; then connection_lost(exception)",
)
def get_buffer_raises(t: Trial, kind: str) -> None:
    """get_buffer() raises a ValueError."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await link(t, kind, lambda: Raises("get_buffer", ValueError("from get_buffer")))
        await judge_fatal(t, made, complaints, "ValueError")
        t.equal("data", bytes(made.protocol.data), b"")

    t.run(main())


@case(
    "BUFP-004.raises",
    variants=STREAMS,
    expected="the exception handler is told once; then connection_lost(exception)",
)
def buffer_updated_raises(t: Trial, kind: str) -> None:
    """buffer_updated() raises a ValueError."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await link(t, kind, lambda: Raises("buffer_updated", ValueError("from it")))
        await judge_fatal(t, made, complaints, "ValueError")
        t.equal("calls of buffer_updated()", len(made.protocol.pieces), 1)

    t.run(main())


@case(
    "BUFP-007.exits",
    variants=("get_buffer", "buffer_updated"),
    expected="run_until_complete() raises it; the exception handler is not told",
)
def exits(t: Trial, place: str) -> None:
    """get_buffer() or buffer_updated() raises SystemExit, then KeyboardInterrupt."""
    complaints = Complaints(t.loop)
    for error in (SystemExit(3), KeyboardInterrupt()):
        made = t.run(link(t, "tcp", lambda error=error: Raises(place, error)))  # type: ignore[misc]
        made.protocol.armed = True
        made.peer.sendall(b"x")
        with t.raises(type(error), what="run_until_complete()"):
            t.loop.run_until_complete(made.protocol.lost)
        t.equal("complaints", complaints.names(), [])
        t.run(made.close())


class Checks(BufferedRecorder):
    """Sees whether its buffer is written to when it should not be: around every read it is filled
    with a mark."""

    MARK = 0xA5

    def __init__(self, size: int) -> None:
        super().__init__(asyncio.get_running_loop(), memoryview(bytearray(size)))
        self.after = bytes(self.buffer)
        self.touched = 0
        self.overrun = 0

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        self.check()
        self.buffer[:] = bytes([self.MARK]) * len(self.buffer)
        self.after = bytes(self.buffer)  # until buffer_updated(), which need not follow
        return super().get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        rest = bytes(self.buffer[nbytes:])
        self.overrun += len(rest) - rest.count(self.MARK)
        self.after = bytes(self.buffer)

    def check(self) -> None:
        self.touched += bytes(self.buffer) != self.after


@case(
    "BUFP-005.order",
    variants=SIDES,
    expected="buffer_updated only after a get_buffer of its own; get_buffer may stand alone",
)
def order(t: Trial, kind: str) -> None:
    """The peer sends ten words, each when the one before was received, and ends the stream."""

    async def main() -> None:
        made = await buffered(t, kind, bytearray(100))
        for number in range(10):
            made.peer.sendall(b"word")
            while len(made.protocol.data) < 4 * (number + 1):
                await asyncio.sleep(0)
        await in_thread(send_and_end, made.peer, b"x")
        await made.protocol.lost
        calls = made.protocol.calls
        updates = [number for number, name in enumerate(calls) if name == "buffer_updated"]
        t.equal("calls of buffer_updated()", len(updates), 11)
        before = {calls[number - 1] for number in updates}
        t.equal("the callback before each", sorted(before), ["get_buffer"])
        others = [name for name in calls if name not in ("get_buffer", "buffer_updated")]
        t.equal("the others", others, ["connection_made", "eof_received", "connection_lost"])
        await made.close()

    t.run(main())


@case(
    "BUFP-005.not-touched",
    variants=SIDES,
    expected="the buffer is written to between get_buffer and buffer_updated alone, and not beyond "
    "the count",
)
def not_touched(t: Trial, kind: str) -> None:
    """100 kB are received; the buffer is compared before each get_buffer() and behind the data."""

    async def main() -> None:
        made = await link(t, kind, lambda: Checks(10_000))
        data = pattern(100_000)
        await in_thread(send_and_end, made.peer, data)
        await made.protocol.lost
        t.true("the stream is whole", bytes(made.protocol.data) == data)
        t.equal("times it was changed outside", made.protocol.touched, 0)
        t.equal("bytes written beyond the count", made.protocol.overrun, 0)
        await made.close()

    t.run(main())


class Reuses(BufferedRecorder):
    """Resizes its bytearray in buffer_updated(): nobody may hold a view of it any more."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop(), bytearray(1000))
        self.refused = 0

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        try:
            self.buffer += b"x"  # type: ignore[operator]
        except BufferError:
            self.refused += 1


@case(
    "BUFP-008.released",
    variants=STREAMS,
    expected="the bytearray can be resized: the loop holds no view of it",
)
def released(t: Trial, kind: str) -> None:
    """get_buffer() hands out a bytearray, and buffer_updated() makes it larger; the peer sends ten
    words."""

    async def main() -> None:
        made = await link(t, kind, Reuses)
        for number in range(10):
            made.peer.sendall(b"word")
            while len(made.protocol.data) < 4 * (number + 1):
                await asyncio.sleep(0)
        t.equal("times it could not be resized", made.protocol.refused, 0)
        await made.close()

    t.run(main())


@case(
    "BUFP-006.everywhere",
    variants=SIDES,
    expected="connection_made, get_buffer, buffer_updated, eof_received, connection_lost",
)
def everywhere(t: Trial, kind: str) -> None:
    """The peer sends five bytes and ends the stream; then the protocol is looked at."""

    async def main() -> None:
        made = await buffered(t, kind, bytearray(1000))
        made.peer.sendall(b"hello")
        while len(made.protocol.data) < 5:
            await asyncio.sleep(0)
        await in_thread(send_and_end, made.peer, b"")
        await made.protocol.lost
        once = list(dict.fromkeys(made.protocol.calls))
        t.equal("the callbacks, in order, without repeats", once, WHOLE_LIFE)
        t.equal("the data", bytes(made.protocol.data), b"hello")
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "BUFP-006.paused",
    variants=SIDES,
    expected="neither get_buffer nor buffer_updated while paused; then the data",
)
def paused(t: Trial, kind: str) -> None:
    """Reading is paused, the peer sends, and reading is resumed."""

    async def main() -> None:
        made = await buffered(t, kind, bytearray(1000))
        made.transport.pause_reading()
        made.peer.sendall(b"hello")
        await turns(20)
        await asyncio.sleep(0.002)
        t.equal("data while paused", bytes(made.protocol.data), b"")
        made.transport.resume_reading()
        while len(made.protocol.data) < 5:
            await asyncio.sleep(0)
        t.equal("data after it", bytes(made.protocol.data), b"hello")
        await made.close()

    t.run(main())
