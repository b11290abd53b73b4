"""Summaries made by hand: every number below is invented, none was measured."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any, Literal

from loopgauge.harness import model
from loopgauge.harness.summary import (
    ArmPromises,
    ArmSummary,
    ArmVerdict,
    BenchmarkSummary,
    BrokenCase,
    FamilyArm,
    FamilySummary,
    Ratio,
    RunSummary,
    Status,
)

SPEED = {
    "epoll": 0.21,
    "asyncio": 1.0,
    "asyncio~aa": 1.0,
    "uvloop": 0.52,
    "zuvloop": 0.26,
    "blazio": 0.215,
    "rloop": 0.31,
    "rsloop": 0.4,
    "talyn": 0.62,
    "zloop": 0.37,
    "loopmini": 1.09,
    "veloxloop": 0.98,
    "uringcore": 0.7,
}
SCENARIOS = [
    "call_soon_chain",
    "call_soon_batch",
    "call_soon_args",
    "call_soon_context",
    "call_soon_cancel",
    "call_soon_threadsafe",
    "threadsafe_wakeup",
    "sleep0",
    "task_spawn",
    "gather",
    "as_completed",
    "wait_first",
    "task_group",
    "async_tree",
    "future_chain",
    "queue_producer_consumer",
    "semaphore_contention",
    "lock_contention",
    "event_fanout",
    "cancellation_storm",
    "run_in_executor",
    "run_coroutine_threadsafe",
    "loop_lifecycle",
    "idle_turns",
    "task_queue",
    "fairness",
    "io_under_busy_loop",
]
MARGIN = 0.01


def role_of(name: str) -> Literal["candidate", "reference", "aa"]:
    if name.endswith("~aa"):
        return "aa"
    return "reference" if name == "asyncio" else "candidate"


def ratio(estimate: float, half: float = 0.01, n: int = 15) -> Ratio:
    low, high = estimate * (1 - half), estimate * (1 + half)
    return Ratio(
        estimate=estimate, low=low, high=high, sign_low=low * 0.998, sign_high=high * 1.002, n=n
    )


def verdict(of: Ratio) -> ArmVerdict:
    if of.high < 1 - MARGIN:
        return "faster"
    if of.low > 1 + MARGIN:
        return "slower"
    if of.low > 1 - MARGIN and of.high < 1 + MARGIN:
        return "equivalent"
    return "inconclusive"


def measured(
    name: str, cost: float, against: Ratio, draw: random.Random, processes: int = 15
) -> ArmSummary:
    return ArmSummary(
        arm=name,
        loop=name.removesuffix("~aa"),
        version="0.23.0",
        python="3.14",
        role=role_of(name),
        status="ok",
        cost=cost,
        cost_low=cost * 0.985,
        cost_high=cost * 1.02,
        process_ns=cost,
        thread_ns=cost * 0.995,
        wall_ns=cost * 1.03,
        helper_gap=0.05 if name == "talyn" else 0.002,
        helper_flag=name == "talyn",
        ratio=against,
        to_fastest=ratio(against.estimate / 0.21),
        verdict="reference" if name == "asyncio" else verdict(against),
        ratios=[against.estimate * draw.lognormvariate(0, 0.006) for _ in range(processes)],
        values=[cost * draw.lognormvariate(0, 0.012) for _ in range(processes)],
        design="hybrid",
    )


def failed(name: str, status: Status, reason: str) -> ArmSummary:
    return ArmSummary(
        arm=name,
        loop=name,
        version="1.2.3",
        python="3.14",
        role=role_of(name),
        status=status,
        reason=reason,
    )


def benchmark(
    name: str = "throughput.sleep0",
    arms: list[ArmSummary] | None = None,
    fastest: list[str] | None = None,
    **changes: Any,
) -> BenchmarkSummary:
    facts: dict[str, Any] = {
        "id": name,
        "scenario": name.split("[")[0],
        "params": {},
        "summary": "One step of await asyncio.sleep(0)",
        "unit": "step",
        "measure": "cpu",
        "direction": "lower",
        "rules": ["sched.fifo"],
        "arms": arms or [],
        "fastest": fastest or [],
        "aa": ratio(1.001, 0.004),
    }
    return BenchmarkSummary(**(facts | changes))


def header(arms: list[str], command: list[str] | None = None) -> model.Header:
    interpreter = model.Interpreter(
        executable="/usr/bin/python3.14",
        version="3.14.8",
        optimized=True,
        lto=True,
        build_kind="PGO+LTO",
        libc="glibc 2.42",
        loopgauge="0.1.0",
        engine="1.7.1",
    )
    machine = model.Machine(
        cpu_model="Example CPU @ 2.50GHz",
        cpus_logical=2,
        cpus_allowed=[0, 1],
        memory_bytes=8 << 30,
        kernel="6.1.0-30-amd64",
        governor="performance",
        virtual="kvm",
    )
    return model.Header(
        run="20261121T153000-abcdef",
        created="2026-11-21T15:30:00Z",
        command=command or ["bench", "run", "throughput", "--loop", "all"],
        seed=42,
        reference="asyncio",
        arms=[
            model.Arm(
                label=arm,
                loop=arm.removesuffix("~aa"),
                factory=f"{arm}:new_event_loop",
                version="0.23.0",
                python="3.14",
                role=role_of(arm),
            )
            for arm in arms
        ],
        plan=model.Plan(
            method="1",
            rounds=15,
            batch=4,
            slot_s=0.004,
            warmup=1,
            budget_s=900,
            expected_s=800,
            hang_timeout_s=20,
        ),
        environment=model.Environment(machine=machine, interpreters={"3.14": interpreter}),
    )


def run(
    benchmarks: list[BenchmarkSummary] | None = None,
    arms: list[str] | None = None,
    command: list[str] | None = None,
    **changes: Any,
) -> RunSummary:
    facts: dict[str, Any] = {
        "path": ".bench/runs/20261121T153000-abcdef.jsonl",
        "header": header(arms or [*SPEED], command),
        "benchmarks": benchmarks or [],
        "reference": "asyncio",
        "margin": MARGIN,
        "complete": True,
        "notes": [],
        "aa_ok": True,
        "advisory": False,
        "self_check": "A/A within ±1 % in 27 of 27 benchmarks",
        "events": [],
        "method": "paired log-ratios, Hodges-Lehmann, exact signed-rank interval, 95 %, Holm",
        "conformance": "conformance not run",
    }
    return RunSummary(**(facts | changes))


def full_run(
    benchmarks: int = 45, processes: int = 15, arms: list[str] | None = None
) -> RunSummary:
    """As large as a full run gets: every scenario with variants, every loop, some that fail."""
    draw = random.Random(7)
    names = arms or [*SPEED]
    ids = [f"throughput.{name}" for name in SCENARIOS]
    ids += [f"throughput.{name}[size=1000]" for name in SCENARIOS]
    found = [_invented(name, names, draw, processes) for name in ids[:benchmarks]]
    return run(found, arms=names, families=families(found), promises=promises(names))


def families(benchmarks: list[BenchmarkSummary]) -> list[FamilySummary]:
    """As harness/families.py would sum them up, but for the intervals, which are invented."""
    made = []
    for name in dict.fromkeys(each.family for each in benchmarks):
        those = [each for each in benchmarks if each.family == name]
        arms = [_family_arm(arm.arm, those) for arm in those[0].arms if arm.role != "aa"]
        whole = [arm for arm in arms if arm.complete]
        best = min(whole, key=lambda arm: arm.ratio.estimate if arm.ratio else math.inf)
        for arm in whole:
            assert arm.ratio is not None
            assert best.ratio is not None
            arm.to_fastest = ratio(arm.ratio.estimate / best.ratio.estimate)
        ids = [each.id for each in those]
        made.append(
            FamilySummary(
                family=name,
                benchmarks=ids,
                compared=ids,
                arms=arms,
                fastest=[best.arm],
                aa=ratio(1.001, 0.004),
                lead="clear",
            )
        )
    return made


def _family_arm(name: str, benchmarks: list[BenchmarkSummary]) -> FamilyArm:
    found = {each.id: arm for each in benchmarks for arm in each.arms if arm.arm == name}
    valid = {key: arm.ratio.estimate for key, arm in found.items() if arm.ratio is not None}
    mean = ratio(statistics.geometric_mean(valid.values())) if valid else None
    word: ArmVerdict = verdict(mean) if mean is not None else ""
    return FamilyArm(
        arm=name,
        ratio=mean,
        verdict="reference" if name == "asyncio" else word,
        measured=len(valid),
        asked=len(benchmarks),
        missing=[key for key in found if key not in valid],
    )


def promises(names: list[str]) -> list[ArmPromises]:
    """uvloop was never asked; whoever was breaks one case less than its name has letters."""
    made = []
    for name in names:
        if not name.endswith("~aa"):
            broken = [broken_case(number) for number in range(len(name) - 1)]
            known = name != "uvloop"
            made.append(
                ArmPromises(
                    arm=name,
                    known=known,
                    must=1760 * known,
                    must_failing=len(broken) * known,
                    should=400 * known,
                    broken=broken * known,
                )
            )
    return made


def broken_case(number: int = 1, **changes: Any) -> BrokenCase:
    facts: dict[str, Any] = {
        "case": f"TIME-00{number}.early",
        "rule": f"TIME-00{number}",
        "level": "MUST",
        "verdict": "FAIL",
        "reason": "delay: wanted 0.01 to 0.02, observed 0.0091",
        "description": "A timer fires early.",
        "lines": ["delay: wanted 0.01 to 0.02, observed 0.0091"],
    }
    return BrokenCase(**(facts | changes))


def _invented(name: str, names: list[str], draw: random.Random, processes: int) -> BenchmarkSummary:
    base = math.exp(draw.uniform(5.5, 10))
    flatness = draw.choice((0.2, 0.6, 1.0, 1.2))
    rows = []
    for arm in names:
        if arm == "uringcore":
            rows.append(failed(arm, "unavailable", "needs Python 3.13 only, this is 3.14.8"))
        elif arm == "talyn" and draw.random() < 0.15:
            rows.append(failed(arm, "invalid", "woke 1.2 ms early in 14 of 200 sleeps"))
        elif arm == "veloxloop" and draw.random() < 0.1:
            rows.append(failed(arm, "crashed", "SIGSEGV in phase slot"))
        else:
            wobble = 1.0 if "asyncio" in arm else draw.lognormvariate(0, 0.15)
            of = SPEED[arm] ** flatness * wobble
            half = draw.choice((0.004, 0.008, 0.03))
            rows.append(measured(arm, base * of, ratio(of, half), draw, processes))
    valid = {row.arm: row.ratio for row in rows if row.ratio and "~aa" not in row.arm}
    best = min(valid.values(), key=lambda of: of.estimate)
    leaders = [arm for arm, of in valid.items() if of.low <= best.high]
    return benchmark(name, rows, leaders, summary=f"Invented figures for {name}")


def endless(estimate: float, n: int) -> Ratio:
    """What the statistics give for too few processes."""
    return Ratio(estimate=estimate, low=0.0, high=math.inf, sign_low=0.0, sign_high=math.inf, n=n)
