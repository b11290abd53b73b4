"""Loops for a worker to make: see `fleet_testing`, which puts this folder on its path."""

from __future__ import annotations

import asyncio
from typing import Any


class Deaf(asyncio.SelectorEventLoop):
    """Callbacks never run in the context that they are given."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args)


class Sluggish(asyncio.SelectorEventLoop):
    """Takes its time with every callback."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        for _ in range(200):
            pass
        return super().call_soon(callback, *args, context=context)


def sluggish() -> asyncio.AbstractEventLoop:
    return Sluggish()
