"""TRAN: closing the write end alone."""

from __future__ import annotations

import asyncio

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import HALF_CLOSING, Link, link
from loopgauge.conformance.kit.peers import in_thread, read_away, receive_all, reset
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

HALVES = ("tcp", "unix", "served")


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


@case(
    "TRAN-007.write",
    variants=HALVES,
    expected="RuntimeError from write() and writelines(); nothing more is sent",
)
def write_after_eof(t: Trial, kind: str) -> None:
    """write() and writelines() are called after write_eof(), at once and when all is flushed."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"before")
        made.transport.write_eof()
        for _ in range(2):
            with t.raises(RuntimeError, what="write()"):
                made.transport.write(b"after")
            with t.raises(RuntimeError, what="writelines()"):
                made.transport.writelines([b"after"])
            await turns(3)
        arrived = await in_thread(receive_all, made.peer)
        t.equal("what the peer reads until the end", arrived, b"before")
        await made.close()

    t.run(main())


async def judge_write_eof(t: Trial, kind: str, size: int) -> None:
    made: Link[Recorder] = await link(t, kind, recorder, small=True)
    made.transport.write(b"x" * size)
    t.equal("write_eof() returns", made.transport.write_eof(), None)  # type: ignore[func-returns-value]
    arrived = await in_thread(receive_all, made.peer)
    t.equal("bytes the peer reads until the end", len(arrived), size)
    t.equal("is_closing()", made.transport.is_closing(), False)
    made.peer.sendall(b"answer")
    t.equal("what is received after that", await made.protocol.received(6), b"answer")
    made.peer.close()
    await made.protocol.lost
    t.equal("the argument of connection_lost()", made.protocol.error, None)
    wanted = ["connection_made", "data_received", "eof_received", "connection_lost"]
    calls = [name for name in made.protocol.calls if not name.endswith("_writing")]
    t.equal("the callbacks", calls, wanted)
    await made.close()


@case(
    "TRAN-010.small",
    variants=HALVES,
    expected="the peer reads all and then the end, and can still answer",
)
def eof_after_little(t: Trial, kind: str) -> None:
    """Five bytes are written, then write_eof(); the peer reads until the end and answers."""
    t.run(judge_write_eof(t, kind, 5))


@case(
    "TRAN-010.large",
    variants=HALVES,
    expected="the peer reads all and then the end, and can still answer",
)
def eof_after_much(t: Trial, kind: str) -> None:
    """2 MiB are written, far more than the kernel takes, then write_eof()."""
    t.run(judge_write_eof(t, kind, 1 << 21))


@case(
    "TRAN-010.nothing",
    variants=HALVES,
    expected="the peer reads the end at once, and can still answer",
)
def eof_after_nothing(t: Trial, kind: str) -> None:
    """write_eof() is called without anything written."""
    t.run(judge_write_eof(t, kind, 0))


@case(
    "TRAN-010.then-close",
    variants=HALVES,
    expected="everything arrives; connection_lost(None)",
)
def eof_then_close(t: Trial, kind: str) -> None:
    """2 MiB are written, then write_eof() and close() in the same turn."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 21))
        made.transport.write_eof()
        made.transport.close()
        t.equal("bytes", len(await in_thread(receive_all, made.peer)), 1 << 21)
        await made.protocol.lost
        t.equal("the argument of connection_lost()", made.protocol.error, None)
        await made.close()

    t.run(main())


@case(
    "TRAN-011.twice",
    variants=HALVES,
    expected="the second and third call do nothing",
)
def eof_twice(t: Trial, kind: str) -> None:
    """write_eof() is called three times, at once and when all is flushed."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"data")
        made.transport.write_eof()
        made.transport.write_eof()
        arrived = await in_thread(receive_all, made.peer)
        made.transport.write_eof()
        t.equal("what the peer reads until the end", arrived, b"data")
        t.equal("is_closing()", made.transport.is_closing(), False)
        made.peer.sendall(b"answer")
        t.equal("what is received after that", await made.protocol.received(6), b"answer")
        await made.close()

    t.run(main())


@case(
    "TRAN-011.closing",
    variants=HALF_CLOSING,
    expected="write_eof() on a closing or lost transport does nothing",
)
def eof_while_closing(t: Trial, kind: str) -> None:
    """write_eof() is called after close(), and after connection_lost()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.close()
        made.transport.write_eof()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        made.transport.write_eof()
        t.equal("callbacks", made.protocol.calls, ["connection_made", "connection_lost"])
        await made.close()

    t.run(main())


@case("TRAN-012.plain", variants=HALVES, expected="True")
def can_write_eof(t: Trial, kind: str) -> None:
    """can_write_eof() is asked, and asked again after write_eof()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("can_write_eof()", made.transport.can_write_eof(), True)
        made.transport.write_eof()
        t.equal("can_write_eof() after write_eof()", made.transport.can_write_eof(), True)
        await made.close()

    t.run(main())


@case(
    "TRAN-012.tls",
    variants=("tls", "served-tls"),
    expected="False, and write_eof() raises NotImplementedError",
)
def tls_cannot(t: Trial, kind: str) -> None:
    """can_write_eof() and write_eof() of a TLS transport."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.equal("can_write_eof()", made.transport.can_write_eof(), False)
        with t.raises(NotImplementedError, what="write_eof()"):
            made.transport.write_eof()
        t.equal("is_closing()", made.transport.is_closing(), False)
        await made.close()

    t.run(main())


@case(
    "TRAN-030.reset-while-writing",
    variants=("tcp", "tls", "served", "served-tls"),
    expected="connection_lost with an OSError, once; no signal, no call of the exception handler",
)
def reset_while_writing(t: Trial, kind: str) -> None:
    """The peer resets the connection while the loop has much to send, and goes on to write."""

    async def main() -> None:
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        made = await link(t, kind, recorder, small=True)
        made.transport.write(bytes(1 << 20))
        await turns(3)
        reset(made.peer)
        for _ in range(10):
            if not made.protocol.lost.done():
                made.transport.write(bytes(1000))
            await asyncio.sleep(0)
        await made.protocol.lost
        t.true("the argument is an OSError", isinstance(made.protocol.error, OSError))
        t.equal("calls", made.protocol.calls.count("connection_lost"), 1)
        t.equal("complaints to the exception handler", complaints, [])
        await made.close()

    t.run(main())


@case(
    "TRAN-030.unix-peer-gone",
    expected="connection_lost with an OSError, once; no signal, no call of the exception handler",
)
def unix_peer_gone(t: Trial) -> None:
    """The peer of a Unix connection is gone while the loop still has to send."""

    async def main() -> None:
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        made = await link(t, "unix", recorder, small=True)
        made.transport.pause_reading()
        made.transport.write(bytes(1 << 20))
        await turns(3)
        made.peer.close()
        await made.protocol.lost
        t.true("the argument is an OSError", isinstance(made.protocol.error, OSError))
        t.equal("complaints to the exception handler", complaints, [])
        await made.close()

    t.run(main())
