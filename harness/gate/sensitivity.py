"""What a gate can find on this machine, and what finding more would cost (`bench gate --plan`).

Pure functions of a short calibration: base measured against itself, one log-ratio per process.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate import looks, simulation
from loopgauge.harness.gate.simulation import Noise
from loopgauge.harness.statistics import Floats

METHOD = "simulated-two-stage-1"

LEAST = 4  # calibrated processes of a benchmark: fewer say nothing of its spread
CAPS = (8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128)  # processes; beyond, another machine is cheaper
CHANGES = (0.01, 0.02, 0.03, 0.05, 0.1)  # of the table of powers
FINEST, WIDEST = 1e-4, 1.0  # changes that are looked for: 0.01 to 100 %
HALVINGS = 9  # of the search for the smallest change, by ratios: to 1 % of it from a margin of 1 %
DRAWS = 200  # of the standard error


class BenchmarkPlan(msgspec.Struct, kw_only=True):
    """Shares: 0.02 is 2 %. None: not within the largest of CAPS, or not even a change of 100 %."""

    benchmark: str
    margin: float
    calibrated: int  # processes
    spread: float  # of the log-ratio of one process
    error: float  # standard error of the Hodges-Lehmann estimate from `most` processes
    seconds: float  # of one process
    power: float  # chance that the wanted change is REGRESSED with `most` processes
    powers: dict[str, float]  # the same for other changes: "0.05" -> chance
    smallest: float | None  # the smallest change that is found with the wanted power
    processes: int | None  # per benchmark, that find the wanted change with the wanted power
    equivalent: float  # chance that a head without change is EQUIVALENT


class Cost(msgspec.Struct, kw_only=True):
    """Of a whole gate's timing. `fresh`: processes of the second stage, for what was flagged."""

    processes: int
    fresh: int
    usual_minutes: float  # nothing changed: looks end the first stage early
    most_minutes: float  # everything runs to the cap and is confirmed
    found: float  # mean chance over the benchmarks that the wanted change is REGRESSED


class Plan(msgspec.Struct, kw_only=True):
    """`costs`: the planned size, then what finds the change in every benchmark that can be
    (where that is another size)."""

    method: str = METHOD
    looks: str = looks.METHOD
    seed: int
    simulated: int = simulation.GATES
    change: float
    wanted_power: float
    most: int
    fresh: int
    benchmarks: list[BenchmarkPlan]
    costs: list[Cost]
    left_out: list[str] = []  # one line each


def make_plan(
    calibration: Mapping[str, Floats],
    seconds: Mapping[str, float],
    margins: Mapping[str, float],
    *,
    most: int,
    seed: int,
    fresh: int | None = None,
    change: float = 0.02,
    power: float = 0.9,
) -> Plan:
    """`calibration`: log-ratios of base against base, one per process; `seconds` and `margins` by
    the same benchmarks. `most`: processes of the first stage; `fresh`: of the second (default: as
    many). All benchmarks are taken to change together, which is the hardest case for Holm.

    Raises NothingToMeasure where no benchmark has LEAST processes."""
    names = [name for name, values in calibration.items() if len(values) >= LEAST]
    if not names:
        raise NothingToMeasure(
            f"a plan needs {LEAST} calibrated processes of a benchmark",
            "Calibrate longer, or see why the workers fail",
        )
    noise = simulation.noise_of([calibration[name] for name in names])
    table = Table(noise, np.array([margins[name] for name in names]), fresh, seed)
    needed = table.needed(change, power)
    smallest = table.smallest(most, power)
    powers = {wanted: table.powers(wanted, most) for wanted in sorted({*CHANGES, change})}
    unchanged = table.play(0.0, most).equivalent
    errors = standard_errors(noise, most, seed)
    times = np.array([seconds[name] for name in names])
    return Plan(
        seed=seed,
        change=change,
        wanted_power=power,
        most=most,
        fresh=table.fresh_of(most),
        benchmarks=[
            BenchmarkPlan(
                benchmark=name,
                margin=margins[name],
                calibrated=len(calibration[name]),
                spread=float(noise.spreads[i]),
                error=float(errors[i]),
                seconds=seconds[name],
                power=float(powers[change][i]),
                powers={f"{wanted:g}": float(found[i]) for wanted, found in powers.items()},
                smallest=smallest[i],
                processes=needed[i],
                equivalent=float(unchanged[i]),
            )
            for i, name in enumerate(names)
        ],
        costs=[table.cost(size, change, times) for size in sizes_of_costs(most, needed)],
        left_out=[
            f"{name}: {len(values)} calibrated processes, {LEAST} are needed"
            for name, values in calibration.items()
            if len(values) < LEAST
        ],
    )


def sizes_of_costs(most: int, needed: list[int | None]) -> list[int]:
    enough = max((size for size in needed if size is not None), default=most)
    return [most] if enough == most else [most, enough]


class Table:
    """Plays gates of different sizes on the same noise. Changes are shares."""

    def __init__(self, noise: Noise, margins: Floats, fresh: int | None, seed: int) -> None:
        self.noise = noise
        self.margins = margins
        self.fresh = fresh
        self.seed = seed

    def fresh_of(self, most: int) -> int:
        return most if self.fresh is None else self.fresh

    def play(self, change: float | Floats, most: int) -> simulation.Outcome:
        effects = np.log1p(np.broadcast_to(change, self.margins.shape))
        fresh = self.fresh_of(most)
        return simulation.play(self.noise, effects, self.margins, most, fresh, seed=self.seed)

    def powers(self, change: float | Floats, most: int) -> Floats:
        return self.play(change, most).found

    def needed(self, change: float, power: float) -> list[int | None]:
        """By benchmark: the fewest processes of CAPS that find the change often enough."""
        found: list[int | None] = [None] * len(self.margins)
        for most in CAPS:
            enough = self.powers(change, most) >= power
            found = [most if f is None and ok else f for f, ok in zip(found, enough, strict=True)]
            if None not in found:
                break
        return found

    def smallest(self, most: int, power: float) -> list[float | None]:
        """By benchmark, found by halving: powers rise with the change, the noise being the same."""
        high = np.full(self.margins.shape, WIDEST)
        low = np.clip(self.margins, FINEST, WIDEST)
        reachable = self.powers(high, most) >= power
        for _ in range(HALVINGS):
            middle = np.sqrt(low * high)  # small changes want the finer steps
            enough = self.powers(middle, most) >= power
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
        return [float(h) if ok else None for h, ok in zip(high, reachable, strict=True)]

    def cost(self, most: int, change: float, seconds: Floats) -> Cost:
        fresh = self.fresh_of(most)
        usual = self.play(0.0, most).processes
        return Cost(
            processes=most,
            fresh=fresh,
            usual_minutes=float(np.sum(usual * seconds)) / 60,
            most_minutes=float(np.sum(seconds)) * (most + fresh) / 60,
            found=float(np.mean(self.powers(change, most))),
        )


def standard_errors(noise: Noise, processes: int, seed: int) -> Floats:
    """Of the Hodges-Lehmann estimate, by benchmark: its spread over drawn samples."""
    drawn = noise.draw(np.random.default_rng([seed, processes]), DRAWS, processes)
    estimates = [[statistics.hodges_lehmann(row) for row in gate] for gate in drawn]
    spread: Floats = np.std(np.array(estimates), axis=0)
    return spread
