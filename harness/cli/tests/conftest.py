from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from fleet_testing import cluster, empty_cluster  # noqa: F401
from postgres_testing import postgres, postgres_url  # noqa: F401

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


# `bench` with a tiny quick setting; workers, run file and exit codes are the real ones.
FAST_BENCH = """
import dataclasses, sys
from loopgauge.harness import budget
from loopgauge.harness.cli import main

if __name__ == "__main__":  # the processes of a local cluster import this again
    rounds, sys.argv[1:] = int(sys.argv[1]), sys.argv[2:]
    budget.LIMITS["quick"] = dataclasses.replace(
        budget.LIMITS["quick"], budget_s=1.0, slot_s=0.001, hang_timeout_s=2.0,
        rounds_least=rounds, rounds_wanted=rounds, rounds_most=rounds,
        blocks_least=2, blocks_wanted=2, blocks_most=2,
    )
    main(prog_name="bench")
"""


class Bench:
    """Runs the command in a folder of its own, as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *words: str, rounds: int = 2) -> list[str]:
        program = self.folder / "fast_bench.py"
        program.write_text(FAST_BENCH)
        return [sys.executable, "-P", str(program), str(rounds), *words]

    def environment(self, **variables: str) -> dict[str, str]:
        hidden = ("CI", "NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")
        kept = {key: value for key, value in os.environ.items() if key not in hidden}
        lock = {"LOOPGAUGE_LOCK": str(self.folder / "machine.lock")}  # others test here, too
        return {**kept, **lock, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **variables}

    def __call__(
        self, *words: str, rounds: int = 2, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, rounds=rounds),
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
        )

    @contextmanager
    def started(self, *words: str, rounds: int = 40) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(*words, rounds=rounds),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def runs(self) -> list[Path]:
        return sorted(self.folder.glob(".bench/runs/*.jsonl"))

    @staticmethod
    def read_until(stream: IO[str], words: str) -> str:
        """Everything up to the line with `words`, which must come."""
        seen = []
        for line in stream:
            seen.append(line)
            if words in line:
                return "".join(seen)
        raise AssertionError(f"{words!r} never came in:\n{''.join(seen)}")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path


@pytest.fixture(scope="session")
def bench_in() -> type[Bench]:
    return Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
