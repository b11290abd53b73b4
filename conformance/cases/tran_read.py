"""TRAN: the read side of stream transports: pausing and resuming."""

from __future__ import annotations

import asyncio
import select
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import (
    end_stream,
    in_thread,
    read_away,
    receive_all_and_close,
    receive_exactly,
    send_and_end,
    socket_pair,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


async def settle(made: Link[Any]) -> None:
    """What the peer has sent is in the kernel, and the loop has had time to look for it."""
    fd = made.transport.get_extra_info("socket").fileno()
    await turns(5)
    select.select([fd], [], [], 0.01)
    await turns(20)
    await asyncio.sleep(0.002)  # a poll that waits, not only ones that look
    await turns(5)


@case(
    "TRAN-016.paused",
    variants=SIDES,
    expected="no data_received until resume_reading(), then everything",
)
def paused(t: Trial, kind: str) -> None:
    """Reading is paused, the peer sends, the loop runs for some turns; then reading is resumed."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.pause_reading()
        made.peer.sendall(b"while paused")
        await settle(made)
        t.equal("data while paused", bytes(made.protocol.data), b"")
        made.transport.resume_reading()
        t.equal("data within resume_reading()", bytes(made.protocol.data), b"")
        t.equal("data after it", await made.protocol.received(12), b"while paused")
        await made.close()

    t.run(main())


@case(
    "TRAN-016.not-counted",
    variants=SIDES,
    expected="one resume_reading() is enough after two pauses, and the other way round",
)
def not_counted(t: Trial, kind: str) -> None:
    """pause_reading() twice, resume_reading() twice, with data in between; then pause again."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.resume_reading()  # nothing was paused
        made.transport.pause_reading()
        made.transport.pause_reading()
        made.peer.sendall(b"one")
        await settle(made)
        t.equal("data while paused", bytes(made.protocol.data), b"")
        made.transport.resume_reading()
        t.equal("data after one resume", await made.protocol.received(3), b"one")
        made.transport.resume_reading()
        made.transport.pause_reading()
        made.peer.sendall(b"two")
        await settle(made)
        t.equal("data after one more pause", bytes(made.protocol.data), b"one")
        made.transport.resume_reading()
        t.equal("data at the end", await made.protocol.received(6), b"onetwo")
        await made.close()

    t.run(main())


class PausesAtData(Recorder):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        assert self.transport is not None
        self.transport.pause_reading()


@case(
    "TRAN-016.in-data-received",
    variants=("tcp", "unix", "served"),
    expected="one data_received for each resume_reading(), and every byte in the end",
)
def paused_in_data_received(t: Trial, kind: str) -> None:
    """1 MiB is on its way; data_received() pauses reading each time."""

    async def main() -> None:
        made = await link(t, kind, lambda: PausesAtData(asyncio.get_running_loop()))
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, bytes(1 << 20)))
        await made.protocol.received(1)
        while len(made.protocol.data) < 1 << 20:
            before = len(made.protocol.data)
            await turns(5)
            t.true("nothing comes while paused", len(made.protocol.data) == before)
            made.transport.resume_reading()
            await made.protocol.received(before + 1)
        await sending
        t.equal("bytes in the end", len(made.protocol.data), 1 << 20)
        await made.close()

    t.run(main())


@case(
    "TRAN-016.back-pressure",
    variants=STREAMS,
    expected="the peer is slowed down: it cannot send without end",
)
def back_pressure(t: Trial, kind: str) -> None:
    """While reading is paused, the peer sends until the kernel takes no more, 64 MiB at most."""

    def send_all_it_can(peer: object) -> int:
        peer.settimeout(0.2)  # type: ignore[attr-defined]
        for number in range(1024):
            try:
                peer.sendall(bytes(65536))  # type: ignore[attr-defined]
            except TimeoutError:
                return number
        return 1024

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.pause_reading()
        pieces = await in_thread(send_all_it_can, made.peer)
        t.between("pieces of 64 KiB that were taken", pieces, 0, 1023)
        t.equal("data while paused", bytes(made.protocol.data), b"")
        await made.close()

    t.run(main())


@case(
    "TRAN-016.writing-goes-on",
    variants=STREAMS,
    expected="what is written while reading is paused arrives",
)
def writing_while_paused(t: Trial, kind: str) -> None:
    """Reading is paused, and 1 MiB is written."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.pause_reading()
        made.transport.write(bytes(1 << 20))
        arrived = await in_thread(receive_exactly, made.peer, 1 << 20)
        t.equal("bytes that arrived", len(arrived), 1 << 20)
        await made.close()

    t.run(main())


@case(
    "TRAN-017.states",
    variants=SIDES,
    expected="True, False while paused, True again when resumed",
)
def is_reading(t: Trial, kind: str) -> None:
    """is_reading() is asked in each state."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("at the beginning", made.transport.is_reading(), True)
        made.transport.pause_reading()
        t.equal("after pause_reading()", made.transport.is_reading(), False)
        made.transport.pause_reading()
        t.equal("after a second one", made.transport.is_reading(), False)
        made.transport.resume_reading()
        t.equal("after resume_reading()", made.transport.is_reading(), True)
        await made.close()

    t.run(main())


@case(
    "TRAN-017.closing",
    variants=SIDES,
    expected="False once the transport is closing, and after the end",
)
def not_reading_when_closing(t: Trial, kind: str) -> None:
    """is_reading() is asked after close(), and after connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.close()
        closing = made.transport.is_reading()
        await in_thread(receive_all_and_close, made.peer)
        await made.protocol.lost
        t.equal("after close()", closing, False)
        t.equal("after the end", made.transport.is_reading(), False)
        await made.close()

    t.run(main())


@case(
    "TRAN-018.closing",
    variants=HALF_CLOSING,
    expected="nothing: no exception, no data_received, is_reading() stays False",
)
def resume_when_closing(t: Trial, kind: str) -> None:
    """Reading is paused with data waiting, the transport closed, then paused and resumed."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.pause_reading()
        made.peer.sendall(b"unread")
        made.transport.write(bytes(1 << 20))  # so that closing takes a while
        made.transport.close()
        made.transport.resume_reading()
        await settle(made)
        t.equal("is_reading()", made.transport.is_reading(), False)
        made.transport.pause_reading()
        made.transport.resume_reading()
        await settle(made)
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        t.equal("data_received() was called", "data_received" in made.protocol.calls, False)
        await made.close()

    t.run(main())


@case(
    "TRAN-018.after-the-end",
    variants=STREAMS,
    expected="pause_reading() and resume_reading() do nothing after connection_lost",
)
def resume_after_the_end(t: Trial, kind: str) -> None:
    """Reading is paused and resumed after abort() and connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.abort()
        await made.protocol.lost
        made.transport.pause_reading()
        made.transport.resume_reading()
        await turns(5)
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        await made.close()

    t.run(main())


class PausesAtOnce(Recorder):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()


@case(
    "TRAN-019.client",
    variants=("tcp", "unix"),
    expected="no data_received until resume_reading(), although the data was there first",
)
def paused_in_connection_made(t: Trial, kind: str) -> None:
    """Data is waiting in the socket; connection_made() pauses reading."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = socket_pair(kind, t.directory)
        peer.sendall(b"early")
        make = loop.create_unix_connection if kind == "unix" else loop.create_connection
        transport, protocol = await make(lambda: PausesAtOnce(loop), sock=ours)
        made = Link(transport, protocol, peer)
        await settle(made)
        t.equal("data while paused", bytes(protocol.data), b"")
        t.equal("is_reading()", transport.is_reading(), False)
        transport.resume_reading()
        t.equal("data after it", await protocol.received(5), b"early")
        await made.close()

    t.run(main())


@case(
    "TRAN-019.server",
    variants=("served", "served-tls"),
    expected="no data_received until resume_reading()",
)
def paused_in_accepted_connection_made(t: Trial, kind: str) -> None:
    """connection_made() of an accepted connection pauses reading; the peer sends."""

    async def main() -> None:
        made = await link(t, kind, lambda: PausesAtOnce(asyncio.get_running_loop()))
        made.peer.sendall(b"early")
        await settle(made)
        t.equal("data while paused", bytes(made.protocol.data), b"")
        made.transport.resume_reading()
        t.equal("data after it", await made.protocol.received(5), b"early")
        await made.close()

    t.run(main())


@case(
    "TRAN-020.end",
    variants=STREAMS,
    expected="eof_received and connection_lost come after resume_reading(), not before",
)
def end_while_paused(t: Trial, kind: str) -> None:
    """Reading is paused; the peer ends its stream."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.pause_reading()
        ending = asyncio.ensure_future(in_thread(end_stream, made.peer))
        await settle(made)
        t.equal("the callbacks while paused", made.protocol.calls, ["connection_made"])
        made.transport.resume_reading()
        await made.protocol.lost
        wanted = ["connection_made", "eof_received", "connection_lost"]
        t.equal("the callbacks in the end", made.protocol.calls, wanted)
        await ending
        await made.close()

    t.run(main())


@case(
    "TRAN-020.data-and-end",
    variants=STREAMS,
    expected="all data first, then eof_received, both after resume_reading()",
)
def data_and_end_while_paused(t: Trial, kind: str) -> None:
    """Reading is paused; the peer sends 100 kB and ends its stream."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.pause_reading()
        ending = asyncio.ensure_future(in_thread(send_and_end, made.peer, b"x" * 100_000))
        await settle(made)
        t.equal("the callbacks while paused", made.protocol.calls, ["connection_made"])
        made.transport.resume_reading()
        await made.protocol.lost
        wanted = ["connection_made", "data_received", "eof_received", "connection_lost"]
        t.equal("the callbacks in the end", made.protocol.calls, wanted)
        t.equal("bytes", len(made.protocol.data), 100_000)
        await ending
        await made.close()

    t.run(main())
