"""Conformance results made by hand: every kind of verdict, and texts that break careless pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec

from loopgauge.conformance.model import (
    GOOD,
    AnyRecord,
    End,
    Evidence,
    Header,
    Kind,
    Lane,
    Subject,
    Verdict,
)
from loopgauge.conformance.store import Results, read

EVIL = "<script>alert(1)</script> & \"'</pre>\u2028 \U0001f525 \x1b[31m\x00 " + "long" * 400
PYTHON = "3.13.0"
COMPLETE = End()
KINDS: tuple[Kind, ...] = get_args(Kind)


def verdict(case: str = "SOON-001.three", loop: str = "epoll", **members: Any) -> Verdict:
    kind: Kind = members.get("verdict", "PASS")
    made: dict[str, Any] = {
        "case": case,
        "rule": case.partition(".")[0],
        "loop": loop,
        "level": "MUST",
        "profile": "Core",
        "description": "Three callbacks are scheduled one after the other.",
        "expected_behaviour": "a, b, c: the order of the calls",
        "verdict": kind,
        "reason": "" if kind == "PASS" else f"why it is {kind}",
        "status": "expected" if kind in GOOD else "unexpected",
        "stock": "PASS",
        "duration_s": 0.012345678,
        "factory": f"{loop}:new_event_loop",
        "version": "1.2.3",
        "python": PYTHON,
    }
    return Verdict(**{**made, **members})


def evidence(**members: Any) -> Evidence:
    made: dict[str, Any] = {
        "observations": [("the events, in order", "['a', 'b', 'c']", "['a', 'c', 'b']")],
        "events": ["a", "c", "b"],
        "notes": {"resolution": "1e-09"},
        "traceback": "Traceback (most recent call last):\n  ...",
        "stack": "Thread 1\n  select",
        "resources": ["fd 7: socket:[1]"],
        "logs": ["ERROR Task exception was never retrieved"],
        "output": "on stdout",
    }
    return Evidence(**{**made, **members})


def every_kind(loop: str = "uvloop") -> list[Verdict]:
    """A verdict of each kind, with all the evidence there can be."""
    return [
        verdict(f"SOON-{number:03}.case", loop, verdict=kind, evidence=evidence())
        for number, kind in enumerate(KINDS, 1)
    ]


def header(*loops: str, **members: Any) -> Header:
    made: dict[str, Any] = {
        "created": "2026-11-22T01:08:37+00:00",
        "python": PYTHON,
        "suite": "0.1.0",
        "lanes": ["rules"],
        "subjects": [
            Subject(loop=loop, factory=f"{loop}:new_event_loop", version="1.2.3") for loop in loops
        ],
    }
    return Header(**{**made, **members})


def write_results(
    path: Path,
    verdicts: list[Verdict],
    *,
    end: End | None = COMPLETE,
    **members: Any,
) -> Path:
    """A result file as `bench conformance` leaves it; without `end`, as a killed one does."""
    loops = dict.fromkeys(["asyncio", *(one.loop for one in verdicts)])
    records: list[AnyRecord] = [header(*loops, **members), *verdicts, *([end] if end else [])]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


def results(path: Path, verdicts: list[Verdict], **members: Any) -> Results:
    return read(write_results(path, verdicts, **members))


def lane_verdict(lane: Lane, case: str, loop: str = "epoll", **members: Any) -> Verdict:
    return verdict(case, loop, lane=lane, rule="", level="", profile="", **members)
