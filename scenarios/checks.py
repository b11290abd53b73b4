"""How a scenario says that the work was not done."""

from __future__ import annotations


class CheckFailed(Exception):
    """The loop did not do the work, or not in the promised order. The result is INVALID."""


def require(condition: bool, problem: str) -> None:
    """Raises CheckFailed(problem) unless `condition` holds."""
    if not condition:
        raise CheckFailed(problem)
