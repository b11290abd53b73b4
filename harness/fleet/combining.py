"""One figure over hosts: each host a draw from all hosts there are, with an effect of its own.

A random-effects model on the log scale: host i has the true effect θ_i, drawn from a distribution
with mean μ and standard deviation τ, and its measured y_i spreads around θ_i with the error s_i
that its own processes tell. The interval is for μ, the prediction interval for the θ of one more.

τ² is Paule and Mandel's: the one at which the weighted squares are what they should be. It needs
no distribution, has one solution, and is the least biased of the simple ones where hosts differ in
precision (Veroniki et al., Res. Synth. Methods 7 (2016) 55-79). The interval is that of Hartung
and Knapp (Stat. Med. 20 (2001) 3875-3889) and Sidik and Jonkman, with Student's t, because three
hosts tell little about τ; their factor is never taken below 1 (Röver, Knapp and Friede, BMC Med.
Res. Methodol. 15 (2015) 99), since a few hosts may agree by chance.

Six processes tell little about an error, too, and whose is small by chance would count for too
much: with τ as large as the errors, the interval held the truth in 90 of 100 fleets of ten or
twenty hosts. So each error is drawn towards the middle one of the fleet, as by four more processes
(Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) 3, with a fixed weight): 95 of 100.

An odd host is one that is further from the others than these are from each other: the studentised
deleted residual (Viechtbauer and Cheung, Res. Synth. Methods 1 (2010) 112-125), with the error
held over all hosts. Then the next is looked for without it, up to a third of them. `estimate`
speaks of the hosts that are not odd, for a mean of -20 % and +20 % describes nobody; spread and
prediction are those of all, for the next host may be odd, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopgauge.harness.distributions import f_tail, t_quantile, t_tail
from loopgauge.harness.statistics import Floats, lower_tail_size, signed_rank_counts

METHOD = "paule-mandel-hksj-1"  # version of the method, carried by every summary

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
ODD_ERROR = 0.01  # chance to call any host odd where none is: a page shows hundreds of fleets
DRAWN = 4.0  # processes' worth of the fleet's middle error in each host's own
EXACT_UP_TO = 100  # processes beyond which the level of the signed-rank interval is 95 % as good as
LEAST_ERROR = 1e-9  # of what is counted and came out the same in all processes
ROUNDS = 200  # for τ²; it takes about ten


class Combined(msgspec.Struct, frozen=True, kw_only=True):
    """In the unit of the estimates that came in, for us logarithms of ratios. NaN and infinity
    stand for what so few hosts do not tell: with one host there is its own interval and no τ, with
    two no prediction."""

    hosts: int  # that had an estimate and an error
    estimate: float  # without the odd ones
    low: float
    high: float
    everyone: tuple[float, float, float]  # estimate, low and high of all
    tau: float  # standard deviation of the hosts' true effects, all of them
    i2: float  # share of the variance that is not the hosts' own noise, 0 ... 1
    q_p: float  # how likely such differences are, were all hosts alike
    prediction_low: float
    prediction_high: float
    odd: list[int]  # positions in what came in, the most extreme first

    @property
    def differ(self) -> bool:
        return self.q_p <= 1 - LEVEL


def error_of(low: float, high: float, processes: int) -> float:
    """The standard error of a log-ratio whose stored interval is the signed-rank interval of so
    many processes. NaN without a bounded interval.

    The interval is as wide as that of Student's t at the level which it really has (with 6
    processes 96.9 %): by simulation with normal values the squared error is on average within 5 %
    of the variance of the Hodges-Lehmann estimate (16 % above with 6 processes), and spreads as
    one with processes - 1 degrees of freedom."""
    if not (0 < low <= high < math.inf) or processes < 2:
        return math.nan
    level = _interval_tail(processes)
    half = (math.log(high) - math.log(low)) / 2
    return max(half / t_quantile(level, processes - 1), LEAST_ERROR)


@cache
def _interval_tail(processes: int) -> float:
    """What the signed-rank interval of statistics.py leaves out at either end."""
    if processes > EXACT_UP_TO:
        return TAIL
    counts = signed_rank_counts(processes)
    cut = lower_tail_size(counts, TAIL)
    return sum(counts[:cut]) / 2**processes or TAIL


def combine(
    estimates: ArrayLike, errors: ArrayLike, processes: ArrayLike, margin: float = 0.0
) -> Combined:
    """Per host its estimate, its standard error (`error_of`) and how many processes that is of. A
    host whose estimate or error is no finite number takes no part. `margin`: a host that is no
    further than this from the mean of the others is never odd; infinity spares the search, which
    takes most of the time."""
    every = Hosts.of(estimates, errors, processes)
    odd = odd_hosts(every, margin)
    whole = fit(every)
    rest = fit(every.without(odd)) if odd else whole
    return Combined(
        hosts=len(every),
        estimate=rest.mean,
        low=rest.mean - rest.half,
        high=rest.mean + rest.half,
        everyone=(whole.mean, whole.mean - whole.half, whole.mean + whole.half),
        tau=whole.tau,
        i2=whole.i2,
        q_p=whole.q_p,
        prediction_low=whole.mean - whole.reach,
        prediction_high=whole.mean + whole.reach,
        odd=[int(every.place[i]) for i in odd],
    )


@dataclass(frozen=True)
class Hosts:
    """What takes part: `place` is the position in what came in."""

    y: Floats
    s2: Floats  # squared error
    degrees: Floats  # of freedom, of s2
    place: NDArray[np.int64]

    @classmethod
    def of(cls, estimates: ArrayLike, errors: ArrayLike, processes: ArrayLike) -> Hosts:
        y = np.asarray(estimates, dtype=np.float64)
        s = np.maximum(np.asarray(errors, dtype=np.float64), LEAST_ERROR)
        degrees = np.broadcast_to(np.asarray(processes, dtype=np.float64) - 1, y.shape)
        there = np.isfinite(y) & np.isfinite(s) & (degrees > 2)
        y, s2, degrees = y[there], s[there] ** 2, degrees[there]
        if len(y) > 1:
            s2 = (degrees * s2 + DRAWN * np.median(s2)) / (degrees + DRAWN)
            degrees = degrees + DRAWN
        return cls(y, s2, degrees, np.flatnonzero(there))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def v(self) -> Floats:
        """Such that the mean of (y - θ)²/v is 1, although s2 is an estimate."""
        return self.s2 * self.degrees / (self.degrees - 2)

    def without(self, some: list[int]) -> Hosts:
        keep = np.ones(len(self), dtype=bool)
        keep[some] = False
        return Hosts(self.y[keep], self.s2[keep], self.degrees[keep], self.place[keep])


@dataclass(frozen=True)
class Fit:
    mean: float = math.nan
    half: float = math.nan  # of the interval
    reach: float = math.inf  # of the prediction interval
    tau: float = math.nan
    i2: float = math.nan
    q_p: float = math.nan


def fit(hosts: Hosts) -> Fit:
    k = len(hosts)
    if k == 0:
        return Fit()
    if k == 1:
        return Fit(
            float(hosts.y[0]), t_quantile(TAIL, float(hosts.degrees[0])) * math.sqrt(hosts.s2[0])
        )
    v = hosts.v
    tau2 = between(hosts.y, v)
    weights = 1 / (v + tau2)
    mean = float(weights @ hosts.y / weights.sum())
    classical = 1 / math.sqrt(weights.sum())
    scale = math.sqrt(float(weights @ (hosts.y - mean) ** 2) / (k - 1))
    t = t_quantile(TAIL, k - 1)
    error = max(1.0, scale) * classical
    return Fit(
        mean=mean,
        half=t * error,
        reach=t * math.hypot(math.sqrt(tau2), error) if k > 2 else math.inf,
        tau=math.sqrt(tau2),
        i2=inconsistency(hosts),
        q_p=alike_p(hosts),
    )


def between(y: Floats, v: Floats) -> float:
    """τ² of Paule and Mandel: weighted with 1/(v + τ²), the squares add up to k - 1. They fall with
    τ² and are convex in it, so that Newton's steps from 0 never go too far."""
    tau2 = 0.0
    for _ in range(ROUNDS):
        a = 1 / (v + tau2)
        squares = a * (y - a @ y / a.sum()) ** 2
        step = float((squares.sum() - (len(y) - 1)) / (a @ squares or 1))
        tau2 = max(tau2 + step, 0.0)
        if step <= 1e-9 * tau2:
            break
    return tau2


def inconsistency(hosts: Hosts) -> float:
    """I² of Higgins and Thompson, Stat. Med. 21 (2002) 1539-1558."""
    a = 1 / hosts.v
    squares = float(a @ (hosts.y - a @ hosts.y / a.sum()) ** 2)
    return max(0.0, 1 - (len(hosts) - 1) / squares) if squares > 0 else 0.0


def alike_p(hosts: Hosts) -> float:
    """Welch's test (Biometrika 38 (1951) 330-336): Cochran's Q would take the errors for known, and
    with six processes each, hosts that are alike would differ in every fifth fleet."""
    k = len(hosts)
    a = 1 / hosts.s2
    squares = float(a @ (hosts.y - a @ hosts.y / a.sum()) ** 2)
    unsure = float(((1 - a / a.sum()) ** 2 / hosts.degrees).sum())
    f = squares / (k - 1) / (1 + 2 * (k - 2) / (k * k - 1) * unsure)
    return f_tail(f, k - 1, (k * k - 1) / (3 * unsure)) if unsure > 0 else 1.0


def odd_hosts(hosts: Hosts, margin: float = 0.0) -> list[int]:
    """Positions, in the order in which they were found: always the most extreme of those that are
    left, as long as it would not be there by chance."""
    found: list[int] = []
    left = np.arange(len(hosts))
    while len(found) < len(hosts) // 3 and margin < math.inf:
        rest = hosts.without(found)
        distance, usual, degrees = deleted_residuals(rest)
        t = np.where(np.abs(distance) > margin, np.abs(distance) / usual, 0.0)
        worst = int(np.argmax(t))
        if 2 * t_tail(float(t[worst]), float(degrees[worst])) > ODD_ERROR / len(rest):
            break
        found.append(int(left[worst]))
        left = np.delete(left, worst)
    return found


def deleted_residuals(hosts: Hosts) -> tuple[Floats, Floats, Floats]:
    """How far each host is from the mean of the others, how far it should be, and the degrees of
    freedom of that: few where there are few others to tell the spread, or few processes behind the
    host's own error. O(k): sums without one are the sum less the one."""
    y, v, k = hosts.y - np.median(hosts.y), hosts.v, len(hosts)  # nothing cancels in the sums
    a = 1 / (v + between(y, v))
    parts = sums(y, v, a)
    others = [part.sum() - part for part in parts]
    tau2 = np.maximum(moment(*others), 0)
    mean = others[2] / others[0]
    spread = tau2 + (tau2 * others[1] + others[5]) / others[0] ** 2  # of θ, and of that mean
    total = hosts.s2 + spread
    degrees = total**2 / (hosts.s2**2 / hosts.degrees + spread**2 / (k - 2))
    return y - mean, np.sqrt(total), np.minimum(degrees, k - 2)


def sums(y: Floats, v: Floats, a: Floats) -> tuple[Floats, ...]:
    """Of each host alone, to be added up: a, a², ay, ay², av and a²v."""
    return a, a * a, a * y, a * y * y, a * v, a * a * v


def moment(a: Floats, aa: Floats, ay: Floats, ayy: Floats, av: Floats, aav: Floats) -> Floats:
    """The τ² at which squares that are weighted with any fixed `a` are what they should be; below 0
    where the noise alone explains more (DerSimonian and Kacker, Contemp. Clin. Trials 28 (2007)
    105-114)."""
    squares = ayy - ay * ay / a
    return (squares - (av - aav / a)) / (a - aa / a)
