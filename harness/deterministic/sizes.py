"""How many operations the two runs have whose difference is the figure."""

from __future__ import annotations

from collections.abc import Callable

STEP = 4  # from one try to the next
SECOND = 3  # the larger run, as a multiple of the smaller


def two_sizes(grain: int, enough: Callable[[int], bool]) -> tuple[int, int]:
    """`enough(n)` does n operations and says whether that is worth looking at. It is asked for
    grain, 4 grain, 16 grain, ...: few steps, so that the answer is the same in every run where
    what it looks at nearly is."""
    n = grain
    while not enough(n):
        n *= STEP
    return n, SECOND * n


def per_operation(n: tuple[int, int], totals: tuple[float, float]) -> float:
    """The difference quotient: what one more operation adds."""
    return (totals[1] - totals[0]) / (n[1] - n[0])
