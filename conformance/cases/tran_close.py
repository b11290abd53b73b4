"""TRAN: close() and abort(), and writing after the end."""

from __future__ import annotations

import asyncio
import logging

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import (
    in_thread,
    read_away,
    receive_all_and_close,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


async def lost_link(t: Trial, kind: str, end: str) -> Link[Recorder]:
    """A connection that came to its end by `end`, "close" or "abort"."""
    made = await link(t, kind, recorder)
    getattr(made.transport, end)()
    await in_thread(read_away, made.peer)
    await made.protocol.lost
    return made


@case(
    "TRAN-008.after-close",
    variants=STREAMS,
    expected="write() and writelines() raise nothing and send nothing",
)
def write_after_close(t: Trial, kind: str) -> None:
    """The transport is closed; in the same turn data is written, twice."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"before")
        made.transport.close()
        made.transport.write(b"after")
        made.transport.write(b"after")
        arrived = await in_thread(receive_all_and_close, made.peer)
        t.equal("what the peer reads until the end", arrived, b"before")
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "TRAN-008.after-lost",
    variants=STREAMS,
    expected="write() raises nothing",
)
def write_after_lost(t: Trial, kind: str) -> None:
    """Data is written after abort(), before and after connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.abort()
        made.transport.write(b"at once")
        await made.protocol.lost
        made.transport.write(b"later")
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        await made.close()

    t.run(main())


@case(
    "TRAN-008.writelines",
    variants=STREAMS,
    expected="writelines() raises nothing after close(), after abort(), and after connection_lost",
)
def writelines_after_close(t: Trial, kind: str) -> None:
    """writelines() is called in the turn of close() or abort(), and after connection_lost()."""

    async def main() -> None:
        for end in ("close", "abort"):
            made = await link(t, kind, recorder)
            getattr(made.transport, end)()
            made.transport.writelines([b"after"])
            await in_thread(read_away, made.peer)
            await made.protocol.lost
            made.transport.writelines([b"later"])
            t.equal("calls of connection_lost()", made.protocol.calls.count("connection_lost"), 1)
            await made.close()

    t.run(main())


@case(
    "TRAN-008.warning",
    variants=STREAMS,
    expected="after some writes that go nowhere a warning is logged, so that somebody notices",
)
def warning_after_many(t: Trial, kind: str) -> None:
    """20 times data is written after abort()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.abort()
        await made.protocol.lost
        for _ in range(20):
            made.transport.write(b"nobody reads this")
        warned = t.log_messages(logging.WARNING)
        t.note("warnings", warned[:1])
        if not warned:
            t.non_strict("no warning is logged for writes to a lost connection")
        await made.close()

    t.run(main())


class Reads(Recorder):
    """Closes or aborts in its first data_received()."""

    def __init__(self, end: str) -> None:
        super().__init__(asyncio.get_running_loop())
        self.end = end
        self.calls_of_data = 0

    def data_received(self, data: bytes) -> None:
        self.calls_of_data += 1
        super().data_received(data)
        assert self.transport is not None
        getattr(self.transport, self.end)()


@case(
    "TRAN-013.flushes",
    variants=SIDES,
    expected="the peer reads everything, and the end; then comes connection_lost(None)",
)
def close_flushes(t: Trial, kind: str) -> None:
    """4 MiB are written, far more than the kernel takes, and the transport is closed at once."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        data = bytes(range(256)) * (1 << 14)
        made.transport.write(data)
        made.transport.write(b"last")
        made.transport.close()
        await turns(5)
        t.equal("connection_lost() before the peer has read", made.protocol.lost.done(), False)
        arrived = await in_thread(receive_all_and_close, made.peer)
        t.equal("bytes the peer read until the end", len(arrived), len(data) + 4)
        t.true("they are those that were written", arrived == data + b"last")
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "TRAN-013.small",
    variants=SIDES,
    expected="the last words arrive before the end",
)
def close_flushes_small_writes(t: Trial, kind: str) -> None:
    """A callback writes two words and closes the transport."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"last ")
        made.transport.write(b"words")
        made.transport.close()
        arrived = await in_thread(receive_all_and_close, made.peer)
        t.equal("what the peer reads until the end", arrived, b"last words")
        await made.protocol.lost
        await made.close()

    t.run(main())


@case(
    "TRAN-013.no-more-data",
    variants=HALF_CLOSING,
    expected="data_received is not called again, although more data is there",
)
def no_data_after_close(t: Trial, kind: str) -> None:
    """1 MiB is on its way when data_received() calls close()."""

    async def main() -> None:
        made = await link(t, kind, lambda: Reads("close"))
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, bytes(1 << 20)))
        await made.protocol.lost
        await asyncio.wait([sending])
        sending.exception()
        await turns(10)
        t.equal("calls of data_received()", made.protocol.calls_of_data, 1)
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "TRAN-013.no-data-while-flushing",
    variants=HALF_CLOSING,
    expected="no data_received while the rest of the written data is sent",
)
def no_data_while_flushing(t: Trial, kind: str) -> None:
    """4 MiB are written and the transport closed; the peer sends, and only then reads."""

    def answer_and_read(peer: object) -> None:
        peer.sendall(b"too late")  # type: ignore[attr-defined]
        count_until_the_end(peer)  # the kernel resets a TCP connection with data nobody read

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 22))
        made.transport.close()
        await in_thread(answer_and_read, made.peer)
        await made.protocol.lost
        t.equal("data_received() was called", "data_received" in made.protocol.calls, False)
        await made.close()

    t.run(main())


@case(
    "TRAN-013.releases-the-socket",
    variants=SIDES,
    expected="the descriptor is closed after connection_lost",
)
def close_closes_the_socket(t: Trial, kind: str) -> None:
    """The transport is closed; the number of its descriptor is looked at after the end."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        sock = made.transport.get_extra_info("socket")
        t.true("there is a descriptor before", sock.fileno() >= 0)
        made.transport.close()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        await turns(3)
        t.equal("fileno() of the socket after the end", sock.fileno(), -1)
        await made.close()

    t.run(main())


@case(
    "TRAN-014.twice",
    variants=SIDES,
    expected="False, then True right after close(), and ever after; a second close() does nothing",
)
def is_closing(t: Trial, kind: str) -> None:
    """is_closing() is asked before, after close(), after a second close(), after the end."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("before", made.transport.is_closing(), False)
        made.transport.close()
        t.equal("after close()", made.transport.is_closing(), True)
        made.transport.close()
        t.equal("after a second close()", made.transport.is_closing(), True)
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        t.equal("after the end", made.transport.is_closing(), True)
        t.equal("calls of connection_lost()", made.protocol.calls.count("connection_lost"), 1)
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        await made.close()

    t.run(main())


@case(
    "TRAN-014.abort",
    variants=SIDES,
    expected="True right after abort()",
)
def is_closing_after_abort(t: Trial, kind: str) -> None:
    """is_closing() is asked after abort()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.abort()
        t.equal("after abort()", made.transport.is_closing(), True)
        await made.protocol.lost
        t.equal("after the end", made.transport.is_closing(), True)
        await made.close()

    t.run(main())


@case(
    "TRAN-014.peer-ended",
    variants=SIDES,
    expected="True in connection_lost() and after it",
)
def is_closing_after_the_peer(t: Trial, kind: str) -> None:
    """The peer closes the connection."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.peer.close()
        await made.protocol.lost
        t.equal("is_closing()", made.transport.is_closing(), True)
        await made.close()

    t.run(main())


@case(
    "TRAN-015.drops",
    variants=SIDES,
    expected="the peer gets less than was written; connection_lost(None) comes at once",
)
def abort_drops(t: Trial, kind: str) -> None:
    """4 MiB are written, far more than the kernel takes, and the transport is aborted."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 22))
        made.transport.abort()
        await made.protocol.lost  # the peer has read nothing
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        t.equal("is_closing()", made.transport.is_closing(), True)
        arrived = await in_thread(count_until_the_end, made.peer)
        t.true("the peer got less than was written", arrived < 1 << 22)
        await made.close()

    t.run(main())


def count_until_the_end(peer: object) -> int:
    """Bytes until the connection ends, in whatever way."""
    count = 0
    try:
        while piece := peer.recv(65536):  # type: ignore[attr-defined]
            count += len(piece)
    except OSError:
        pass
    return count


@case(
    "TRAN-015.after-close",
    variants=SIDES,
    expected="what close() was still sending is dropped, and connection_lost(None) comes at once",
)
def abort_after_close(t: Trial, kind: str) -> None:
    """4 MiB are written, the transport is closed, and a turn later aborted."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 22))
        made.transport.close()
        await turns(3)
        t.equal("connection_lost() before abort()", made.protocol.lost.done(), False)
        made.transport.abort()
        await made.protocol.lost  # the peer has read nothing
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        t.equal("calls", made.protocol.calls.count("connection_lost"), 1)
        await made.close()

    t.run(main())


@case(
    "TRAN-015.no-more-data",
    variants=STREAMS,
    expected="data_received is not called again, although more data is there",
)
def no_data_after_abort(t: Trial, kind: str) -> None:
    """1 MiB is on its way when data_received() calls abort()."""

    async def main() -> None:
        made = await link(t, kind, lambda: Reads("abort"))
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, bytes(1 << 20)))
        await made.protocol.lost
        await asyncio.wait([sending])
        sending.exception()
        await turns(10)
        t.equal("calls of data_received()", made.protocol.calls_of_data, 1)
        await made.close()

    t.run(main())


@case(
    "TRAN-032.after-the-end",
    variants=SIDES,
    expected="nothing: no exception, no second connection_lost",
)
def ends_after_the_end(t: Trial, kind: str) -> None:
    """After connection_lost(), which followed close(), close() and abort() are called again."""

    async def main() -> None:
        made = await lost_link(t, kind, "close")
        made.transport.close()
        made.transport.abort()
        await turns(10)
        t.equal("calls of connection_lost()", made.protocol.calls.count("connection_lost"), 1)
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        await made.close()

    t.run(main())


@case(
    "TRAN-032.after-flushing",
    variants=SIDES,
    expected="nothing: no exception, no second connection_lost",
)
def ends_after_flushing(t: Trial, kind: str) -> None:
    """close() had to flush 1 MiB before connection_lost(); then close() and abort() are called."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 20))
        made.transport.close()
        await in_thread(receive_all_and_close, made.peer)
        await made.protocol.lost
        made.transport.close()
        made.transport.abort()
        await turns(10)
        t.equal("calls", made.protocol.calls.count("connection_lost"), 1)
        await made.close()

    t.run(main())
