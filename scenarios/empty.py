"""Nothing, measured: what driving a scenario costs beside its work."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Scenario


class EmptyOperation(Scenario):
    """Not in the catalogue: the harness runs it by itself, in the slots of the native tier."""

    id = "harness.empty"
    summary = "an operation that does nothing"
    unit = "operation"
    has_native = True

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.empty())

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return n
