"""Room for descriptors: the soft limit is raised while they are held, or a clear word is said."""

from __future__ import annotations

import resource
from pathlib import Path

from loopgauge.scenarios.checks import Lacking

# What loop, harness and interpreter may open besides while the descriptors are held.
SPARE_DESCRIPTORS = 100
# Figures in messages are rounded, so that every loop says the same.
_COARSE = 100

_held: list[int] = []
_before: tuple[int, int] | None = None


def make_room(count: int, what: str, param: str) -> None:
    """For `count` more descriptors in this process; `give_back(count)` follows. What is held
    already in the same process (other loops take turns with this one) stays.

    Raises Lacking, which offers the largest value of `param` that fits for everybody.
    """
    global _before
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = sum(1 for _ in Path("/proc/self/fd").iterdir()) + SPARE_DESCRIPTORS
    wanted = taken + count
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Lacking(refusal(count, what, param, hard, taken))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        _before = _before or (soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    _held.append(count)


def give_back(count: int) -> None:
    """The last one restores the limit."""
    global _before
    _held.remove(count)
    if not _held and _before is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, _before)
        _before = None


def refusal(count: int, what: str, param: str, hard: int, taken: int) -> str:
    wanted = -(-(taken + count) // _COARSE) * _COARSE
    largest = max((hard - taken + sum(_held)) // (len(_held) + 1), 0)
    largest -= largest % 10
    fits = f", or choose --param {param}={largest}" if largest else ""
    return (
        f"{count} {what} need about {wanted} file descriptors and the limit is {hard}:"
        f" raise it with `ulimit -n {wanted}` as root{fits}"
    )
