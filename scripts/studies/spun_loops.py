"""Stock asyncio with a burner in front of every call_soon(): one class twice, one with more to do.

The environment says how many iterations: LOOPGAUGE_STUDY_SPIN, for `slowed`; `plain` burns none.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from loopgauge import _bench


class SpunLoop(asyncio.SelectorEventLoop):
    spin = 0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        _bench.spin(self.spin)
        return super().call_soon(callback, *args, context=context)


def plain() -> SpunLoop:
    return SpunLoop()


def slowed() -> SpunLoop:
    loop = SpunLoop()
    loop.spin = int(os.environ["LOOPGAUGE_STUDY_SPIN"])
    return loop
