"""How a scenario's figure grows with one of its parameters: connections, size, pending timers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.plots.field import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Colour,
    Field,
    Looks,
    plain,
    ticks_of,
)
from loopgauge.reports.plots.frame import Drawing
from loopgauge.reports.plots.scale import Scale, log_scale

WIDE = 5.0  # the largest value is this many times the smallest: a logarithmic axis


@dataclass(frozen=True)
class Sweep:
    """Benchmarks of one scenario that differ in one number only, ascending."""

    scenario: str
    param: str
    fixed: str  # the other parameters that were set, "" for none
    values: list[float]
    benchmarks: list[BenchmarkSummary]

    @property
    def words(self) -> str:
        return f"{self.scenario}[{self.fixed}]" if self.fixed else self.scenario


def sweeps(benchmarks: Sequence[BenchmarkSummary]) -> list[Sweep]:
    """Of the benchmarks of one scenario. One without recorded values (older files leave out what
    is the default) takes part where the parameter was set."""
    found = []
    names = dict.fromkeys(name for benchmark in benchmarks for name in known(benchmark))
    for param in names:
        groups: dict[str, list[BenchmarkSummary]] = {}
        for benchmark in benchmarks:
            if number_of(benchmark, param) is not None:
                groups.setdefault(others(benchmark, param), []).append(benchmark)
        for fixed, group in groups.items():
            by_value = {number_of(each, param) or 0.0: each for each in group}
            if len(by_value) > 1:
                values = sorted(by_value)
                ordered = [by_value[value] for value in values]
                found.append(Sweep(group[0].scenario, param, fixed, values, ordered))
    return found


def known(benchmark: BenchmarkSummary) -> dict[str, object]:
    return {**benchmark.values, **benchmark.params}


def number_of(benchmark: BenchmarkSummary, param: str) -> float | None:
    value = known(benchmark).get(param)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def others(benchmark: BenchmarkSummary, param: str) -> str:
    """The parameters in the id but for this one; what is not there is the default."""
    inside = benchmark.id.partition("[")[2].rstrip("]")
    kept = [word for word in inside.split(",") if word and word.partition("=")[0] != param]
    return ",".join(kept)


def cost_curves(sweep: Sweep, looks: Looks, colour: Colour) -> Drawing | None:
    """Cost against the parameter, an interval at each point; None with nothing to draw."""
    first = sweep.benchmarks[0]
    better = "lower is better" if wording.lower_is_better(first) else "higher is better"
    what = wording.per_operation(first)
    if first.measure != "value":  # whose unit is written as it is: us
        what = f"{what[:1].upper()}{what[1:]}"
    title = f"{what} by {sweep.param}: {better}"

    def point(arm: ArmSummary) -> tuple[float, float, float] | None:
        return (arm.cost, arm.cost_low, arm.cost_high) if arm.cost > 0 else None

    return _curves(sweep, title, point, looks, colour, ticks_of(first), "")


def ratio_curves(sweep: Sweep, looks: Looks, reference: str, colour: Colour) -> Drawing | None:
    """The same relative to the reference, with paired intervals."""
    title = f"Relative to {reference} by {sweep.param}: below 1 is better"

    def point(arm: ArmSummary) -> tuple[float, float, float] | None:
        of = arm.ratio
        if of is None or arm.arm == reference:
            return None
        return of.estimate, of.low, of.high

    return _curves(sweep, title, point, looks, colour, wording.tick, reference)


def _curves(
    sweep: Sweep,
    title: str,
    point: Callable[[ArmSummary], tuple[float, float, float] | None],
    looks: Looks,
    colour: Colour,
    words: Callable[[float], str],
    reference: str,
) -> Drawing | None:
    curves: dict[str, list[tuple[float, ArmSummary, tuple[float, float, float]]]] = {}
    for value, benchmark in zip(sweep.values, sweep.benchmarks, strict=True):
        for arm in wording.candidates(benchmark):
            found = point(arm) if arm.status == "ok" else None
            if found is not None and math.isfinite(found[0]):
                curves.setdefault(arm.arm, []).append((value, arm, found))
    names = [name for name in looks if len(curves.get(name, ())) > 1]
    if not names:
        return None
    known = [found for name in names for _, _, found in curves[name] if _has_interval(found)]
    subtitle = "bar: 95 % interval" if known else "too few processes for intervals"
    subtitle += " · hollow: no clear difference · log scale" if reference else " · log scale"
    field = Field(title, subtitle, names, looks, colour)
    ends = [end for name in names for _, _, found in curves[name] for end in found]
    y = log_scale([*ends, 1.0] if reference else ends, BOTTOM, TOP, least=1.5)
    x = _horizontal(sweep.values)
    axis = f"{sweep.param}, log scale" if x.logarithmic else sweep.param
    field.axes(x, y, plain, words, axis, x_ticks=_apart(sweep.values, x))
    if reference:
        field.level(y(1.0))
    said = [sweep.words]
    for name in names:
        mark = looks[name]
        field.canvas.curve([(x(at), y(f[0])) for at, _, f in curves[name]], mark.role, 1.4)
        bars = [(x(at), y(f[1]), x(at), y(f[2])) for at, _, f in curves[name] if _has_interval(f)]
        field.canvas.lines(bars, mark.role, 1.2)
        for hollow in (False, True):
            drawn = [
                (x(at), y(found[0]))
                for at, arm, found in curves[name]
                if hollow == (bool(reference) and not wording.is_separated(arm))
            ]
            if drawn:
                xs, ys = zip(*drawn, strict=True)
                field.canvas.dots(xs, ys, mark, size=5.5, hollow=hollow)
        told = ", ".join(f"{words(f[0])} at {plain(at)}" for at, _, f in curves[name])
        said.append(f"{name} {told}")
    return field.drawing(said)


def _has_interval(found: tuple[float, float, float]) -> bool:
    """With too few processes it has no ends, and a bar across the plot would hide the others."""
    return found[1] > 0 and math.isfinite(found[2])


def _horizontal(values: Sequence[float]) -> Scale:
    if values[0] > 0 and values[-1] / values[0] >= WIDE:
        return log_scale(values, LEFT, RIGHT)
    air = 0.05 * (values[-1] - values[0])
    return Scale(values[0] - air, values[-1] + air, LEFT, RIGHT, logarithmic=False)


def _apart(values: Sequence[float], x: Scale) -> list[float]:
    """A tick at every value that was measured, as far as their labels have room."""
    kept: list[float] = []
    for value in values:
        if not kept or x(value) - x(kept[-1]) >= 40:
            kept.append(value)
    return kept
