"""An event loop for asyncio. Begin with asyncio's own, and replace one method at a time."""

from __future__ import annotations

import asyncio

__all__ = ["EventLoop", "new_event_loop"]


class EventLoop(asyncio.SelectorEventLoop):
    """Whatever is defined here is what `bench validate` judges and measures.

    A loop that derives from `asyncio.AbstractEventLoop` instead inherits nothing that works: the
    ranked list of `bench validate` then says in which order its methods bring most.
    """


def new_event_loop() -> EventLoop:
    """A fresh loop; the factory that everybody else asks."""
    return EventLoop()
