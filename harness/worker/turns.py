"""Workers that take turns: loops that cannot share a process are measured slot by slot all the
same.

Two builds of one module, or two Pythons, need a process each. Measured one after the other they
meet different minutes of the machine, and on a busy one that is most of the difference between
them. So the processes live side by side, every one knows the order of all slots, and only the one
whose slot it is runs: the others sleep in poll(2) until a byte comes through their pipe.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping, Sequence

TOKEN = b"."
# Of the time limit of one phase. Whoever hangs in its slot is to be found by its own watchdog
# (1.25), or by the manager (2), before those who wait give up: their end would tell nothing.
PATIENCE = 4
BEATS = 4  # signs of life of one who waits, in the time limit


class TurnLost(Exception):
    """Another process is gone or hangs: nothing can be measured in this one any more, and it is not
    its fault."""


class Turns:
    """`arm`: this process's; `inbound`: its pipe; `outbound`: those of the others, by arm.
    `limit_s`: what one phase may take; `still_here` is called now and then by one who waits."""

    def __init__(
        self,
        arm: str,
        inbound: int,
        outbound: Mapping[str, int],
        limit_s: float,
        still_here: Callable[[], None] = lambda: None,
    ) -> None:
        self._arm = arm
        self._inbound = inbound
        self._outbound = outbound
        self._patience_s = PATIENCE * limit_s
        self._beat_ms = 1000 * limit_s / BEATS
        self._still_here = still_here
        self._poll = select.poll()
        self._poll.register(inbound, select.POLLIN)
        self._owners: Sequence[str] = ()
        self._taken = self._given = -1

    def begin(self, owners: Sequence[str]) -> None:
        """`owners`: the arm of every slot, in order. Nobody starts before all are ready."""
        self._owners = owners
        self._taken = self._given = -1
        if owners[0] != self._arm:
            self._wake(owners[0])
            return
        for _ in set(owners) - {self._arm}:
            self._wait()

    def take(self, index: int) -> None:
        """Returns when slot `index`, which is ours, may run."""
        if index > 0 and self._owners[index - 1] != self._arm:
            self._wait()
        self._taken = index

    def give(self, index: int) -> None:
        self._given = index
        if index + 1 == len(self._owners):
            for arm in set(self._owners) - {self._arm}:
                self._wake(arm)
        elif self._owners[index + 1] != self._arm:
            self._wake(self._owners[index + 1])

    def finish(self) -> None:
        """Lets our slots that are left pass (the arm was dropped), and waits until the last slot of
        all is done: until then nobody may tidy up."""
        for index, owner in enumerate(self._owners):
            if owner == self._arm and index > self._given:
                if index > self._taken:
                    self.take(index)
                self.give(index)
        if self._owners[-1] != self._arm:
            self._wait()

    def _wake(self, arm: str) -> None:
        try:
            os.write(self._outbound[arm], TOKEN)
        except OSError as error:
            raise TurnLost(f"{arm} is gone") from error

    def _wait(self) -> None:
        began = time.monotonic()
        while not self._poll.poll(self._beat_ms):
            if time.monotonic() - began >= self._patience_s:
                raise TurnLost(f"no turn came within {self._patience_s:.0f} s")
            self._still_here()
        if not os.read(self._inbound, 1):
            raise TurnLost("everybody else is gone")
