"""From a run file to what the history keeps of it.

Figures are those of the summary that tables and reports show. Verdicts of the conformance suite
are not joined: they would make what is stored depend on what else lay there on that day.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from loopgauge.harness.errors import NotARunFile
from loopgauge.harness.gate.model import Side
from loopgauge.harness.history.model import (
    COST,
    RATIO,
    Entry,
    Kind,
    MachineKind,
    SeriesKey,
    StoredRun,
)
from loopgauge.harness.model import Arm, Direction, Header
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, figures_of, reference_arm
from loopgauge.harness.verdicts import OWN

# Not kept: what was asked for and cannot be had on that machine is no event in a loop's life.
ABSENT = frozenset({"unavailable", "unsupported", "lacking"})


def stored_run(
    run: RunFile,
    data: bytes,
    *,
    name: str = "",
    commit: str = "",
    sides: dict[str, Side] | None = None,
) -> StoredRun:
    """`data`: the file's bytes. `sides`: of a gate, by the labels of its arms; `name` is the run's
    then, since the files of a gate belong together."""
    header = run.header
    summary = figures_of(run)
    context = Context(header, commit, sides or {})
    kind: Kind = "gate" if sides else "run"
    return StoredRun(
        run=name or header.run,
        kind=kind,
        name=run.path.name,
        created=utc(run),
        setting=header.setting,
        loopgauge=next((i.loopgauge for i in header.environment.interpreters.values()), ""),
        complete=run.complete,
        advisory=summary.advisory,
        content=hashlib.sha256(data).hexdigest(),
        size=len(data),
        host=header.environment.machine.hostname_hash,
        entries=[entry for one in summary.benchmarks for entry in entries_of(one, context)],
    )


def utc(run: RunFile) -> str:
    """The time it was made in the one form that sorts as text."""
    created = run.header.created
    try:
        moment = datetime.fromisoformat(created)
    except ValueError as error:
        raise NotARunFile(
            f"{run.path}: the header says {created!r} where the time should be",
            "Was the file edited?",
        ) from error
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Context:
    """What the entries of one run share."""

    def __init__(self, header: Header, commit: str, sides: dict[str, Side]) -> None:
        self.arms = {arm.label: arm for arm in header.arms}
        self.environment = header.environment
        self.commit = commit
        self.sides = sides
        self.reference = self.arms[reference_arm(header)]

    def machine(self, arm: Arm) -> MachineKind:
        python = self.environment.interpreters[arm.python]
        return MachineKind(
            cpu_model=self.environment.machine.cpu_model,
            kernel=self.environment.machine.kernel,
            python=python.version,
            build_kind=python.build_kind,
        )

    def against(self, arm: Arm) -> str:
        """What its ratio is to: another Python's asyncio is another yardstick."""
        if self.sides:
            return "base"
        theirs = self.environment.interpreters[self.reference.python].version
        same = self.environment.interpreters[arm.python].version == theirs
        return self.reference.loop if same else f"{self.reference.loop}@{theirs}"

    def identity(self, arm: Arm) -> dict[str, Any]:
        """Which loop exactly: fields of Entry."""
        side = self.sides.get(arm.label)
        if side is not None:
            return {
                "version": side.version or arm.version,
                "build": side.content,
                "commit": side.commit,
            }
        own = arm.distribution == OWN
        build = self.environment.interpreters[arm.python].build_hash if own else ""
        return {"version": arm.version, "build": build, "commit": self.commit}


def entries_of(benchmark: BenchmarkSummary, context: Context) -> Iterator[Entry]:
    floor = [benchmark.floor] if benchmark.floor is not None else []
    for summary in [*benchmark.arms, *benchmark.natives, *floor]:
        if summary.role != "aa" and summary.status not in ABSENT:
            yield from entries_of_arm(benchmark, summary, context)


def entries_of_arm(
    benchmark: BenchmarkSummary, summary: ArmSummary, context: Context
) -> Iterator[Entry]:
    arm = context.arms[summary.arm]
    side = context.sides.get(summary.arm)

    def entry(
        metric: str,
        unit: str = "",
        direction: Direction = "lower",
        against: str = "",
        **figures: Any,
    ) -> Entry:
        series = SeriesKey(
            benchmark=benchmark.id,
            loop=side.loop if side else summary.loop,
            metric=metric,
            against=against,
            unit=unit,
            direction=direction,
            machine=context.machine(arm),
        )
        return Entry(series=series, arm=summary.arm, **context.identity(arm), **figures)

    cost_unit = benchmark.unit if benchmark.measure == "value" else f"ns/{benchmark.unit}"
    cost = partial(entry, COST, cost_unit, benchmark.direction)
    ratio = partial(entry, RATIO, against=context.against(arm))
    measured = len(summary.values)
    if summary.status != "ok":
        yield cost(status=summary.status)
        if summary.role == "candidate":
            yield ratio(status=summary.status)
        return
    if measured:
        low, high = interval(summary.cost_low, summary.cost_high)
        yield cost(value=summary.cost, low=low, high=high, processes=measured)
    if summary.ratio is not None and summary.verdict != "reference":
        found = summary.ratio
        low, high = interval(found.low, found.high)
        yield ratio(value=found.estimate, low=low, high=high, processes=found.n)
    for metric in summary.metrics.values():
        yield entry(metric.metric, metric.unit, value=metric.value)


def interval(low: float, high: float) -> tuple[float | None, float | None]:
    """Too few processes for an interval: it is unbounded, and then not kept."""
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
