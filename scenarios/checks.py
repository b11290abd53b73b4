"""How a scenario says that the work was not done, or cannot be done here."""

from __future__ import annotations


class CheckFailed(Exception):
    """The loop did not do the work, or not in the promised order. The result is INVALID."""


class Lacking(NotImplementedError):
    """This machine lacks what the scenario takes, whatever the loop: descriptors, a package, a
    feature of the kernel. The message says what, and the cure."""


def require(condition: bool, problem: str) -> None:
    """Raises CheckFailed(problem) unless `condition` holds."""
    if not condition:
        raise CheckFailed(problem)
