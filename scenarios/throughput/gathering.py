"""Waiting for many at once: gather, as_completed, wait, TaskGroup."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_result

_RULES = ("TASK-002", "TASK-017", "SOON-001", "SOON-002")


async def echo(value: int) -> int:
    return value


class _Groups(Scenario):
    """Groups of `size` tasks, one after the other; an operation is one task."""

    unit = "task"
    rules = _RULES
    size: int

    @property
    def grain(self) -> int:
        return self.size

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_result(loop)
        self._expected = list(range(self.size))


class Gather(_Groups):
    id = "throughput.gather"
    summary = "gather many coroutines"
    params = (Param("size", int, 1000, (1, 10, 1000), "coroutines in one gather"),)
    full = ({}, {"size": 10})

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        expected = self._expected

        async def main() -> int:
            done = 0
            for _ in range(n // self.size):
                results = await asyncio.gather(*[echo(value) for value in expected])
                # The very objects come back, so the comparison is one pointer each.
                require(results == expected, "gather's results are not those of its coroutines")
                done += len(results)
            return done

        return loop.run_until_complete(main())


class AsCompleted(_Groups):
    id = "throughput.as_completed"
    summary = "results of many tasks in the order of their completion"
    params = (Param("size", int, 100, (1, 10, 100), "tasks in one as_completed"),)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        rounds = n // self.size
        total = 0
        done = 0

        async def main() -> None:
            nonlocal total, done
            for _ in range(rounds):
                tasks = [loop.create_task(echo(value)) for value in self._expected]
                for earliest in asyncio.as_completed(tasks):
                    total += await earliest
                    done += 1

        loop.run_until_complete(main())
        require(total == rounds * sum(self._expected), "as_completed returned wrong results")
        return done


class WaitFirst(_Groups):
    id = "throughput.wait_first"
    summary = "wait(FIRST_COMPLETED) while futures are resolved one by one"
    unit = "wait"
    params = (Param("size", int, 10, (1, 10, 100), "futures waited for at the beginning"),)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        rounds = n // self.size
        first = asyncio.FIRST_COMPLETED
        total = 0
        waits = 0

        async def main() -> None:
            nonlocal total, waits
            for _ in range(rounds):
                futures = [loop.create_future() for _ in self._expected]
                pending = set(futures)
                for value, future in enumerate(futures):
                    loop.call_soon(future.set_result, value)
                    done, pending = await asyncio.wait(pending, return_when=first)
                    total += sum(resolved.result() for resolved in done)
                    waits += len(done)
                require(not pending, "wait() left futures behind that were resolved")

        loop.run_until_complete(main())
        require(total == rounds * sum(self._expected), "wait() returned wrong futures")
        return waits


class TaskGroup(_Groups):
    id = "throughput.task_group"
    summary = "spawn many tasks in a TaskGroup"
    params = (Param("size", int, 100, (1, 10, 100), "tasks in one group"),)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        rounds = n // self.size
        total = 0
        done = 0

        async def child(value: int) -> None:
            nonlocal total, done
            total += value
            done += 1

        async def main() -> None:
            for _ in range(rounds):
                async with asyncio.TaskGroup() as group:
                    for value in self._expected:
                        group.create_task(child(value))

        loop.run_until_complete(main())
        require(total == rounds * sum(self._expected), "tasks of a group were lost or repeated")
        return done
