"""TRAN: the write buffer: its limits and its size."""

from __future__ import annotations

import asyncio

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import in_thread, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


async def stuck(made: Link[Recorder]) -> tuple[int, int]:
    """Writes until nothing more leaves the transport, without limits. Returns how many bytes were
    written, and how many are left in the buffer."""
    made.transport.set_write_buffer_limits(high=1 << 30)
    written = 0
    while written < 1 << 24:
        made.transport.write(bytes(65536))
        written += 65536
        before = made.transport.get_write_buffer_size()
        await turns(5)
        if before and made.transport.get_write_buffer_size() == before:
            break
    return written, made.transport.get_write_buffer_size()


@case(
    "TRAN-021.arguments",
    variants=SIDES,
    expected="both: as given. Only high: low is between 0 and high. Only low: high is at least low",
)
def limits_from_arguments(t: Trial, kind: str) -> None:
    """set_write_buffer_limits() is called with every combination of arguments."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        set_limits, get_limits = (
            made.transport.set_write_buffer_limits,
            made.transport.get_write_buffer_limits,
        )
        set_limits(high=1000, low=300)
        t.equal("high=1000, low=300", get_limits(), (300, 1000))
        set_limits(1000, 200)
        t.equal("1000, 200: high comes first", get_limits(), (200, 1000))
        set_limits(high=500, low=500)
        t.equal("high=500, low=500", get_limits(), (500, 500))
        set_limits(high=400)
        low, high = get_limits()
        t.equal("high of high=400", high, 400)
        t.between("low of high=400", low, 0, 400)
        set_limits(low=100)
        low, high = get_limits()
        t.equal("low of low=100", low, 100)
        t.true("high of low=100 is not below it", high >= 100)
        await made.close()

    t.run(main())


@case(
    "TRAN-021.derived",
    variants=SIDES,
    expected="low is a quarter of high, high is four times low",
)
def derived_limits(t: Trial, kind: str) -> None:
    """One limit is given, the other follows from it. The documentation leaves it open; stock's
    choice is what buffers of applications are tuned for."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.set_write_buffer_limits(high=403)
        t.equal("limits of high=403", made.transport.get_write_buffer_limits(), (100, 403))
        made.transport.set_write_buffer_limits(low=100)
        t.equal("limits of low=100", made.transport.get_write_buffer_limits(), (100, 400))
        await made.close()

    t.run(main())


@case(
    "TRAN-021.wrong",
    variants=SIDES,
    expected="ValueError for each, and the limits stay as they were",
)
def wrong_limits(t: Trial, kind: str) -> None:
    """high below low, a negative high, a negative low."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.set_write_buffer_limits(high=1000, low=300)
        for high, low in ((100, 101), (-1, None), (None, -1), (100, -1), (-1, -2), (0, 1)):
            with t.raises(ValueError, what=f"high={high}, low={low}"):
                made.transport.set_write_buffer_limits(high=high, low=low)
        t.equal("the limits", made.transport.get_write_buffer_limits(), (300, 1000))
        await made.close()

    t.run(main())


@case(
    "TRAN-021.zero", variants=HALF_CLOSING, expected="high=0 makes low 0 too; low=0 alone makes 0"
)
def zero_limits(t: Trial, kind: str) -> None:
    """set_write_buffer_limits(high=0), and (low=0)."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.set_write_buffer_limits(high=0)
        t.equal("limits of high=0", made.transport.get_write_buffer_limits(), (0, 0))
        t.equal("the callbacks", made.protocol.calls, ["connection_made"])
        made.transport.set_write_buffer_limits(high=1000, low=0)
        t.equal("of high=1000, low=0", made.transport.get_write_buffer_limits(), (0, 1000))
        await made.close()

    t.run(main())


@case(
    "TRAN-033.stream",
    variants=("tcp", "unix", "served"),
    expected="(16384, 65536)",
)
def default_limits(t: Trial, kind: str) -> None:
    """The limits of a new transport, and after set_write_buffer_limits() without arguments."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("limits of a new one", made.transport.get_write_buffer_limits(), (16384, 65536))
        made.transport.set_write_buffer_limits(high=5)
        made.transport.set_write_buffer_limits()
        t.equal("without arguments", made.transport.get_write_buffer_limits(), (16384, 65536))
        await made.close()

    t.run(main())


@case("TRAN-033.tls", variants=("tls", "served-tls"), expected="(131072, 524288)")
def default_limits_of_tls(t: Trial, kind: str) -> None:
    """The limits of a new TLS transport, and after set_write_buffer_limits() without arguments."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("limits of a new one", made.transport.get_write_buffer_limits(), (131072, 524288))
        made.transport.set_write_buffer_limits(high=5)
        made.transport.set_write_buffer_limits()
        t.equal("without arguments", made.transport.get_write_buffer_limits(), (131072, 524288))
        await made.close()

    t.run(main())


@case("TRAN-022.order", variants=SIDES, expected="a tuple of low and high, in this order")
def order_of_limits(t: Trial, kind: str) -> None:
    """get_write_buffer_limits() after limits were set."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.set_write_buffer_limits(high=70_000, low=7)
        limits = made.transport.get_write_buffer_limits()
        t.equal("its type", type(limits).__name__, "tuple")
        t.equal("its value", limits, (7, 70_000))
        await made.close()

    t.run(main())


@case("TRAN-023.empty", variants=SIDES, expected="0 at the beginning, and when all was sent")
def size_when_empty(t: Trial, kind: str) -> None:
    """get_write_buffer_size() before anything is written and after 3 MiB have been read."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        t.equal("at the beginning", made.transport.get_write_buffer_size(), 0)
        made.transport.write(bytes(3 << 20))
        await in_thread(receive_exactly, made.peer, 3 << 20)
        await turns(5)
        t.equal("when all was sent", made.transport.get_write_buffer_size(), 0)
        made.transport.write(b"small")
        await in_thread(receive_exactly, made.peer, 5)
        await turns(5)
        t.equal("after a small write", made.transport.get_write_buffer_size(), 0)
        await made.close()

    t.run(main())


@case("TRAN-023.counts", variants=HALF_CLOSING, expected="it grows by just what is written")
def size_counts(t: Trial, kind: str) -> None:
    """The kernel takes no more; one byte, 1000 bytes and a list of two pieces are written."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        _, size = await stuck(made)
        t.true("the buffer is not empty", size > 0)
        made.transport.write(b"x")
        t.equal("after one byte", made.transport.get_write_buffer_size() - size, 1)
        made.transport.write(bytearray(1000))
        t.equal("after 1000 more", made.transport.get_write_buffer_size() - size, 1001)
        made.transport.writelines([b"ab", b"cde"])
        t.equal("after two pieces", made.transport.get_write_buffer_size() - size, 1006)
        await turns(5)
        t.equal("some turns later", made.transport.get_write_buffer_size() - size, 1006)
        await made.close()

    t.run(main())


@case(
    "TRAN-023.shrinks",
    variants=HALF_CLOSING,
    expected="it never shows less than the peer has still to get beyond the kernel's buffers, and "
    "reaches 0",
)
def size_shrinks(t: Trial, kind: str) -> None:
    """The kernel takes no more; the peer reads in steps, and the size is looked at."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        written, size = await stuck(made)
        kernel = written - size
        t.true("the kernel took something", kernel > 0)
        read = 0
        while read < written:
            read += len(await in_thread(receive_exactly, made.peer, min(20_000, written - read)))
            await turns(3)
            left = made.transport.get_write_buffer_size()
            if left > written - read:
                t.fail(f"{left} bytes are said to wait, but only {written - read} can")
        t.equal("size at the end", made.transport.get_write_buffer_size(), 0)
        await made.close()

    t.run(main())


@case("TRAN-023.tls", variants=("tls", "served-tls"), expected="above 0 while data waits, then 0")
def size_of_tls(t: Trial, kind: str) -> None:
    """Data is written over TLS until the protocol is paused; then the peer reads all."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        pieces = 0
        while "pause_writing" not in made.protocol.calls and pieces < 1024:
            made.transport.write(bytes(65536))
            pieces += 1
        waiting = made.transport.get_write_buffer_size()
        _, high = made.transport.get_write_buffer_limits()
        t.true("as much as the high-water mark waits", waiting >= high)
        await in_thread(receive_exactly, made.peer, pieces * 65536)
        await turns(5)
        t.equal("size when all was read", made.transport.get_write_buffer_size(), 0)
        await made.close()

    t.run(main())


@case("TRAN-024.lowered", variants=STREAMS, expected="pause_writing is called within the call")
def lowered_limits(t: Trial, kind: str) -> None:
    """Data waits under a very high mark; then the limits are lowered below its size, twice."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        _, size = await stuck(made)
        t.equal("before", made.protocol.calls, ["connection_made"])
        made.transport.set_write_buffer_limits(high=size // 2)
        t.equal("after", made.protocol.calls, ["connection_made", "pause_writing"])
        made.transport.set_write_buffer_limits(high=size // 4)
        t.equal("no second call", made.protocol.calls, ["connection_made", "pause_writing"])
        await made.close()

    t.run(main())


@case(
    "TRAN-024.raised",
    variants=STREAMS,
    expected="one resume_writing, not later than when the buffer is empty",
)
def raised_limits(t: Trial, kind: str) -> None:
    """The protocol is paused; the limits are raised far above; then the peer reads all."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        written, _ = await stuck(made)
        made.transport.set_write_buffer_limits(high=10)
        made.transport.set_write_buffer_limits(high=1 << 30)
        await in_thread(receive_exactly, made.peer, written)
        while "resume_writing" not in made.protocol.calls:  # HANG, if it never comes
            await asyncio.sleep(0.001)
        wanted = ["connection_made", "pause_writing", "resume_writing"]
        t.equal("the callbacks", made.protocol.calls, wanted)
        await made.close()

    t.run(main())
