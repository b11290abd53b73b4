"""Factories of loops that misbehave: what the runners of the tests must be able to name."""

from __future__ import annotations

import asyncio
import os
import threading


def aborts() -> asyncio.AbstractEventLoop:
    os.abort()


def hangs() -> asyncio.AbstractEventLoop:
    threading.Event().wait()
    raise AssertionError("unreachable")


def raises() -> asyncio.AbstractEventLoop:
    raise OSError("no loop today")
