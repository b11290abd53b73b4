"""PROT: which callbacks of a stream protocol are called, in which order, and with which bytes."""

from __future__ import annotations

import asyncio
import contextlib
import select

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import SIDES, STREAMS, link
from loopgauge.conformance.kit.peers import (
    in_thread,
    receive_exactly,
    send_and_end,
    socket_pair,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

WHOLE_LIFE = ["connection_made", "data_received", "eof_received", "connection_lost"]


def pattern(count: int) -> bytes:
    """Bytes in which a piece that is lost, doubled or out of place shows."""
    return (b"".join(number.to_bytes(4, "big") for number in range(count // 4 + 1)))[:count]


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


@case(
    "PROT-001.peer-ends",
    variants=SIDES,
    expected="connection_made, data_received, eof_received, connection_lost, each at its time",
)
def order_when_the_peer_ends(t: Trial, kind: str) -> None:
    """The peer sends four bytes and ends the stream."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        await in_thread(send_and_end, made.peer, b"data")
        await made.protocol.lost
        await turns(10)
        t.equal("the callbacks, in order", made.protocol.calls, WHOLE_LIFE)
        t.equal("the data", bytes(made.protocol.data), b"data")
        await made.close()
        t.equal("the callbacks after abort()", made.protocol.calls, WHOLE_LIFE)

    t.run(main())


@case(
    "PROT-001.we-close",
    variants=SIDES,
    expected="connection_made and connection_lost, each once, however often the end is asked for",
)
def order_when_we_close(t: Trial, kind: str) -> None:
    """The transport is closed and then aborted, twice each, and once more after the end."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        for end in (made.transport.close, made.transport.abort) * 2:
            end()
        await made.protocol.lost
        made.transport.abort()
        made.peer.close()
        await turns(10)
        t.equal("the callbacks", made.protocol.calls, ["connection_made", "connection_lost"])
        await made.close()

    t.run(main())


@case(
    "PROT-001.data-is-waiting",
    variants=("tcp", "unix"),
    expected="connection_made first, although the data was there before the transport was",
)
def data_before_the_transport(t: Trial, kind: str) -> None:
    """The peer sends and ends the stream before the socket is given to create_connection()."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = socket_pair(kind, t.directory)
        send_and_end(peer, b"early")
        make = loop.create_unix_connection if kind == "unix" else loop.create_connection
        _, protocol = await make(lambda: Recorder(loop), sock=ours)
        await protocol.lost
        t.equal("the callbacks, in order", protocol.calls, WHOLE_LIFE)
        t.equal("the data", bytes(protocol.data), b"early")
        peer.close()

    t.run(main())


@case(
    "PROT-001.made-before-return",
    variants=STREAMS,
    expected="connection_made was called, with the transport, before create_connection() returned",
)
def made_before_return(t: Trial, kind: str) -> None:
    """The protocol is looked at as soon as create_connection() has returned."""

    async def main() -> None:
        seen: list[tuple[list[str], object]] = []
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: Recorder(loop))
        seen.append((list(made.protocol.calls), made.protocol.transport))
        t.equal("the callbacks so far", seen[0][0], ["connection_made"])
        t.true("it was given the transport that is returned", seen[0][1] is made.transport)
        await made.close()

    t.run(main())


class AbortsAtData(Recorder):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        assert self.transport is not None
        self.transport.abort()


@case(
    "PROT-002.abort-with-data-waiting",
    variants=STREAMS,
    expected="connection_lost is the last callback; no data_received after abort()",
)
def nothing_after_abort(t: Trial, kind: str) -> None:
    """The peer sends 1 MiB; the protocol calls abort() in its first data_received()."""

    async def main() -> None:
        made = await link(t, kind, lambda: AbortsAtData(asyncio.get_running_loop()))
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, bytes(1 << 20)))
        await made.protocol.lost
        received = len(made.protocol.data)
        await asyncio.wait([sending])
        sending.exception()  # a broken pipe, if it was not done before
        await turns(10)
        wanted = ["connection_made", "data_received", "connection_lost"]
        t.equal("the callbacks", made.protocol.calls, wanted)
        t.equal("bytes received after the end", len(made.protocol.data) - received, 0)
        await made.close()

    t.run(main())


@case(
    "PROT-002.writing-after-the-end",
    variants=STREAMS,
    expected="pause_writing and resume_writing are not called after connection_lost",
)
def no_flow_control_after_the_end(t: Trial, kind: str) -> None:
    """With a high-water mark of 100 bytes, data is written after connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        made.transport.set_write_buffer_limits(high=100)
        made.transport.abort()
        await made.protocol.lost
        for _ in range(3):
            with contextlib.suppress(RuntimeError):  # whether it may raise is rule TRAN-008
                made.transport.write(bytes(1000))
        await turns(10)
        t.equal("the callbacks", made.protocol.calls, ["connection_made", "connection_lost"])
        await made.close()

    t.run(main())


class Silent(asyncio.Protocol):
    """Notes every callback in the trial's events."""

    def __init__(self, t: Trial) -> None:
        self.t = t

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.t.event("connection_made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.t.event("connection_lost")


@case(
    "PROT-002.not-in-the-factory",
    variants=("tcp", "unix"),
    expected="the factory is called once, and returns, before connection_made is called",
)
def factory_first(t: Trial, kind: str) -> None:
    """The protocol factory notes when it is entered and left."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def factory() -> Silent:
            t.event("factory entered")
            made = Silent(t)
            t.event("factory left")
            return made

        ours, peer = socket_pair(kind, t.directory)
        make = loop.create_unix_connection if kind == "unix" else loop.create_connection
        transport, _ = await make(factory, sock=ours)
        transport.abort()
        await turns(10)
        peer.close()

    t.run(main())
    t.saw("factory entered", "factory left", "connection_made", "connection_lost")


class KeepsPieces(Recorder):
    """Keeps what data_received() is given, as it is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        super().data_received(data)


@case(
    "PROT-003.type-and-size",
    variants=SIDES,
    expected="every piece is of type bytes and holds at least one byte, also at the end",
)
def pieces_are_bytes(t: Trial, kind: str) -> None:
    """The peer sends one byte, then 300 kB, and ends the stream."""

    async def main() -> None:
        made = await link(t, kind, lambda: KeepsPieces(asyncio.get_running_loop()))
        made.peer.sendall(b"x")
        await made.protocol.received(1)
        await in_thread(send_and_end, made.peer, bytes(300_000))
        await made.protocol.lost
        kinds = sorted({type(piece).__name__ for piece in made.protocol.pieces})
        t.equal("types of the pieces", kinds, ["bytes"])
        t.equal("empty pieces", [p for p in made.protocol.pieces if not p], [])
        t.equal("bytes in all", sum(map(len, made.protocol.pieces)), 300_001)
        await made.close()

    t.run(main())


@case(
    "PROT-003.pieces-stay",
    variants=STREAMS,
    expected="a piece that the protocol keeps is not changed by later reads",
)
def pieces_stay_unchanged(t: Trial, kind: str) -> None:
    """The peer sends three pieces, each after the one before has arrived; all are kept."""

    async def main() -> None:
        made = await link(t, kind, lambda: KeepsPieces(asyncio.get_running_loop()))
        for number, letter in enumerate((b"a", b"b", b"c"), 1):
            made.peer.sendall(letter * 1000)
            await made.protocol.received(1000 * number)
        kept = b"".join(made.protocol.pieces)
        t.true("all pieces are as they came", kept == b"a" * 1000 + b"b" * 1000 + b"c" * 1000)
        await made.close()

    t.run(main())


@case(
    "PROT-004.received",
    variants=SIDES,
    expected="the bytes that data_received() got, joined, are those that were sent",
)
def received_exactly(t: Trial, kind: str) -> None:
    """The peer sends 1 MiB of different bytes in pieces of odd sizes."""
    data = pattern(1 << 20)

    def send(peer: object) -> None:
        start = 0
        for size in (1, 2, 1000, 4095, 65535, 65537, 262_143, 262_145, 1 << 20):
            peer.sendall(data[start : start + size])  # type: ignore[attr-defined]
            start += size

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        await in_thread(send, made.peer)
        got = await made.protocol.received(len(data))
        t.equal("bytes received", len(got), len(data))
        t.true("they are those that were sent", got == data)
        await made.close()

    t.run(main())


@case(
    "PROT-004.sent",
    variants=SIDES,
    expected="the peer reads just the bytes that were written, in that order",
)
def sent_exactly(t: Trial, kind: str) -> None:
    """1 MiB is written in pieces of odd sizes, more than the kernel takes at once."""
    data = pattern(1 << 20)

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()), small=True)
        start = 0
        for size in (1, 2, 1000, 4095, 65535, 65537, 262_143, 262_145, 1 << 20):
            made.transport.write(data[start : start + size])
            start += size
        got = await in_thread(receive_exactly, made.peer, len(data))
        t.equal("bytes that arrived", len(got), len(data))
        t.true("they are those that were written", got == data)
        await made.close()

    t.run(main())


class Echo(Recorder):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        assert self.transport is not None
        self.transport.write(data)


@case(
    "PROT-004.echo",
    variants=SIDES,
    expected="200 messages come back, each as it was sent",
)
def echoed_exactly(t: Trial, kind: str) -> None:
    """The protocol writes back in data_received() what it gets; the peer sends and waits."""

    def converse(peer: object) -> int:
        good = 0
        for number in range(200):
            message = pattern(number + 1)
            peer.sendall(message)  # type: ignore[attr-defined]
            good += receive_exactly(peer, len(message)) == message  # type: ignore[arg-type]
        return good

    async def main() -> None:
        made = await link(t, kind, lambda: Echo(asyncio.get_running_loop()))
        t.equal("messages that came back right", await in_thread(converse, made.peer), 200)
        await made.close()

    t.run(main())


@case(
    "PROT-004.last-bytes",
    variants=STREAMS,
    expected="all of 256 KiB that were sent just before the end arrive before eof_received",
)
def data_before_the_end(t: Trial, kind: str) -> None:
    """The loop stands still while the peer sends and ends the stream, then goes on."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        data = pattern(1 << 18)
        fd = made.transport.get_extra_info("socket").fileno()
        sending = asyncio.ensure_future(in_thread(send_and_end, made.peer, data))
        await asyncio.sleep(0)
        select.select([fd], [], [], 2)  # the loop is not running meanwhile
        await made.protocol.lost
        await sending
        t.true("all bytes arrived", bytes(made.protocol.data) == data)
        t.equal("the callbacks", made.protocol.calls, WHOLE_LIFE)
        await made.close()

    t.run(main())
