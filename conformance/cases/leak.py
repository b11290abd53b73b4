"""LEAK: after much work of one kind, a loop holds no more than before.

Every case of the suite is checked for what it leaves behind; these do it on purpose and in numbers,
and count while the loop is still open.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.processes import children
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

PATIENCE_S = 5.0


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def threads() -> int:
    """How many this process has, native ones too."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def settled(count: Callable[[], int], wanted: int) -> int:
    """`count()` once it is no more than `wanted`, or after a while what it is then: threads that
    were told to end take their time on a busy machine."""
    deadline = time.monotonic() + PATIENCE_S
    while count() > wanted and time.monotonic() < deadline:
        time.sleep(0.001)
    return count()


def rounds(t: Trial, one_round: Callable[[], Coroutine[Any, Any, None]], number: int) -> int:
    """How many more descriptors there are after `number` rounds than after the first."""

    async def main() -> int:
        await one_round()
        await asyncio.sleep(0)
        before = descriptors()
        for _ in range(number):
            await one_round()
        for _ in range(3):
            await asyncio.sleep(0)
        return descriptors() - before

    return t.run(main())


@case("LEAK-001.loops", expected="no descriptor more than after the first")
def descriptors_of_loops(t: Trial) -> None:
    """Thirty loops are made, run and closed, one after the other; every third one never runs."""

    def one(number: int) -> None:
        loop = t.factory()
        if number % 3:
            loop.call_soon_threadsafe(loop.stop)
            loop.run_forever()
        loop.close()

    one(1)
    before = descriptors()
    for number in range(30):
        one(number)
    t.equal("descriptors more than before", descriptors() - before, 0)


@case("LEAK-001.connections", variants=STREAMS, expected="no descriptor more than after the first")
def descriptors_of_connections(t: Trial, kind: str) -> None:
    """Thirty connections are made and ended, by close(), by abort(), and by the peer."""
    turn = 0

    async def one_round() -> None:
        nonlocal turn
        turn += 1
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: Recorder(loop))
        if turn % 3 == 0:
            made.peer.close()
        elif turn % 3 == 1:
            made.transport.abort()
        elif kind == "tls":
            made.transport.abort()  # close() waits for the peer's answer, which is blocking
        else:
            made.transport.close()
        await made.protocol.lost
        made.transport.close()
        made.peer.close()

    t.equal("descriptors more than before", rounds(t, one_round, 30), 0)


@case("LEAK-001.server", expected="no descriptor more than after the first")
def descriptors_of_servers(t: Trial) -> None:
    """Twenty servers are started; each gets two connections and is closed."""

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        accepted: list[Recorder] = []

        def factory() -> Recorder:
            accepted.append(Recorder(loop))
            return accepted[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        for _ in range(2):
            transport, _protocol = await loop.create_connection(
                lambda: Recorder(loop), address[0], address[1]
            )
            while not accepted or not accepted[-1].calls:
                await asyncio.sleep(0.001)
            transport.close()
            await accepted[-1].lost
        server.close()
        await server.wait_closed()

    t.equal("descriptors more than before", rounds(t, one_round, 20), 0)


@case(
    "LEAK-001.refused", variants=("tcp", "unix"), expected="no descriptor more than after the first"
)
def descriptors_of_failed_connections(t: Trial, kind: str) -> None:
    """Fifteen connections to a port where nobody listens, or to a path that is not there."""
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        with t.raises(OSError):
            if kind == "tcp":
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
            else:
                await loop.create_unix_connection(asyncio.Protocol, str(t.directory / "nothing"))

    t.equal("descriptors more than before", rounds(t, one_round, 15), 0)


@case("LEAK-001.datagrams", expected="no descriptor more than after the first")
def descriptors_of_datagram_endpoints(t: Trial) -> None:
    """Thirty datagram endpoints are opened and closed."""

    class Datagrams(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.lost = asyncio.Event()

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set()

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            Datagrams, local_addr=("127.0.0.1", 0)
        )
        transport.close()
        await protocol.lost.wait()

    t.equal("descriptors more than before", rounds(t, one_round, 30), 0)


@case("LEAK-001.cancelled", expected="no descriptor more than after the first")
def descriptors_of_cancelled_connections(t: Trial) -> None:
    """Thirty connection attempts are cancelled at once; half of them after one iteration."""
    turn = 0

    async def one_round() -> None:
        nonlocal turn
        turn += 1
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            task = loop.create_task(
                loop.create_connection(asyncio.Protocol, address[0], address[1])
            )
            for _ in range(turn % 3):
                await asyncio.sleep(0)
            task.cancel()
            try:
                transport, _protocol = await task
            except asyncio.CancelledError:
                pass
            else:
                transport.abort()
            for _ in range(3):
                await asyncio.sleep(0)

    t.equal("descriptors more than before", rounds(t, one_round, 30), 0)


@case("LEAK-002.executors", expected="no thread more than before")
def threads_of_executors(t: Trial) -> None:
    """Ten loops use their default executor from four calls each, shut it down, and are closed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        barrier = threading.Barrier(4)
        await asyncio.gather(
            *(loop.run_in_executor(None, barrier.wait, PATIENCE_S) for _ in range(4))
        )
        await loop.shutdown_default_executor()

    before = threads()
    for _ in range(10):
        loop = t.factory()
        loop.run_until_complete(main())
        loop.close()
    t.equal("threads more than before", settled(threads, before) - before, 0)


@case("LEAK-002.close", expected="no thread more than after the first loop")
def threads_of_closed_loops(t: Trial) -> None:
    """Ten loops use their default executor, look up a name, and are closed without more ado. What a
    library keeps once per process is there after the first one."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.getaddrinfo("127.0.0.1", 80)
        await loop.run_in_executor(None, threading.get_ident)

    def one() -> None:
        loop = t.factory()
        loop.run_until_complete(main())
        loop.close()

    start = threads()
    one()
    before = settled(threads, start)
    for _ in range(10):
        one()
    t.equal("threads more than before", settled(threads, before) - before, 0)


@case(
    "LEAK-003.children",
    profile="Process",
    expected="no child, dead or alive; no descriptor more than before",
)
def children_are_reaped(t: Trial) -> None:
    """Nine children: some end by themselves, some are killed, some are told to by their input."""

    async def one(turn: int) -> None:
        child = await asyncio.create_subprocess_exec(
            *(["/bin/true"] if turn == 0 else ["/bin/cat"]), stdin=asyncio.subprocess.PIPE
        )
        if turn == 1:
            child.kill()
        assert child.stdin is not None
        child.stdin.close()
        await child.wait()

    async def main() -> int:
        await one(0)
        for _ in range(3):
            await asyncio.sleep(0)
        before = descriptors()
        for _ in range(3):
            await asyncio.gather(*(one(turn) for turn in range(3)))
        for _ in range(3):
            await asyncio.sleep(0)
        return descriptors() - before

    t.equal("descriptors more than before", t.run(main()), 0)
    t.equal("children", children(), set())


@case("LEAK-003.unwaited", profile="Process", expected="all children are reaped while it runs")
def children_nobody_waits_for(t: Trial) -> None:
    """Six children end, and nobody waits for them; the loop goes on running."""

    async def main() -> None:
        kept = [await asyncio.create_subprocess_exec("/bin/true") for _ in range(6)]
        deadline = time.monotonic() + PATIENCE_S
        while children() and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        t.equal("children", children(), set())
        while any(child.returncode is None for child in kept) and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        t.equal("exit statuses", [child.returncode for child in kept], [0] * 6)

    t.run(main())


@case("LEAK-004.quiet", expected="no ResourceWarning, and nothing unraisable")
def quiet_life(t: Trial) -> None:
    """A loop does a little of everything (tasks that fail and are cancelled, timers, a server, a
    generator left in the middle), ends it all properly, and is closed and collected."""

    async def fails() -> None:
        raise ValueError("meant")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(asyncio.Event().wait())
        await asyncio.gather(fails(), fails(), return_exceptions=True)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        loop.call_later(3600, t.event, "timer")
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        server.close()
        await server.wait_closed()
        made = await link(t, "tcp", lambda: Recorder(loop))
        made.transport.write(b"x" * 100_000)
        await made.close()

    loop = t.factory()
    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    del loop
    t.collect()
    kinds = [w for w in t.warnings if issubclass(w.category, ResourceWarning)]
    t.equal("ResourceWarnings", [str(w.message) for w in kinds], [])
    t.equal("unraisable exceptions", t.unraisable, [])


@case("LEAK-004.dropped", expected="no ResourceWarning, and nothing unraisable")
def closed_with_work_left(t: Trial) -> None:
    """A loop is closed with callbacks, a timer and a reader left, and collected."""
    ours, peer = socket.socketpair()
    loop = t.factory()
    loop.call_soon(t.event, "called")
    loop.call_soon_threadsafe(t.event, "called")
    loop.call_later(0, t.event, "called")
    loop.add_reader(ours.fileno(), t.event, "called")
    loop.create_future().add_done_callback(lambda _: t.event("called"))
    loop.close()
    del loop
    t.collect()
    ours.close()
    peer.close()
    kinds = [w for w in t.warnings if issubclass(w.category, ResourceWarning)]
    t.equal("ResourceWarnings", [str(w.message) for w in kinds], [])
    t.equal("unraisable exceptions", t.unraisable, [])
    t.saw()


@case("LEAK-006.churn", variants=("tcp", "unix"), expected="no ERROR on the logger asyncio")
def connections_that_end_badly(t: Trial, kind: str) -> None:
    """Connections end in the middle of everything: the peer goes while data is written, a transport
    is aborted twice and written to afterwards, reads are cancelled, timeouts expire."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: Recorder(loop))
        made.transport.write(b"x" * 1_000_000)
        made.peer.close()
        await made.protocol.lost
        made.transport.abort()
        made.transport.close()
        made = await link(t, kind, lambda: Recorder(loop))
        made.transport.abort()
        made.transport.abort()
        made.transport.write(b"too late")
        await made.protocol.lost
        made.peer.close()
        ours, peer = socket.socketpair()
        ours.setblocking(False)
        receiving = loop.create_task(loop.sock_recv(ours, 10))
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        with t.raises(TimeoutError, asyncio.TimeoutError, what="wait_for raises"):
            await asyncio.wait_for(loop.sock_recv(ours, 10), 0.001)
        ours.close()
        peer.close()

    t.run(main())
    t.collect()
    t.equal("errors logged", t.log_messages(), [])
