"""What a counting process is told: the plan of a measuring worker, with a way of counting."""

from __future__ import annotations

from typing import Literal

from loopgauge.harness.worker.plan import Plan

How = Literal[
    "callgrind",  # instructions, by function; calls of malloc and its kin
    "strace",  # system calls, by name
    "bytecodes",  # of Python functions, one by one; only `bench explain` asks for them
    "plain",  # allocations, context switches, CPU time, the processor's own counters
]


class CountPlan(Plan, kw_only=True):
    """One arm and one job. `folder` is where the tool around the process writes its results."""

    how: How
    folder: str = ""
