"""Tasks that contend for a semaphore or a lock, and many that wait for one event."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_yield

_RULES = ("TASK-001", "TASK-002", "SOON-001", "SOON-002")
_WORKERS = Param("workers", int, 10, (1, 10, 100), "tasks that contend")


class _Contention(Scenario):
    """`workers` tasks share the operations; each holds what it got for one turn."""

    unit = "acquire"
    rules = _RULES
    workers: int

    @property
    def grain(self) -> int:
        return self.workers

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_yield(loop)


class SemaphoreContention(_Contention):
    id = "throughput.semaphore_contention"
    summary = "more tasks than permits: acquire, yield, release"
    params = (_WORKERS, Param("permits", int, 3, (1, 3), "tasks let in at a time"))
    permits: int

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        rounds = n // self.workers
        inside = 0
        most = 0
        done = 0

        async def worker(semaphore: asyncio.Semaphore) -> None:
            nonlocal inside, most, done
            sleep = asyncio.sleep
            for _ in range(rounds):
                async with semaphore:
                    inside += 1
                    if inside > most:
                        most = inside
                    await sleep(0)
                    inside -= 1
                done += 1

        async def main() -> None:
            semaphore = asyncio.Semaphore(self.permits)
            await asyncio.gather(*[worker(semaphore) for _ in range(self.workers)])

        loop.run_until_complete(main())
        allowed = min(self.permits, self.workers)
        require(most == allowed, f"{most} tasks were inside at a time, {allowed} should have been")
        return done


class LockContention(_Contention):
    id = "throughput.lock_contention"
    summary = "tasks take turns with a lock: acquire, yield, release"
    params = (_WORKERS,)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        workers = self.workers
        rounds = n // workers
        following = 0
        out_of_turn = 0
        done = 0

        async def worker(lock: asyncio.Lock, index: int) -> None:
            nonlocal following, out_of_turn, done
            sleep = asyncio.sleep
            for _ in range(rounds):
                async with lock:
                    # asyncio.Lock is fair: who has waited longest is next.
                    if index != following:
                        out_of_turn += 1
                    following = (index + 1) % workers
                    await sleep(0)
                done += 1

        async def main() -> None:
            lock = asyncio.Lock()
            await asyncio.gather(*[worker(lock, index) for index in range(workers)])

        loop.run_until_complete(main())
        require(out_of_turn == 0, f"the lock was given out of turn {out_of_turn} times in {n}")
        return done


class EventFanout(Scenario):
    id = "throughput.event_fanout"
    summary = "one event wakes all tasks that wait for it"
    unit = "wake"
    rules = _RULES
    params = (Param("waiters", int, 100, (1, 100, 1000), "tasks woken by one set()"),)
    slot_s = 0.02  # every slot makes its waiters anew: half a millisecond for 100 of them
    full = ({}, {"waiters": 1})
    waiters: int

    @property
    def grain(self) -> int:
        return self.waiters

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_yield(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        waiters = self.waiters
        rounds = n // waiters
        woken = 0
        incomplete = 0

        async def waiter(event: asyncio.Event) -> None:
            nonlocal woken
            for _ in range(rounds):
                await event.wait()
                woken += 1

        async def main() -> None:
            nonlocal incomplete
            sleep = asyncio.sleep
            event = asyncio.Event()
            tasks = [loop.create_task(waiter(event)) for _ in range(waiters)]
            await sleep(0)
            for already in range(0, n, waiters):
                event.set()
                event.clear()
                # The wake-ups were queued before this task's own, so all of them run first.
                await sleep(0)
                if woken != already + waiters:
                    incomplete += 1
            await asyncio.gather(*tasks)

        loop.run_until_complete(main())
        require(incomplete == 0, f"{incomplete} of {rounds} times not all waiters were woken")
        return woken
