"""Student's t and Fisher's F, by the regularised incomplete beta function.

The three functions that the figures over hosts need; scipy, which has them too, is 40 MB and has no
wheel for the newest Python for months. Sources: Abramowitz and Stegun, 26.5 and 26.7; the continued
fraction by Lentz's method, Numerical Recipes, 3rd ed., 6.4. Accurate to 1e-12.
"""

from __future__ import annotations

import math
from functools import cache

TINY = 1e-300
STEPS = 10_000


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b): the share of a beta distribution below x, a and b above 0."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - incomplete_beta(b, a, 1 - x)
    front = a * math.log(x) + b * math.log1p(-x) - math.log(a)
    front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def t_tail(t: float, degrees: float) -> float:
    """P(T > t), one-sided."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    half = incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2
    return half if t >= 0 else 1 - half


def f_tail(f: float, above: float, below: float) -> float:
    """P(F > f), with the degrees of freedom of numerator and denominator."""
    return 1.0 if f <= 0 else incomplete_beta(below / 2, above / 2, below / (below + above * f))


@cache
def t_quantile(tail: float, degrees: float) -> float:
    """The t beyond which a share of `tail` lies, above 0 and at most a half."""
    high = 1.0
    while t_tail(high, degrees) > tail:
        high *= 2
    low = 0.0
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_tail(middle, degrees) > tail else (low, middle)
    return (low + high) / 2
