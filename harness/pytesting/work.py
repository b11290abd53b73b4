"""A user's coroutine function as work on one loop: n calls, awaited one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loopgauge.harness.worker.guard import release_thread

Resource = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class Call:
    """`function(*args, **kwargs)` is awaited once per operation. With a `resource` its value comes
    first among the arguments; it is opened once per loop, by a task of that loop."""

    function: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    resource: Resource | None = None


class Work:
    """One loop with the call on it; owns the loop. Whatever the call raises goes through."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        self._loop = loop
        self._call = call
        self._args = call.args
        self._holder: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self.result: Any = None  # of the last call

    def open(self) -> None:
        """The resource, and the first call, which says whether there is anything to measure."""
        if self._call.resource is not None:
            value = self._complete(self._enter(self._call.resource))
            self._args = (value, *self._call.args)
        self.result = self._complete(self._first())

    def run(self, n: int) -> int:
        self.result = self._complete(self._repeat(n))
        return n

    def close(self) -> None:
        """As asyncio.Runner does it: what still runs is cancelled, then the loop is closed."""
        try:
            if self._holder is not None:
                self._complete(self._exit(self._holder))
            self._complete(cancel_the_rest())
            self._complete(self._loop.shutdown_asyncgens())
            self._complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
            release_thread()

    def _complete(self, coroutine: Any) -> Any:
        try:
            return self._loop.run_until_complete(coroutine)
        finally:
            release_thread()

    async def _first(self) -> Any:
        made = self._call.function(*self._args, **self._call.kwargs)
        if not inspect.isawaitable(made):
            name = getattr(self._call.function, "__name__", repr(self._call.function))
            raise TypeError(
                f"loop_benchmark takes a coroutine function (async def): {name} returned"
                f" {type(made).__name__}, which cannot be awaited"
            )
        return await made

    async def _repeat(self, n: int) -> Any:
        """One task for all n: a run_until_complete per call would add 6 to 14 us to each."""
        function, args, kwargs = self._call.function, self._args, self._call.kwargs
        result = None
        for _ in range(n):
            result = await function(*args, **kwargs)
        return result

    async def _enter(self, resource: Resource) -> Any:
        """Opened and closed by one task: task groups and time limits insist on it."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()
        self._holder = loop.create_task(self._hold(resource, opened))
        await asyncio.wait([self._holder, opened], return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            opened.cancel()
            holder, self._holder = self._holder, None
            await holder  # raises what opening raised
        return opened.result()

    async def _hold(self, resource: Resource, opened: asyncio.Future[Any]) -> None:
        async with resource() as value:
            opened.set_result(value)
            await self._leave.wait()

    async def _exit(self, holder: asyncio.Task[None]) -> None:
        self._leave.set()
        await holder


async def cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
