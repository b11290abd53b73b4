"""An application whose instructions are counted: the same work, once with a branch more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

CALLBACKS = 100  # in one run


async def plain() -> None:
    await chain(lambda left: left - 1)


async def branched() -> None:
    """One conditional more in each callback, and never taken."""
    await chain(lambda left: left - 1 if left else left)


async def fails() -> None:
    raise ValueError("this one cannot be counted")


async def chain(less: Callable[[int], int]) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    left = CALLBACKS

    def step() -> None:
        nonlocal left
        left = less(left)
        if left > 0:
            loop.call_soon(step)
        else:
            ended.set_result(None)

    loop.call_soon(step)
    await ended
