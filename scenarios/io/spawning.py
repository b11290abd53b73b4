"""Child processes."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from loopgauge.scenarios.model import Scenario, require


class SubprocessSpawn(Scenario):
    """Elapsed time, since most of it passes in the kernel and in the child; the CPU time of the
    parent stands beside it."""

    id = "io.subprocess_spawn"
    summary = "start /bin/true and wait for its end"
    unit = "process"
    measure = "wall"
    rules = ("PROC-001", "PROC-004", "PROC-013", "PROC-019")
    requires = frozenset({"subprocess"})
    slot_s = 0.03

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        true, false = shutil.which("true"), shutil.which("false")
        if true is None or false is None:
            raise NotImplementedError("there is no program `true` or `false` on the PATH")
        self._program = true
        # A loop that does not wait would report 0 for this one as well.
        status = loop.run_until_complete(spawn(false))
        require(status == 1, f"the exit status of {false} is reported as {status}")

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return loop.run_until_complete(self._spawn_all(n))

    async def _spawn_all(self, n: int) -> int:
        done = 0
        for _ in range(n):
            done += await spawn(self._program) == 0
        return done


async def spawn(program: str) -> int:
    """Its exit status."""
    process = await asyncio.create_subprocess_exec(program)
    return await process.wait()
