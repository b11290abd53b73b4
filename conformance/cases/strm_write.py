"""STRM: writing to streams, and their end."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import in_thread, receive_all, receive_exactly
from loopgauge.conformance.kit.streams import Streams, say_goodbye, streams
from loopgauge.conformance.trial import Trial

#: More than the kernel takes for a peer that does not read.
PLENTY = 12_000_000


async def until_lost(made: Streams) -> None:
    """Writes 2 MB in small pieces, or until drain() raises."""
    for _ in range(2000):
        made.writer.write(b"x" * 1000)
        await made.writer.drain()


def write_plenty(made: Streams) -> None:
    for _ in range(12):
        made.writer.write(bytes(PLENTY // 12))


@case(
    "STRM-004.waits",
    variants=STREAMS,
    expected="drain() returns only after the peer has begun to read",
)
def drain_waits(t: Trial, kind: str) -> None:
    """12 writes of 1 MB are made while the peer reads nothing, and drain() is awaited; after some
    turns the peer reads everything."""

    async def main() -> None:
        made = await streams(t, kind)
        write_plenty(made)
        draining = asyncio.ensure_future(made.writer.drain())
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("drain() is done before the peer reads", draining.done(), False)
        reading = asyncio.ensure_future(in_thread(receive_exactly, made.peer, PLENTY))
        await draining
        t.equal("bytes that the peer read", len(await reading), PLENTY)
        await made.close()

    t.run(main())


@case(
    "STRM-004.several",
    variants=STREAMS,
    expected="all of them return once the peer reads",
)
def several_drains(t: Trial, kind: str) -> None:
    """Five tasks wait in drain() of one writer."""

    async def main() -> None:
        made = await streams(t, kind)
        write_plenty(made)
        drains = [asyncio.ensure_future(made.writer.drain()) for _ in range(5)]
        await asyncio.sleep(0)
        drains.pop().cancel()
        reading = asyncio.ensure_future(in_thread(receive_exactly, made.peer, PLENTY))
        t.equal("what they return", await asyncio.gather(*drains), [None] * 4)
        await reading
        await made.close()

    t.run(main())


@case(
    "STRM-004.small",
    variants=STREAMS,
    expected="drain() returns at once",
)
def drain_of_little(t: Trial, kind: str) -> None:
    """A few bytes are written, then drain() is awaited; the peer does not read before."""

    async def main() -> None:
        made = await streams(t, kind)
        made.writer.write(b"few")
        await made.writer.drain()
        arrived = await in_thread(receive_exactly, made.peer, 3)
        t.equal("what the peer reads", arrived, b"few")
        await made.close()

    t.run(main())


@case(
    "STRM-004.lost",
    variants=STREAMS,
    expected="ConnectionResetError or another ConnectionError; a loop of write() and drain() does "
    "not go on for ever",
)
def drain_after_loss(t: Trial, kind: str) -> None:
    """The peer closes; then a coroutine calls write() and drain() 2000 times and waits for nothing
    else."""

    async def main() -> None:
        made = await streams(t, kind)
        made.peer.close()
        with t.raises(ConnectionError, what="drain()"):
            await until_lost(made)
        with t.raises(ConnectionError, what="drain() once more"):
            await made.writer.drain()
        await made.close()

    t.run(main())


@case(
    "STRM-004.waiting-lost",
    seconds=5.0,
    variants=STREAMS,
    expected="ConnectionResetError or another ConnectionError from the drain() that waits",
)
def loss_while_draining(t: Trial, kind: str) -> None:
    """drain() waits, since the peer reads nothing; then the peer closes."""

    async def main() -> None:
        made = await streams(t, kind)
        write_plenty(made)
        draining = asyncio.ensure_future(made.writer.drain())
        for _ in range(5):
            await asyncio.sleep(0)
        t.equal("drain() is done before", draining.done(), False)
        made.peer.close()
        with t.raises(ConnectionError, what="drain()"):
            await draining
        await made.close()

    t.run(main())


@case(
    "STRM-004.closed",
    variants=STREAMS,
    expected="ConnectionResetError from drain(), once the connection is lost",
)
def drain_after_close(t: Trial, kind: str) -> None:
    """The program itself closes the writer, waits for the end, and calls drain()."""

    async def main() -> None:
        made = await streams(t, kind)
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        made.writer.close()
        await made.writer.wait_closed()
        with t.raises(ConnectionResetError, what="drain()"):
            await made.writer.drain()
        await goodbye
        made.peer.close()

    t.run(main())


@case(
    "STRM-005.orderly",
    variants=STREAMS,
    expected="wait_closed() returns both times, after everything that was written has been sent",
)
def wait_closed(t: Trial, kind: str) -> None:
    """300 kB are written and the writer is closed at once; wait_closed() is awaited twice."""

    def receive(peer: socket.socket) -> int:
        count = len(receive_all(peer))
        say_goodbye(peer)
        return count

    async def main() -> None:
        made = await streams(t, kind)
        made.writer.write(bytes(300_000))
        made.writer.close()
        t.equal("is_closing() at once", made.writer.is_closing(), True)
        reading = asyncio.ensure_future(in_thread(receive, made.peer))
        await made.writer.wait_closed()
        t.event("wait_closed() returned")
        t.equal("bytes that the peer read", await reading, 300_000)
        await made.writer.wait_closed()
        t.event("a second wait_closed() returned")
        made.peer.close()

    t.run(main())
    t.saw("wait_closed() returned", "a second wait_closed() returned")


@case(
    "STRM-010.reset",
    seconds=5.0,
    expected="ConnectionResetError from wait_closed()",
)
def wait_closed_raises(t: Trial) -> None:
    """The peer resets the connection; the program sees it in a read, closes the writer and waits
    for the end."""

    async def main() -> None:
        made = await streams(t, "tcp")
        made.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        made.peer.close()
        with t.raises(ConnectionResetError, what="read()"):
            await made.reader.read()
        made.writer.close()
        with t.raises(ConnectionResetError, what="wait_closed()"):
            await made.writer.wait_closed()

    t.run(main())


@case(
    "STRM-008.dropped",
    leaves=("warnings",),
    expected="one ResourceWarning that says 'unclosed', and the connection is closed",
)
def dropped(t: Trial) -> None:
    """The last references to a reader and a writer that are not closed are dropped."""

    async def main() -> None:
        made = await streams(t, "tcp")
        peer = made.peer
        del made
        gc.collect()
        t.equal("what the peer reads", await in_thread(receive_all, peer), b"")
        peer.close()

    t.run(main())
    t.spin()
    told = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    writers = [text for text in told if "StreamWriter" in text]
    t.equal("warnings about the writer", len(writers), 1)
    t.true("the warning says 'unclosed'", "unclosed" in writers[0])


@case("STRM-008.closed", expected="no ResourceWarning")
def dropped_after_close(t: Trial) -> None:
    """A writer is closed, and dropped before the connection has ended."""

    async def main() -> None:
        made = await streams(t, "tcp")
        peer = made.peer
        made.writer.close()
        del made
        gc.collect()
        t.equal("what the peer reads", await in_thread(receive_all, peer), b"")
        peer.close()

    t.run(main())
    t.spin()
    told = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    t.equal("ResourceWarnings", told, [])
