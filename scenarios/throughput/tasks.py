"""Single tasks and futures: yields, spawning, cancelling, chains of callbacks."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_order, prove_result, prove_yield


class Sleep0(Scenario):
    id = "throughput.sleep0"
    summary = "one task yields with sleep(0)"
    unit = "step"
    rules = ("SOON-001", "SOON-002", "TASK-002", "LIFE-001")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_yield(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        async def main() -> int:
            sleep = asyncio.sleep
            done = 0
            for _ in range(n):
                await sleep(0)
                done += 1
            return done

        return loop.run_until_complete(main())


class TaskSpawn(Scenario):
    id = "throughput.task_spawn"
    summary = "create a task, await its result"
    unit = "task"
    rules = ("TASK-002", "SOON-002", "LIFE-001")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_result(loop)
        self._prove_deferred(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        async def child() -> int:
            return 1

        async def main() -> int:
            create_task = loop.create_task
            done = 0
            for _ in range(n):
                done += await create_task(child())
            return done

        return loop.run_until_complete(main())

    def _prove_deferred(self, loop: asyncio.AbstractEventLoop) -> None:
        """create_task schedules and does not start. Rule TASK-002."""
        order: list[str] = []

        async def child() -> None:
            order.append("child")

        async def main() -> None:
            task = loop.create_task(child())
            order.append("parent")
            await task

        loop.run_until_complete(main())
        require(order == ["parent", "child"], f"create_task and its task ran as {order}")


class FutureChain(Scenario):
    id = "throughput.future_chain"
    summary = "the callback of each future resolves the next"
    unit = "future"
    rules = ("TASK-001", "SOON-001", "SOON-002", "SOON-003")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        create_future = loop.create_future
        reached = 0

        def link(previous: asyncio.Future[int]) -> None:
            nonlocal reached
            reached = previous.result()
            if reached == n:
                loop.stop()
                return
            future = create_future()
            future.add_done_callback(link)
            future.set_result(reached + 1)

        first = create_future()
        first.add_done_callback(link)
        first.set_result(1)
        loop.run_forever()
        return reached


class CancellationStorm(Scenario):
    id = "throughput.cancellation_storm"
    summary = "tasks that wait are all cancelled at once"
    unit = "task"
    rules = ("TASK-002", "TASK-016", "SOON-002", "LIFE-001")
    params = (Param("tasks", int, 1000, (1, 1000, 10_000), "tasks cancelled at once"),)
    full = ({}, {"tasks": 10_000})
    tasks: int

    @property
    def grain(self) -> int:
        return self.tasks

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_result(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        noticed = 0
        cancelled = 0

        async def wait_for_ever() -> None:
            nonlocal noticed
            try:
                await loop.create_future()
            except asyncio.CancelledError:
                noticed += 1
                raise

        async def storm() -> None:
            nonlocal cancelled
            tasks = [loop.create_task(wait_for_ever()) for _ in range(self.tasks)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            cancelled += sum(task.cancelled() for task in tasks)

        async def main() -> None:
            for _ in range(n // self.tasks):
                await storm()

        loop.run_until_complete(main())
        require(noticed == n, f"{noticed} of {n} tasks saw CancelledError")
        return cancelled
