"""The long memory test: `python loops/tests/soak.py [CYCLES]`, minutes, outside the test suite.

Ten million callbacks, a million cancelled timers and a thousand loops; prints what grew and exits
with 1 when resident memory or the number of descriptors did. LOOPGAUGE_TEST_LOOP names the loop.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from loop_testing import target

#: Bytes that free lists and arenas may move by.
SLACK = 8 << 20
BATCH = 10_000


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def callbacks(loop: asyncio.AbstractEventLoop) -> None:
    for number in range(BATCH):
        loop.call_soon(divmod, number, 3)
    turn(loop)


def threadsafe(loop: asyncio.AbstractEventLoop) -> None:
    def feed() -> None:
        for number in range(BATCH):
            loop.call_soon_threadsafe(divmod, number, 3)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=feed)
    thread.start()
    loop.run_forever()
    thread.join()


def cancelled_timers(loop: asyncio.AbstractEventLoop) -> None:
    handles = [loop.call_later(10_000 + number, int) for number in range(BATCH)]
    for handle in handles:
        handle.cancel()
    turn(loop)


def fired_timers(loop: asyncio.AbstractEventLoop) -> None:
    for number in range(BATCH):
        loop.call_at(number / BATCH, int)
    turn(loop)


def tasks(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(BATCH)))

    loop.run_until_complete(main())


def soak(name: str, work: Callable[[], None], rounds: int) -> bool:
    """Runs `work` often enough; True when it grew nothing after the first tenth."""
    for _ in range(max(rounds // 10, 3)):
        work()
    gc.collect()
    before, files = resident(), descriptors()
    for _ in range(rounds):
        work()
    gc.collect()
    grown, opened = resident() - before, descriptors() - files
    flat = grown < SLACK and opened <= 0
    verdict = "flat" if flat else "GREW"
    print(f"{name:18} {rounds:6} rounds  {grown / 1024:+9.0f} KiB  {opened:+d} fds  {verdict}")
    return flat


def main() -> int:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    factory = target.target_factory()
    print(f"{target.target_name()}: {cycles} callbacks, {cycles // 10} timers")
    loop = factory()
    # A loop may open its descriptors when it first sleeps: they are not growth.
    loop.run_until_complete(asyncio.sleep(0.001))
    rounds = max(cycles // BATCH, 10)

    def create_and_close() -> None:
        fresh = factory()
        fresh.run_until_complete(asyncio.sleep(0))
        fresh.close()

    flat = [
        soak("call_soon", lambda: callbacks(loop), rounds),
        soak("call_soon_threads", lambda: threadsafe(loop), rounds // 10),
        soak("cancelled timers", lambda: cancelled_timers(loop), rounds // 10),
        soak("fired timers", lambda: fired_timers(loop), rounds // 10),
        soak("tasks", lambda: tasks(loop), rounds // 10),
        soak("create and close", create_and_close, 1000),
    ]
    loop.close()
    return 0 if all(flat) else 1


if __name__ == "__main__":
    sys.exit(main())
