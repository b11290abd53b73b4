"""How often an injected slow-down of sleep(0) is called: N full runs against a slower self.

    scripts/dev study power --runs 20 --percent 3 --out FOLDER

Both arms are the same class (spun_loops.py); the slower one burns PERCENT of a step's cost in every
call_soon(). Called means: the verdict is "slower". Runs already in FOLDER are not measured again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from pathlib import Path

from runs import measure
from spun_loops import plain

from loopgauge import _bench

STEPS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--percent", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=Path("power-runs"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    spin = spin_for(arguments.percent / 100 * step_cost_ns())
    os.environ["LOOPGAUGE_STUDY_SPIN"] = str(spin)
    print(f"{arguments.percent} % of a step are {spin} iterations of the burner", flush=True)
    called = 0
    for seed in range(arguments.runs):
        out = arguments.out.resolve() / f"power-{arguments.percent}-{seed:02}.jsonl"
        summary = measure(
            out, "throughput.sleep0", "--full", "--seed", str(seed),
            "--loop", "spun_loops:plain", "--loop", "spun_loops:slowed",
            reference="spun_loops:plain",
        )  # fmt: skip
        (benchmark,) = summary.benchmarks
        (slowed,) = (arm for arm in benchmark.arms if arm.arm == "spun_loops:slowed")
        assert slowed.ratio is not None, slowed.reason
        called += slowed.verdict == "slower"
        ratio = slowed.ratio
        print(
            f"run {seed + 1}/{arguments.runs}: {ratio.estimate - 1:+.2%} "
            f"[{ratio.low - 1:+.2%}, {ratio.high - 1:+.2%}] {slowed.verdict}",
            flush=True,
        )
    print(f"\ncalled slower: {called} of {arguments.runs}")


def step_cost_ns() -> float:
    """Thread CPU time of one sleep(0) step of the plain loop: the least of several goes."""

    async def steps() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(0)

    loop = plain()
    costs = []
    for _ in range(9):
        begin = time.thread_time_ns()
        loop.run_until_complete(steps())
        costs.append((time.thread_time_ns() - begin) / STEPS)
    loop.close()
    return min(costs)


def spin_for(wanted_ns: float) -> int:
    """Iterations of the burner that take `wanted_ns` more than none."""
    loops = 200_000
    costs = []
    for _ in range(9):
        begin = time.thread_time_ns()
        _bench.spin(loops)
        costs.append((time.thread_time_ns() - begin) / loops)
    return max(1, round(wanted_ns / min(costs)))


if __name__ == "__main__":
    main()
