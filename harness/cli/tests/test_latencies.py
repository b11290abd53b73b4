from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from loopgauge.harness.cli.table import print_run
from loopgauge.harness.latency import Arrivals, Latencies

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Build


def latencies(p50: float, p99: float | None) -> Latencies:
    values = {"p50": p50, "p90": p50, "p99": p99, "p99.9": None, "p99.99": None}
    return Latencies(count=1_000, percentiles=values, max_ns=9_000_000)


def arrivals(**members: Any) -> Arrivals:
    given: dict[str, Any] = {
        "asked_per_second": 10_000,
        "achieved_per_second": 9_900,
        "due": 1_000,
        "answered": 990,
        "late_max_ns": 4_000,
        "corrected": latencies(20_000, 5_000_000),
        "service": latencies(19_000, 300_000),
        "reached": True,
    }
    return Arrivals(**{**given, **members})


def shown(build: Build, width: int, **members: Any) -> str:
    arm = build.arm("asyncio", 5_000.0, verdict="reference", arrivals=arrivals(), **members)
    benchmark = build.benchmark(arms=[arm], measure="value", unit="us", fastest=["asyncio"])
    out = io.StringIO()
    print_run(build.run_summary(benchmark), Console(file=out, width=width, markup=False))
    return out.getvalue()


def test_both_ways_to_count_stand_side_by_side(build: Build) -> None:
    text = " ".join(shown(build, 100).split())
    assert "asyncio due 20.0 µs 20.0 µs 5.00 ms - - 9.00 ms" in text
    assert "sent 19.0 µs 19.0 µs 300 µs - - 9.00 ms" in text


def test_what_was_achieved_of_what_was_asked_for(build: Build) -> None:
    text = " ".join(shown(build, 100).split())
    assert "asyncio: 9,900 of 10,000 per second, 10 of 1,000 messages never sent" in text
    assert "the generator was late by at most 4.00 µs" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(build: Build, width: int) -> None:
    assert max(map(len, shown(build, width).splitlines())) <= width


def test_other_benchmarks_have_no_such_table(build: Build) -> None:
    out = io.StringIO()
    print_run(build.run_summary(build.benchmark()), Console(file=out, width=100, markup=False))
    assert "p99" not in out.getvalue()
