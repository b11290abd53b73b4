"""The four ways to have a callback called, for rules that hold for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

#: For `variants=`: SOON for call_soon alike, ALL with the timers (which are due at once).
SOON = ("soon", "threadsafe")
ALL = ("soon", "threadsafe", "later", "at")


def schedule(
    loop: asyncio.AbstractEventLoop,
    how: str,
    callback: Callable[..., object],
    *args: Any,
    **kw: Any,
) -> asyncio.Handle:
    """Schedules `callback` by the method that `how` names, timers with a deadline of now."""
    if how == "soon":
        return loop.call_soon(callback, *args, **kw)
    if how == "threadsafe":
        return loop.call_soon_threadsafe(callback, *args, **kw)
    if how == "later":
        return loop.call_later(0, callback, *args, **kw)
    return loop.call_at(loop.time(), callback, *args, **kw)
