"""PROT: how a connection ends: eof_received and connection_lost."""

from __future__ import annotations

import asyncio

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, SIDES, STREAMS, link
from loopgauge.conformance.kit.peers import (
    end_stream,
    in_thread,
    read_away,
    receive_all,
    receive_all_and_close,
    reset,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


class Answers(Recorder):
    """Returns `answer` from eof_received(), and writes `last` in it."""

    def __init__(self, answer: object, last: bytes = b"") -> None:
        super().__init__(asyncio.get_running_loop())
        self.answer = answer
        self.last = last

    def eof_received(self) -> bool:
        super().eof_received()
        if self.last and self.transport is not None:
            self.transport.write(self.last)
        return self.answer  # type: ignore[return-value]


@case(
    "PROT-005.falsy",
    variants=("tcp", "unix", "served"),
    expected="the transport closes itself, for None, False, 0 and an empty string alike",
)
def falsy_closes(t: Trial, kind: str) -> None:
    """The peer ends its stream; eof_received() returns something that is not true."""

    async def main() -> None:
        for answer in (None, False, 0, ""):
            made = await link(t, kind, lambda answer=answer: Answers(answer))  # type: ignore[misc]
            end_stream(made.peer)
            rest = await in_thread(receive_all, made.peer)
            t.equal("what the peer reads until the end", rest, b"")
            await made.protocol.lost
            t.equal("the argument of connection_lost()", made.protocol.error, None)
            t.equal("is_closing()", made.transport.is_closing(), True)
            await made.close()

    t.run(main())


@case(
    "PROT-005.truthy",
    variants=("tcp", "unix", "served"),
    expected="the connection stays open: what is written later arrives",
)
def truthy_keeps_open(t: Trial, kind: str) -> None:
    """The peer ends its stream; eof_received() returns True, 1 or "yes"; later data is written and
    the transport closed."""

    async def main() -> None:
        for answer in (True, 1, "yes"):
            made = await link(t, kind, lambda answer=answer: Answers(answer))  # type: ignore[misc]
            end_stream(made.peer)
            await made.protocol.ended
            await turns(10)
            t.equal("is_closing() after the end", made.transport.is_closing(), False)
            made.transport.write(b"still here")
            await turns(10)
            made.transport.close()
            rest = await in_thread(receive_all, made.peer)
            t.equal("what the peer reads until the end", rest, b"still here")
            await made.protocol.lost
            t.equal("the argument of connection_lost()", made.protocol.error, None)
            await made.close()

    t.run(main())


@case(
    "PROT-005.answer-in-eof",
    variants=("tcp", "unix", "served"),
    expected="what eof_received() wrote is flushed before the transport closes itself",
)
def written_in_eof(t: Trial, kind: str) -> None:
    """The protocol writes 1 MiB in eof_received() and returns None."""

    async def main() -> None:
        made = await link(t, kind, lambda: Answers(None, last=b"z" * (1 << 20)), small=True)
        end_stream(made.peer)
        rest = await in_thread(receive_all, made.peer)
        t.equal("bytes the peer reads until the end", len(rest), 1 << 20)
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "PROT-005.tls-has-no-half",
    variants=("tls", "served-tls"),
    expected="the connection is closed all the same: TLS has no half-closed connections",
)
def tls_closes(t: Trial, kind: str) -> None:
    """The peer ends its TLS stream; eof_received() returns True."""

    async def main() -> None:
        made = await link(t, kind, lambda: Answers(True))
        await in_thread(end_stream, made.peer)
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        t.equal("calls of eof_received()", made.protocol.calls.count("eof_received"), 1)
        await made.close()

    t.run(main())


@case(
    "PROT-006.kept-open",
    variants=HALF_CLOSING,
    expected="eof_received is called once, however long the connection then stays open",
)
def once_while_open(t: Trial, kind: str) -> None:
    """The peer ends its stream, the protocol keeps the connection open and goes on to write; the
    loop runs for many turns."""

    async def main() -> None:
        made = await link(t, kind, lambda: Answers(True))
        end_stream(made.peer)
        await made.protocol.ended
        for _ in range(10):
            made.transport.write(b"x")
            await turns(3)
        t.equal("calls of eof_received()", made.protocol.calls.count("eof_received"), 1)
        made.transport.close()
        await made.protocol.lost
        t.equal("calls of eof_received()", made.protocol.calls.count("eof_received"), 1)
        await made.close()

    t.run(main())


@case(
    "PROT-006.pause-and-resume",
    variants=HALF_CLOSING,
    expected="no second eof_received: it is called at most once in a connection's life",
)
def once_across_pauses(t: Trial, kind: str) -> None:
    """After eof_received() kept the connection open, reading is paused and resumed twice."""

    async def main() -> None:
        made = await link(t, kind, lambda: Answers(True))
        end_stream(made.peer)
        await made.protocol.ended
        for _ in range(2):
            made.transport.pause_reading()
            await turns(3)
            made.transport.resume_reading()
            await turns(5)
        t.equal("calls of eof_received()", made.protocol.calls.count("eof_received"), 1)
        await made.close()

    t.run(main())


@case(
    "PROT-006.no-data-after",
    variants=HALF_CLOSING,
    expected="no data_received after eof_received, and no empty one at the end",
)
def no_data_after_eof(t: Trial, kind: str) -> None:
    """The peer sends, ends its stream, and the connection is kept open for a while."""

    async def main() -> None:
        made = await link(t, kind, lambda: Answers(True))
        made.peer.sendall(b"data")
        end_stream(made.peer)
        await made.protocol.ended
        await turns(20)
        wanted = ["connection_made", "data_received", "eof_received"]
        t.equal("the callbacks so far", made.protocol.calls, wanted)
        await made.close()

    t.run(main())


@case(
    "PROT-007.clean-end",
    variants=SIDES,
    expected="connection_lost(None)",
)
def none_at_a_clean_end(t: Trial, kind: str) -> None:
    """The peer ends the stream in the regular way."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        await in_thread(end_stream, made.peer)
        await made.protocol.lost
        t.equal("the argument", made.protocol.error, None)
        await made.close()

    t.run(main())


@case("PROT-007.close", variants=SIDES, expected="connection_lost(None)")
def none_after_close(t: Trial, kind: str) -> None:
    """close() is called; the peer notices and closes too."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        made.transport.close()
        await in_thread(receive_all_and_close, made.peer)
        await made.protocol.lost
        t.equal("the argument", made.protocol.error, None)
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        await made.close()

    t.run(main())


@case("PROT-007.abort", variants=SIDES, expected="connection_lost(None)")
def none_after_abort(t: Trial, kind: str) -> None:
    """abort() is called while data that was written has not been sent."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()), small=True)
        made.transport.write(bytes(1 << 20))
        made.transport.abort()
        await made.protocol.lost
        t.equal("the argument", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "PROT-007.reset",
    variants=("tcp", "tls", "served", "served-tls"),
    expected="connection_lost with an OSError, a ConnectionResetError; no eof_received",
)
def error_after_reset(t: Trial, kind: str) -> None:
    """The peer resets the TCP connection."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        reset(made.peer)
        await made.protocol.lost
        t.true("the argument is an OSError", isinstance(made.protocol.error, OSError))
        t.equal("its type", type(made.protocol.error).__name__, "ConnectionResetError")
        t.equal("the callbacks", made.protocol.calls, ["connection_made", "connection_lost"])
        t.equal("is_closing()", made.transport.is_closing(), True)
        await made.close()

    t.run(main())


@case(
    "PROT-007.unix-reset",
    expected="connection_lost with an OSError, a ConnectionResetError",
)
def error_after_unix_reset(t: Trial) -> None:
    """The peer of a Unix connection closes it without having read what was sent."""

    async def main() -> None:
        made = await link(t, "unix", lambda: Recorder(asyncio.get_running_loop()))
        made.transport.pause_reading()
        made.transport.write(b"never read")
        await turns(5)
        made.peer.close()
        made.transport.resume_reading()
        await made.protocol.lost
        t.equal("its type", type(made.protocol.error).__name__, "ConnectionResetError")
        await made.close()

    t.run(main())


class Nested(Recorder):
    """Notes whether connection_lost() comes while a call into the transport is still going on."""

    def __init__(self, end: str, at: str) -> None:
        super().__init__(asyncio.get_running_loop())
        self.end = end
        self.at = at
        self.inside = False
        self.nested = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.end_if("connection_made")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.end_if("data_received")

    def connection_lost(self, exc: Exception | None) -> None:
        self.nested = self.nested or self.inside
        super().connection_lost(exc)

    def end_if(self, place: str) -> None:
        if place == self.at and self.transport is not None:
            self.inside = True
            getattr(self.transport, self.end)()
            self.inside = False


@case(
    "PROT-008.in-a-task",
    variants=STREAMS,
    expected="connection_lost comes later, from the loop, never within the call",
)
def later_in_a_task(t: Trial, kind: str) -> None:
    """close() or abort() is called by a task."""
    for end in ("close", "abort"):
        t.run(ends_later(t, kind, end, "task"))


@case(
    "PROT-008.in-data-received",
    variants=STREAMS,
    expected="connection_lost comes later, from the loop, never within the call",
)
def later_in_data_received(t: Trial, kind: str) -> None:
    """close() or abort() is called by the protocol's data_received()."""
    for end in ("close", "abort"):
        t.run(ends_later(t, kind, end, "data_received"))


@case(
    "PROT-008.in-connection-made",
    variants=("tcp", "unix"),
    expected="connection_lost comes later, from the loop, never within the call",
)
def later_in_connection_made(t: Trial, kind: str) -> None:
    """close() or abort() is called by the protocol's connection_made()."""
    for end in ("close", "abort"):
        t.run(ends_later(t, kind, end, "connection_made"))


async def ends_later(t: Trial, kind: str, end: str, place: str) -> None:
    made = await link(t, kind, lambda: Nested(end, place))
    if place == "data_received":
        made.peer.sendall(b"x")
    made.protocol.end_if("task")
    await in_thread(read_away, made.peer)
    await made.protocol.lost
    t.equal(f"connection_lost() within {end}()", made.protocol.nested, False)
    t.equal("calls of it", made.protocol.calls.count("connection_lost"), 1)
    await made.close()


@case(
    "PROT-008.write",
    variants=("tcp", "tls"),
    expected="connection_lost comes later, from the loop, never within write()",
)
def later_after_write(t: Trial, kind: str) -> None:
    """The peer resets the connection; before the loop could notice, data is written."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        reset(made.peer)
        for _ in range(3):
            made.transport.write(bytes(100_000))
        t.equal("the callbacks after write()", made.protocol.calls, ["connection_made"])
        await made.protocol.lost
        t.true("the argument is an OSError", isinstance(made.protocol.error, OSError))
        await made.close()

    t.run(main())
