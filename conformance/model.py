"""The result file of a conformance run: JSON Lines, one struct a line, told apart by `record`.

The envelope (`record`, `schema`, `kind`) is that of run files. Fields are only ever added, with a
default. The JSON Schema is generated from these structs (`scripts/dev schema`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1
KIND = "conformance"

Kind = Literal[
    "PASS",
    "NON_STRICT",  # allowed by the documentation, differs from stock: conformant
    "INFO",  # unspecified: the value is recorded
    "UNIMPLEMENTED",  # the loop says so, or lacks the method
    "FAIL",  # it does something else than the rule wants
    "ERROR",  # an exception outside the step that was judged
    "HANG",  # killed; the stack is kept
    "CRASH",  # a signal, an abort, a sanitizer
    "LEAK",  # the body passed, but resources or messages were left behind
    "FLAKY",  # repeats disagree
    "NOT_APPLICABLE",  # this Python or machine is not asked
    "HARNESS",  # stock asyncio fails in an unknown way: the case is wrong, not the loop
]
Status = Literal["expected", "unexpected", "fixed"]
Lane = Literal["rules", "cpython", "differential", "ecosystem"]

GOOD: frozenset[Kind] = frozenset({"PASS", "NON_STRICT", "INFO", "NOT_APPLICABLE"})
FAILING: frozenset[Kind] = frozenset(
    {"UNIMPLEMENTED", "FAIL", "ERROR", "HANG", "CRASH", "LEAK", "FLAKY"}
)


class Record(msgspec.Struct, tag_field="record", kw_only=True, omit_defaults=False):
    schema: int = SCHEMA
    kind: str = KIND


class Subject(msgspec.Struct, kw_only=True):
    """One loop of the run."""

    loop: str  # registered name or module:factory
    factory: str
    version: str = ""  # of its distribution
    build_hash: str = ""  # of loopgauge's extension modules, for its own loops
    available: bool = True
    reason: str = ""  # why it is not


class Header(Record, tag="header", kw_only=True):
    created: str  # UTC, ISO 8601
    python: str  # full version
    implementation: str = "cpython"
    build: str = ""  # release or debug, GIL or free-threaded
    machine: str = ""
    kernel: str = ""
    suite: str = ""  # version of this project
    lanes: list[Lane] = []
    selection: list[str] = []  # what was asked for; [] is everything
    repeat: int = 1
    subjects: list[Subject] = []


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen in one run of one case."""

    observations: list[tuple[str, str, str]] = []  # what, wanted, observed
    events: list[str] = []
    notes: dict[str, str] = {}
    traceback: str = ""
    stack: str = ""  # of every thread, when it hung or crashed
    resources: list[str] = []  # what was left behind, one line each
    logs: list[str] = []  # what asyncio logged
    output: str = ""  # the end of stdout and stderr
    missing: str = ""  # the method of the loop that is not there


class Verdict(Record, tag="verdict", kw_only=True):
    """One case on one loop."""

    lane: Lane = "rules"
    loop: str
    rule: str  # "TIME-007"; "" in lanes without rules
    case: str  # "TIME-007.early"
    level: str  # MUST, SHOULD, MAY, INFO; "" in lanes without rules
    profile: str = ""  # Core, Net, TLS, Process
    description: str = ""
    expected_behaviour: str = ""
    verdict: Kind
    reason: str = ""  # in one line
    status: Status = "expected"
    expectation: str = ""  # the reason of the expectation file, where one applies
    issue: str = ""  # and its link
    stock: str = ""  # stock asyncio's verdict in this run
    duration_s: float = 0.0
    tries: dict[str, int] = {}  # verdict -> how often, where it was run more than once
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    factory: str
    version: str = ""
    python: str
    build_hash: str = ""


class End(Record, tag="end", kw_only=True):
    complete: bool = True  # False after Ctrl-C
    duration_s: dict[str, float] = {}  # by loop


AnyRecord = Header | Verdict | End
