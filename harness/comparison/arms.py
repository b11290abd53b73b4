"""One loop of base against one of head at one benchmark: times, counts, and what broke."""

from __future__ import annotations

import math

import numpy as np

from loopgauge.harness import two_sample
from loopgauge.harness.comparison.figures import (
    ALLOWANCES,
    judge_count,
    judge_independent,
    judge_paired,
)
from loopgauge.harness.comparison.model import Compared, Comparison
from loopgauge.harness.comparison.sources import Source
from loopgauge.harness.model import Arm
from loopgauge.harness.pairing import log_ratios
from loopgauge.harness.statistics import Floats
from loopgauge.harness.status import NOT_REACHED
from loopgauge.harness.summary import ArmSummary

ABSENT = ("unavailable", "lacking")  # no fault of the loop


def compare_pair(
    result: Comparison,
    base: Source,
    head: Source,
    name: str,
    before: Arm,
    after: Arm,
    control: str,
    loop: str = "",
) -> None:
    """Adds everything that there is of one loop at one benchmark. `control`: its loop, "" for raw
    costs, "paired" for two arms of one run."""
    loop = loop or after.label
    old, new = base.arm(name, before.label), head.arm(name, after.label)
    if old is None or new is None:
        return
    if old.status != "ok" or new.status != "ok":
        add_failure(result, base, head, name, loop, old, new)
        return
    made = timing(base, head, name, before, after, control, loop, result)
    if made is not None:
        result.compared.append(made)
    for metric in ALLOWANCES:
        if metric in old.metrics and metric in new.metrics:
            result.compared.append(counted(base, name, loop, metric, old, new))
    one_sided = [
        (what, "base" if old_has else "head")
        for what, old_has, new_has in (
            ("times", bool(old.values), bool(new.values)),
            *((metric, metric in old.metrics, metric in new.metrics) for metric in ALLOWANCES),
        )
        if old_has != new_has
    ]
    for who in ("base", "head"):
        metrics = [what for what, where in one_sided if where == who]
        if metrics:
            result.left_out.append(f"{name}, {loop}: only in {who}: {', '.join(metrics)}")


def row(side: Source, name: str, loop: str, old: ArmSummary, new: ArmSummary) -> Compared:
    benchmark = side.benchmark(name)
    return Compared(
        benchmark=name,
        loop=loop,
        tier="timing",
        metric="cost",
        unit=benchmark.unit,
        direction=benchmark.direction,
        measure=benchmark.measure,
        basis="",
        verdict="INCONCLUSIVE",
        margin=side.summary.margin,
        base=valid_cost(old),
        head=valid_cost(new),
        base_version=old.version,
        head_version=new.version,
    )


def valid_cost(arm: ArmSummary) -> float | None:
    """A loop that breaks a promise has a cost, which is compared with nothing."""
    return arm.cost if arm.status == "ok" and math.isfinite(arm.cost) else None


def add_failure(
    result: Comparison,
    base: Source,
    head: Source,
    name: str,
    loop: str,
    old: ArmSummary,
    new: ArmSummary,
) -> None:
    states = (old.status, new.status)
    told = f"{name}, {loop}: {old.status} in base, {new.status} in head"
    if any(arm.status in ABSENT or arm.reason == NOT_REACHED for arm in (old, new)):
        reason = old.reason if old.status != "ok" else new.reason
        result.left_out.append(f"{told} ({reason})")
        return
    if "ok" not in states:
        result.notes.append(f"{told}: nothing to compare")
        return
    made = row(base, name, loop, old, new)
    made.verdict = "BROKEN" if old.status == "ok" else "REPAIRED"
    failed = new if old.status == "ok" else old
    made.reason = f"{failed.status}: {failed.reason}"
    result.compared.append(made)


def timing(
    base: Source,
    head: Source,
    name: str,
    before: Arm,
    after: Arm,
    control: str,
    loop: str,
    result: Comparison,
) -> Compared | None:
    """None where either side was not timed."""
    old, new = base.arm(name, before.label), head.arm(name, after.label)
    if old is None or new is None or not old.values or not new.values:
        return None
    made = row(base, name, loop, old, new)
    made.margin = result.margin
    if control == "paired":
        made.basis = "paired"
        logs = log_ratios(base.index, base.benchmark(name), after.label, before.label)
        if logs is not None and len(logs):
            judge_paired(made, logs)
        else:
            judge_without_ratio(made, old, new)
        return made
    ratios = None
    if control and before.role != "reference":
        ratios = (to_control(base, name, before), to_control(head, name, after))
    if ratios is not None and ratios[0] is not None and ratios[1] is not None:
        made.basis = "control"
        judge_independent(made, ratios[0], ratios[1])
        return made
    made.basis, made.margin = "raw", result.raw_margin
    if min([*old.values, *new.values]) <= 0:
        judge_without_ratio(made, old, new)
        return made
    sign = -1 if made.direction == "higher" else 1
    judge_independent(made, sign * np.log(old.values), sign * np.log(new.values))
    return made


def to_control(side: Source, name: str, arm: Arm) -> Floats | None:
    """Log-ratios inside the run, one per process; None where there are none."""
    assert side.control is not None
    control = side.arm(name, side.control.label)
    if control is None or control.status != "ok":
        return None
    logs = log_ratios(side.index, side.benchmark(name), arm.label, side.control.label)
    return logs if logs is not None and len(logs) else None


def judge_without_ratio(made: Compared, old: ArmSummary, new: ArmSummary) -> None:
    """Measured values may be 0, such as turns that somebody had to wait."""
    made.base_n, made.head_n = len(old.values), len(new.values)
    sign = -1 if made.direction == "higher" else 1
    made.superiority = two_sample.superiority(
        sign * np.array(new.values), sign * np.array(old.values)
    )
    if set(old.values) == set(new.values) and len(set(new.values)) == 1:
        made.verdict, made.change = "EQUIVALENT", 0.0
        made.reason = "the same value in every process"
    else:
        made.reason = "values of zero or less have no ratio"


def counted(
    side: Source, name: str, loop: str, metric: str, old: ArmSummary, new: ArmSummary
) -> Compared:
    made = row(side, name, loop, old, new)
    made.tier, made.metric = ALLOWANCES[metric].tier, metric
    made.unit, made.basis = new.metrics[metric].unit, "count"
    made.measure, made.direction = "value", "lower"
    judge_count(made, old.metrics[metric], new.metrics[metric])
    return made


def add_control(result: Comparison, base: Source, head: Source, name: str) -> None:
    assert base.control is not None
    assert head.control is not None
    arms = (base.control, head.control)
    made = timing(base, head, name, *arms, "", result.control, result)
    if made is not None:
        result.controls.append(made)
