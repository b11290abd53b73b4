"""One figure of base against one of head: the change, its interval, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loopgauge.harness import statistics, two_sample
from loopgauge.harness.comparison.model import Compared, Tier, Verdict
from loopgauge.harness.model import Metric
from loopgauge.harness.statistics import Floats

# Of ratios to the control: twice the gate's, because two runs share no process, and whatever hits
# one of them alone is in the figures.
DEFAULT_MARGIN = 0.02
# Of costs as they are: between runs of identical code, minutes apart on a busy machine of two
# cores, the same loop's costs were up to 9.4 % apart, and 7 of 170 were called changed by the
# margin above; of 200 ratios to the control none was.
RAW_MARGIN = 0.1


@dataclass(frozen=True)
class Allowance:
    """A count that changes by less is the same: by a share of itself, or so much in all."""

    tier: Tier
    share: float
    least: float = 0.0
    whole: bool = False  # whole calls are counted: a stray one weighs where operations are few


# Of one loop, instructions of two runs were seen to differ by 0.2 %. Fewer than one more call in 50
# operations may be the heap's growth, and a buffer that doubles once more shows in the bytes: 1.5 %
# were seen. Resident memory comes in pages and arenas.
ALLOWANCES = {
    "instructions": Allowance("counts", 0.005),
    "syscalls": Allowance("counts", 0.0, 0.02, whole=True),
    "allocations": Allowance("counts", 0.0, 0.02, whole=True),
    "native_allocations": Allowance("counts", 0.0, 0.02, whole=True),
    "allocated_bytes": Allowance("counts", 0.05, 64.0),
    "peak_rss": Allowance("memory", 0.05, 262144),
    "rss": Allowance("memory", 0.05, 16),
}
# A run under load may count a few operations only; one call of the loop's own housekeeping in
# either of its sizes is then a large part of an operation.
STRAY_CALLS = 4.0
LARGEST = 5  # parts of a count that are named


def judge_independent(row: Compared, base: Floats, head: Floats) -> None:
    """`base` and `head`: log costs, or log-ratios of costs, one per process."""
    low, high = two_sample.shift_interval(head, base)
    row.base_n, row.head_n = len(base), len(head)
    row.superiority = two_sample.superiority(head, base)
    row.p = two_sample.difference_p(head, base, row.margin)
    _decide(row, two_sample.shift(head, base), low, high)


def judge_paired(row: Compared, log_ratios: Floats) -> None:
    """Of head to base, one per round."""
    low, high = statistics.signed_rank_interval(log_ratios)
    row.base_n = row.head_n = len(log_ratios)
    row.superiority = two_sample.paired_superiority(log_ratios)
    row.p = statistics.difference_p(log_ratios, row.margin)
    _decide(row, statistics.hodges_lehmann(log_ratios), low, high)


def _decide(row: Compared, estimate: float, low: float, high: float) -> None:
    row.change = math.expm1(estimate)
    if not math.isfinite(low):
        row.verdict, row.reason = "INCONCLUSIVE", "too few processes for an interval"
        return
    row.low, row.high = math.expm1(low), math.expm1(high)
    words: dict[statistics.Verdict, Verdict] = {
        "slower": "REGRESSED",
        "faster": "IMPROVED",
        "equivalent": "EQUIVALENT",
        "inconclusive": "INCONCLUSIVE",
    }
    row.verdict = words[statistics.verdict(math.exp(low), math.exp(high), row.margin)]
    if row.verdict == "INCONCLUSIVE":
        row.reason = "the interval reaches beyond the margin, and into it"


def hold_family_error(rows: Sequence[Compared]) -> None:
    """Holm over everything that was timed: a called change that does not survive it becomes
    inconclusive."""
    judged = [row for row in rows if row.p is not None]
    kept = statistics.holm([row.p if row.p is not None else 1.0 for row in judged])
    for row, keep in zip(judged, kept, strict=True):
        if row.verdict in ("REGRESSED", "IMPROVED") and not keep:
            row.verdict = "INCONCLUSIVE"
            row.reason = f"beyond the margin, but not surely so among {len(judged)} comparisons"


def judge_count(row: Compared, base: Metric, head: Metric) -> None:
    """Counted once on either side: what is beyond the margin has changed."""
    allowance = ALLOWANCES[base.metric]
    allowed = max(allowance.share * base.value, allowance.least)
    difference = head.value - base.value
    row.base, row.head = base.value, head.value
    row.margin = allowance.share
    if base.value > 0:
        row.change, row.margin = difference / base.value, allowed / base.value
    if abs(difference) <= allowed:
        row.verdict = "EQUIVALENT"
        return
    row.by_name = largest_parts(base, head)
    row.verdict = "REGRESSED" if difference > 0 else "IMPROVED"
    operations = min(span(base), span(head))
    if allowance.whole and abs(difference) * operations <= STRAY_CALLS:
        row.verdict = "INCONCLUSIVE"
        row.reason = (
            f"counted over {operations:g} operations only, where "
            f"{abs(difference) * operations:.2g} calls more or less are this much"
        )


def span(metric: Metric) -> float:
    """Operations that the figure is the difference over."""
    return metric.n[1] - metric.n[0] if len(metric.n) == 2 else math.inf


def largest_parts(base: Metric, head: Metric) -> dict[str, float]:
    """The parts that changed most, head minus base."""
    names = base.by_name.keys() | head.by_name.keys()
    parts = {name: head.by_name.get(name, 0.0) - base.by_name.get(name, 0.0) for name in names}
    ordered = sorted(parts, key=lambda name: (-abs(parts[name]), name))
    return {name: parts[name] for name in ordered[:LARGEST] if parts[name]}
