"""LEAK: repeated work leaves no objects behind."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import sys
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


def growth(t: Trial, one_round: Callable[[], Coroutine[Any, Any, None]]) -> list[int]:
    """How many blocks of memory of the interpreter each of ten rounds added, after five rounds in
    which caches and free lists fill. What is left behind shows in every round."""

    async def main() -> list[int]:
        counts = []
        for _ in range(15):
            await one_round()
            for _ in range(3):
                await asyncio.sleep(0)
            gc.collect()
            counts.append(sys.getallocatedblocks())
        return [after - before for before, after in itertools.pairwise(counts[4:])]

    return t.run(main())


@case("LEAK-005.callbacks", expected="there are rounds of 300 callbacks that add nothing")
def memory_of_callbacks(t: Trial) -> None:
    """Callbacks of all kinds, called and cancelled, and futures; the memory after each round."""

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(100):
            loop.call_soon(int)
            loop.call_soon_threadsafe(int).cancel()
            loop.call_later(3600, int).cancel()
            loop.call_later(0, int)
            await asyncio.sleep(0)
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await future

    t.between("blocks added by the median round", sorted(growth(t, one_round))[5], -10_000, 30)


@case("LEAK-005.readers", expected="there are rounds of 100 readers that add nothing")
def memory_of_readers(t: Trial) -> None:
    """Readers and writers are added, called, replaced and removed; the memory after each round."""

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(50):
            ours, peer = socket.socketpair()
            peer.send(b"x")
            loop.add_reader(ours.fileno(), int)
            loop.add_writer(ours.fileno(), int)
            loop.add_reader(ours.fileno(), str)
            await asyncio.sleep(0)
            loop.remove_reader(ours.fileno())
            loop.remove_writer(ours.fileno())
            ours.close()
            peer.close()

    t.between("blocks added by the median round", sorted(growth(t, one_round))[5], -10_000, 15)


@case("LEAK-005.tasks", expected="there are rounds of 150 tasks that add nothing")
def memory_of_tasks(t: Trial) -> None:
    """Tasks that return, that raise, and that are cancelled; the memory after each round."""

    async def fails() -> None:
        raise ValueError("meant")

    async def one_round() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(50):
            tasks = [
                loop.create_task(asyncio.sleep(0)),
                loop.create_task(fails()),
                loop.create_task(asyncio.sleep(3600)),
            ]
            await asyncio.sleep(0)
            tasks[2].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    t.between("blocks added by the median round", sorted(growth(t, one_round))[5], -10_000, 15)


@case("LEAK-005.objects", variants=STREAMS, expected="transport and protocol are freed")
def objects_of_a_connection(t: Trial, kind: str) -> None:
    """A connection is made, used and aborted, and the case drops transport and protocol; weak
    references tell whether they are still there, while the loop is running."""

    async def use() -> list[weakref.ref[Any]]:
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: Recorder(loop))
        made.peer.sendall(b"hello")
        await made.protocol.received(5)
        made.transport.write(b"hello")
        refs: list[weakref.ref[Any]] = [weakref.ref(made.protocol)]
        try:
            refs.append(weakref.ref(made.transport))
        except TypeError:
            t.note("the transport", "cannot be referred to weakly")
        made.transport.abort()
        await made.protocol.lost
        await made.close()
        made.protocol.transport = None
        return refs

    async def main() -> int:
        refs = await use()
        for _ in range(3):
            await asyncio.sleep(0)
        gc.collect()
        return sum(ref() is not None for ref in refs)

    t.equal("objects still there", t.run(main()), 0)


@case("LEAK-005.loop", expected="the loop is gone when nobody refers to it any more")
def closed_loop_is_freed(t: Trial) -> None:
    """A loop runs tasks, timers, a reader and its executor, is closed, dropped and collected."""
    made = t.python(
        "import asyncio, gc, socket, weakref\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    await asyncio.sleep(0.001)\n"
        "    loop.call_later(3600, print, 'timer')\n"
        "    loop.call_soon_threadsafe(int)\n"
        "    await loop.run_in_executor(None, int)\n"
        "    ours, peer = socket.socketpair()\n"
        "    loop.add_reader(ours.fileno(), int)\n"
        "    loop.remove_reader(ours.fileno())\n"
        "    ours.close(), peer.close()\n"
        "loop = new_loop()\n"
        "ref = weakref.ref(loop)\n"
        "loop.run_until_complete(main())\n"
        "loop.run_until_complete(loop.shutdown_default_executor())\n"
        "loop.close()\n"
        "del loop\n"
        "for _ in range(3): gc.collect()\n"
        "print('freed' if ref() is None else 'alive')\n"
    )
    t.equal("the loop", made.stdout.strip(), "freed")
