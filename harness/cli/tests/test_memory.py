from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loopgauge.harness.cli.table import print_run
from loopgauge.harness.model import Metric

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Build

BENCHMARK = "timer.schedule_cancel"


def metrics(arm: str, each: float) -> dict[str, Metric]:
    parts = {"set up": 100 * each, "left after the runs": 0.0}
    return {
        "peak_rss": Metric(
            benchmark=BENCHMARK, arm=arm, metric="peak_rss", unit="byte", value=200 * each,
            by_name=parts, tool="t",
        ),
        "rss": Metric(
            benchmark=BENCHMARK, arm=arm, metric="rss", unit="byte/timer", value=each, tool="t"
        ),
    }  # fmt: skip


def shown(build: Build, width: int) -> str:
    arms = [
        build.arm("asyncio", 5_000.0, verdict="reference", metrics=metrics("asyncio", 300)),
        build.arm("epoll", 4_000.0, metrics=metrics("epoll", 200)),
        build.arm("uvloop", 4_000.0),
    ]
    benchmark = build.benchmark(id=BENCHMARK, arms=arms)
    out = io.StringIO()
    print_run(build.run_summary(benchmark), Console(file=out, width=width, markup=False))
    return out.getvalue()


def test_who_takes_least_comes_first(build: Build) -> None:
    text = " ".join(shown(build, 100).split())
    assert "memory per timer peak set up left after" in text
    assert "epoll 200 B 39.1 KiB 19.5 KiB 0 B asyncio 300 B 58.6 KiB 29.3 KiB 0 B" in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(build: Build, width: int) -> None:
    assert max(map(len, shown(build, width).splitlines())) <= width


def test_where_nobody_looked_there_is_nothing(build: Build) -> None:
    out = io.StringIO()
    print_run(build.run_summary(build.benchmark()), Console(file=out, width=100, markup=False))
    assert "left after" not in out.getvalue()
