"""STRM: reading from streams."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.kit.streams import say_goodbye, streams
from loopgauge.conformance.trial import Trial


@case(
    "STRM-002.read",
    variants=STREAMS,
    expected="b'' for read(0); at most n bytes; the rest up to the end for read(-1); then b''",
)
def read(t: Trial, kind: str) -> None:
    """The peer sends 10 bytes; read(0), read(4), read(4) take some; it sends 5 more and ends, and
    read() takes everything that is left."""

    async def main() -> None:
        made = await streams(t, kind)
        t.equal("read(0)", await made.reader.read(0), b"")
        await in_thread(made.peer.sendall, b"0123456789")
        t.equal("read(4)", await made.reader.read(4), b"0123")
        t.equal("read(4) again", await made.reader.read(4), b"4567")
        t.equal("at_eof() with bytes left", made.reader.at_eof(), False)
        await in_thread(made.peer.sendall, b"abcde")
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        t.equal("read()", await made.reader.read(), b"89abcde")
        t.equal("read() at the end", await made.reader.read(), b"")
        t.equal("read(5) at the end", await made.reader.read(5), b"")
        t.equal("at_eof() at the end", made.reader.at_eof(), True)
        await made.close()
        await goodbye

    t.run(main())


@case(
    "STRM-002.readline",
    variants=STREAMS,
    expected="lines with their newline, then the last part without one, then b''",
)
def readline(t: Trial, kind: str) -> None:
    """The peer sends two lines and a half, the second in two pieces, and ends."""

    async def main() -> None:
        made = await streams(t, kind)
        await in_thread(made.peer.sendall, b"first\nsec")
        t.equal("first", await made.reader.readline(), b"first\n")
        second = asyncio.ensure_future(made.reader.readline())
        await in_thread(made.peer.sendall, b"ond\n\nhalf")
        t.equal("second", await second, b"second\n")
        t.equal("an empty line", await made.reader.readline(), b"\n")
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        t.equal("half a line", await made.reader.readline(), b"half")
        t.equal("at the end", await made.reader.readline(), b"")
        await made.close()
        await goodbye

    t.run(main())


@case(
    "STRM-002.readexactly",
    variants=STREAMS,
    expected="exactly as many bytes as asked for, also more than the limit and across pieces; b'' "
    "for 0; IncompleteReadError with the bytes that came and the number that was asked for",
)
def readexactly(t: Trial, kind: str) -> None:
    """The reader's limit is 16 bytes. The peer sends 40 in two pieces, of which readexactly takes
    0, 3 and 30; then the peer ends, and readexactly asks for 10 of the 7 that are left."""

    async def main() -> None:
        made = await streams(t, kind, limit=16)
        await in_thread(made.peer.sendall, b"abc" + b"x" * 17)
        t.equal("readexactly(0)", await made.reader.readexactly(0), b"")
        t.equal("readexactly(3)", await made.reader.readexactly(3), b"abc")
        more = asyncio.ensure_future(made.reader.readexactly(30))
        await in_thread(made.peer.sendall, b"x" * 13 + b"1234567")
        t.equal("readexactly(30)", await more, b"x" * 30)
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        with t.raises(asyncio.IncompleteReadError, what="readexactly(10)") as caught:
            await made.reader.readexactly(10)
        error: Any = caught[0]
        t.equal("its partial", error.partial, b"1234567")
        t.equal("its expected", error.expected, 10)
        t.equal("read() afterwards", await made.reader.read(), b"")
        await made.close()
        await goodbye

    t.run(main())


@case(
    "STRM-002.readuntil",
    variants=STREAMS,
    expected="everything up to and with the separator; the rest stays; IncompleteReadError with "
    "what came after the last separator, once the peer has ended",
)
def readuntil(t: Trial, kind: str) -> None:
    """The separator is b'<end>'; it comes once whole and once cut in two by the peer, then the
    peer sends a part of it and ends."""

    async def main() -> None:
        made = await streams(t, kind)
        await in_thread(made.peer.sendall, b"one<end>two<e")
        t.equal("the first", await made.reader.readuntil(b"<end>"), b"one<end>")
        second = asyncio.ensure_future(made.reader.readuntil(b"<end>"))
        await in_thread(made.peer.sendall, b"nd>three<en")
        t.equal("the second", await second, b"two<end>")
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        with t.raises(asyncio.IncompleteReadError, what="the third") as caught:
            await made.reader.readuntil(b"<end>")
        error: Any = caught[0]
        t.equal("its partial", error.partial, b"three<en")
        t.equal("its expected", error.expected, None)
        await made.close()
        await goodbye

    t.run(main())


@case(
    "STRM-002.limit",
    variants=STREAMS,
    expected="LimitOverrunError from readuntil, which keeps the bytes; ValueError from readline, "
    "which throws the line away; what follows can be read",
)
def limit(t: Trial, kind: str) -> None:
    """The reader's limit is 8 bytes; the peer sends a line of 20 and a short one."""

    async def main() -> None:
        made = await streams(t, kind, limit=8)
        await in_thread(made.peer.sendall, b"y" * 20 + b"\nshort\n")
        first = await made.reader.readexactly(1)  # so everything has come or is on its way
        with t.raises(asyncio.LimitOverrunError, what="readuntil") as caught:
            await made.reader.readuntil(b"\n")
        error: Any = caught[0]
        t.between("how many bytes it says may be read", error.consumed, 9, 19)
        again = await made.reader.readexactly(19)
        t.equal("the bytes that stayed", first + again, b"y" * 20)
        t.equal("the end of the line", await made.reader.readline(), b"\n")
        t.equal("the next line", await made.reader.readline(), b"short\n")
        await in_thread(made.peer.sendall, b"z" * 9 + b"\n1234567\n")
        with t.raises(ValueError, what="readline of 9 bytes and a newline"):
            await made.reader.readline()
        t.equal("the next line, of 7 bytes", await made.reader.readline(), b"1234567\n")
        await in_thread(made.peer.sendall, b"12345678\n")
        t.equal("a line of just the limit", await made.reader.readline(), b"12345678\n")
        await made.close()

    t.run(main())


@case(
    "STRM-002.iterate",
    variants=STREAMS,
    expected="the lines one after the other, and an end where the stream ends",
)
def iterate(t: Trial, kind: str) -> None:
    """A reader is iterated over with `async for`; the peer sends three lines and ends."""

    async def main() -> None:
        made = await streams(t, kind)
        await in_thread(made.peer.sendall, b"a\nbb\nccc")
        goodbye = asyncio.ensure_future(in_thread(say_goodbye, made.peer))
        lines = [line async for line in made.reader]
        t.equal("the lines", lines, [b"a\n", b"bb\n", b"ccc"])
        await made.close()
        await goodbye

    t.run(main())


@case(
    "STRM-002.two-readers",
    variants=STREAMS,
    expected="RuntimeError for the second, and the first reads on undisturbed",
)
def two_readers(t: Trial, kind: str) -> None:
    """A second coroutine reads from a stream while a first one waits for data."""

    async def main() -> None:
        made = await streams(t, kind)
        first = asyncio.ensure_future(made.reader.read(5))
        await asyncio.sleep(0)
        with t.raises(RuntimeError, what="the second read()"):
            await made.reader.read(5)
        await in_thread(made.peer.sendall, b"hello")
        t.equal("the first read()", await first, b"hello")
        await made.close()

    t.run(main())


@case(
    "STRM-002.cancelled",
    variants=STREAMS,
    expected="no byte is lost: the next read has everything",
)
def cancelled(t: Trial, kind: str) -> None:
    """readexactly(6) has 3 bytes when it is cancelled; then the peer sends 3 more."""

    async def main() -> None:
        made = await streams(t, kind)
        reading = asyncio.ensure_future(made.reader.readexactly(6))
        await in_thread(made.peer.sendall, b"abc")
        await asyncio.sleep(0)
        reading.cancel()
        with t.raises(asyncio.CancelledError, what="the cancelled read"):
            await reading
        await in_thread(made.peer.sendall, b"def")
        t.equal("the next read", await made.reader.readexactly(6), b"abcdef")
        await made.close()

    t.run(main())


@case(
    "STRM-002.negative",
    expected="ValueError for readexactly(-1), for an empty separator, and for a limit of 0",
)
def wrong_arguments(t: Trial) -> None:
    """Arguments that make no sense are given to readexactly, readuntil and open_connection."""

    async def main() -> None:
        made = await streams(t, "tcp")
        with t.raises(ValueError, what="readexactly(-1)"):
            await made.reader.readexactly(-1)
        with t.raises(ValueError, what="readuntil(b'')"):
            await made.reader.readuntil(b"")
        with t.raises(ValueError, what="StreamReader(limit=0)"):
            asyncio.StreamReader(limit=0)
        await made.close()

    t.run(main())


@case(
    "STRM-002.reset",
    seconds=5.0,
    expected="ConnectionResetError from the read that waits, and from every later one",
)
def reset(t: Trial) -> None:
    """The peer resets the connection while a read waits."""

    async def main() -> None:
        made = await streams(t, "tcp")
        reading = asyncio.ensure_future(made.reader.read(5))
        await asyncio.sleep(0)
        reset_by(made.peer)
        with t.raises(ConnectionResetError, what="the read that waits"):
            await reading
        with t.raises(ConnectionResetError, what="a later read"):
            await made.reader.readline()
        kept = made.reader.exception()
        t.true("exception() has it", isinstance(kept, ConnectionResetError))
        await made.close()

    t.run(main())


def reset_by(peer: socket.socket) -> None:
    """Closes a TCP socket so that the other side sees a reset instead of an end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@case(
    "STRM-003.shortest",
    variants=STREAMS,
    expected="up to the separator that ends first, whichever it is",
)
def separators(t: Trial, kind: str) -> None:
    """readuntil() is given a tuple of separators of which some are prefixes of others, some come
    later, and one never."""

    async def main() -> None:
        made = await streams(t, kind)
        await in_thread(made.peer.sendall, b"a\r\nb\nc--d--\r")
        either: Any = (b"\r\n", b"\n")
        t.equal("up to \\r\\n", await made.reader.readuntil(either), b"a\r\n")
        t.equal("up to \\n", await made.reader.readuntil(either), b"b\n")
        three: Any = (b"--d--", b"--", b"never")
        t.equal("the shorter of two", await made.reader.readuntil(three), b"c--")
        last = asyncio.ensure_future(made.reader.readuntil((b"--\r\n", b"\r\n!")))  # type: ignore[arg-type]
        await in_thread(made.peer.sendall, b"\n!")
        t.equal("one cut in two", await last, b"d--\r\n")
        await made.close()

    t.run(main())


@case("STRM-003.none", expected="ValueError")
def no_separators(t: Trial) -> None:
    """readuntil() is given an empty tuple, and a tuple with an empty separator in it."""

    async def main() -> None:
        made = await streams(t, "tcp")
        await in_thread(made.peer.sendall, b"abc")
        none: Any = ()
        with t.raises(ValueError, what="readuntil(())"):
            await made.reader.readuntil(none)
        empty: Any = (b"c", b"")
        with t.raises(ValueError, what="readuntil((b'c', b''))"):
            await made.reader.readuntil(empty)
        t.equal("the bytes are still there", await made.reader.read(3), b"abc")
        await made.close()

    t.run(main())


@case(
    "STRM-007.paused",
    variants=STREAMS,
    expected="is_reading() of the transport becomes False while nobody reads, True again once the "
    "buffer is read, and no byte is lost",
)
def back_pressure(t: Trial, kind: str) -> None:
    """The reader's limit is 1000 bytes and nobody reads, while the peer sends 3 MB. Then they are
    all read."""

    async def main() -> None:
        made = await streams(t, kind, limit=1000)
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, pattern))
        transport: Any = made.writer.transport
        while transport.is_reading():
            await asyncio.sleep(0.001)
        t.equal("is_reading() while nobody reads", transport.is_reading(), False)
        first = await made.reader.readexactly(len(pattern) - 10)
        await sending
        rest = await made.reader.readexactly(10)
        t.true("all bytes came in order", first + rest == pattern)
        t.equal("is_reading() after everything was read", transport.is_reading(), True)
        await made.close()

    pattern = b"".join(number.to_bytes(4, "big") for number in range(750_000))
    t.run(main())


@case(
    "STRM-007.below",
    variants=STREAMS,
    expected="the transport goes on reading",
)
def below_the_mark(t: Trial, kind: str) -> None:
    """The reader's limit is 1000 bytes; the peer sends 2000, which is not more than twice the
    limit, and nobody reads but the first byte."""

    async def main() -> None:
        made = await streams(t, kind, limit=1000)
        transport: Any = made.writer.transport
        await in_thread(made.peer.sendall, b"s")
        t.equal("the first byte", await made.reader.readexactly(1), b"s")
        await in_thread(made.peer.sendall, b"x" * 1999 + b"e")
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("is_reading()", transport.is_reading(), True)
        t.equal("the bytes", await made.reader.readexactly(2000), b"x" * 1999 + b"e")
        await made.close()

    t.run(main())
