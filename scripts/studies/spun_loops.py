"""Stock asyncio, and the same with more to do by an amount that is known.

The environment says how much: LOOPGAUGE_STUDY_SPIN, iterations of the burner in every call_soon()
of `slowed`; LOOPGAUGE_STUDY_PERCENT, of the CPU time of every run of `late`, burned at its end.
`plain` and `punctual` are the same classes and burn nothing.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from loopgauge import _bench


class SpunLoop(asyncio.SelectorEventLoop):
    def __init__(self, spin: int) -> None:
        # In both loops the instance's own: to find it in the class is 240 instructions cheaper.
        self.spin = spin
        super().__init__()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        _bench.spin(self.spin)
        return super().call_soon(callback, *args, context=context)


class LateLoop(asyncio.SelectorEventLoop):
    """Whatever the callbacks do, it takes `share` more: a run is as long as its slot, so reading
    the clock (0.2 us) and the last iterations of the burner do not count."""

    def __init__(self, share: float) -> None:
        self.share = share
        super().__init__()

    def run_forever(self) -> None:
        begin = _bench.thread_cpu_ns()
        try:
            super().run_forever()
        finally:
            now = _bench.thread_cpu_ns()
            end = now + round(self.share * (now - begin))
            while _bench.thread_cpu_ns() < end:
                _bench.spin(50)


def plain() -> SpunLoop:
    return SpunLoop(0)


def slowed() -> SpunLoop:
    return SpunLoop(int(os.environ["LOOPGAUGE_STUDY_SPIN"]))


def punctual() -> LateLoop:
    return LateLoop(0.0)


def late() -> LateLoop:
    return LateLoop(float(os.environ["LOOPGAUGE_STUDY_PERCENT"]) / 100)
