"""PROT: what happens when a callback of the protocol raises."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.complaints import Complaints
from loopgauge.conformance.kit.links import STREAMS, Link, link
from loopgauge.conformance.kit.peers import in_thread, read_away, receive_exactly, send_and_end
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

PLAIN = ("tcp", "unix", "served")


class Raises(Recorder):
    """Raises `error` in the callback named `place`, `times` times."""

    def __init__(self, place: str, error: BaseException, times: int = 1) -> None:
        super().__init__(asyncio.get_running_loop())
        self.place = place
        self.raised = error
        self.left = times

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.raise_if("connection_made")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.raise_if("data_received")

    def eof_received(self) -> bool:
        super().eof_received()
        self.raise_if("eof_received")
        return False

    def pause_writing(self) -> None:
        super().pause_writing()
        self.raise_if("pause_writing")

    def resume_writing(self) -> None:
        super().resume_writing()
        self.raise_if("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.raise_if("connection_lost")

    def raise_if(self, place: str) -> None:
        if place == self.place and self.left:
            self.left -= 1
            raise self.raised


async def raising(
    t: Trial, kind: str, place: str, error: BaseException, small: bool = False
) -> Link[Raises]:
    return await link(t, kind, lambda: Raises(place, error), small)


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


def judge_fatal(t: Trial, complaints: Complaints, made: Link[Raises], ours: bool) -> None:
    """The exception handler was called once, and connection_lost() got the exception."""
    error = made.protocol.raised
    t.equal("exceptions the handler was given", complaints.names(), [type(error).__name__])
    context = complaints.contexts[0]
    t.true("it is the exception that was raised", context["exception"] is error)
    keys = sorted({"message", "exception", "transport", "protocol"} & set(context))
    t.equal("keys", keys, ["exception", "message", "protocol", "transport"])
    if ours:
        t.true("'transport' is the transport", context["transport"] is made.transport)
        t.true("'protocol' is the protocol", context["protocol"] is made.protocol)
    t.true("connection_lost() got the exception", made.protocol.error is error)
    t.equal("calls of connection_lost()", made.protocol.calls.count("connection_lost"), 1)


@case(
    "PROT-009.handler",
    variants=PLAIN,
    expected="the exception handler is told once, with message, exception, transport and protocol; "
    "then connection_lost(exception)",
)
def data_received_raises(t: Trial, kind: str) -> None:
    """data_received() raises a ValueError; the peer goes on to send."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "data_received", ValueError("from data_received"))
        made.peer.sendall(b"one")
        await made.protocol.lost
        judge_fatal(t, complaints, made, ours=True)
        t.equal("the data", bytes(made.protocol.data), b"one")
        t.equal("is_closing()", made.transport.is_closing(), True)
        await in_thread(read_away, made.peer)
        complaints.clear()
        await made.close()

    t.run(main())


@case(
    "PROT-009.handler-tls",
    expected="the exception handler is told once; then connection_lost(exception)",
)
def data_received_raises_over_tls(t: Trial, kind: str = "tls") -> None:
    """Over TLS, data_received() raises a ValueError."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "data_received", ValueError("from data_received"))
        made.peer.sendall(b"one")
        await made.protocol.lost
        judge_fatal(t, complaints, made, ours=False)
        complaints.clear()
        await made.close()

    t.run(main())


@case(
    "PROT-009.no-more-data",
    variants=STREAMS,
    expected="data_received is not called again after it has raised",
)
def no_data_after_the_exception(t: Trial, kind: str) -> None:
    """1 MiB is on its way when data_received() raises for the first time."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "data_received", ValueError("first"))
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, bytes(1 << 20)))
        await made.protocol.lost
        await asyncio.wait([sending])
        sending.exception()
        await turns(10)
        t.equal("exceptions the handler was given", complaints.names(), ["ValueError"])
        wanted = ["connection_made", "data_received", "connection_lost"]
        t.equal("the callbacks", made.protocol.calls, wanted)
        complaints.clear()
        await made.close()

    t.run(main())


@case(
    "PROT-009.others-go-on",
    expected="the other connection still echoes",
)
def others_go_on(t: Trial) -> None:
    """Of two connections of one loop, the protocol of one raises in data_received()."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        bad = await raising(t, "tcp", "data_received", ValueError("bad"))
        good = await link(t, "tcp", lambda: Recorder(asyncio.get_running_loop()))
        bad.peer.sendall(b"x")
        await bad.protocol.lost
        good.peer.sendall(b"hello")
        t.equal("what the other receives", await good.protocol.received(5), b"hello")
        good.transport.write(b"world")
        t.equal("its answer", await in_thread(receive_exactly, good.peer, 5), b"world")
        complaints.clear()
        await bad.close()
        await good.close()

    t.run(main())


@case(
    "PROT-010.handler",
    variants=PLAIN,
    expected="the exception handler is told once; then connection_lost(exception)",
)
def eof_received_raises(t: Trial, kind: str) -> None:
    """eof_received() raises a ValueError."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "eof_received", ValueError("from eof_received"))
        await in_thread(send_and_end, made.peer, b"x")
        await made.protocol.lost
        await turns(5)
        judge_fatal(t, complaints, made, ours=True)
        complaints.clear()
        await made.close()

    t.run(main())


@case(
    "PROT-010.handler-tls",
    expected="the exception handler is told; then connection_lost(exception)",
)
def eof_received_raises_over_tls(t: Trial, kind: str = "tls") -> None:
    """Over TLS, eof_received() raises a ValueError."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "eof_received", ValueError("from eof_received"))
        made.peer.close()
        await made.protocol.lost
        await turns(5)
        judge_fatal(t, complaints, made, ours=False)
        complaints.clear()
        await made.close()

    t.run(main())


def write_until(made: Link[Raises], name: str) -> None:
    """Writes pieces until the protocol's callback `name` was called; 64 MiB at most."""
    for _ in range(1024):
        if name in made.protocol.calls:
            return
        made.transport.write(bytes(65536))


async def judge_flow_error(t: Trial, kind: str, place: str) -> None:
    complaints = Complaints(asyncio.get_running_loop())
    made = await raising(t, kind, place, ValueError(f"from {place}"), small=True)
    write_until(made, "pause_writing")
    t.true("pause_writing() was called", "pause_writing" in made.protocol.calls)
    receiving = asyncio.ensure_future(in_thread(read_away, made.peer))
    while "resume_writing" not in made.protocol.calls:  # HANG, if it never comes
        await asyncio.sleep(0.001)
    t.equal("exceptions the handler was given", complaints.names(), ["ValueError"])
    keys = sorted({"message", "exception"} & set(complaints.contexts[0]))
    t.equal("keys", keys, ["exception", "message"])
    t.equal("is_closing()", made.transport.is_closing(), False)
    made.peer.sendall(b"alive")
    t.equal("what is received after that", await made.protocol.received(5), b"alive")
    complaints.clear()
    made.transport.close()
    await receiving
    await made.protocol.lost
    t.equal("the argument of connection_lost()", made.protocol.error, None)
    await made.close()


@case(
    "PROT-015.pause",
    variants=STREAMS,
    expected="the exception handler is told once, write() does not raise, the connection goes on",
)
def pause_writing_raises(t: Trial, kind: str) -> None:
    """pause_writing() raises a ValueError; then the peer reads what was written."""
    t.run(judge_flow_error(t, kind, "pause_writing"))


@case(
    "PROT-015.resume",
    variants=STREAMS,
    expected="the exception handler is told once, the connection goes on",
)
def resume_writing_raises(t: Trial, kind: str) -> None:
    """resume_writing() raises a ValueError."""
    t.run(judge_flow_error(t, kind, "resume_writing"))


#: Callbacks that SystemExit and KeyboardInterrupt leave through run_until_complete().
PLACES = (
    "connection_made",
    "data_received",
    "eof_received",
    "pause_writing",
    "resume_writing",
    "connection_lost",
)


@case(
    "PROT-016.system-exit",
    variants=PLACES,
    expected="run_until_complete() raises it, the exception handler is not told, the loop goes on",
)
def system_exit_leaves(t: Trial, place: str) -> None:
    """A callback of the protocol raises SystemExit; the loop is then run again."""
    judge_exit(t, place, SystemExit(5))


@case(
    "PROT-016.keyboard-interrupt",
    variants=PLACES,
    expected="run_until_complete() raises it, the exception handler is not told, the loop goes on",
)
def keyboard_interrupt_leaves(t: Trial, place: str) -> None:
    """A callback of the protocol raises KeyboardInterrupt; the loop is then run again."""
    judge_exit(t, place, KeyboardInterrupt())


def judge_exit(t: Trial, place: str, error: BaseException) -> None:
    complaints = Complaints(t.loop)
    links: list[Link[Raises]] = []

    async def provoke() -> None:
        made = await raising(t, "tcp", place, error, small=True)
        links.append(made)
        if place in ("data_received", "eof_received"):
            send_and_end(made.peer, b"x")
            await made.protocol.lost
        elif place in ("pause_writing", "resume_writing"):
            made.loop_reader = asyncio.ensure_future(  # type: ignore[attr-defined]
                in_thread(read_away, made.peer)
            )
            t.loop.call_soon(write_until, made, "pause_writing")
            await made.protocol.lost
        made.transport.abort()
        await made.protocol.lost
        await turns(5)

    async def tidy() -> None:
        for made in links:
            reader: Any = getattr(made, "loop_reader", None)
            await made.close()
            if reader is not None:
                await reader

    task = t.loop.create_task(provoke())
    with t.raises(type(error), what="run_until_complete()") as caught:
        t.loop.run_until_complete(task)
    t.true("it is the one that was raised", caught[0] is error)
    t.equal("complaints to the exception handler", complaints.names(), [])
    if place in ("pause_writing", "resume_writing"):
        links[0].transport.abort()
    t.loop.run_until_complete(task)
    t.run(tidy())


@case(
    "PROT-018.connection-lost",
    variants=STREAMS,
    expected="the exception handler is told, and the socket is closed all the same",
)
def connection_lost_raises(t: Trial, kind: str) -> None:
    """connection_lost() raises a ValueError; the peer reads until the end."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "connection_lost", ValueError("from connection_lost"))
        made.transport.abort()
        await made.protocol.lost
        await in_thread(read_away, made.peer)
        await turns(5)
        t.equal("exceptions the handler was given", complaints.names(), ["ValueError"])
        t.equal("calls of connection_lost()", made.protocol.calls.count("connection_lost"), 1)
        complaints.clear()
        await made.close()

    t.run(main())


@case(
    "PROT-019.connection-made",
    variants=("tcp", "unix"),
    expected="the exception handler is told once, the loop goes on, the transport can be closed",
)
def connection_made_raises(t: Trial, kind: str) -> None:
    """connection_made() raises a ValueError; then the transport is aborted."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        made = await raising(t, kind, "connection_made", ValueError("from connection_made"))
        t.equal("exceptions the handler was given", complaints.names(), ["ValueError"])
        made.peer.sendall(b"hello")
        t.equal("what is received after that", await made.protocol.received(5), b"hello")
        made.transport.abort()
        await made.protocol.lost
        wanted = ["connection_made", "data_received", "connection_lost"]
        t.equal("the callbacks", made.protocol.calls, wanted)
        complaints.clear()
        await made.close()

    t.run(main())
