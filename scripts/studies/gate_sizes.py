"""What other sizes of a gate's stages would find, by simulation alone.

    scripts/dev study gate_sizes --seconds 0.35 --percent 2

Ten benchmarks, all slower by PERCENT, with noise that has the tails of Student's t of 5 degrees of
freedom. For each spread of a process and each pair of sizes: how often the slow-down is REGRESSED
and what the gate takes, and the same of a head without change (EQUIVALENT).
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from loopgauge.harness.gate import looks, simulation, timing
from loopgauge.harness.gate.simulation import Noise, Outcome, Rules
from loopgauge.harness.statistics import Floats

BENCHMARKS = 10
MARGIN = 0.01
START_S = 12.0  # the probe of ten benchmarks on three arms
SPREADS = (0.006, 0.008, 0.010, 0.012, 0.015, 0.020)
SIZES = ((32, 16), (32, 32), (64, 16), (64, 32), (64, 48), (64, 64))  # most of stage one, fresh


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--percent", type=float, default=2.0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=0.35, help="of one process")
    parser.add_argument("--share", type=float, default=timing.FIRST_SHARE, help="of stage one")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    shape = student(arguments.seed)
    print("spread  sizes     found  minutes  equivalent  minutes")
    for spread in SPREADS:
        for most, fresh in SIZES:
            rules = rules_of(arguments, most, fresh)
            changed = play(shape, spread, arguments.percent / 100, rules, arguments.seed)
            unchanged = play(shape, spread, 0.0, rules, arguments.seed)
            print(
                f"{spread:6.1%}  {most:2} + {fresh:2}  {np.mean(changed.found):6.1%}  "
                f"{changed.minutes:7.1f}  {np.mean(unchanged.equivalent):10.1%}  "
                f"{unchanged.minutes:7.1f}"
            )


def student(seed: int) -> Floats:
    drawn = np.random.default_rng(seed).standard_t(5, 400)
    scaled = drawn / simulation.robust_spread(drawn)
    return np.concatenate([scaled, -scaled])


def rules_of(arguments: argparse.Namespace, most: int, fresh: int) -> Rules:
    limit_s = 60 * arguments.minutes
    return Rules(
        seconds=np.full(BENCHMARKS, arguments.seconds),
        margins=np.full(BENCHMARKS, MARGIN),
        plan=looks.looks(most),
        fresh=fresh,
        start_s=START_S,
        limit_s=limit_s,
        flagged_s=limit_s * arguments.share,
        second_s=limit_s * (1 - arguments.share),
    )


def play(shape: Floats, spread: float, change: float, rules: Rules, seed: int) -> Outcome:
    noise = Noise(np.full(BENCHMARKS, spread), np.zeros(BENCHMARKS), shape)
    return simulation.play(noise, np.full(BENCHMARKS, math.log1p(change)), rules, seed=seed)


if __name__ == "__main__":
    main()
