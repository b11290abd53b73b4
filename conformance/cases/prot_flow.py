"""PROT: flow control: pause_writing and resume_writing."""

from __future__ import annotations

import asyncio

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, SIDES, STREAMS, link
from loopgauge.conformance.kit.peers import in_thread, read_away, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

PIECE = 65536


class Sizes(Recorder):
    """Notes how full the write buffer is at each flow control callback."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.at_pause: list[int] = []
        self.at_resume: list[int] = []
        self.resumed = asyncio.Event()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.resumed.clear()
        assert self.transport is not None
        self.at_pause.append(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resumed.set()
        assert self.transport is not None
        self.at_resume.append(self.transport.get_write_buffer_size())

    def flow(self) -> list[str]:
        return [name for name in self.calls if name.endswith("_writing")]


def fill(transport: asyncio.Transport, protocol: Sizes, most: int = 1024) -> int:
    """Writes pieces until the protocol is paused once more; returns how many."""
    paused = len(protocol.at_pause)
    for number in range(most):
        if len(protocol.at_pause) > paused:
            return number
        transport.write(bytes(PIECE))
    return most


async def stuck(transport: asyncio.Transport) -> int:
    """Writes until the kernel takes no more, without limits; returns what is left to send."""
    transport.set_write_buffer_limits(high=1 << 30)
    for _ in range(100):
        transport.write(bytes(PIECE))
        before = transport.get_write_buffer_size()
        for _ in range(5):
            await asyncio.sleep(0)
        if before and transport.get_write_buffer_size() == before:
            return before
    raise AssertionError("the kernel took all, or the transport counts nothing")


@case(
    "PROT-013.while-writing",
    variants=SIDES,
    expected="pause_writing comes while the callback is still writing, so that it can stop",
)
def paused_within_the_callback(t: Trial, kind: str) -> None:
    """One callback writes 64 KiB pieces to a peer that does not read, until pause_writing() was
    called, without giving control back to the loop."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        pieces = fill(made.transport, made.protocol)
        t.between("pieces until pause_writing()", pieces, 1, 1023)
        await made.close()

    t.run(main())


@case(
    "PROT-013.pairs",
    variants=SIDES,
    expected="pause_writing and resume_writing take turns, beginning with a pause; one each, "
    "however much is written",
)
def in_pairs(t: Trial, kind: str) -> None:
    """Three times: write until paused, write some more, and let the peer read everything."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        for _ in range(3):
            pieces = fill(made.transport, made.protocol)
            for _ in range(3):
                made.transport.write(bytes(PIECE))
            got = await in_thread(receive_exactly, made.peer, (pieces + 3) * PIECE)
            t.equal("bytes that arrived", len(got), (pieces + 3) * PIECE)
            await made.protocol.resumed.wait()
        t.equal("the calls", made.protocol.flow(), ["pause_writing", "resume_writing"] * 3)
        await made.close()

    t.run(main())


@case(
    "PROT-013.writelines",
    variants=STREAMS,
    expected="pause_writing comes while writelines() is still called",
)
def paused_by_writelines(t: Trial, kind: str) -> None:
    """One callback calls writelines() with 64 KiB pieces until pause_writing() was called."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        for _ in range(500):
            if made.protocol.at_pause:
                break
            made.transport.writelines([bytes(PIECE), bytes(PIECE)])
        t.equal("the calls", made.protocol.flow(), ["pause_writing"])
        await made.close()

    t.run(main())


@case(
    "PROT-013.write-in-resume",
    variants=STREAMS,
    expected="pauses and resumes still take turns, and every byte arrives",
)
def written_in_resume(t: Trial, kind: str) -> None:
    """resume_writing() itself writes until it is paused again, three times."""

    async def main() -> None:
        made = await link(t, kind, Refills, small=True)
        made.protocol.written = fill(made.transport, made.protocol)
        receiving = asyncio.ensure_future(in_thread(read_away, made.peer))
        await made.protocol.finished
        flow = made.protocol.flow()
        t.equal("the calls", flow, ["pause_writing", "resume_writing"] * 4)
        made.transport.close()
        await made.protocol.lost
        await receiving
        await made.close()

    t.run(main())


class Refills(Sizes):
    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.rounds = 3
        self.finished: asyncio.Future[None] = self.loop.create_future()

    def resume_writing(self) -> None:
        super().resume_writing()
        assert self.transport is not None
        if self.rounds:
            self.rounds -= 1
            self.written += fill(self.transport, self)
        elif not self.finished.done():
            self.finished.set_result(None)


@case(
    "PROT-014.high-water",
    variants=HALF_CLOSING,
    expected="not paused with exactly `high` bytes in the buffer; paused with one more",
)
def strictly_above_high(t: Trial, kind: str) -> None:
    """The kernel's buffer is full; the buffer of the transport is filled to the byte."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        size = await stuck(made.transport)
        made.transport.set_write_buffer_limits(high=size + 100, low=0)
        made.transport.write(bytes(100))
        t.equal("bytes in the buffer", made.transport.get_write_buffer_size(), size + 100)
        t.equal("calls with `high` bytes", made.protocol.flow(), [])
        made.transport.write(b"1")
        t.equal("calls with one more", made.protocol.flow(), ["pause_writing"])
        made.transport.write(b"2")
        t.equal("calls with two more", made.protocol.flow(), ["pause_writing"])
        await made.close()

    t.run(main())


@case(
    "PROT-014.limits-at-size",
    variants=HALF_CLOSING,
    expected="not paused by a high-water mark equal to the size; paused by one below it",
)
def limits_at_the_size(t: Trial, kind: str) -> None:
    """The kernel's buffer is full; the high-water mark is set to the size, then one lower."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        size = await stuck(made.transport)
        made.transport.set_write_buffer_limits(high=size)
        t.equal("calls with high == size", made.protocol.flow(), [])
        made.transport.set_write_buffer_limits(high=size - 1)
        t.equal("calls with high == size - 1", made.protocol.flow(), ["pause_writing"])
        await made.close()

    t.run(main())


async def resumes_at(t: Trial, kind: str, low: int) -> None:
    """The peer reads in small steps until resume_writing() is called."""
    made = await link(t, kind, Sizes, small=True)
    made.transport.set_write_buffer_limits(high=4 * PIECE, low=low)
    pieces = fill(made.transport, made.protocol)
    left = pieces * PIECE
    while not made.protocol.at_resume and left:
        step = min(left, 10_000)
        left -= len(await in_thread(receive_exactly, made.peer, step))
        await asyncio.sleep(0)
        paused = not made.protocol.at_resume
        size = made.transport.get_write_buffer_size()
        if paused and size < low:
            t.fail(f"still paused with {size} bytes, although low is {low}")
    await asyncio.wait_for(made.protocol.resumed.wait(), 5)
    t.between("size at resume_writing()", made.protocol.at_resume[0], 0, low)
    t.equal("the calls", made.protocol.flow(), ["pause_writing", "resume_writing"])
    await made.close()


@case(
    "PROT-014.low-water",
    variants=STREAMS,
    expected="resume_writing as soon as not more than `low` bytes are left, never with more",
)
def resumes_at_low(t: Trial, kind: str) -> None:
    """With low-water mark 100 000 the peer reads in steps of 10 000 bytes."""
    t.run(resumes_at(t, kind, 100_000))


@case(
    "PROT-014.low-water-zero",
    variants=STREAMS,
    expected="resume_writing only when the buffer is empty",
)
def resumes_at_zero(t: Trial, kind: str) -> None:
    """With low-water mark 0 the peer reads in steps of 10 000 bytes."""
    t.run(resumes_at(t, kind, 0))


@case(
    "PROT-014.high-zero",
    variants=HALF_CLOSING,
    expected="any byte that waits pauses, an empty buffer resumes",
)
def high_zero(t: Trial, kind: str) -> None:
    """The high-water mark is 0 while the buffer is empty, and data is written until it waits."""

    async def main() -> None:
        made = await link(t, kind, Sizes, small=True)
        made.transport.set_write_buffer_limits(high=0)
        t.equal("calls with an empty buffer", made.protocol.flow(), [])
        pieces = fill(made.transport, made.protocol)
        await in_thread(receive_exactly, made.peer, pieces * PIECE)
        await made.protocol.resumed.wait()
        t.equal("the calls", made.protocol.flow()[:2], ["pause_writing", "resume_writing"])
        t.true("something waited at the pause", made.protocol.at_pause[0] > 0)
        t.equal("size at resume_writing()", made.protocol.at_resume[0], 0)
        await made.close()

    t.run(main())
