"""How long people wait who come when they come, not when the server is ready for them."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.io.served import ServedProtocol
from loopgauge.scenarios.io.servers import Connections, Echo
from loopgauge.scenarios.model import BadParam, CheckFailed, Param, require

# Operations of one slot: a fifth more than the fewest that carry the percentile (ten samples beyond
# it), because those that are never sent have no service time.
_OPERATIONS = {"p50": 24, "p99": 1_200, "p99.9": 12_000, "p99.99": 120_000}
_FIELDS = {"p50": "p50_ns", "p99": "p99_ns", "p99.9": "p99_9_ns", "p99.99": "p99_99_ns"}
_MOST_PER_SECOND = 10_000_000
# Seconds of one slot: a worker that says nothing for ten is taken for one that hangs.
_LONGEST_S = 6.0
# Seconds more for what still waits when the last message was due. On a machine where other work
# stands in the way everything is answered in the end; a loop that is too slow is not waited for.
_DRAIN_S = 2.0


class OpenLoopLatency(ServedProtocol):
    """Messages are due at a constant rate whatever happened to those before. kind=corrected counts
    from when a message was due, so a loop that stalls is charged for everybody who came meanwhile;
    kind=service counts from when it was sent, which hides them behind the one that was being
    served. Both are recorded of every slot, whichever is the headline.

    A rate that is not reached in one slot is no failure of the loop: on a busy machine the last few
    messages come too late. What was achieved goes into the run file, and is judged over all slots.
    """

    id = "io.open_loop_latency"
    summary = "messages come at a constant rate: how long until they are answered"
    unit = "us"
    measure = "value"
    rules = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001", "TRAN-004")
    params = (
        Param("rate", int, 10_000, (100, 1_000, 10_000, 50_000), "messages per second"),
        Param("size", int, 1024, (1, 64, 1024, 10_240), "bytes of a message"),
        Param("connections", int, 10, (1, 10, 100), "over which the messages are dealt out"),
        Param("figure", str, "p99", tuple(_OPERATIONS), "the percentile that is judged"),
        Param(
            "kind",
            str,
            "corrected",
            ("corrected", "service"),
            "counted from when a message was due, or from when it was sent",
        ),
    )
    full = (
        {},
        {"kind": "service"},
        {"figure": "p50"},
    )
    has_floor = True
    slot_s = 0.0  # the grain makes it long enough
    rate: int
    size: int
    connections: int
    figure: str
    kind: str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        seconds = self.grain / self.rate
        if self.rate > _MOST_PER_SECOND:
            raise BadParam(f"rate is {self.rate}; at most {_MOST_PER_SECOND} per second")
        if seconds > _LONGEST_S:
            least = int(-(-self.grain // _LONGEST_S))
            raise BadParam(
                f"figure={self.figure} takes {self.grain} messages, {seconds:.0f} s at"
                f" rate={self.rate}; choose rate={least} or more"
            )
        self.patience = type(self).patience + seconds + _DRAIN_S

    @property
    def grain(self) -> int:
        return _OPERATIONS[self.figure]

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return Echo(connections)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._done = done = self._traffic.rate(n, self.rate, _DRAIN_S)
        found = done.open_loop
        accounted = done.n + found.unsent
        require(found.due == n, f"{found.due} messages were due instead of {n}")
        require(accounted == n, f"{accounted} of {n} messages were answered or given up")
        require(done.latency.count == n, f"{done.latency.count} latencies of {n} messages")
        return n

    def take_value(self) -> float:
        found = self._done.latency if self.kind == "corrected" else self._done.open_loop.service
        nanoseconds = None if found is None else getattr(found, _FIELDS[self.figure])
        if nanoseconds is None:
            raise CheckFailed(
                f"{self._done.n} messages were answered, too few for {self.figure}:"
                f" {self._done.open_loop.unsent} of {self._done.open_loop.due} were never sent"
            )
        return float(nanoseconds) / 1e3

    def take_open_loop(self) -> Any:
        return self._done
