"""From a value to a pixel, and which values deserve a tick."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

MAX_TICKS = 7


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [left, right]; logarithmic scales hold positive values only."""

    low: float
    high: float
    left: float
    right: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        """The pixel; a value beyond the range (or infinite) lands on its end."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return self.left + (at - low) / (high - low) * (self.right - self.left)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def ticks(self, apart: float = 0.0) -> list[float]:
        """At most MAX_TICKS round values inside the range, at least `apart` pixels from each
        other; 0, 1 and then powers of ten are kept where two are too close."""
        found = self._log_ticks() if self.logarithmic else self._even_ticks()
        kept: list[float] = []
        for at in sorted(found or self._even_ticks(), key=self._rank):
            if all(abs(self(at) - self(other)) >= apart for other in kept):
                kept.append(at)
        return sorted(kept)

    def _rank(self, at: float) -> tuple[bool, bool, float]:
        whole = self.logarithmic and abs(math.log10(at) - round(math.log10(at))) < 1e-9
        return at not in (0, 1), not whole, at

    def _even_ticks(self) -> list[float]:
        steps = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return self._inside(steps)

    def _log_ticks(self) -> list[float]:
        for subs in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
            values = LogLocator(subs=subs, numticks=40).tick_values(self.low, self.high)
            inside = self._inside(values)
            if len(inside) <= MAX_TICKS:
                return inside if len(inside) >= 3 else []
        return inside[:: -(-len(inside) // MAX_TICKS)]

    def _inside(self, values: Iterable[float]) -> list[float]:
        return [float(value) for value in values if self.holds(value)]


def log_scale(values: Iterable[float], left: float, right: float, least: float = 1.1) -> Scale:
    """Holds every value with some air; the ends differ at least by the factor `least`."""
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min(positive, default=1.0), max(positive, default=1.0)
    if high / low < least:
        middle = math.sqrt(low) * math.sqrt(high)  # the product may have no float
        low, high = middle / math.sqrt(least), middle * math.sqrt(least)
    air = (high / low) ** 0.05
    return Scale(low / air, high * air, left, right, logarithmic=True)


def even_scale(values: Iterable[float], left: float, right: float, least: float) -> Scale:
    """Symmetric around zero, at least ±`least`, holds every value with some air."""
    reach = max([least, *(abs(value) for value in values if math.isfinite(value))]) * 1.05
    return Scale(-reach, reach, left, right, logarithmic=False)
