from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loopgauge.harness.cli.table import print_run
from loopgauge.harness.summary import FamilyArm, FamilySummary, Ratio

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Build
    from loopgauge.harness.summary import RunSummary


def rendered(summary: RunSummary, width: int, *, color: bool = False) -> str:
    out = io.StringIO()
    print_run(summary, Console(file=out, width=width, force_terminal=color, markup=False))
    return out.getvalue()


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_a_wide_table_says_everything_in_one_row(build: Build) -> None:
    text = squeezed(rendered(build.run_summary(build.benchmark()), 120))
    assert "epoll 330 ns 3.12x faster [3.06, 3.18] 2.45x faster [2.40, 2.50] faster" in text
    assert "asyncio 1.01 µs the reference 3.12x slower [3.06, 3.18] reference" in text
    assert "CPU time of the process per step, lower is better" in text


def test_families_of_several_benchmarks_are_summed_up(build: Build) -> None:
    low = Ratio(estimate=0.25, low=0.24, high=0.26, sign_low=0.2, sign_high=0.3, n=12)
    behind = Ratio(estimate=1.3, low=1.2, high=1.4, sign_low=1.1, sign_high=1.5, n=12)
    found = FamilySummary(
        family="timer",
        benchmarks=["timer.a", "timer.b"],
        compared=["timer.a", "timer.b"],
        arms=[
            FamilyArm(arm="asyncio", ratio=behind, to_fastest=behind),
            FamilyArm(arm="epoll", ratio=low),
        ],
        fastest=["epoll"],
        lead="clear",
    )
    summary = build.run_summary(build.benchmark(), families=[found])
    text = squeezed(rendered(summary, 120))
    assert "timer epoll 0.25x [0.24, 0.26] ahead asyncio 1.30x [1.20, 1.40]" in text
    found.fastest, found.lead = ["epoll", "asyncio"], "shared"
    assert "timer asyncio, epoll not separated" in squeezed(rendered(summary, 120))
    found.compared = ["timer.a"]  # one benchmark does not speak for its family
    assert "By family" not in rendered(summary, 120)


def test_the_best_comes_first(build: Build) -> None:
    text = rendered(build.run_summary(build.benchmark()), 120)
    assert text.index("\n  epoll") < text.index("\n  uvloop") < text.index("\n  asyncio")


def test_where_higher_is_better_the_highest_comes_first(build: Build) -> None:
    bulk = build.benchmark(
        measure="value",
        unit="MiB/s",
        direction="higher",
        fastest=["epoll"],
        arms=[
            build.arm("asyncio", 100.0, verdict="reference"),
            build.arm("epoll", 250.0, ratio=build.ratio(0.4), verdict="faster"),
        ],
    )
    text = rendered(build.run_summary(bulk), 120)
    assert text.index("\n  epoll") < text.index("\n  asyncio")
    assert "250 MiB/s  2.50x better" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_has_no_figure_says_what_it_is(build: Build, width: int) -> None:
    text = squeezed(rendered(build.run_summary(build.benchmark()), width))
    assert "rloop unavailable not installed (pip install rloop)" in text
    assert "talyn INVALID callbacks ran out of order" in text
    assert "zloop UNSUPPORTED needs fd" in text
    assert "blazio CRASHED SIGSEGV in slot" in text
    assert "loopmini HUNG no answer for 20 s in setup" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(build: Build, width: int) -> None:
    long_name = build.arm(
        "my_package.event_loops:new_event_loop", 400.0, ratio=build.ratio(0.4), verdict="faster"
    )
    benchmark = build.benchmark(arms=[*build.benchmark().arms, long_name])
    text = rendered(build.run_summary(benchmark, benchmark), width)
    assert max(map(len, text.splitlines())) <= width


def test_sixty_columns_keep_ratio_and_interval_on_one_line(build: Build) -> None:
    lines = rendered(build.run_summary(build.benchmark()), 60).splitlines()
    assert any("3.12x faster than asyncio [3.06, 3.18]" in line for line in lines)
    assert any("330 ns" in line and "2.45x faster than the next" in line for line in lines)
    assert any("810 ns" in line and "2.45x slower than the best" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_inconclusive_ratio_is_never_left_to_its_figures(build: Build, width: int) -> None:
    arms = [
        build.arm("asyncio", 100.0, verdict="reference"),
        build.arm("epoll", 98.0, ratio=build.ratio(0.98, 0.05), verdict="inconclusive"),
    ]
    text = rendered(build.run_summary(build.benchmark(arms=arms)), width)
    assert "inconclusive" in text
    assert "faster" not in text


def test_the_second_asyncio_is_a_control_and_no_row(build: Build) -> None:
    assert "~aa" not in rendered(build.run_summary(build.benchmark()), 120)


def test_helper_threads_and_isolation_are_pointed_out(build: Build) -> None:
    arms = [
        build.arm("asyncio", 100.0, verdict="reference"),
        build.arm(
            "rloop", 90.0, ratio=build.ratio(0.9), helper_flag=True, helper_gap=0.061,
            thread_ns=85.0, isolated=True,
        ),
    ]  # fmt: skip
    text = rendered(build.run_summary(build.benchmark(arms=arms, fastest=["rloop"])), 120)
    assert "rloop: helper threads add 6% to the loop thread's 85.0 ns" in text
    assert "rloop: measured in processes of its own" in text


def test_a_noisy_run_carries_a_banner_and_a_quiet_one_its_self_check(build: Build) -> None:
    check = "A/A within ±1% in 0 of 1 benchmarks"
    noisy = build.run_summary(build.benchmark(), advisory=True, aa_ok=False, self_check=check)
    assert f"ADVISORY  {check}" in rendered(noisy, 120)
    quiet = rendered(build.run_summary(build.benchmark(), self_check=check), 120)
    assert check in quiet
    assert "ADVISORY" not in quiet


def test_notes_are_shown(build: Build) -> None:
    text = rendered(build.run_summary(build.benchmark(), notes=["the run is not finished"]), 120)
    assert "note: the run is not finished" in text


def test_brackets_in_names_are_no_markup(build: Build) -> None:
    assert "throughput.gather[n=10]" in rendered(
        build.run_summary(build.benchmark(id="throughput.gather[n=10]")), 120
    )


def test_several_benchmarks_end_in_a_count_of_wins(build: Build) -> None:
    summary = build.run_summary(
        build.benchmark(), build.benchmark(id="throughput.gather", fastest=["epoll", "uvloop"])
    )
    text = squeezed(rendered(summary, 120))
    assert "epoll 2 of 2 uvloop 1 of 2" in text


def test_what_is_missing_everywhere_is_said_once(build: Build) -> None:
    summary = build.run_summary(build.benchmark(), build.benchmark(id="throughput.gather"))
    text = rendered(summary, 120)
    assert text.count("not installed (pip install rloop)") == 1
    assert text.count("INVALID") == 1


def test_what_is_missing_in_one_of_two_is_said_there(build: Build) -> None:
    fine = build.benchmark(arms=[build.arm("talyn", 1.0, verdict="faster", ratio=build.ratio(0.5))])
    text = rendered(build.run_summary(build.benchmark(id="throughput.gather"), fine), 120)
    block = text.split("throughput.gather")[1].split("throughput.sleep0")[0]
    assert "INVALID" in block


def test_a_long_reason_is_cut(build: Build) -> None:
    arms = [build.arm("rloop", status="crashed", reason="said " * 500)]
    text = rendered(build.run_summary(build.benchmark(arms=arms)), 120)
    assert text.count("said") < 50
    assert "…" in text
