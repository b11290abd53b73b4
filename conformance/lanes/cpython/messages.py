"""What the process in which tests of CPython run is told, and what it says: JSON, one a line."""

from __future__ import annotations

from typing import Literal

import msgspec

from loopgauge.conformance.runner.messages import Target

Ending = Literal[
    "passed",
    "failed",  # an assertion
    "error",  # any other exception
    "unimplemented",  # the loop says so, or lacks the method
    "skipped",  # by CPython itself
    "crashed",
    "hung",
]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One test. `id` names the class that defines it, as CPython's own output would; `group` is
    the class of the catalogue it is run in; `loops`: whether that class makes loops at all."""

    id: str
    group: str
    method: str
    tier: str
    loops: bool = True


class Order(msgspec.Struct, kw_only=True):
    """Run these tests of one tier; `patience` is the seconds that one of them may take."""

    target: Target
    tier: str
    tests: list[str]
    patience: float


class Start(msgspec.Struct, tag="start", tag_field="event"):
    id: str


class Done(msgspec.Struct, tag="done", tag_field="event"):
    id: str
    ending: Ending
    detail: str
    seconds: float


class OfClass(msgspec.Struct, tag="class", tag_field="event"):
    """setUpClass, tearDownClass or setUpModule failed or skipped: tests of it never start."""

    ending: Ending
    detail: str


class End(msgspec.Struct, tag="end", tag_field="event"):
    """`made`: how many loops of the target this process made."""

    made: int


Event = Start | Done | OfClass | End
