"""The life of a whole loop, and turns in which there is nothing to do."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_poll, prove_result


class LoopLifecycle(Scenario):
    id = "throughput.loop_lifecycle"
    summary = "create a loop, run one coroutine on it, close it"
    unit = "loop"
    rules = ("LIFE-001", "LIFE-020", "LIFE-025", "LIFE-027", "SURF-014")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        other = self.new_loop(loop)
        try:
            require(other is not loop, "the factory returned the same loop again")
            prove_result(other)
        finally:
            other.close()

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        factory = self.loop_factory or type(loop)
        done = 0

        async def once() -> int:
            return 1

        for _ in range(n):
            other = factory()
            try:
                done += other.run_until_complete(once())
            finally:
                other.close()
            if not other.is_closed():
                done -= 1
        return done


class IdleTurns(Scenario):
    """Each turn is a run of its own, by the idiom that every loop knows: queue stop(), run.

    stop() before run_forever() would leave the turn quite empty (rule LIFE-009), but half of the
    loops that exist do not make a turn then.
    """

    id = "throughput.idle_turns"
    summary = "runs of one turn with nothing to do but to stop"
    unit = "turn"
    rules = ("LIFE-010", "LIFE-011", "LIFE-012", "LIFE-013")
    aside = ("LIFE-012.signal", "LIFE-012.thread")  # stop() is called in a callback
    params = (Param("fds", int, 0, (0, 64), "descriptors that are watched and never readable"),)
    full = ({}, {"fds": 64})
    has_native = True
    fds: int

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.idle_turns(self.fds))

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._woken = 0
        prove_poll(loop)
        for _ in range(self.fds):
            self._pairs.append(socket.socketpair())
            loop.add_reader(self._pairs[-1][0].fileno(), self._wake)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        stops = 0

        def stop() -> None:
            nonlocal stops
            stops += 1
            loop.stop()

        call_soon = loop.call_soon
        run_forever = loop.run_forever
        for _ in range(n):
            call_soon(stop)
            run_forever()
        require(self._woken == 0, "a descriptor that is not readable was reported")
        return stops

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        pairs, self._pairs = getattr(self, "_pairs", []), []
        for left, right in pairs:
            loop.remove_reader(left.fileno())
            left.close()
            right.close()

    def _wake(self) -> None:
        self._woken += 1
