"""TRAN: the write side of stream transports: what may be written, and when."""

from __future__ import annotations

import array
import asyncio
import gc
import select

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import in_thread, read_away, receive_all, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


@case(
    "TRAN-001.kinds",
    variants=SIDES,
    expected="bytes, bytearray and memoryview arrive as they were written",
)
def kinds_of_data(t: Trial, kind: str) -> None:
    """A transport is given bytes, a bytearray and a memoryview; the peer reads them all."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"one")
        made.transport.write(bytearray(b"two"))
        made.transport.write(memoryview(b"three"))
        arrived = await in_thread(receive_exactly, made.peer, 11)
        t.equal("what the peer read", arrived, b"onetwothree")
        await made.close()

    t.run(main())


@case(
    "TRAN-001.views",
    variants=("tcp", "unix"),
    expected="a part of a view, and a view of a writable buffer, arrive byte for byte",
)
def views(t: Trial, kind: str) -> None:
    """A memoryview of a slice, one of a bytearray, and one of 4-byte numbers cast to bytes."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        numbers = array.array("I", [1, 2, 3])
        made.transport.write(memoryview(b"0123456789")[2:5])
        made.transport.write(memoryview(bytearray(b"abc")))
        made.transport.write(memoryview(numbers).cast("B"))
        wanted = b"234" + b"abc" + numbers.tobytes()
        arrived = await in_thread(receive_exactly, made.peer, len(wanted))
        t.equal("what the peer read", arrived, wanted)
        await made.close()

    t.run(main())


@case(
    "TRAN-001.other-types",
    variants=STREAMS,
    expected="TypeError for each, nothing is sent, and the transport goes on working",
)
def other_types(t: Trial, kind: str) -> None:
    """write() is given a str, a number, None, a list and an array."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        for wrong in ("text", 5, None, [b"x"], array.array("B", b"x")):
            with t.raises(TypeError, what=f"write() of a {type(wrong).__name__}"):
                made.transport.write(wrong)  # type: ignore[arg-type]
        t.equal("is_closing()", made.transport.is_closing(), False)
        made.transport.write(b"after")
        arrived = await in_thread(receive_exactly, made.peer, 5)
        t.equal("what the peer read", arrived, b"after")
        await made.close()

    t.run(main())


@case(
    "TRAN-002.changed-later",
    variants=STREAMS,
    expected="the peer reads what the bytearray held when it was written",
)
def changed_after_write(t: Trial, kind: str) -> None:
    """4 MiB in a bytearray are written, more than the kernel takes; then every byte is changed."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        data = bytearray(b"a" * (1 << 22))
        made.transport.write(data)
        data[:] = b"b" * len(data)
        arrived = await in_thread(receive_exactly, made.peer, len(data))
        t.equal("bytes that arrived", len(arrived), 1 << 22)
        t.equal("bytes that were changed after write()", arrived.count(b"b"), 0)
        await made.close()

    t.run(main())


@case(
    "TRAN-002.resized-later",
    variants=STREAMS,
    expected="a bytearray may be resized after write(), and the peer reads what it held before",
)
def resized_after_write(t: Trial, kind: str) -> None:
    """4 MiB in a bytearray are written; then the bytearray is emptied."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        data = bytearray(b"a" * (1 << 22))
        made.transport.write(data)
        try:
            data.clear()
        except BufferError:
            t.fail("the bytearray cannot be resized: the transport holds a view of it")
        arrived = await in_thread(receive_exactly, made.peer, 1 << 22)
        t.equal("bytes that arrived", arrived.count(b"a"), 1 << 22)
        await made.close()

    t.run(main())


@case(
    "TRAN-002.small-changed",
    variants=STREAMS,
    expected="the peer reads what the bytearray held when it was written",
)
def small_changed_after_write(t: Trial, kind: str) -> None:
    """In a callback, one bytearray of three bytes is written and changed, three times."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        data = bytearray(3)
        for word in (b"one", b"two", b"six"):
            data[:] = word
            made.transport.write(data)
        data[:] = b"bad"
        arrived = await in_thread(receive_exactly, made.peer, 9)
        t.equal("what the peer read", arrived, b"onetwosix")
        await made.close()

    t.run(main())


@case(
    "TRAN-002.dropped",
    variants=STREAMS,
    expected="the data need not be kept by whoever wrote it",
)
def dropped_after_write(t: Trial, kind: str) -> None:
    """4 MiB are written, of which nobody keeps a reference, and garbage is collected."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(b"a" * (1 << 22))
        made.transport.write(memoryview(b"b" * (1 << 20)))
        gc.collect()
        arrived = await in_thread(receive_exactly, made.peer, 5 << 20)
        t.true("all arrived unchanged", arrived == b"a" * (1 << 22) + b"b" * (1 << 20))
        await made.close()

    t.run(main())


@case(
    "TRAN-002.does-not-block",
    variants=STREAMS,
    expected="write() returns although the peer reads nothing",
)
def does_not_block(t: Trial, kind: str) -> None:
    """32 MiB are written to a peer that does not read: far more than kernels buffer."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(32 << 20))
        made.transport.write(b"x")
        t.true("write() returned", True)
        t.equal("is_closing()", made.transport.is_closing(), False)
        await made.close()

    t.run(main())


@case(
    "TRAN-003.nothing",
    variants=STREAMS,
    expected="nothing is sent, nothing is buffered, nobody is called",
)
def empty_write(t: Trial, kind: str) -> None:
    """b"", an empty bytearray and an empty memoryview are written, alone and between others."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        for empty in (b"", bytearray(), memoryview(b"")):
            made.transport.write(empty)
        t.equal("size of the write buffer", made.transport.get_write_buffer_size(), 0)
        await turns(5)
        readable, _, _ = select.select([made.peer], [], [], 0)
        t.equal("the peer has something to read", bool(readable), False)
        made.transport.write(b"a")
        made.transport.write(b"")
        made.transport.write(b"b")
        t.equal("what arrived", await in_thread(receive_exactly, made.peer, 2), b"ab")
        t.equal("the callbacks", made.protocol.calls, ["connection_made"])
        made.transport.close()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "TRAN-003.buffer-full",
    variants=("tcp", "unix"),
    expected="an empty write into a full buffer is nothing: the data arrives, the end follows",
)
def empty_write_into_full_buffer(t: Trial, kind: str) -> None:
    """4 MiB are written, then b"", and the transport is closed; the peer reads until the end."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 22))
        made.transport.write(b"")
        made.transport.close()
        arrived = await in_thread(receive_all, made.peer)
        t.equal("bytes that arrived", len(arrived), 1 << 22)
        await made.protocol.lost
        await made.close()

    t.run(main())


@case(
    "TRAN-004.order",
    variants=SIDES,
    expected="everything arrives in the order in which it was written",
)
def order_of_writes(t: Trial, kind: str) -> None:
    """write() and writelines() take turns, with small and large data, until far more is written
    than the kernel takes."""
    words = [b"%d;" % number * (1 + number % 7 * 400) for number in range(1500)]

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        for number in range(0, len(words), 3):
            made.transport.write(words[number])
            made.transport.writelines(words[number + 1 : number + 3])
        wanted = b"".join(words)
        arrived = await in_thread(receive_exactly, made.peer, len(wanted))
        t.equal("bytes that arrived", len(arrived), len(wanted))
        t.true("they are in order", arrived == wanted)
        await made.close()

    t.run(main())


@case(
    "TRAN-004.across-turns",
    variants=STREAMS,
    expected="everything arrives in the order in which it was written",
)
def order_across_turns(t: Trial, kind: str) -> None:
    """A callback writes a little, then much, then a little; the next turn does the same; meanwhile
    the peer reads."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        wanted = bytearray()
        for number in range(10):
            for piece in (b"%d" % number, bytes([number]) * 100_000, b".%d" % number):
                made.transport.write(piece)
                wanted += piece
            await asyncio.sleep(0)
        arrived = await in_thread(receive_exactly, made.peer, len(wanted))
        t.true("everything is in order", arrived == wanted)
        await made.close()

    t.run(main())


@case(
    "TRAN-005.iterables",
    variants=SIDES,
    expected="each kind of iterable is written, in order",
)
def iterables(t: Trial, kind: str) -> None:
    """writelines() is given a list, a tuple, a generator, a deque's iterator and an empty list."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.writelines([b"a", b"b"])
        made.transport.writelines((b"c", b"d"))
        made.transport.writelines(word for word in (b"e", b"f"))
        made.transport.writelines(iter([b"g"]))
        made.transport.writelines([])
        made.transport.write(b"end")
        t.equal("what arrived", await in_thread(receive_exactly, made.peer, 10), b"abcdefgend")
        await made.close()

    t.run(main())


@case(
    "TRAN-005.empty-generator",
    variants=STREAMS,
    expected="nothing is written, nothing is raised",
)
def empty_generator(t: Trial, kind: str) -> None:
    """writelines() is given a generator that yields nothing, before and between other writes."""
    nothing: list[bytes] = []

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.writelines(word for word in nothing)
        made.transport.write(b"a")
        made.transport.writelines(word for word in nothing)
        made.transport.write(b"b")
        t.equal("what arrived", await in_thread(receive_exactly, made.peer, 2), b"ab")
        await made.close()

    t.run(main())


@case(
    "TRAN-005.kinds",
    variants=STREAMS,
    expected="bytes, bytearray and memoryview in one list arrive as they are",
)
def kinds_in_a_list(t: Trial, kind: str) -> None:
    """writelines() is given a list of different kinds of buffers."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.writelines([b"one", bytearray(b"two"), memoryview(b"three")])
        arrived = await in_thread(receive_exactly, made.peer, 11)
        t.equal("what arrived", arrived, b"onetwothree")
        await made.close()

    t.run(main())


@case(
    "TRAN-005.many",
    variants=STREAMS,
    expected="all 5000 pieces arrive: more than one system call takes",
)
def many_pieces(t: Trial, kind: str) -> None:
    """writelines() is given 5000 pieces, more than IOV_MAX."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        words = [b"%d," % number for number in range(5000)]
        made.transport.writelines(words)
        wanted = b"".join(words)
        arrived = await in_thread(receive_exactly, made.peer, len(wanted))
        t.true("everything arrived in order", arrived == wanted)
        await made.close()

    t.run(main())


@case(
    "TRAN-031.empty-pieces",
    variants=STREAMS,
    expected="they are skipped: the rest arrives, and close() comes to its end",
)
def empty_pieces(t: Trial, kind: str) -> None:
    """writelines() is given lists with empty pieces, also at their ends and alone; then the
    transport is closed."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        for pieces in ([b"", b"a", b"", b"b", b""], [b""], [b"", b""], [b"c", b""]):
            made.transport.writelines(pieces)
        t.equal("what arrived", await in_thread(receive_exactly, made.peer, 3), b"abc")
        await turns(5)
        made.transport.close()
        reading = asyncio.ensure_future(in_thread(read_away, made.peer))
        await asyncio.wait([made.protocol.lost], timeout=2)
        t.equal("connection_lost() was called", made.protocol.lost.done(), True)
        await reading
        await made.close()

    t.run(main())


@case(
    "TRAN-006.pauses",
    variants=SIDES,
    expected="pause_writing, then, when the peer has read, resume_writing",
)
def writelines_pauses(t: Trial, kind: str) -> None:
    """writelines() is called with lists of 1 MiB until the protocol is paused, 64 times at most."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        lists = write_lists(made)
        t.equal("the callbacks", made.protocol.calls, ["connection_made", "pause_writing"])
        await in_thread(receive_exactly, made.peer, lists << 20)
        while len(made.protocol.calls) < 3:  # HANG, if it never comes
            await asyncio.sleep(0.001)
        t.equal("the next callback", made.protocol.calls[2:], ["resume_writing"])
        await made.close()

    t.run(main())


def write_lists(made: Link[Recorder]) -> int:
    """Returns how many lists were written."""
    for number in range(64):
        if "pause_writing" in made.protocol.calls:
            return number
        made.transport.writelines([bytes(1 << 19), bytes(1 << 19)])
    return 64
