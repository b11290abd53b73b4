"""SNDF: loop.sendfile()."""

from __future__ import annotations

import asyncio
import io
from typing import IO

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.datagrams import end, endpoint
from loopgauge.conformance.kit.links import SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import (
    in_thread,
    read_away,
    receive_all,
    receive_all_and_close,
    receive_exactly,
    reset,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

PLAIN = ("tcp", "unix", "served")
TLS = ("tls", "served-tls")
SIZE = 1_000_003


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


def pattern(count: int) -> bytes:
    """Bytes in which a piece that is lost, doubled or out of place shows."""
    return (b"".join(number.to_bytes(4, "big") for number in range(count // 4 + 1)))[:count]


def a_file(t: Trial, data: bytes) -> IO[bytes]:
    """An open file, to be read from its beginning; the caller closes it."""
    path = t.directory / "file"
    path.write_bytes(data)
    return path.open("rb")


async def judge(
    t: Trial, made: Link[Recorder], file: IO[bytes], *arguments: int, wanted: bytes, position: int
) -> None:
    """sendfile() with `arguments` sends `wanted`, and leaves the file at `position`."""
    loop = asyncio.get_running_loop()
    reading = asyncio.ensure_future(in_thread(receive_exactly, made.peer, len(wanted)))
    sent = await loop.sendfile(made.transport, file, *arguments)
    arrived = await reading
    t.equal(f"result of sendfile{arguments}", sent, len(wanted))
    t.equal("bytes that arrived", len(arrived), len(wanted))
    t.true("they are those of the file", arrived == wanted)
    t.equal("tell() of the file", file.tell(), position)


async def judge_whole(t: Trial, kind: str) -> None:
    made = await link(t, kind, recorder, small=True)
    data = pattern(SIZE)
    with a_file(t, data) as file:
        await judge(t, made, file, wanted=data, position=SIZE)
    t.equal("is_closing()", made.transport.is_closing(), False)
    made.transport.close()
    rest = await in_thread(receive_all_and_close, made.peer)
    t.equal("what arrives after it, until the end", rest, b"")
    await made.protocol.lost
    t.equal("the argument of connection_lost()", made.protocol.error, None)
    await made.close()


@case(
    "SNDF-001.whole",
    variants=PLAIN,
    expected="the number of bytes is returned, the peer reads them all, the file is at its end",
)
def whole(t: Trial, kind: str) -> None:
    """A file of a million bytes is sent, more than the kernel takes at once."""
    t.run(judge_whole(t, kind))


@case("SNDF-001.empty", variants=STREAMS, expected="0, nothing arrives, the transport goes on")
def empty(t: Trial, kind: str) -> None:
    """An empty file is sent, then two bytes are written."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"") as file:
            await judge(t, made, file, wanted=b"", position=0)
        made.transport.write(b"ok")
        t.equal("what arrives", await in_thread(receive_exactly, made.peer, 2), b"ok")
        await made.close()

    t.run(main())


@case(
    "SNDF-001.reading-goes-on",
    variants=STREAMS,
    expected="what the peer sends meanwhile is received afterwards; nothing is lost",
)
def reading_goes_on(t: Trial, kind: str) -> None:
    """The peer sends before it reads the file, and again after it."""

    def send_and_read(peer: object) -> int:
        peer.sendall(b"before ")  # type: ignore[attr-defined]
        got = len(receive_exactly(peer, SIZE))  # type: ignore[arg-type]
        peer.sendall(b"after")  # type: ignore[attr-defined]
        return got

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        loop = asyncio.get_running_loop()
        with a_file(t, pattern(SIZE)) as file:
            talking = asyncio.ensure_future(in_thread(send_and_read, made.peer))
            await loop.sendfile(made.transport, file)
        t.equal("bytes the peer read", await talking, SIZE)
        t.equal("what was received", await made.protocol.received(12), b"before after")
        t.equal("is_reading()", made.transport.is_reading(), True)
        t.true("the protocol is the same", made.transport.get_protocol() is made.protocol)
        await made.close()

    t.run(main())


@case(
    "SNDF-001.paused-stays-paused",
    variants=STREAMS,
    expected="reading is still paused afterwards",
)
def paused_stays_paused(t: Trial, kind: str) -> None:
    """Reading is paused before sendfile(); the peer has sent something."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.pause_reading()
        made.peer.sendall(b"waiting")
        with a_file(t, b"content") as file:
            await judge(t, made, file, wanted=b"content", position=7)
        await asyncio.sleep(0.002)
        t.equal("is_reading()", made.transport.is_reading(), False)
        t.equal("data", bytes(made.protocol.data), b"")
        made.transport.resume_reading()
        t.equal("data when resumed", await made.protocol.received(7), b"waiting")
        await made.close()

    t.run(main())


@case(
    "SNDF-001.twice",
    variants=STREAMS,
    expected="both files arrive, one after the other",
)
def twice(t: Trial, kind: str) -> None:
    """Two files are sent over one connection."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        for word in (b"first", b"second"):
            with a_file(t, word * 20_000) as file:
                await judge(t, made, file, wanted=word * 20_000, position=len(word) * 20_000)
        await made.close()

    t.run(main())


@case(
    "SNDF-002.offset-and-count",
    variants=SIDES,
    expected="just that part; the file is behind it",
)
def offset_and_count(t: Trial, kind: str) -> None:
    """sendfile() with offset alone, with offset and count, with offset at and behind the end."""
    data = pattern(100_000)

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        with a_file(t, data) as file:
            await judge(t, made, file, 99_000, wanted=data[99_000:], position=100_000)
            await judge(t, made, file, 1000, 2000, wanted=data[1000:3000], position=3000)
            await judge(t, made, file, 1, 5, wanted=data[1:6], position=6)
            await judge(t, made, file, 500, 70_000, wanted=data[500:70_500], position=70_500)
        await made.close()

    t.run(main())


@case(
    "SNDF-002.beyond",
    variants=STREAMS,
    expected="what there is, and no more: the number of bytes that were really sent",
)
def beyond_the_end(t: Trial, kind: str) -> None:
    """count reaches behind the end of the file; offset is the end of the file."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"0123456789") as file:
            await judge(t, made, file, 6, 100, wanted=b"6789", position=10)
            sent = await asyncio.get_running_loop().sendfile(made.transport, file, 10)
            t.equal("result with offset at the end", sent, 0)
        await made.close()

    t.run(main())


@case(
    "SNDF-002.position",
    variants=STREAMS,
    expected="it starts at the offset, wherever the file is",
)
def position_does_not_matter(t: Trial, kind: str) -> None:
    """The file is at position 8 when it is sent with offset 3."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"0123456789") as file:
            file.seek(8)
            await judge(t, made, file, 3, wanted=b"3456789", position=10)
        await made.close()

    t.run(main())


@case(
    "SNDF-002.from-the-start",
    variants=STREAMS,
    expected="the whole file: offset is 0 unless given, wherever the file is",
)
def from_the_start(t: Trial, kind: str) -> None:
    """The file is at position 8 when it is sent without an offset."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"0123456789") as file:
            file.seek(8)
            sent = await asyncio.get_running_loop().sendfile(made.transport, file)
        t.equal("result", sent, 10)
        arrived = await in_thread(receive_exactly, made.peer, 10)
        t.equal("what arrives", arrived, b"0123456789")
        await made.close()

    t.run(main())


@case(
    "SNDF-003.whole",
    variants=TLS,
    expected="the number of bytes is returned, the peer reads them all, the file is at its end",
)
def whole_over_tls(t: Trial, kind: str) -> None:
    """A file of a million bytes is sent over TLS: read and written, for want of the system call."""
    t.run(judge_whole(t, kind))


@case(
    "SNDF-003.bytes-io",
    variants=SIDES,
    expected="sent all the same: what is no real file is read and written",
)
def not_a_real_file(t: Trial, kind: str) -> None:
    """A BytesIO is sent, for which the kernel has no sendfile()."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        data = pattern(100_000)
        file = io.BytesIO(data)
        await judge(t, made, file, wanted=data, position=100_000)
        await judge(t, made, file, 10, 20, wanted=data[10:30], position=30)
        await made.close()

    t.run(main())


@case(
    "SNDF-004.tls",
    variants=TLS,
    expected="RuntimeError (SendfileNotAvailableError is one); nothing is sent",
)
def no_fallback_over_tls(t: Trial, kind: str) -> None:
    """sendfile(fallback=False) over TLS."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"content") as file:
            with t.raises(RuntimeError, what="sendfile(fallback=False)"):
                loop = asyncio.get_running_loop()
                await loop.sendfile(made.transport, file, fallback=False)
            t.equal("tell() of the file", file.tell(), 0)
        made.transport.write(b"ok")
        t.equal("what arrives", await in_thread(receive_exactly, made.peer, 2), b"ok")
        await made.close()

    t.run(main())


@case(
    "SNDF-004.bytes-io",
    variants=PLAIN,
    expected="SendfileNotAvailableError; nothing is sent, the transport goes on",
)
def no_fallback_for_bytes_io(t: Trial, kind: str) -> None:
    """sendfile(fallback=False) of a BytesIO."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        loop = asyncio.get_running_loop()
        with t.raises(asyncio.SendfileNotAvailableError, what="sendfile(fallback=False)"):
            await loop.sendfile(made.transport, io.BytesIO(b"content"), fallback=False)
        made.transport.write(b"ok")
        t.equal("what arrives", await in_thread(receive_exactly, made.peer, 2), b"ok")
        await made.close()

    t.run(main())


@case(
    "SNDF-004.native",
    variants=PLAIN,
    expected="sent: a file and a socket need no fallback on Linux",
)
def native(t: Trial, kind: str) -> None:
    """sendfile(fallback=False) of a file over a socket."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        with a_file(t, b"content") as file:
            loop = asyncio.get_running_loop()
            sent = await loop.sendfile(made.transport, file, fallback=False)
            t.equal("result", sent, 7)
        t.equal("what arrives", await in_thread(receive_exactly, made.peer, 7), b"content")
        await made.close()

    t.run(main())


@case("SNDF-004.datagrams", expected="RuntimeError, with and without fallback")
def datagrams(t: Trial) -> None:
    """sendfile() on a datagram transport."""

    async def main() -> None:
        transport, protocol = await endpoint(t, "udp")
        loop = asyncio.get_running_loop()
        with a_file(t, b"content") as file:
            for fallback in (True, False):
                with t.raises(RuntimeError, what=f"sendfile(fallback={fallback})"):
                    await loop.sendfile(transport, file, fallback=fallback)  # type: ignore[arg-type]
            t.equal("tell() of the file", file.tell(), 0)
        await end(transport, protocol)

    t.run(main())


@case("SNDF-005.closing", variants=SIDES, expected="RuntimeError; nothing is sent")
def closing(t: Trial, kind: str) -> None:
    """sendfile() after close(), and after connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        loop = asyncio.get_running_loop()
        with a_file(t, b"content") as file:
            made.transport.close()
            with t.raises(RuntimeError, what="sendfile() after close()"):
                await loop.sendfile(made.transport, file)
            arrived = await in_thread(receive_all_and_close, made.peer)
            t.equal("what arrives", arrived, b"")
            await made.protocol.lost
            with t.raises(RuntimeError, what="sendfile() after the end"):
                await loop.sendfile(made.transport, file)
            t.equal("tell() of the file", file.tell(), 0)
        await made.close()

    t.run(main())


@case(
    "SNDF-006.write",
    variants=PLAIN,
    expected="RuntimeError from write() and writelines(); the file arrives unharmed",
)
def write_meanwhile(t: Trial, kind: str) -> None:
    """While a file is being sent to a peer that does not read yet, data is written."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        data = pattern(SIZE)
        with a_file(t, data) as file:
            loop = asyncio.get_running_loop()
            sending = asyncio.ensure_future(loop.sendfile(made.transport, file))
            for _ in range(5):
                await asyncio.sleep(0)
            if sending.done():
                t.fail(f"done before the peer has read: {await sending}")
            with t.raises(RuntimeError, what="write()"):
                made.transport.write(b"in between")
            with t.raises(RuntimeError, what="writelines()"):
                made.transport.writelines([b"in between"])
            arrived = await in_thread(receive_exactly, made.peer, SIZE)
            t.equal("result", await sending, SIZE)
            t.true("the file arrived unharmed", arrived == data)
        made.transport.write(b"after")
        t.equal("what arrives then", await in_thread(receive_exactly, made.peer, 5), b"after")
        await made.close()

    t.run(main())


@case(
    "SNDF-007.order",
    variants=SIDES,
    expected="what was written before, the file, what was written after, in this order",
)
def order(t: Trial, kind: str) -> None:
    """Data is written before and after sendfile(), little and more than the kernel takes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for size in (10, 300_000):
            made = await link(t, kind, recorder, small=True)
            data = pattern(50_000)
            with a_file(t, data) as file:
                reading = asyncio.ensure_future(in_thread(receive_all, made.peer))
                made.transport.write(b"<" * size)
                t.equal("result", await loop.sendfile(made.transport, file), 50_000)
                made.transport.write(b">" * size)
                made.transport.close()
                arrived = await reading
                made.peer.close()
            t.equal("bytes that arrived", len(arrived), 2 * size + 50_000)
            t.true("in order", arrived == b"<" * size + data + b">" * size)
            await made.protocol.lost
            await made.close()

    t.run(main())


def read_some_and_reset(peer: object) -> None:
    receive_exactly(peer, 1000)  # type: ignore[arg-type]
    reset(peer)  # type: ignore[arg-type]


@case(
    "SNDF-008.peer-gone",
    variants=("tcp", "tls", "served", "served-tls"),
    expected="ConnectionError; the file's position is between 1000 and its end; the connection is "
    "lost",
)
def peer_gone(t: Trial, kind: str) -> None:
    """The peer reads 1000 bytes of eight million and resets the connection."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        loop = asyncio.get_running_loop()
        with a_file(t, bytes(8_000_000)) as file:
            reading = asyncio.ensure_future(in_thread(read_some_and_reset, made.peer))
            with t.raises(ConnectionError, what="sendfile()"):
                await loop.sendfile(made.transport, file)
            await reading
            t.between("tell() of the file", file.tell(), 1000, 7_999_999)
        await made.protocol.lost
        t.equal("is_closing()", made.transport.is_closing(), True)
        t.equal("calls", made.protocol.calls.count("connection_lost"), 1)
        await made.close()

    t.run(main())


@case(
    "SNDF-009.arguments",
    variants=("tcp", "unix"),
    expected="ValueError or TypeError for each; nothing is sent, the transport goes on",
)
def wrong_arguments(t: Trial, kind: str) -> None:
    """A file in text mode, a negative offset, count 0, negative, or no number."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        loop = asyncio.get_running_loop()
        with a_file(t, b"content") as file, (t.directory / "file").open() as text:
            with t.raises(ValueError, what="a file in text mode"):
                await loop.sendfile(made.transport, text)  # type: ignore[arg-type]
            for offset, count in ((-1, None), (0, 0), (0, -1), ("1", None), (0, "1")):
                with t.raises(ValueError, TypeError, what=f"offset={offset!r}, count={count!r}"):
                    await loop.sendfile(made.transport, file, offset, count)  # type: ignore[arg-type]
        made.transport.write(b"ok")
        t.equal("what arrives", await in_thread(receive_exactly, made.peer, 2), b"ok")
        await made.close()

    t.run(main())


@case(
    "SNDF-010.cancelled",
    variants=("tcp", "unix"),
    expected="CancelledError; the transport reads again and can be closed",
)
def cancelled(t: Trial, kind: str) -> None:
    """The task in sendfile() is cancelled while the peer does not read."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        loop = asyncio.get_running_loop()
        with a_file(t, bytes(8_000_000)) as file:
            sending = asyncio.ensure_future(loop.sendfile(made.transport, file))
            for _ in range(10):
                await asyncio.sleep(0)
            if sending.done():
                t.fail(f"done before the peer has read: {await sending}")
            sending.cancel()
            with t.raises(asyncio.CancelledError, what="the task"):
                await sending
            t.note("tell() of the file", file.tell())
        t.equal("is_reading()", made.transport.is_reading(), True)
        made.transport.abort()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        await made.close()

    t.run(main())
