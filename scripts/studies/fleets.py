"""How often the figure over hosts holds the truth, and the odd host is named: simulated fleets.

    scripts/dev study fleets --fleets 1000 --seed 1 --out scripts/studies/fleet_figures.jsonl

Every fleet is drawn from the seed and its number: 3 to 20 hosts, each with a speed of its own, a
noise of its own with long tails, and a ratio of its own around the fleet's true one. In every
second fleet one host has the opposite effect. Processes, intervals, verdicts and the figures over
hosts come from the functions that judge real runs; nothing is measured, so it takes seconds.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.fleet.across import agreement_of
from loopgauge.harness.fleet.combining import METHOD, Combined, combine, error_of
from loopgauge.harness.ratio import ArmVerdict, Ratio, ratio_of

HOSTS = (3, 20)
PROCESSES = (6, 8, 12, 24)
EFFECT = (0.15, 0.9)  # the true log-ratio, either way: 14 to 59 % faster, 16 to 146 % slower
SMALL = (0.02, 0.15)  # hosts then differ as much as the effect is large, or more
SPREAD = (0.0, 0.06)  # standard deviation of the hosts' true log-ratios
NOISE = 0.015  # of a process, the middle of all hosts: as in the published runs
NOISES = 0.5  # how far hosts differ in it, as a standard deviation of its logarithm
TAILS = 5  # degrees of freedom of the noise: one process in 50 is off by more than three of it
MARGIN = 0.01
SIZES = {"3 to 5 hosts": (3, 5), "6 to 10 hosts": (6, 10), "11 to 20 hosts": (11, 20)}


@dataclass(frozen=True)
class Fleet:
    """What was drawn, and what came out. `truth` is the mean of all hosts that are not odd."""

    hosts: int
    truth: float
    odd: int | None
    combined: Combined
    against: list[int]  # hosts that say the opposite of most
    opposite: set[int]  # hosts whose true effect is on the other side of none than the fleet's
    one_more: float  # the true log-ratio of a host that was not measured
    fixed: tuple[float, float]  # the interval without a spread of hosts

    @property
    def named(self) -> set[int]:
        return {*self.combined.odd, *self.against}

    @property
    def wrong(self) -> set[int]:
        """Hosts that are named, and are neither the odd one nor of the opposite effect."""
        return self.named - self.opposite - {self.odd}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fleets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where the figures go, a line of JSON each")
    arguments = parser.parse_args()
    fleets = [simulated(arguments.seed, number) for number in range(arguments.fleets)]
    small = [simulated(arguments.seed, number, SMALL) for number in range(arguments.fleets)]
    rows = [*figures(fleets, arguments.seed), of(small, "small effects, 2 to 15 %")]
    for row in rows:
        print(row)
    if arguments.out is not None:
        arguments.out.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def simulated(seed: int, number: int, sizes: tuple[float, float] = EFFECT) -> Fleet:
    draw = np.random.default_rng([seed, number])
    hosts = int(draw.integers(HOSTS[0], HOSTS[1], endpoint=True))
    processes = int(draw.choice(PROCESSES))
    truth = float(draw.uniform(*sizes) * draw.choice([-1, 1]))
    spread = float(draw.uniform(*SPREAD))
    odd = int(draw.integers(hosts)) if number % 2 else None
    effects = [
        (-truth if host == odd else truth) + float(draw.normal(0, spread)) for host in range(hosts)
    ]
    found = [measured(draw, effect, processes) for effect in effects]
    errors = [error_of(one.low, one.high, one.n) for one in found]
    logs = [math.log(one.estimate) for one in found]
    verdicts: dict[str, ArmVerdict] = {
        str(host): statistics.verdict(one.low, one.high, MARGIN) for host, one in enumerate(found)
    }
    return Fleet(
        hosts=hosts,
        truth=truth,
        odd=odd,
        combined=combine(logs, errors, [one.n for one in found], margin=math.log1p(MARGIN)),
        against=[int(host) for host in agreement_of(verdicts)[2]],
        opposite={host for host, effect in enumerate(effects) if effect * truth < 0},
        one_more=truth + float(draw.normal(0, spread)),
        fixed=without_spread(logs, errors),
    )


def measured(draw: np.random.Generator, effect: float, processes: int) -> Ratio:
    """One host: reference and loop in each process, with the drift that both see."""
    speed = 1000 * draw.lognormal(0, 0.5)
    noise = NOISE * draw.lognormal(0, NOISES)
    drift = draw.lognormal(0, 0.1, processes)
    reference = speed * drift
    cost = speed * drift * np.exp(effect + noise * draw.standard_t(TAILS, processes))
    return ratio_of(statistics.block_log_ratios(cost, reference))


def without_spread(logs: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """As if all hosts were one: the mean weighted by precision alone."""
    weights = 1 / np.asarray(errors) ** 2
    mean = float(weights @ np.asarray(logs) / weights.sum())
    half = NormalDist().inv_cdf(0.975) / math.sqrt(weights.sum())
    return mean - half, mean + half


def figures(fleets: Sequence[Fleet], seed: int) -> Iterable[dict[str, object]]:
    """One line for all, then for the parts."""
    yield {"seed": seed, "method": METHOD, **of(fleets, "all")}
    for name, (least, most) in SIZES.items():
        yield of([one for one in fleets if least <= one.hosts <= most], name)
    yield of([one for one in fleets if one.odd is None], "no odd host")
    yield of([one for one in fleets if one.odd is not None], "one odd host")


def of(fleets: Sequence[Fleet], name: str) -> dict[str, object]:
    plain = [one for one in fleets if one.odd is None]
    mixed = [one for one in fleets if one.odd is not None]
    return {
        "fleets": name,
        "number": len(fleets),
        "covered": sum(one.combined.low <= one.truth <= one.combined.high for one in fleets),
        "covered_without_spread": sum(one.fixed[0] <= one.truth <= one.fixed[1] for one in fleets),
        "predicted": sum(
            one.combined.prediction_low <= one.one_more <= one.combined.prediction_high
            for one in plain
        ),
        "with_odd": len(mixed),
        "odd_named": sum(one.odd in one.named for one in mixed),
        "odd_by_distance": sum(one.odd in one.combined.odd for one in mixed),
        "odd_by_verdict": sum(one.odd in one.against for one in mixed),
        "without_odd": len(plain),
        "wrong_name": sum(bool(one.wrong) for one in fleets),
    }


if __name__ == "__main__":
    main()
