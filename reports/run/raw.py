"""The raw numbers: one row per benchmark and loop, every process's values, and both as files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.exports import csv

ROLES = {"aa": "copy of the reference", "floor": "floor", "native": "native"}
UNJUDGED = (*ROLES.values(), wording.VERDICT["reference"], wording.DASH)


@dataclass(frozen=True)
class Row:
    anchor: str
    benchmark: BenchmarkSummary
    arm: ArmSummary
    verdict: str
    values: str
    first: bool  # of its benchmark

    @property
    def loop(self) -> str:
        """The loop it is shown and hidden with; "" where there is none."""
        if self.arm.role in ("floor", "native"):
            return ""
        return self.arm.loop if self.arm.role == "aa" else self.arm.arm

    @property
    def why(self) -> str:
        """Beside the word of a loop without a valid figure whose time may be shown."""
        return wording.meaning(self.arm) if self.arm.status == "invalid" else ""

    @property
    def judged(self) -> str:
        """What the page's filter of verdicts goes by."""
        return "" if self.verdict in UNJUDGED else self.verdict

    @property
    def ratio(self) -> tuple[float, float, float]:
        of = self.arm.ratio
        return (math.nan,) * 3 if of is None else (of.estimate, of.low, of.high)


@dataclass(frozen=True)
class Raw:
    rows: list[Row]
    most: int  # values of the row that has most
    figures: Markup  # the files, as addresses that hold them
    values: Markup


def raw(run: RunSummary, anchors: list[str]) -> Raw:
    """`anchors`: the ids of the benchmarks' sections, in their order."""
    rows = list(_rows(run, anchors))
    return Raw(
        rows=rows,
        most=max((len(row.arm.values) for row in rows), default=0),
        figures=Markup(csv.data_uri(csv.csv_text([run], values=False))),
        values=Markup(csv.data_uri(csv.values_text([run]))),
    )


def _rows(run: RunSummary, anchors: list[str]) -> Iterator[Row]:
    for benchmark, anchor in zip(run.benchmarks, anchors, strict=True):
        floor = [benchmark.floor] if benchmark.floor is not None else []
        for number, arm in enumerate([*benchmark.arms, *benchmark.natives, *floor]):
            values = " ".join(plain(value) for value in arm.values)
            yield Row(anchor, benchmark, arm, _verdict(arm, benchmark), values, number == 0)


def _verdict(arm: ArmSummary, benchmark: BenchmarkSummary) -> str:
    if arm.status != "ok":
        return wording.status(arm)
    return ROLES.get(arm.role) or wording.verdict(arm, benchmark) or wording.DASH


def plain(value: float) -> str:
    """Four digits in the unit of its column, so that a table of them can be sorted; "" for none."""
    if not math.isfinite(value):
        return ""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
