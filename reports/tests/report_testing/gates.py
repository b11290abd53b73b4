"""A gate made by hand: every verdict in every form, and texts that break careless writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from loopgauge.harness.gate.model import (
    Decision,
    GateHeader,
    GateResult,
    GateStep,
    Settings,
    Side,
    Verdict,
)
from loopgauge.harness.gate.store import GateFile

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
EVIL = "| <b>@everyone</b> `x` ](y) 50% \x1b[31m\x00\r\n::error::no, a:b " + "long" * 400


def decision(verdict: Verdict = "EQUIVALENT", **members: Any) -> Decision:
    made: dict[str, Any] = {
        "tier": "timing",
        "subject": "throughput.sleep0",
        "verdict": verdict,
        "change": 0.021,
        "low": 0.014,
        "high": 0.028,
        "margin": 0.01,
        "base": 1200.0,
        "head": 1225.0,
        "unit": "ns",
        "processes": 16,
        "reason": "" if verdict == "EQUIVALENT" else f"why it is {verdict}",
    }
    return Decision(**{**made, **members})


def every_verdict() -> list[Decision]:
    return [decision(verdict, subject=f"family.{verdict.lower()}") for verdict in VERDICTS]


def result(decisions: list[Decision], **members: Any) -> GateResult:
    return GateResult(exit_code=members.pop("exit_code", 0), decisions=decisions, **members)


def gate(*decisions: Decision, folder: Path = Path("gate"), **members: Any) -> GateFile:
    found = unfinished(folder)
    found.add(GateStep(step="timing", state="done"))
    found.add(result([*decisions], **members))
    return found


def unfinished(folder: Path = Path("gate")) -> GateFile:
    header = GateHeader(
        gate="20261122T041500Z-1a2b3c",
        created="2026-11-22T04:15:00Z",
        seed=7,
        settings=Settings(),
        base=side("base", commit="0123456789abcdef", given="main"),
        head=side("head", given="the working tree"),
    )
    return GateFile(folder, header, [GateStep(step="timing", state="begun")])


def side(name: Any, **members: Any) -> Side:
    made: dict[str, Any] = {"origin": "revision", "loop": "myloop:new", "executable": "python3"}
    return Side(name=name, **{**made, **members})
