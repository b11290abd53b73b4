from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from loopgauge.harness.model import Header, Plan
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Ratio, RunSummary


def ratio(estimate: float, spread: float = 0.02) -> Ratio:
    low, high = estimate * (1 - spread), estimate * (1 + spread)
    return Ratio(estimate=estimate, low=low, high=high, sign_low=low, sign_high=high, n=12)


def arm(name: str, cost: float = math.nan, **members: Any) -> ArmSummary:
    return ArmSummary(
        arm=name, loop=name, version="1.0", python="3.14", role="candidate", cost=cost, **members
    )


def benchmark(**members: Any) -> BenchmarkSummary:
    """`sleep0` with two loops that beat asyncio, and one of every way not to have a figure."""
    defaults: dict[str, Any] = {
        "id": "throughput.sleep0",
        "scenario": "throughput.sleep0",
        "params": {},
        "summary": "one await asyncio.sleep(0)",
        "unit": "step",
        "measure": "cpu",
        "direction": "lower",
        "rules": [],
        "fastest": ["epoll"],
        "aa": ratio(1.001, 0.003),
        "arms": [
            arm("asyncio", 1014.0, ratio=ratio(1.0, 0.0), to_fastest=ratio(3.12),
                verdict="reference"),
            arm("asyncio~aa", 1015.0, ratio=ratio(1.001, 0.003), verdict="equivalent"),
            arm("uvloop", 810.0, ratio=ratio(0.8), to_fastest=ratio(2.45), verdict="faster"),
            arm("epoll", 330.0, ratio=ratio(1 / 3.12), to_fastest=ratio(1 / 2.45),
                verdict="faster"),
            arm("rloop", status="unavailable", reason="not installed (pip install rloop)"),
            arm("talyn", status="invalid", reason="callbacks ran out of order"),
            arm("zloop", status="unsupported", reason="needs fd"),
            arm("blazio", status="crashed", reason="SIGSEGV in slot"),
            arm("loopmini", status="hung", reason="no answer for 20 s in setup"),
        ],
    }  # fmt: skip
    made = BenchmarkSummary(**{**defaults, **members})
    for entry in made.arms:
        if entry.arm.endswith("~aa"):
            entry.role = "aa"
    return made


def run_summary(*benchmarks: BenchmarkSummary, **members: Any) -> RunSummary:
    plan = Plan(
        method="1",
        rounds=12,
        batch=1,
        slot_s=0.004,
        warmup=1,
        budget_s=60.0,
        expected_s=50.0,
        hang_timeout_s=20.0,
    )
    defaults: dict[str, Any] = {
        "path": "run.jsonl",
        "header": Header(run="r", created="2026-11-21T12:00:00Z", seed=1, plan=plan),
        "benchmarks": [*benchmarks],
        "reference": "asyncio",
        "margin": 0.01,
        "complete": True,
        "aa_ok": True,
        "advisory": False,
        "self_check": "A/A within ±1% in 1 of 1 benchmarks",
        "notes": [],
        "events": [],
    }
    return RunSummary(**{**defaults, **members})


class Build:
    """Hand-made results, so that the table is tested without measuring."""

    ratio: Callable[..., Ratio] = staticmethod(ratio)
    arm: Callable[..., ArmSummary] = staticmethod(arm)
    benchmark: Callable[..., BenchmarkSummary] = staticmethod(benchmark)
    run_summary: Callable[..., RunSummary] = staticmethod(run_summary)


@pytest.fixture
def build() -> type[Build]:
    return Build
