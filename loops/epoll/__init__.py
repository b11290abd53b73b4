"""The built-in loop: C++ on epoll where it runs per callback, CPython's own code elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from loopgauge.loops.epoll.event_loop import EventLoop

if TYPE_CHECKING:
    from loopgauge.loops.epoll.policy import EventLoopPolicy

__all__ = ("EventLoop", "EventLoopPolicy", "install", "new_event_loop", "run")

_T = TypeVar("_T")


def new_event_loop() -> EventLoop:
    """A new loop, not set as the current one. The caller closes it."""
    return EventLoop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """`asyncio.run()` on the built-in loop: runs `main`, cleans up, returns its result."""
    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError("loopgauge.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


def install() -> None:
    """Makes `asyncio.run()` and `asyncio.new_event_loop()` use the built-in loop in this process.

    Uses the event loop policy, which CPython deprecated in 3.14 and removes in 3.16; prefer `run()`
    or `asyncio.Runner(loop_factory=loopgauge.new_event_loop)`.
    """
    from loopgauge.loops.epoll.policy import EventLoopPolicy

    asyncio.set_event_loop_policy(EventLoopPolicy())


def __getattr__(name: str) -> Any:
    if name == "EventLoopPolicy":  # on demand: naming the base class warns on 3.14
        from loopgauge.loops.epoll.policy import EventLoopPolicy

        return EventLoopPolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
