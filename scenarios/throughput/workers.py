"""Tasks that hand work to each other through queues."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_yield

_RULES = ("TASK-001", "TASK-002", "SOON-001", "SOON-002")
_MAXSIZE = Param("maxsize", int, 16, (1, 16, 1000), "items the queue holds")

Job = tuple["asyncio.Future[int]", int]


class QueueProducerConsumer(Scenario):
    id = "throughput.queue_producer_consumer"
    summary = "one producer, one consumer, a bounded queue between them"
    unit = "item"
    rules = _RULES
    params = (_MAXSIZE,)
    maxsize: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_yield(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        async def produce(queue: asyncio.Queue[int]) -> None:
            for item in range(n):
                await queue.put(item)

        async def consume(queue: asyncio.Queue[int]) -> int:
            done = 0
            for expected in range(n):
                done += await queue.get() == expected
            return done

        async def main() -> int:
            queue: asyncio.Queue[int] = asyncio.Queue(self.maxsize)
            producer = loop.create_task(produce(queue))
            done = await consume(queue)
            await producer
            return done

        return loop.run_until_complete(main())


class TaskQueue(Scenario):
    id = "throughput.task_queue"
    summary = "jobs through a bounded queue to workers; results and failures come back as futures"
    unit = "job"
    rules = (*_RULES, "TASK-017")
    params = (
        _MAXSIZE,
        Param("workers", int, 4, (1, 4, 16), "tasks that take jobs"),
        Param("fail_every", int, 10, (1, 10), "one job in so many raises"),
    )
    maxsize: int
    workers: int
    fail_every: int

    @property
    def grain(self) -> int:
        return self.fail_every

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_yield(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        fail_every = self.fail_every
        done_by = [0] * self.workers

        async def handle(number: int) -> int:
            await asyncio.sleep(0)
            if number % fail_every == 0:
                raise ValueError(number)
            return number

        async def worker(queue: asyncio.Queue[Job], index: int) -> None:
            while True:
                future, number = await queue.get()
                try:
                    future.set_result(await handle(number))
                except ValueError as error:
                    future.set_exception(error)
                queue.task_done()
                done_by[index] += 1

        async def main() -> tuple[int, int]:
            queue: asyncio.Queue[Job] = asyncio.Queue(self.maxsize)
            tasks = [loop.create_task(worker(queue, index)) for index in range(self.workers)]
            futures = []
            for number in range(n):
                future: asyncio.Future[int] = loop.create_future()
                futures.append(future)
                await queue.put((future, number))
            await queue.join()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return _outcome(futures)

        failures, total = loop.run_until_complete(main())
        expected = n // fail_every
        require(failures == expected, f"{failures} of {n} jobs failed, {expected} should have")
        everything = n * (n - 1) // 2
        failed = fail_every * expected * (expected - 1) // 2
        require(total == everything - failed, "results of jobs are wrong or lost")
        idle = done_by.count(0)
        require(idle == 0 or n < self.workers, f"{idle} of {self.workers} workers had no job")
        return sum(done_by)


def _outcome(futures: list[asyncio.Future[int]]) -> tuple[int, int]:
    """Failures, and the sum of the results."""
    failures = 0
    total = 0
    for future in futures:
        if future.exception() is None:
            total += future.result()
        else:
            failures += 1
    return failures, total
