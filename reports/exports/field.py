"""All loops of a run in a few tables: how fast each is per family, beside the promises it breaks,
and where it has no valid figure, and why. Markdown, for pages that are made of published results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from loopgauge.harness.model import Arm
from loopgauge.harness.summary import (
    ArmPromises,
    ArmSummary,
    BenchmarkSummary,
    FamilyArm,
    FamilySummary,
    Ratio,
    RunSummary,
)
from loopgauge.reports import facts, wording
from loopgauge.reports.exports import markdown
from loopgauge.reports.exports.markdown import escape

BARE = ("aa", "floor", "native")
LONGEST_REASON = 90
FEW = 5  # names in one cell


def circumstances(run: RunSummary) -> str:
    """Machine, Python, extent, date, what the self-check says, and the versions of the loops."""
    told = [escape(value) for label, value in facts.short(run) if label != "conformance"]
    loops = [
        f"{escape(arm.label)} {escape(arm.version)}".strip()
        for arm in run.header.arms
        if arm.role not in BARE and arm.available
    ]
    return f"{'; '.join(told)}. {escape(run.self_check)}. Loops: {', '.join(loops)}."


def families(run: RunSummary) -> str:
    """Cost against the reference per family, and MUST cases broken beside it."""
    promises = {found.arm: found for found in run.promises}
    rows = [
        [*_row(run.families, arm), _broken(promises.get(arm.label))] for arm in _measurable(run)
    ]
    head = [*_head(run.families), "MUST cases broken"]
    return table(head, [*rows, [*_twins(run, run.families), ""]])


def waits(run: RunSummary) -> str:
    """How late timers are, and how long signals and others wait, against the reference."""
    rows = [_row(run.waits, arm) for arm in _measurable(run)]
    return table(_head(run.waits), [*rows, _twins(run, run.waits)])


def benchmarks(run: RunSummary, family: str) -> str:
    """Every loop in every benchmark of one family."""
    own = [benchmark for benchmark in run.benchmarks if benchmark.family == family]
    labels = [arm.label for arm in _measurable(run)]
    return markdown.table(msgspec.structs.replace(run, benchmarks=own), labels).rstrip()


def legend(run: RunSummary) -> str:
    base = escape(run.reference)
    return (
        f"Ratios to {base}, the geometric mean over the benchmarks of the family, with the 95 %"
        " interval: below 1 is better. **Bold**: the fastest, or not separated from the fastest."
        f" *Italic*: no clear difference to {base}. *3 of 9*: the loop has no valid figure in the"
        " others, so the mean is over fewer benchmarks and the loop is not ranked. The last row is"
        f" {base} measured twice: two identical loops should differ by 0 %, a ratio of 1."
    )


def absences(run: RunSummary) -> str:
    """Where which loop has no valid figure, and why: a row per loop and reason."""
    rows = []
    for arm in _candidates(run):
        missing = [(b, a) for b, a in _arms(run, arm.label) if a.status != "ok"]
        name = f"{escape(arm.label)}, {len(missing)} of {len(run.benchmarks)}"
        for benchmarks, why in _reasons(missing):
            rows.append([name, benchmarks, why])
            name = ""
    if not rows:
        return "Every loop has a valid figure in every benchmark."
    return table(["loop", "no valid figure in", "because"], rows, numbers=0)


def noise(run: RunSummary) -> str:
    """How far apart two copies of the reference were, benchmark by benchmark."""
    rows = []
    for family in dict.fromkeys(benchmark.family for benchmark in run.benchmarks):
        own = [b for b in run.benchmarks if b.family == family and b.aa is not None]
        if not own:
            continue
        off = sorted(own, key=lambda b: abs(_percent(b.aa)))
        within = sum(b.aa_ok for b in own)
        middle, worst = off[len(off) // 2], off[-1]
        rows.append(
            [
                escape(family),
                f"{within} of {len(own)}",
                f"{abs(_percent(middle.aa)):.1f} %",
                f"{_percent(worst.aa):+.1f} %",
                escape(worst.id),
            ]
        )
    head = ["family", f"within ±{run.margin:.0%}", "middle one off by", "largest", "in"]
    return table(head, rows, numbers=3)


def memory(run: RunSummary) -> str:
    """Resident memory of one of what a scenario holds, per loop; empty where none was looked at."""
    rows = []
    names = [arm.label for arm in _measurable(run)]
    for benchmark in run.benchmarks:
        arms = {arm.arm: arm for arm in wording.memory(benchmark)}
        held = wording.held([*arms.values()])
        if held:
            cells = [_bytes(arms.get(name)) for name in names]
            rows.append([f"{escape(benchmark.id)}, per {escape(held)}", *cells])
    return table(["benchmark", *map(escape, names)], rows) if rows else ""


def natives(run: RunSummary) -> str:
    """C++ callbacks on native loops, without Python, beside the same work in Python."""
    beside = [name for name in ("epoll", run.reference) if name in _labels(run)]
    names = [arm.label for arm in run.header.arms if arm.role == "native"]
    rows = []
    for benchmark in run.benchmarks:
        arms = {arm.arm: arm for arm in [*benchmark.natives, *benchmark.arms]}
        if any(arm.status == "ok" for arm in benchmark.natives):
            cells = [_amount(benchmark, arms.get(name)) for name in [*names, *beside]]
            rows.append([escape(benchmark.id), _amount(benchmark, benchmark.floor), *cells])
    head = ["benchmark", "bare system calls", *map(escape, [*names, *beside])]
    return table(head, rows) if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int | None = None) -> str:
    """`numbers`: how many columns after the first stand to the right (default: all)."""
    right = len(head) - 1 if numbers is None else numbers
    align = ["---", *["---:"] * right, *["---"] * (len(head) - 1 - right)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, align, *rows])


def interval(of: Ratio | None) -> str:
    if of is None:
        return wording.DASH
    if not wording.has_interval(of):
        return wording.ratio(of.estimate)
    low, high = wording.ratio(of.low), wording.ratio(of.high)
    return f"{wording.ratio(of.estimate)} ({low}{wording.DASH}{high})"


def _head(found: Sequence[FamilySummary]) -> list[str]:
    return ["loop", *(f"{escape(one.family)} ({len(one.compared)})" for one in found)]


def _row(found: Sequence[FamilySummary], arm: Arm) -> list[str]:
    name = f"{escape(arm.label)} {escape(arm.version)}".strip()
    return [name, *(_family(one, arm.label) for one in found)]


def _family(family: FamilySummary, label: str) -> str:
    arm = next((arm for arm in family.arms if arm.arm == label), None)
    if arm is None or arm.ratio is None:
        return f"0 of {len(family.compared)}"
    words = "1" if arm.verdict == "reference" else interval(arm.ratio)
    if label in family.fastest:
        words = f"**{words}**"
    elif arm.verdict in ("equivalent", "inconclusive"):
        words = f"*{words}*"
    return words + _part(arm)


def _part(arm: FamilyArm) -> str:
    return f", {arm.measured} of {arm.asked}" if arm.missing else ""


def _twins(run: RunSummary, found: Sequence[FamilySummary]) -> list[str]:
    return [f"*{escape(run.reference)} against its copy*", *(interval(one.aa) for one in found)]


def _broken(found: ArmPromises | None) -> str:
    if found is None or not found.known:
        return "not asked"
    return f"{found.must_failing} of {found.must}"


def _reasons(missing: Sequence[tuple[BenchmarkSummary, ArmSummary]]) -> list[tuple[str, str]]:
    """Benchmarks and what happened there; first those that a broken rule makes void."""
    void = [(benchmark, arm) for benchmark, arm in missing if arm.broken]
    told = [(_several(void), _broken_rules([arm for _, arm in void]))] if void else []
    others: dict[str, list[tuple[BenchmarkSummary, ArmSummary]]] = {}
    for benchmark, arm in missing:
        if not arm.broken:
            reason = arm.reason.removeprefix("CheckFailed: ")  # which INVALID says
            why = escape(wording.shorten(reason, LONGEST_REASON))
            others.setdefault(f"{wording.status(arm)}: {why}", []).append((benchmark, arm))
    return told + [(_several(these), why) for why, these in others.items()]


def _several(missing: Sequence[tuple[BenchmarkSummary, ArmSummary]]) -> str:
    """The benchmarks by name, or how many of which family where that is shorter."""
    ids = [benchmark.id for benchmark, _ in missing]
    if len(ids) <= FEW:
        return ", ".join(map(escape, ids))
    count = Counter(benchmark.family for benchmark, _ in missing)
    return ", ".join(f"{number} of {escape(family)}" for family, number in count.items())


def _broken_rules(arms: Sequence[ArmSummary]) -> str:
    """The rules that make most benchmarks void, with how many."""
    rules = Counter(rule for arm in arms for rule in _rules(arm)).most_common()
    most = ", ".join(f"{escape(rule)} ({count})" for rule, count in rules[:FEW])
    more = f" and {len(rules) - FEW} rules more" if len(rules) > FEW else ""
    return f"{wording.STATUS['invalid']}: breaks {most}{more}"


def _rules(arm: ArmSummary) -> list[str]:
    return [*dict.fromkeys(case.partition(".")[0] for case in arm.broken)]


def _percent(of: Ratio | None) -> float:
    return 0.0 if of is None else (of.estimate - 1) * 100


def _bytes(arm: ArmSummary | None) -> str:
    metric = arm.metrics.get("rss") if arm is not None else None
    return wording.DASH if metric is None else wording.bytes_of(metric.value)


def _amount(benchmark: BenchmarkSummary, arm: ArmSummary | None) -> str:
    if arm is None:
        return wording.DASH
    return wording.amount(arm.cost, benchmark) if arm.status == "ok" else wording.status(arm)


def _candidates(run: RunSummary) -> list[Arm]:
    return [arm for arm in run.header.arms if arm.role not in BARE]


def _measurable(run: RunSummary) -> list[Arm]:
    return [arm for arm in _candidates(run) if arm.available]


def _labels(run: RunSummary) -> set[str]:
    return {arm.label for arm in run.header.arms}


def _arms(run: RunSummary, label: str) -> Iterable[tuple[BenchmarkSummary, ArmSummary]]:
    for benchmark in run.benchmarks:
        for arm in benchmark.arms:
            if arm.arm == label:
                yield benchmark, arm
