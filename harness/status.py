"""What became of an arm at a benchmark, by the events of the run."""

from __future__ import annotations

from typing import Literal

from loopgauge.harness.model import Arm, Benchmark, Event
from loopgauge.harness.store import RunFile

Status = Literal[
    "ok",
    "invalid",
    "unsupported",
    "lacking",
    "unavailable",
    "crashed",
    "hung",
    "error",
    "unmeasured",  # nobody is to blame: the run did not get that far
]

FINAL_STATUS: dict[str, Status] = {
    "unavailable": "unavailable",
    "unsupported": "unsupported",
    "lacking": "lacking",
    "invalid": "invalid",
    "error": "error",
}
NOT_REACHED = "the run did not get that far"
FINAL_DEATH: dict[str, Status] = {"crash": "crashed", "hang": "hung"}


def status_of(run: RunFile, benchmark: Benchmark, arm: Arm, measured: bool) -> tuple[Status, str]:
    """The first event that settles it wins: what follows is a consequence."""
    if not arm.available:
        return "unavailable", arm.reason
    for event in run.events:
        if event.arm != arm.label or event.benchmark not in ("", benchmark.id):
            continue
        if event.event in FINAL_STATUS:
            return FINAL_STATUS[event.event], event.reason
        if event.final:
            return FINAL_DEATH.get(event.event, "error"), event.reason
    if not measured:
        return "unmeasured", NOT_REACHED
    return "ok", ""


def is_isolated(events: list[Event], benchmark: str, arm: str) -> bool:
    return any(
        event.event == "isolated" and event.arm == arm and event.benchmark in ("*", benchmark)
        for event in events
    )


def left_out(events: list[Event]) -> list[str]:
    """One line each; what is missing for one reason in several benchmarks is said once."""
    lines: dict[tuple[str, str], list[str]] = {}
    for event in events:
        if event.event == "left_out":
            lines.setdefault((event.arm, event.reason), []).append(event.benchmark)
    return [
        f"{arm} in {', '.join(benchmarks)}: {reason}" if arm else reason
        for (arm, reason), benchmarks in lines.items()
    ]
