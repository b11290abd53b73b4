"""The event loop policy, for Pythons that still have policies (to 3.15)."""

from __future__ import annotations

import asyncio.unix_events
import sys
import warnings

from loopgauge.loops.epoll.event_loop import EventLoop

# 3.14 renamed the class and warns whoever asks for the old name.
_Base = (
    getattr(asyncio.unix_events, "_DefaultEventLoopPolicy", None)
    or asyncio.unix_events.DefaultEventLoopPolicy
)


class EventLoopPolicy(_Base):  # type: ignore[misc, valid-type]
    """The default policy, making built-in loops. From 3.14 on it warns, as asyncio's own does."""

    _loop_factory = EventLoop

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            warnings.warn(
                "loopgauge.EventLoopPolicy is an event loop policy, which Python 3.16 no longer"
                " has; use asyncio.Runner(loop_factory=loopgauge.new_event_loop)",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__init__()
