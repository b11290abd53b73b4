"""What the samples of both stages say, benchmark by benchmark. Pure functions of the run files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from loopgauge.harness.gate import looks
from loopgauge.harness.gate.looks import Judged
from loopgauge.harness.gate.model import Decision, Settings, Verdict
from loopgauge.harness.gate.subject import BASE, HEAD, TWIN
from loopgauge.harness.isolation import DEATHS, OUTSIDE_SIGNALS
from loopgauge.harness.model import ALL_BENCHMARKS, Arm, Benchmark
from loopgauge.harness.pairing import SampleIndex, log_ratios, slot_costs
from loopgauge.harness.statistics import Floats
from loopgauge.harness.status import status_of
from loopgauge.harness.store import RunFile

# The variance of head against the mean of two copies of base, as a share of that against one:
# (1 + 1/2) / (1 + 1).
MEAN_OF_TWO = 0.75
AA_SHARE = 0.95  # of the benchmarks whose twin must agree with base


def judged_first(file: RunFile, settings: Settings) -> dict[str, Judged | None]:
    """By benchmark; None where there are too few samples for a look."""
    index = SampleIndex(file.samples)
    plan = looks.looks(file.header.plan.rounds)
    found = {}
    for benchmark in file.header.benchmarks:
        logs = against_base(index, benchmark)
        margin = settings.margin_of(benchmark.id)
        found[benchmark.id] = (
            None if logs is None else looks.first_call(logs, margin, plan, ended=file.complete)
        )
    return found


def against_base(index: SampleIndex, benchmark: Benchmark) -> Floats | None:
    """Head's log-ratios, one a round. Base runs twice, as itself and as its twin, and head's ratio
    to the mean of the two has three quarters of the variance: worth a third more processes."""
    to_base = log_ratios(index, benchmark, HEAD, BASE)
    to_twin = log_ratios(index, benchmark, HEAD, TWIN)
    rounds = [index.rounds(benchmark.id, arm).keys() for arm in (BASE, TWIN)]
    if to_base is None or to_twin is None or rounds[0] != rounds[1]:
        return to_base
    return (to_base + to_twin) / 2


def flagged(file: RunFile, settings: Settings) -> list[str]:
    return [
        name
        for name, judged in judged_first(file, settings).items()
        if judged is not None and judged.call in ("worse", "better")
    ]


def told_of(judged: Judged) -> str:
    return (
        f"{judged.call} after {judged.size} processes: {looks.as_change(judged.estimate):+.2%} "
        f"[{looks.as_change(judged.low):+.2%}, {looks.as_change(judged.high):+.2%}]"
    )


class Flag(NamedTuple):
    """A benchmark that the first stage flagged, as the second one saw it."""

    benchmark: str
    fresh: Floats  # log-ratios, one a process
    margin: float
    sign: int  # 1 where worse was flagged, -1 where better


def decisions(
    first: RunFile,
    second: RunFile | None,
    settings: Settings,
    alpha: float = looks.ALPHA,
    kept: Mapping[str, bool] | None = None,
) -> list[Decision]:
    """One per benchmark, in the order of the run. `alpha`: for all confirmations together. `kept`:
    which flags were confirmed among more than are known here; then `alpha` says nothing."""
    judged = judged_first(first, settings)
    again = judged_again(second, judged, settings, alpha, kept) if second else {}
    return [
        decided(first, second, benchmark, judged[benchmark.id], again, settings)
        for benchmark in first.header.benchmarks
    ]


def judged_again(
    second: RunFile,
    first: Mapping[str, Judged | None],
    settings: Settings,
    alpha: float = looks.ALPHA,
    kept: Mapping[str, bool] | None = None,
) -> dict[str, tuple[Judged, bool]]:
    """What the second stage says of the benchmarks that it has: its interval, and whether the
    flag is confirmed with the error of the family held."""
    flags = flags_again(second, first, settings)
    if kept is None:
        names = [flag.benchmark for flag in flags]
        kept = dict(zip(names, confirmed(flags, alpha), strict=True))
    return {
        flag.benchmark: (looks.judge(flag.fresh, flag.margin, looks.ALPHA), kept[flag.benchmark])
        for flag in flags
    }


def confirmed(flags: Sequence[Flag], alpha: float = looks.ALPHA) -> list[bool]:
    """Of a family, whose error is held."""
    return looks.confirmed(
        [flag.fresh for flag in flags],
        [flag.margin for flag in flags],
        [flag.sign for flag in flags],
        alpha,
    )


def flags_again(
    second: RunFile, first: Mapping[str, Judged | None], settings: Settings
) -> list[Flag]:
    """The benchmarks that the second stage has something to say about."""
    index = SampleIndex(second.samples)
    found = []
    for benchmark in second.header.benchmarks:
        logs = against_base(index, benchmark)
        flag = first.get(benchmark.id)
        # A project's tests run all together, also those that were not flagged.
        if flag is None or flag.call not in ("worse", "better"):
            continue
        if logs is None or len(logs) < looks.LEAST:
            continue
        fresh = logs[: second.header.plan.rounds]
        sign = 1 if flag.call == "worse" else -1
        found.append(Flag(benchmark.id, fresh, settings.margin_of(benchmark.id), sign))
    return found


def decided(
    first: RunFile,
    second: RunFile | None,
    benchmark: Benchmark,
    flag: Judged | None,
    again: Mapping[str, tuple[Judged, bool]],
    settings: Settings,
) -> Decision:
    unable = incomparable(first, benchmark)
    if unable is None and second is not None and benchmark.id in second.header.plan.allocations:
        unable = broken_later(second, benchmark)
    if unable is not None:
        return unable
    made = Decision(
        tier="timing",
        subject=benchmark.id,
        verdict="INCONCLUSIVE",
        margin=settings.margin_of(benchmark.id),
        unit="ns" if benchmark.measure != "value" else benchmark.unit,
    )
    if flag is None:
        made.reason = "too few processes were measured for a first look"
        return made
    file = first
    judged = flag
    if flag.call == "equivalent":
        made.verdict = "EQUIVALENT"
    elif flag.call == "open":
        made.reason = (
            f"the interval of {flag.size} processes reaches over the margin; "
            "more minutes, or a quieter machine, would decide it"
        )
    elif benchmark.id not in again:
        made.reason = f"flagged as {flag.call}; the second stage did not get that far"
    else:
        assert second is not None
        file, made.stage = second, 2
        judged, keep = again[benchmark.id]
        made.verdict, made.reason = after_confirmation(flag, judged, keep)
    made.change = looks.as_change(judged.estimate)
    made.low, made.high = looks.as_change(judged.low), looks.as_change(judged.high)
    made.processes = judged.size
    index = SampleIndex(file.samples)
    made.base, made.head = (median_cost(index, benchmark, arm) for arm in (BASE, HEAD))
    if made.verdict in ("REGRESSED", "IMPROVED") and (doubt := own_doubt(file, benchmark, made)):
        made.verdict, made.reason = "INCONCLUSIVE", doubt
    files = [first] if second is None else [first, second]
    if made.verdict in ("EQUIVALENT", "IMPROVED") and (died := died_at_times(files, benchmark)):
        made.verdict, made.reason = "INCONCLUSIVE", died
    return made


def died_at_times(files: Sequence[RunFile], benchmark: Benchmark) -> str:
    """A head that was measured all the same, and crashed or hung once where base never did: figures
    of the processes that survived are no pass."""
    deaths = [
        event
        for file in files
        for event in file.events
        if event.event in DEATHS
        and event.signal not in OUTSIDE_SIGNALS
        and event.benchmark in ("", ALL_BENCHMARKS, benchmark.id)
    ]
    of_head = [event for event in deaths if event.arm == HEAD]
    if not of_head or len(of_head) < len(deaths):
        return ""
    many = f"{len(of_head)} processes" if len(of_head) > 1 else "one process"
    return f"{many} of head came to a bad end, and none of base: {of_head[0].reason}"


def after_confirmation(flag: Judged, judged: Judged, keep: bool) -> tuple[Verdict, str]:
    if keep:
        return ("REGRESSED" if flag.call == "worse" else "IMPROVED"), ""
    if judged.call == "equivalent":
        return "EQUIVALENT", f"flagged as {flag.call}, and not so in fresh processes"
    return "INCONCLUSIVE", f"flagged as {flag.call}; fresh processes did not confirm it"


def own_doubt(file: RunFile, benchmark: Benchmark, made: Decision) -> str:
    """Base against its own twin, in the samples the verdict rests on."""
    assert made.margin is not None
    judged = twin_judged(file, benchmark, made.margin)
    if judged is None or judged.call not in ("worse", "better"):
        return ""
    return f"base differs from itself here ({looks.as_change(judged.estimate):+.2%})"


def twin_judged(file: RunFile, benchmark: Benchmark, margin: float) -> Judged | None:
    logs = log_ratios(SampleIndex(file.samples), benchmark, TWIN, BASE)
    if logs is None or len(logs) < looks.LEAST:
        return None
    return looks.judge(logs, margin, looks.ALPHA)


def self_check(file: RunFile, settings: Settings) -> tuple[bool, str]:
    """Whether base agrees with its twin, and a sentence about it."""
    judged = [
        twin_judged(file, benchmark, settings.margin_of(benchmark.id))
        for benchmark in file.header.benchmarks
    ]
    known = [one for one in judged if one is not None]
    if not known:
        return True, "base against itself: not measured"
    off = sum(one.call in ("worse", "better") for one in known)
    worst = max((looks.as_change(one.estimate) for one in known), key=abs)
    text = (
        f"base against itself: {len(known) - off} of {len(known)} within the margin "
        f"(largest difference {worst:+.2%})"
    )
    return off <= math.floor((1 - AA_SHARE) * len(known)), text


def incomparable(file: RunFile, benchmark: Benchmark) -> Decision | None:
    """Where one side has no figure at all."""
    arms = {arm.label: arm for arm in file.header.arms}
    base, head = (state(file, benchmark, arms[name]) for name in (BASE, HEAD))
    made = Decision(tier="timing", subject=benchmark.id, verdict="INCONCLUSIVE")
    if base[0] == "ok" and head[0] == "ok":
        return without_figures(file, made)
    if base[0] == "ok":
        made.verdict, made.reason = "BROKEN", f"head: {head[0]}: {head[1]}"
    elif head[0] == "ok":
        made.verdict, made.reason = "REPAIRED", f"base: {base[0]}: {base[1]}"
    else:
        made.reason = f"neither side can: {base[0]}: {base[1]}"
    return made


def broken_later(second: RunFile, benchmark: Benchmark) -> Decision | None:
    """Flagged as changed, and in the second stage head crashed, hung or was wrong for good."""
    unable = incomparable(second, benchmark)
    return unable if unable is not None and unable.verdict == "BROKEN" else None


def without_figures(file: RunFile, made: Decision) -> Decision | None:
    """Nothing went wrong, and a side has no sample all the same: its tests lack this benchmark."""
    has = {sample.arm for sample in file.samples if sample.benchmark == made.subject}
    if BASE in has and HEAD not in has:
        made.verdict = "REMOVED"
        made.reason = "head measured nothing: is its test gone, failing or skipped?"
        return made
    if HEAD in has and BASE not in has:
        made.verdict, made.reason = "ADDED", "only head has it"
        return made
    return None


def state(file: RunFile, benchmark: Benchmark, arm: Arm) -> tuple[str, str]:
    return status_of(file, benchmark, arm, measured=True)


def median_cost(index: SampleIndex, benchmark: Benchmark, arm: str) -> float | None:
    costs = [float(np.median(slot_costs(benchmark, s))) for s in index.samples(benchmark.id, arm)]
    return float(np.median(costs)) if costs else None


def spread(file: RunFile) -> dict[str, Floats]:
    """Log-ratios of base to its own twin, by benchmark, made as narrow as those of head are
    (`against_base`): what a calibration goes by."""
    index = SampleIndex(file.samples)
    found = {}
    for benchmark in file.header.benchmarks:
        logs = log_ratios(index, benchmark, TWIN, BASE)
        if logs is not None and len(logs):
            found[benchmark.id] = math.sqrt(MEAN_OF_TWO) * logs
    return found
