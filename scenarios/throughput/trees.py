"""async_tree: a tree of gathered coroutines with work at its leaves, after pyperformance.

The work is pyperformance's (a factorial of 500, a cache of 1 to 100, half CPU and half I/O from a
fixed seed); its tree has six levels and its I/O sleeps 50 ms, which would be seconds per slot.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any

from loopgauge.scenarios.model import CheckFailed, Param, Scenario, require
from loopgauge.scenarios.proofs import prove_result

_FACTORIAL = 500
_CACHE_KEYS = 100
_CPU_SHARE = 0.5
_IO_SECONDS = 0.001
_SEED = 0

Leaf = Callable[[], Awaitable[int]]


class AsyncTree(Scenario):
    id = "throughput.async_tree"
    summary = "a tree of gathered coroutines"
    unit = "coroutine"
    rules: tuple[str, ...] = (
        "TASK-002",
        "TASK-010",
        "TASK-011",
        "TASK-017",
        "SOON-001",
        "SOON-002",
        "TIME-003",
    )
    params = (
        Param(
            "work",
            str,
            "none",
            ("none", "cpu_io_mixed", "memoization"),
            "what a leaf does: nothing, a factorial or a 1 ms sleep, a sleep on a cache miss",
        ),
        Param("eager", bool, False, (False, True), "with the eager task factory (Python 3.12)"),
        Param("branches", int, 6, (1, 6), "children of a node"),
        Param("levels", int, 3, (1, 3), "levels of gathered children"),
    )
    full = tuple(
        {"work": work, "eager": eager}
        for work in ("none", "cpu_io_mixed", "memoization")
        for eager in (False, True)
    )
    work: str
    eager: bool
    branches: int
    levels: int

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        unneeded = set() if self.eager else {"TASK-010", "TASK-011"}  # about task factories
        if self.work == "none":  # no leaf sleeps
            unneeded.add("TIME-003")
        self.rules = tuple(rule for rule in self.rules if rule not in unneeded)

    @property
    def grain(self) -> int:
        """Coroutines of one tree."""
        return int(sum(self.branches**level for level in range(self.levels + 1)))

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        if self.eager:
            if not hasattr(asyncio, "eager_task_factory"):
                raise NotImplementedError("eager tasks need Python 3.12")
            self._prove_eager(loop)
        prove_result(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        trees = n // self.grain
        leaves = 0
        nodes = 0

        async def grow(level: int, leaf: Leaf) -> None:
            nonlocal leaves, nodes
            nodes += 1
            if level == 0:
                worked = await leaf()  # the sum is read after the wait, not before it
                leaves += worked
                return
            await asyncio.gather(*[grow(level - 1, leaf) for _ in range(self.branches)])

        async def main() -> None:
            for _ in range(trees):
                await grow(self.levels, self._leaf())

        if self.eager:
            loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        try:
            loop.run_until_complete(main())
        finally:
            if self.eager:
                loop.set_task_factory(None)
        expected = trees * self.branches**self.levels
        require(leaves == expected, f"{leaves} of {expected} leaves did their work")
        return nodes

    def _leaf(self) -> Leaf:
        """A fresh leaf function for one tree: the same random work in every tree."""
        return {"none": _nothing, "cpu_io_mixed": _mixed, "memoization": _memoized}[self.work]()

    def _prove_eager(self, loop: asyncio.AbstractEventLoop) -> None:
        """A task starts inside create_task under the eager factory. Rule TASK-011."""
        order: list[str] = []

        async def child() -> None:
            order.append("child")

        async def main() -> None:
            task = asyncio.ensure_future(child())
            order.append("parent")
            await task

        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        try:
            loop.run_until_complete(main())
        except TypeError as error:  # arguments that this Python's factory does not take, TASK-010
            raise CheckFailed(f"the loop cannot use the eager task factory: {error}") from error
        finally:
            loop.set_task_factory(None)
        require(order == ["child", "parent"], "the eager task factory did not start its task")


def _nothing() -> Leaf:
    async def leaf() -> int:
        return 1

    return leaf


def _mixed() -> Leaf:
    choice = random.Random(_SEED)

    async def leaf() -> int:
        if choice.random() < _CPU_SHARE:
            return int(math.factorial(_FACTORIAL) > 0)
        return await asyncio.sleep(_IO_SECONDS, 1)

    return leaf


def _memoized() -> Leaf:
    choice = random.Random(_SEED)
    cache: dict[int, int] = {}

    async def leaf() -> int:
        key = choice.randint(1, _CACHE_KEYS)
        found = cache.get(key)
        if found is None:
            found = cache[key] = await asyncio.sleep(_IO_SECONDS, 1)
        return found

    return leaf
