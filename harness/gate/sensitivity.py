"""What a gate can find on this machine, and what finding more would cost (`bench gate --plan`).

Pure functions of a short calibration: base measured against itself, one log-ratio per process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from loopgauge.harness import statistics
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate import looks, simulation, timing
from loopgauge.harness.gate.simulation import Noise, Rules
from loopgauge.harness.statistics import Floats

METHOD = "simulated-two-stage-1"

LEAST = 4  # calibrated processes of a benchmark: fewer say nothing of its spread
BUDGETS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60)  # minutes
CHANGES = (0.01, 0.02, 0.03, 0.05, 0.1)  # of the table of powers
FINEST, WIDEST = 1e-4, 1.0  # changes that are looked for: 0.01 to 100 %
HALVINGS = 9  # of the search for the smallest change, by ratios: to 1 % of it from a margin of 1 %
DRAWS = 200  # of the standard error


class BenchmarkPlan(msgspec.Struct, kw_only=True):
    """Shares: 0.02 is 2 %. Powers are chances that a change is REGRESSED within the minutes."""

    benchmark: str
    margin: float
    calibrated: int  # processes
    seconds: float  # of one process
    spread: float  # of the log-ratio of one process
    error: float  # standard error of the Hodges-Lehmann estimate from all the processes
    power: float  # of the wanted change
    powers: dict[str, float]  # of other changes: "0.05" -> chance
    smallest: float | None  # the smallest change with the wanted power; None: not even 100 %
    processes: int | None  # the look that finds the wanted change so often; None: not even the last
    equivalent: float  # chance that a head without change is called so


class Cost(msgspec.Struct, kw_only=True):
    """Of the timing of a gate that may take `minutes`."""

    minutes: float
    unchanged_minutes: float  # what it takes in the mean where nothing changed
    changed_minutes: float  # and where everything did
    found: float  # mean chance over the benchmarks that the wanted change is REGRESSED
    worst: float  # the smallest of these chances
    equivalent: float  # mean chance that a benchmark without change is called so


class Plan(msgspec.Struct, kw_only=True):
    """`costs`: of the planned minutes, then of the fewest that find the change as often as wanted
    in every benchmark where time is all that is missing (if that is more)."""

    method: str = METHOD
    looks_method: str = looks.METHOD
    seed: int
    simulated: int = simulation.GATES
    change: float
    wanted_power: float
    minutes: float
    most: int
    fresh: int = timing.CONFIRMATION
    benchmarks: list[BenchmarkPlan]
    costs: list[Cost]
    left_out: list[str] = []  # one line each


def make_plan(
    calibration: Mapping[str, Floats],
    seconds: Mapping[str, float],
    margins: Mapping[str, float],
    *,
    minutes: float,
    seed: int,
    most: int = looks.MOST,
    change: float = 0.02,
    power: float = 0.9,
    start_s: float = 0.0,
) -> Plan:
    """`calibration`: log-ratios of base against base, one per process; `seconds` (of one process)
    and `margins` by the same benchmarks. `minutes`: of the timing, of which `start_s` go by before
    the first process; `most`: processes of a benchmark in the first stage. All benchmarks are taken
    to change together, which is the hardest case for Holm and for the clock.

    Raises NothingToMeasure where no benchmark has LEAST processes."""
    names = [name for name, values in calibration.items() if len(values) >= LEAST]
    if not names:
        raise NothingToMeasure(
            f"no plan can be made: base against itself gave less than {LEAST} processes of every "
            "benchmark",
            "What failed is said above; if it was the time, give more --minutes",
        )
    noise = simulation.noise_of([calibration[name] for name in names])
    table = Table(
        noise,
        np.array([margins[name] for name in names]),
        np.array([seconds[name] for name in names]),
        looks.looks(most),
        start_s,
        seed,
    )
    smallest = table.smallest(minutes, power)
    needed = table.needed(change, power)
    powers = {wanted: table.play(wanted, minutes).found for wanted in sorted({*CHANGES, change})}
    unchanged = table.play(0.0, minutes).equivalent
    errors = standard_errors(noise, most, seed)
    possible = np.array([size is not None for size in needed])
    return Plan(
        seed=seed,
        change=change,
        wanted_power=power,
        minutes=minutes,
        most=most,
        benchmarks=[
            BenchmarkPlan(
                benchmark=name,
                margin=margins[name],
                calibrated=len(calibration[name]),
                seconds=seconds[name],
                spread=float(noise.spreads[i]),
                error=float(errors[i]),
                power=float(powers[change][i]),
                powers={f"{wanted:g}": float(found[i]) for wanted, found in powers.items()},
                smallest=smallest[i],
                processes=needed[i],
                equivalent=float(unchanged[i]),
            )
            for i, name in enumerate(names)
        ],
        costs=[
            table.cost(budget, change)
            for budget in (minutes, table.enough(change, power, possible, minutes))
            if budget is not None
        ],
        left_out=[
            f"{name}: {len(values)} processes of base against itself, {LEAST} are needed"
            for name, values in calibration.items()
            if len(values) < LEAST
        ],
    )


class Table:
    """Plays gates on the same noise. Changes are shares."""

    def __init__(
        self,
        noise: Noise,
        margins: Floats,
        seconds: Floats,
        plan: Sequence[looks.Look],
        start_s: float,
        seed: int,
    ) -> None:
        self.noise = noise
        self.margins = margins
        self.seconds = seconds
        self.plan = plan
        self.start_s = start_s
        self.seed = seed

    def play(
        self, change: float | Floats, minutes: float, looked: int | None = None
    ) -> simulation.Outcome:
        """`looked`: at the first so many looks only."""
        limit_s = 60 * minutes
        rules = Rules(
            seconds=self.seconds,
            margins=self.margins,
            plan=self.plan[:looked],
            fresh=timing.CONFIRMATION,
            start_s=self.start_s,
            limit_s=limit_s,
            flagged_s=limit_s * timing.FIRST_SHARE,
            second_s=limit_s * (1 - timing.FIRST_SHARE),
        )
        effects = np.log1p(np.broadcast_to(change, self.margins.shape))
        return simulation.play(self.noise, effects, rules, seed=self.seed)

    def needed(self, change: float, power: float) -> list[int | None]:
        """By benchmark: the first look that finds the change often enough, time being no matter."""
        found: list[int | None] = [None] * len(self.margins)
        for number, look in enumerate(self.plan, 1):
            enough = self.play(change, math.inf, number).found >= power
            found = [
                look.size if f is None and ok else f for f, ok in zip(found, enough, strict=True)
            ]
        return found

    def smallest(self, minutes: float, power: float) -> list[float | None]:
        """By benchmark, found by halving: powers rise with the change, the noise being the same."""
        high = np.full(self.margins.shape, WIDEST)
        low = np.clip(self.margins, FINEST, WIDEST)
        reachable = self.play(high, minutes).found >= power
        for _ in range(HALVINGS):
            middle = np.sqrt(low * high)  # small changes want the finer steps
            enough = self.play(middle, minutes).found >= power
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
        return [float(h) if ok else None for h, ok in zip(high, reachable, strict=True)]

    def enough(
        self, change: float, power: float, possible: NDArray[np.bool_], minutes: float
    ) -> float | None:
        """The least of BUDGETS above the planned minutes; None where those do, or nothing does."""
        for budget in (minutes, *(float(b) for b in BUDGETS if b > minutes)):
            found = self.play(change, budget).found
            if np.all(found[possible] >= power):
                return None if budget == minutes else budget
        return None

    def cost(self, minutes: float, change: float) -> Cost:
        changed, unchanged = self.play(change, minutes), self.play(0.0, minutes)
        return Cost(
            minutes=minutes,
            unchanged_minutes=unchanged.minutes,
            changed_minutes=changed.minutes,
            found=float(np.mean(changed.found)),
            worst=float(np.min(changed.found)),
            equivalent=float(np.mean(unchanged.equivalent)),
        )


def standard_errors(noise: Noise, processes: int, seed: int) -> Floats:
    """Of the Hodges-Lehmann estimate, by benchmark: its spread over drawn samples."""
    drawn = noise.draw(np.random.default_rng([seed, processes]), DRAWS, processes)
    estimates = [[statistics.hodges_lehmann(row) for row in gate] for gate in drawn]
    spread: Floats = np.std(np.array(estimates), axis=0)
    return spread
