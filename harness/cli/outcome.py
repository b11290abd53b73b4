"""What a finished run amounts to: the exit code, and what was asked for and is not there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.summary import ArmSummary, RunSummary

JSON_SCHEMA = 1


def exit_code(summary: RunSummary, named: Collection[str]) -> ExitCode:
    """`named`: the loops the user asked for by name; empty when the selection was ours."""
    wanted = [arm for arm in candidates(summary) if not named or arm.loop in named]
    if not any(arm.status == "ok" for arm in wanted):
        return ExitCode.NOTHING_MEASURED
    if not summary.complete or left_out(summary, named):
        return ExitCode.LEFT_OUT
    return ExitCode.OK


def left_out(summary: RunSummary, named: Collection[str]) -> list[str]:
    """One line per loop, and per thing that this machine lacks. Not counted: a loop that does not
    have what a scenario needs (that is an answer), and one of our own choice that is not
    installed."""
    missing: dict[str, list[str]] = {}
    lacking: dict[str, dict[str, None]] = {}  # by reason: what no loop could do here
    for benchmark in summary.benchmarks:
        for arm in [*benchmark.arms, *benchmark.natives]:
            if arm.status == "lacking":
                lacking.setdefault(arm.reason, {})[benchmark.id] = None
            elif arm.role != "aa" and is_left_out(arm, named):
                missing.setdefault(f"{arm.arm} {arm.status}", []).append(benchmark.id)
    total = len(summary.benchmarks)
    arms = [
        who if len(ids) == total else f"{who} in {', '.join(ids)}" for who, ids in missing.items()
    ]
    machine = [f"{', '.join(ids)}: {reason}" for reason, ids in lacking.items()]
    return arms + machine + summary.left_out


def is_left_out(arm: ArmSummary, named: Collection[str]) -> bool:
    if arm.status == "unavailable":
        return arm.loop in named or arm.role == "native"  # the tier was asked for
    return arm.status not in ("ok", "unsupported")


def candidates(summary: RunSummary) -> list[ArmSummary]:
    return [arm for benchmark in summary.benchmarks for arm in benchmark.arms if arm.role != "aa"]


def as_json(summary: RunSummary, code: ExitCode) -> dict[str, Any]:
    import msgspec

    envelope = {"schema": JSON_SCHEMA, "kind": "run-summary", "exit_code": int(code)}
    return {**envelope, **msgspec.to_builtins(summary)}
