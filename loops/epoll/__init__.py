"""The built-in loop: C++ on epoll where it runs per callback, CPython's own code elsewhere."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from loopgauge.loops.epoll.event_loop import EventLoop

if TYPE_CHECKING:
    from loopgauge.loops.epoll.policy import EventLoopPolicy

__all__ = ("EventLoop", "EventLoopPolicy", "install", "new_event_loop", "run")

_T = TypeVar("_T")


def new_event_loop() -> EventLoop:
    """A new loop, not set as the current one. The caller closes it."""
    return EventLoop()


def run(
    main: Coroutine[Any, Any, _T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> _T:
    """`asyncio.run()` on the built-in loop: runs `main`, cleans up, returns its result.

    Takes what asyncio.run() takes and raises what it raises. `loop_factory` is for a factory of
    your own, a subclass of the loop for example; None is `new_event_loop`.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("loopgauge.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=loop_factory or new_event_loop) as runner:
        return runner.run(main)


def install() -> None:
    """Makes `asyncio.run()` and `asyncio.new_event_loop()` use the built-in loop in this process.

    Uses the event loop policy, which CPython deprecated in 3.14 and removes in 3.16: from 3.14 on
    a DeprecationWarning says so. Prefer `run()` or
    `asyncio.Runner(loop_factory=loopgauge.new_event_loop)`.
    """
    from loopgauge.loops.epoll.policy import EventLoopPolicy

    if sys.version_info >= (3, 14):
        warnings.warn(
            "loopgauge.install() sets an event loop policy, which Python 3.16 no longer has;"
            " use loopgauge.run() or asyncio.Runner(loop_factory=loopgauge.new_event_loop)",
            DeprecationWarning,
            stacklevel=2,
        )
    with warnings.catch_warnings():  # CPython's own would name this line, not the caller's
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(EventLoopPolicy())


def __getattr__(name: str) -> Any:
    if name == "EventLoopPolicy":  # on demand: few need it, and Python 3.16 has no policies
        from loopgauge.loops.epoll.policy import EventLoopPolicy

        return EventLoopPolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
