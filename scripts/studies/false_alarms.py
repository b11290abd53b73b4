"""How often a run calls two copies of one loop different: N quick runs, every benchmark's A/A pair.

    scripts/dev study false_alarms --runs 20 --out FOLDER

A pair "stays" when its estimate lies within the margin, and is a false alarm when its whole
interval lies outside (the rule that decides verdicts). Runs that are already in FOLDER are not
measured again.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from pathlib import Path

from runs import measure

MARGIN = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("aa-runs"))
    parser.add_argument("--loop", action="append", default=[], help="default: the default loops")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    loops = [text for name in arguments.loop for text in ("--loop", name)]
    estimates: dict[str, list[float]] = defaultdict(list)
    false_alarms = 0
    for seed in range(arguments.runs):
        out = arguments.out.resolve() / f"quick-{seed:02}.jsonl"
        summary = measure(out, "throughput", "--quick", "--seed", str(seed), *loops)
        for benchmark in summary.benchmarks:
            if benchmark.aa is None:
                continue
            estimates[benchmark.id].append(benchmark.aa.estimate)
            outside = benchmark.aa.low > 1 + MARGIN or benchmark.aa.high < 1 / (1 + MARGIN)
            false_alarms += outside
        print(f"run {seed + 1}/{arguments.runs}: {summary.self_check}", flush=True)
    report(estimates, false_alarms)


def report(estimates: dict[str, list[float]], false_alarms: int) -> None:
    total = sum(len(values) for values in estimates.values())
    kept = sum(is_within(value) for values in estimates.values() for value in values)
    print(f"\n{'benchmark':45} within ±1 %   worst")
    for name, values in sorted(estimates.items()):
        worst = max(values, key=lambda value: abs(math.log(value)))
        print(f"{name:45} {sum(map(is_within, values)):4} of {len(values):3} {worst - 1:+8.2%}")
    print(f"\nwithin ±1 %: {kept} of {total} pairs ({kept / total:.1%})")
    share = f"{false_alarms} of {total} ({false_alarms / total:.1%})"
    print(f"false alarms (interval outside ±1 %): {share}")


def is_within(ratio: float) -> bool:
    return abs(math.log(ratio)) <= math.log(1 + MARGIN)


if __name__ == "__main__":
    main()
