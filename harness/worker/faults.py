"""Turns an exception of a scenario or loop into a verdict, one line and a traceback."""

from __future__ import annotations

import traceback

from loopgauge.harness.worker.plan import Verdict
from loopgauge.scenarios.checks import machine_lacks

REASON_LIMIT = 300
TRACEBACK_LIMIT = 20_000


def verdict(error: BaseException, invalid: tuple[type[BaseException], ...]) -> Verdict:
    """unsupported: the loop says it cannot do this. lacking: this machine cannot.
    invalid: the work was not done as it should be (`invalid` are the exceptions that say so).
    error: anything else."""
    leaves = _leaves(error)
    if any(isinstance(leaf, invalid) for leaf in leaves):
        return "invalid"
    if any(machine_lacks(leaf) for leaf in leaves):
        return "lacking"
    if all(isinstance(leaf, NotImplementedError) for leaf in leaves):
        return "unsupported"
    return "error"


def reason(error: BaseException) -> str:
    """One line."""
    for leaf in _leaves(error):
        if lack := machine_lacks(leaf):
            return lack.splitlines()[0][:REASON_LIMIT]
    text = str(error).strip().splitlines()
    name = type(error).__name__
    if text:
        return f"{name}: {text[0]}"[:REASON_LIMIT]
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} in {frames[-1].name}" if frames else name


def report(error: BaseException) -> str:
    """The traceback; the end of it where it is endless."""
    return "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:]


def _leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group (a TaskGroup wraps what a scenario raised)."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]
