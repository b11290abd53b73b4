"""Numbers and words as every table, plot and export writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Latencies, Ratio

LONG_DECIMALS = re.compile(r"\b\d+\.\d{6,}(?:e[+-]?\d+)?\b")
DASH = "\u2013"
TIMES = "\u00d7"
MINUS = "\u2212"
NARROW_SPACE = "\u202f"

STATUS = {
    "ok": "measured",
    "invalid": "INVALID",
    "unsupported": "UNSUPPORTED",
    "lacking": "LACKING",
    "unavailable": "unavailable",
    "crashed": "CRASHED",
    "hung": "HUNG",
    "error": "ERROR",
    "unmeasured": "not measured",
}

STATUS_MEANING = {
    "invalid": "did not do its work: its time means nothing; or did it, but breaks a promise that"
    " the benchmark depends on: its time is shown in grey and not ranked",
    "lacking": "this machine lacks what the scenario takes, whatever the loop",
    "unsupported": "the loop does not have what this scenario needs",
    "unavailable": "could not be loaded here",
    "crashed": "the process died",
    "hung": "did not come back in time and was ended",
    "error": "raised an exception",
    "unmeasured": "nobody's fault: nothing is known of it",
}

STATUS_SHORT = {  # for a line of all of them
    "invalid": "broke a promise it depends on, or did not do the work",
    "lacking": "this machine lacks something",
    "unsupported": "the loop lacks something",
    "crashed": "the process died",
    "hung": "did not come back",
    "error": "raised an exception",
    "unmeasured": "not known",
}

VERDICT = {
    "faster": "faster",
    "slower": "slower",
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "inconclusive": "INCONCLUSIVE",
    "reference": "reference",
    "": "",
}

VERDICT_MEANING = {
    "faster": "the whole interval is on the fast side, beyond the margin",
    "slower": "the whole interval is on the slow side, beyond the margin",
    "better": "faster, of a value that is no time per operation",
    "worse": "slower, of a value that is no time per operation",
    "equivalent": "the whole interval is inside the margin: no difference worth the name",
    "inconclusive": "the interval is too wide to say: neither a win nor a tie",
}

FAMILY = {  # what a reader would say
    "throughput": "scheduling",
    "timer": "timers",
    "io": "I/O",
    "signal": "signals",
    "pytest": "tests",
}

FAMILY_MEANING = {
    "throughput": "throughput.*: callbacks, tasks, threads",
    "timer": "timer.*: call_later, sleep, time limits",
    "io": "io.*: sockets, TLS, pipes, processes, files",
    "signal": "signal.*: from kill to callback",
}

OWN = "epoll"  # the loop that comes with loopgauge
TIME_UNITS = {"ns": "ns", "us": "µs", "µs": "µs", "ms": "ms", "s": "s"}  # as people write them
METHOD = {
    "paired-hl-1": "paired log-ratios, Hodges-Lehmann estimate, signed-rank interval (paired-hl-1)"
}

FEW_RULES = 4  # named, where a loop breaks more of them

PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99")

CLOCK = {
    "cpu": "CPU time",
    "wall": "wall-clock time",
}


def family(name: str) -> str:
    return FAMILY.get(name, name)


def candidates(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """The arms a reader compares, in the order of the file: all but the self-check's copy."""
    return [arm for arm in benchmark.arms if arm.role != "aa"]


def arrivals(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """Those whose operations came at a constant rate, the floor among them."""
    arms = [*candidates(benchmark), *([benchmark.floor] if benchmark.floor is not None else [])]
    return [arm for arm in arms if arm.status == "ok" and arm.arrivals is not None]


def percentiles(found: Latencies) -> list[str]:
    """In the order of PERCENTILES, then the largest."""
    values = [found.percentiles.get(name) for name in PERCENTILES] + [found.max_ns]
    return [DASH if value is None else duration(value) for value in values]


def memory(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """Those whose memory was looked at, the floor among them."""
    arms = [*candidates(benchmark), *([benchmark.floor] if benchmark.floor is not None else [])]
    return [arm for arm in arms if arm.status == "ok" and "peak_rss" in arm.metrics]


def held(arms: list[ArmSummary]) -> str:
    """What one of those is that the scenario holds: "timer"; "" where it holds none."""
    units = [arm.metrics["rss"].unit for arm in arms if "rss" in arm.metrics]
    return units[0].rpartition("/")[2] if units else ""


def bytes_of(size: float | None) -> str:
    if size is None or not math.isfinite(size):
        return DASH
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(size) >= factor:
            return f"{number(size / factor)} {unit}"
    return f"{size:.0f} B"


def duration(nanoseconds: float) -> str:
    factor, unit = time_unit(nanoseconds)
    return f"{number(nanoseconds / factor)} {unit}"


def status(arm: ArmSummary) -> str:
    return STATUS.get(arm.status, arm.status.upper())


def meaning(arm: ArmSummary) -> str:
    """Of its status, here; "" where the word says it."""
    if arm.status != "invalid":
        return STATUS_MEANING.get(arm.status, "")
    if not arm.broken:
        return "did not do its work: its time means nothing"
    if not arm.set_aside:
        return ""  # what it takes was counted
    rules = [*dict.fromkeys(case.partition(".")[0] for case in arm.broken)]
    more = f" and {len(rules) - FEW_RULES} rules more" if len(rules) > FEW_RULES else ""
    return f"did its work here, but breaks {', '.join(rules[:FEW_RULES])}{more}: not ranked"


def number(value: float) -> str:
    """Three significant digits, never an exponent below a million."""
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 6 or size < -4:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - size)}f}".replace(",", NARROW_SPACE)


def time_unit(nanoseconds: float) -> tuple[float, str]:
    """The unit in which this many nanoseconds are a handy number, and its size in ns."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(nanoseconds) >= factor:
            return factor, unit
    return 1.0, "ns"


def amount(value: float, benchmark: BenchmarkSummary) -> str:
    """A cost in its unit: time per operation, or the scenario's own unit."""
    if not math.isfinite(value):
        return DASH
    if benchmark.measure == "value":
        return f"{number(value)} {unit_of(benchmark)}"
    factor, unit = time_unit(value)
    return f"{number(value / factor)} {unit}"


def cost_interval(arm: ArmSummary, benchmark: BenchmarkSummary) -> str:
    """'400 ns [394, 408]': the ends in the unit of the estimate."""
    cost = amount(arm.cost, benchmark)
    ends = (arm.cost_low, arm.cost_high)
    if not all(math.isfinite(end) for end in ends):
        return f"{cost} [no interval]"
    factor = 1.0 if benchmark.measure == "value" else time_unit(arm.cost)[0]
    low, high = (number(end / factor) for end in ends)
    return f"{cost} [{low}, {high}]"


def per_operation(benchmark: BenchmarkSummary) -> str:
    """What one number of this benchmark is: 'CPU time per step'."""
    if benchmark.measure == "value":
        words = unit_of(benchmark)
        return f"time in {words}" if benchmark.unit in TIME_UNITS else words
    return f"{CLOCK.get(benchmark.measure, benchmark.measure)} per {benchmark.unit}"


def unit_of(benchmark: BenchmarkSummary) -> str:
    """That of a value: "µs" of "us", "µs per signal" of "us per signal"."""
    first, per, rest = benchmark.unit.partition(" per ")
    return TIME_UNITS.get(first, first) + per + rest


def twins(benchmark: BenchmarkSummary, margin: float) -> str:
    """What follows the self-check's figure of one benchmark; "" where both copies agree."""
    if not benchmark.aa_ok:
        return ", outside the margin: treat this benchmark with care"
    if benchmark.aa is None or abs(math.log(benchmark.aa.estimate)) <= math.log1p(margin):
        return ""
    return ", outside the margin by its estimate, not by its interval: treat it with care"


def lower_is_better(benchmark: BenchmarkSummary) -> bool:
    return benchmark.direction != "higher"


def ratio(value: float) -> str:
    """A cost ratio: two decimals, three below 0.1 and near 1 where they decide."""
    if not math.isfinite(value):
        return DASH
    digits = 3 if value < 0.1 or 0.9 <= value <= 1.1 else 2
    return f"{value:.{digits}f}" if value < 100 else f"{value:,.0f}"


def interval(of: Ratio | None) -> str:
    """'0.24 [0.23, 0.25]'; a dash when there is no ratio; says so when there is no interval."""
    if of is None:
        return DASH
    if not has_interval(of):
        return f"{ratio(of.estimate)} [no interval: {of.n} processes]"
    return f"{ratio(of.estimate)} [{ratio(of.low)}, {ratio(of.high)}]"


def has_interval(of: Ratio) -> bool:
    """With too few processes the interval reaches from 0 to infinity."""
    return of.low > 0 and math.isfinite(of.high)


def times(value: float, kind: str = "cost") -> str:
    """A ratio in the words people use: a cost of 0.25 is 4.0 times as fast, 2 is 2.0 times the
    cost; of waiting, a 4.0 times shorter wait and 2.0 times the wait."""
    if not math.isfinite(value) or value <= 0:
        return DASH
    factor = 1 / value if value < 1 else value
    better, worse = ("shorter wait", "the wait") if kind == "wait" else ("as fast", "the cost")
    return f"{factor:.{0 if factor >= 9.95 else 1}f}{TIMES} {better if value < 1 else worse}"


def compared(value: float, reference: str, kind: str = "cost") -> str:
    """ "4.0x as fast as asyncio", "2.0x the cost of asyncio"."""
    joint = "of" if value >= 1 else "than" if kind == "wait" else "as"
    return f"{times(value, kind)} {joint} {reference}"


def multiple(of: Ratio | None) -> str:
    """ "1.57x [1.50, 1.64]"."""
    if of is None:
        return DASH
    value, space, ends = interval(of).partition(" ")
    return f"{value}{TIMES}{space}{ends}"


def percents(low: float, high: float) -> str:
    """From one ratio to another, as changes: "-6 to +2 %"."""
    ends = [f"{(end - 1) * 100:+.0f}".replace("-", MINUS) for end in (low, high)]
    return f"{ends[0]} to {ends[1]} %" if ends[0] != ends[1] else f"{ends[0]} %"


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def verdict(arm: ArmSummary, benchmark: BenchmarkSummary) -> str:
    """The verdict in a word; a value of its own is better or worse, not faster or slower."""
    word = VERDICT.get(arm.verdict, arm.verdict)
    if benchmark.measure == "value":
        return {"faster": "better", "slower": "worse"}.get(word, word)
    return word


def is_separated(arm: ArmSummary) -> bool:
    """True when the summary calls the difference to the reference real."""
    return arm.verdict in ("faster", "slower")


def fastest(benchmark: BenchmarkSummary) -> str:
    """Who leads: one name, or several that are not separated, never a ranking among them."""
    if len(benchmark.fastest) <= 1:
        return "".join(benchmark.fastest) or DASH
    return f"{', '.join(benchmark.fastest)} (not separated)"


def shorten(words: str, length: int) -> str:
    """At most `length` characters of the first line."""
    line = words.strip().splitlines()[0] if words.strip() else ""
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def rounded(words: str) -> str:
    """Long decimals in somebody's message cut to what can be read."""
    return LONG_DECIMALS.sub(lambda found: f"{float(found[0]):.4g}", words)


def tick(value: float) -> str:
    """A ratio as an axis label: as few digits as it takes."""
    return f"{value:.3g}"


def floor(benchmark: BenchmarkSummary) -> str:
    """A sentence, or nothing where the scenario has no floor."""
    bare = benchmark.floor
    if bare is None:
        return ""
    if bare.status != "ok":
        return f"The floor was not measured: {status(bare)}: {bare.reason}."
    cost = cost_interval(bare, benchmark)
    return f"The floor, bare system calls without a loop in the same slots: {cost}."


def arm_notes(arm: ArmSummary) -> list[str]:
    """What a reader should know before believing this arm's figure; empty for a plain one."""
    notes = []
    if arm.to_floor is not None:
        notes.append(f"{interval(arm.to_floor)} times the floor")
    if arm.helper_flag:
        notes.append(f"helper threads: {arm.helper_gap:+.0%} CPU beside the loop's thread")
    if arm.design == "process":
        notes.append("one loop per process")
    if arm.isolated:
        notes.append("isolated: measured in processes of its own")
    return notes
