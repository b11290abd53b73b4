"""A gate made by hand: every verdict in every form, and texts that break careless writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from loopgauge.harness.explained import Anatomy, Explanation
from loopgauge.harness.gate.evidence import (
    Counted,
    Evidence,
    Explained,
    Figure,
    Part,
    Timed,
)
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
from loopgauge.harness.model import Benchmark, Interpreter

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


def figure(change: float, processes: int, call: Any = "worse", level: float = 0.9) -> Figure:
    return Figure(
        call=call, change=change, low=change - 0.01, high=change + 0.01, level=level,
        processes=processes,
    )  # fmt: skip


def evidence() -> Evidence:
    """Of throughput.sleep0: both stages, and a system call more."""
    benchmark = Benchmark(id="throughput.sleep0", scenario="throughput.sleep0", unit="step")
    timed = Timed(
        benchmark=benchmark,
        margin=0.01,
        first=figure(0.03, 8, level=0.98),
        second=figure(0.021, 32),
        twin=figure(0.001, 32, "equivalent"),
    )
    counted = Counted(
        benchmark="throughput.sleep0",
        tier="syscalls",
        unit="call/step",
        base=1.0,
        head=2.0,
        parts=[Part(name="epoll_wait", base=1.0, head=2.0)],
    )
    return Evidence(timed=[timed], counted=[counted], explained=[explained()])


def explained() -> Explained:
    """Head spends more in the loop, and calls a function that base does not have."""
    found = Explanation(
        benchmark=Benchmark(id="throughput.sleep0", scenario="throughput.sleep0", unit="step"),
        operation="step",
        command=["bench", "gate"],
        python=Interpreter(executable="python3", version="3.13.0"),
        created="2026-11-22T04:15:00Z",
        machine="a machine",
        method="by parts.",
        loops=[
            Anatomy(arm=arm, loop=arm, python="3.13", divided=True,
                    parts_ns={"kernel": 0.0, "loop": loop, "binding": 500.0, "Python": 100.0})
            for arm, loop in (("base", 200.0), ("head", 450.0))
        ],
    )  # fmt: skip
    slow = Part(name="slow_path", file="_core.so", base=0.0, head=120.0)
    return Explained(explanation=found, functions=[slow])


def more_calls() -> Decision:
    return decision("REGRESSED", tier="syscalls", low=None, high=None, change=1.0, margin=0.02,
                    base=1.0, head=2.0, unit="call/step", stage=2, by_name={"epoll_wait": 1.0},
                    reason="")  # fmt: skip
