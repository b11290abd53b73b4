"""Child processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import Any

from loopgauge.scenarios.model import Lacking, Param, Scenario, require

# Nothing is said to the children, and none is sent a signal: of Process, wait() is all there is.
ONLY_AWAITED = (
    "PROC-013.communicate",
    "PROC-013.empty-input",
    "PROC-013.large",
    "PROC-013.limit",
    "PROC-013.no-input",
    "PROC-013.signals-*",
    "PROC-013.streams",
)


class SubprocessSpawn(Scenario):
    """Elapsed time, since most of it passes in the kernel and in the child; the CPU time of the
    parent stands beside it."""

    id = "io.subprocess_spawn"
    summary = "start /bin/true and wait for its end"
    unit = "process"
    measure = "wall"
    rules = ("PROC-001", "PROC-004", "PROC-013", "PROC-019")
    aside = ONLY_AWAITED
    requires = frozenset({"subprocess"})
    slot_s = 0.03

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        true, false = shutil.which("true"), shutil.which("false")
        if true is None or false is None:
            raise Lacking("there is no program `true` or `false` on the PATH")
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


class SubprocessPipe(Scenario):
    """The child lives as long as the scenario. Its own CPU time does not count, that of both pipes'
    ends in this process does."""

    id = "io.subprocess_pipe"
    summary = "a message through the pipes of a child: written to `cat`, and read back"
    unit = "message"
    rules = ("PROC-001", "PROC-003", "PROC-010", "PROC-013", "PIPE-001", "PIPE-002")
    carriers = ("pipe",)
    # Input and output are pipes, of which streams are made; the child inherits its standard error.
    aside = (
        "PROC-010.inherited-0",
        "PROC-010.inherited-1",
        "PROC-010.merged",
        "PROC-010.null",
        "PROC-010.own-*",
        "PROC-013.communicate",
        "PROC-013.empty-input",
        "PROC-013.limit",
        "PROC-013.no-input",
        "PROC-013.signals-*",
    )
    requires = frozenset({"subprocess", "pipe"})
    params = (Param("size", int, 16_384, (1, 1024, 16_384, 262_144), "bytes of a message"),)
    full = ({}, {"size": 1024}, {"size": 262_144})
    slot_s = 0.010
    size: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._child: asyncio.subprocess.Process | None = None
        program = shutil.which("cat")
        if program is None:
            raise Lacking("there is no program `cat` on the PATH")
        block = os.urandom(self.size + self._SHIFTS)
        # Different from one to the next, so that an old one is not taken for it.
        self._messages = [block[start : start + self.size] for start in range(self._SHIFTS)]
        self._child = loop.run_until_complete(start_piped(program))
        self.perform(loop, 2)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return loop.run_until_complete(self._exchange(n))

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        child, self._child = getattr(self, "_child", None), None
        if child is not None and not loop.is_closed():
            loop.run_until_complete(end_piped(child))

    async def _exchange(self, n: int) -> int:
        child, size, messages = self._child, self.size, self._messages
        assert child is not None
        writer, reader = child.stdin, child.stdout
        assert writer is not None
        assert reader is not None
        done = 0
        for number in range(n):
            message = messages[number % self._SHIFTS]
            writer.write(message)
            await writer.drain()
            require(await reader.readexactly(size) == message, "the child was sent other bytes")
            done += 1
        return done

    _SHIFTS = 61


async def start_piped(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )


async def end_piped(child: asyncio.subprocess.Process) -> None:
    """The end of its input is the end of `cat`; one that does not hear of it is killed."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), 2.0)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.wait_for(child.wait(), 2.0)
