"""Where measuring all loops in one process (hybrid) and one loop per process disagree.

    scripts/dev study designs --out FOLDER [--scenario NAME]... [--budget SECONDS]

The same benchmarks are run in both designs. A pair of loop and benchmark disagrees when the two
intervals of its ratio to stock asyncio lie further apart than the margin: then neighbours in the
process disturb what is measured, and the process design has to be that scenario's headline
(`design = "process"` in its class). Runs already in FOLDER are not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from runs import finished

from loopgauge.harness.manager import run
from loopgauge.harness.request import RunRequest
from loopgauge.harness.summary import ArmSummary, RunSummary
from loopgauge.loops.registry import default_loops
from loopgauge.scenarios.registry import select

MARGIN = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("design-runs"))
    parser.add_argument("--scenario", action="append", default=[], help="default: throughput")
    parser.add_argument("--loop", action="append", default=[], help="default: the default loops")
    parser.add_argument("--rounds", type=int, default=12, help="processes per loop")
    parser.add_argument("--budget", type=float, default=400.0, help="seconds for each design")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    hybrid = measured("hybrid", arguments)
    process = measured("process", arguments)
    print(f"\n{'benchmark':42} {'loop':10} {'hybrid':>22} {'one per process':>22}")
    pairs = list(both(hybrid, process))
    apart = [pair for pair in pairs if distance(*pair[1:]) > MARGIN]
    for name, shared, alone in apart:
        print(f"{name:42} {shared.arm:10} {interval(shared):>22} {interval(alone):>22}")
    count = f"{len(apart)} of {len(pairs)} pairs of loop and benchmark"
    print(f"\nfurther apart than {MARGIN:.0%}: {count}")


def measured(design: Literal["hybrid", "process"], arguments: argparse.Namespace) -> RunSummary:
    out = arguments.out.resolve() / f"{design}.jsonl"
    if not out.exists():
        scenarios = select(arguments.scenario or ["throughput"])
        request = RunRequest(
            benchmarks=[(each.id, params) for each in scenarios for params in each.quick],
            arms=arguments.loop or default_loops(),
            seed=1,
            design=design,
            out=out,
            rounds=arguments.rounds,
            budget_s=arguments.budget,
            command=("study", "designs"),
        )
        run(request, lambda progress: None)
    return finished(out)


def both(a: RunSummary, b: RunSummary) -> Iterator[tuple[str, ArmSummary, ArmSummary]]:
    """Every benchmark and loop that has a ratio to the reference in both runs."""
    others = {(bench.id, arm.arm): arm for bench in b.benchmarks for arm in bench.arms}
    for bench in a.benchmarks:
        for arm in bench.arms:
            other = others.get((bench.id, arm.arm))
            if other and arm.ratio and other.ratio and arm.verdict != "reference":
                yield bench.id, arm, other


def distance(a: ArmSummary, b: ArmSummary) -> float:
    """How far the two intervals are apart, as a share; 0 where they touch."""
    assert a.ratio is not None
    assert b.ratio is not None
    return max(a.ratio.low / b.ratio.high, b.ratio.low / a.ratio.high, 1.0) - 1


def interval(arm: ArmSummary) -> str:
    assert arm.ratio is not None
    return f"{arm.ratio.estimate:.3f} [{arm.ratio.low:.3f}, {arm.ratio.high:.3f}]"


if __name__ == "__main__":
    main()
