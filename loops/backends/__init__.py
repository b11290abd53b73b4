"""The loops we know how to make, one small file each, in the order tables show them.

Factories and Python limits are those of the newest release of each package in November 2026.
"""

from __future__ import annotations

from loopgauge.loops.backends import (
    asyncio,
    blazio,
    epoll,
    loopmini,
    rloop,
    rsloop,
    talyn,
    uringcore,
    uvloop,
    veloxloop,
    zloop,
    zuvloop,
)
from loopgauge.loops.spec import LoopSpec

SPECS: tuple[LoopSpec, ...] = (
    epoll.SPEC,
    asyncio.SPEC,
    uvloop.SPEC,
    zuvloop.SPEC,
    blazio.SPEC,
    rloop.SPEC,
    rsloop.SPEC,
    talyn.SPEC,
    zloop.SPEC,
    loopmini.SPEC,
    veloxloop.SPEC,
    uringcore.SPEC,
)

# Second and third peer beside uvloop: the fastest at scheduling that have a wheel for that Python.
# 3.14 takes zuvloop, which keeps more of asyncio's promises than anything near its speed.
_PEERS: dict[tuple[int, int], tuple[str, str]] = {
    (3, 11): ("rloop", "loopmini"),
    (3, 12): ("rloop", "blazio"),
    (3, 13): ("rloop", "blazio"),
    (3, 14): ("zuvloop", "blazio"),
    (3, 15): ("zuvloop", "rloop"),
}


def default_peers(python: tuple[int, int]) -> tuple[str, str]:
    """The two peers measured by default on `python`; a newer Python takes the newest row."""
    known = max((row for row in _PEERS if row <= python), default=min(_PEERS))
    return _PEERS[known]
