"""The event loop policy, for Pythons that still have policies (to 3.15)."""

from __future__ import annotations

import asyncio.unix_events

from loopgauge.loops.epoll.event_loop import EventLoop

# 3.14 renamed the class and warns whoever asks for the old name.
_Base = (
    getattr(asyncio.unix_events, "_DefaultEventLoopPolicy", None)
    or asyncio.unix_events.DefaultEventLoopPolicy
)


class EventLoopPolicy(_Base):  # type: ignore[misc, valid-type]
    """The default policy, making built-in loops."""

    _loop_factory = EventLoop
