"""Which loop the tests run on.

`LOOPGAUGE_TEST_LOOP=module:attribute` names the factory; the default is the built-in loop. Stock
asyncio is `asyncio:SelectorEventLoop`: every test must pass there first, or it is the test that
is wrong.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable

VARIABLE = "LOOPGAUGE_TEST_LOOP"
DEFAULT = "loopgauge.loops.epoll:new_event_loop"
STOCK = "asyncio:SelectorEventLoop"

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def load(name: str) -> LoopFactory:
    """The factory `module:attribute`; raises ImportError or AttributeError."""
    module, _, attribute = name.partition(":")
    factory: LoopFactory = getattr(importlib.import_module(module), attribute)
    return factory


def target_name() -> str:
    return os.environ.get(VARIABLE, DEFAULT)


def target_factory() -> LoopFactory:
    return load(target_name())


def stock_factory() -> LoopFactory:
    """The loop every behaviour is compared with: asyncio's own, on epoll."""
    return asyncio.SelectorEventLoop


def is_stock() -> bool:
    return target_name() == STOCK
