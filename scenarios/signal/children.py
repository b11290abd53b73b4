"""Many children that end at the same moment."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require

# Children at once, beyond which they end in several waves: each may take a descriptor or two of
# the loop's, and a process often has 1 024.
_WAVE = 250
_STATUSES = 100  # different exit statuses, from 1 on


class SigchldStorm(Scenario):
    """The children wait for the end of one pipe. The value is the time from its end until the loop
    has reported the last exit status, per child: starting them is another scenario."""

    id = "signal.sigchld_storm"
    summary = "children that end all at once are reported"
    unit = "us"
    measure = "value"
    rules = ("PROC-001", "PROC-004", "PROC-013", "PROC-019")
    aside = (
        "PROC-013.communicate",
        "PROC-013.empty-input",
        "PROC-013.large",
        "PROC-013.limit",
        "PROC-013.no-input",
        "PROC-013.signals-*",
        "PROC-013.streams",
    )
    requires = frozenset({"subprocess"})
    params = (Param("children", int, 8, (1, 8, 1000), "that end, up to 250 at the same moment"),)
    full = ({}, {"children": 1000})
    patience = 30.0  # a thousand processes on a busy machine
    children: int

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._spent_ns = self._ended = 0

    @property
    def grain(self) -> int:
        return self.children

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        shell = shutil.which("sh")
        if shell is None:
            raise NotImplementedError("there is no program `sh` on the PATH")
        self._shell = shell

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._spent_ns = self._ended = 0
        for first in range(0, n, _WAVE):
            loop.run_until_complete(self._wave(min(_WAVE, n - first)))
        return self._ended

    def take_value(self) -> float:
        return self._spent_ns / self._ended / 1000

    async def _wave(self, size: int) -> None:
        held, release = os.pipe()
        try:
            started = [await self._start(held, i % _STATUSES + 1) for i in range(size)]
        finally:
            os.close(held)
            began = time.monotonic_ns()
            os.close(release)
        statuses = [await child.wait() for child in started]
        self._spent_ns += time.monotonic_ns() - began
        wrong = sum(status != i % _STATUSES + 1 for i, status in enumerate(statuses))
        require(wrong == 0, f"{wrong} of {size} exit statuses are wrong")
        self._ended += size

    async def _start(self, held: int, status: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._shell, "-c", f"read line; exit {status}", stdin=held
        )
