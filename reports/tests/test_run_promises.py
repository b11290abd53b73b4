"""The way from an INVALID to the case that explains it, and from a rule to its benchmarks."""

from __future__ import annotations

import csv
import random
from io import StringIO
from typing import Any

import pytest
from report_testing import samples
from report_testing.pages import Page
from report_testing.verdicts import EVIL

from loopgauge.harness.summary import ArmPromises, BrokenCase, RunSummary
from loopgauge.reports import csv_text, markdown
from loopgauge.reports.exports import field
from loopgauge.reports.exports.bencher import bencher_text
from loopgauge.reports.exports.csv import values_text
from loopgauge.reports.exports.github_action import github_action_text
from loopgauge.reports.links import NO_LINKS, Links
from loopgauge.reports.plots import theme
from loopgauge.reports.run.detail import benchmark_plots
from loopgauge.reports.run.html import page
from loopgauge.reports.run.promises import promises

RULE, CASE = "TIME-007", "TIME-007.early"
LOOPS = ["epoll", "asyncio", "uvloop", "rloop"]
LINKS = Links(
    cases={CASE: "../conformance/case/TIME-007.early.html"},
    rules={RULE: "../conformance/rule/TIME-007.html"},
    loops={"uvloop": "../loops/uvloop.html"},
)


def broken(case: str = CASE, **members: Any) -> BrokenCase:
    given: dict[str, Any] = {
        "rule": case.partition(".")[0],
        "level": "MUST",
        "verdict": "FAIL",
        "reason": "delay: 0.0091",
        "description": "A sleep of 10 ms is timed.",
        "lines": ["delay: wanted >= 0.01, observed 0.0091"],
    }
    return BrokenCase(case=case, **{**given, **members})


def arm_promises(arm: str, *cases: BrokenCase, known: bool = True) -> ArmPromises:
    return ArmPromises(arm=arm, known=known, must=1760 * known, must_failing=len(cases),
                       should=400 * known, should_failing=3 * known, broken=[*cases])  # fmt: skip


def run_with(*cases: BrokenCase, **of_others: BrokenCase) -> RunSummary:
    """`uvloop` breaks `cases`, and is INVALID in the first of two benchmarks for the first."""
    names = iter(["timer.lateness", "timer.rate_limiter"])
    benchmarks = []
    for name in names:
        arms = [samples.failed(loop, "ok", "") for loop in LOOPS]
        benchmarks.append(samples.benchmark(name, arms, rules=[RULE, "SOON-001"]))
    if cases:
        void = next(arm for arm in benchmarks[0].arms if arm.arm == "uvloop")
        void.status, void.reason = "invalid", "breaks TIME-007"
        void.broken = [cases[0].case]
    found = [
        arm_promises("epoll"),
        arm_promises("asyncio", *([of_others["asyncio"]] if of_others else [])),
        arm_promises("uvloop", *cases),
        arm_promises("rloop", known=False),
    ]
    return samples.run(benchmarks, LOOPS, promises=found)


def shown(*runs: RunSummary, links: Links = NO_LINKS) -> Page:
    made = Page(page(runs, links))
    assert (made.misplaced, made.open) == ([], [])
    ids = made.values("id")
    assert len(set(ids)) == len(ids)
    local = [address[1:] for address in made.values("href") if address.startswith("#")]
    assert set(local) <= set(ids)
    return made


def test_an_invalid_leads_to_its_case() -> None:
    found = shown(run_with(broken()))
    assert "case-TIME-007.early" in found.values("id")
    assert (
        found.values("href").count("#case-TIME-007.early") == 3
    )  # first screen, ratios, its benchmark
    assert "delay: wanted >= 0.01, observed 0.0091" in found.text
    assert "A sleep of 10 ms is timed." in found.text
    assert "bench repro TIME-007.early --loop uvloop" in found.text


def test_in_a_site_it_leads_to_the_pages_of_case_rule_and_loop() -> None:
    hrefs = shown(run_with(broken()), links=LINKS).values("href")
    assert hrefs.count(LINKS.case(CASE)) == 4
    assert LINKS.rule(RULE) in hrefs
    assert LINKS.loop("uvloop") in hrefs


def test_a_rule_leads_to_its_benchmarks_and_back() -> None:
    found = shown(run_with(broken()))
    assert "rule-TIME-007" in found.values("id")
    assert found.values("href").count("#rule-TIME-007") == 4  # uvloop's list, too
    assert "Depending on it: timer.lateness (not ranked: uvloop) , timer.rate_limiter" in found.text


def test_who_breaks_how_much_stands_in_one_table() -> None:
    text = shown(run_with(broken())).text
    assert "epoll 0 1760 3 400 0" in text
    assert "uvloop 1 1760 3 400 1" in text
    assert "rloop not asked not asked" in text


def test_without_verdicts_nobody_is_blamed() -> None:
    run = run_with()
    run.promises = [arm_promises(loop, known=False) for loop in LOOPS]
    text = shown(run).text
    assert "nothing is held against any of them" in text
    assert "2 rules that benchmarks depend on" in text
    assert "MUST cases broken" not in text


def test_loops_that_did_the_same_are_told_of_once() -> None:
    one = broken(lines=["left behind: descriptor 9"])
    other = broken(lines=["left behind: descriptor 11"])
    (rule,) = promises(run_with(one, asyncio=other), "r1", NO_LINKS).broken
    (account,) = rule.cases[0].accounts
    assert account.loops == ["asyncio", "uvloop"]
    differs = broken(verdict="HANG")
    (rule,) = promises(run_with(one, asyncio=differs), "r1", NO_LINKS).broken
    assert [account.loops for account in rule.cases[0].accounts] == [["asyncio"], ["uvloop"]]


def test_what_no_benchmark_depends_on_is_counted() -> None:
    found = promises(run_with(broken("SNDF-003.a"), broken("SNDF-003.b")), "r1", NO_LINKS)
    assert [(one.id, one.broken) for one in found.others] == [("SNDF-003", {"uvloop": 2})]


def test_a_rule_that_this_version_does_not_know() -> None:
    run = run_with(broken("FUTU-001.x"))
    run.benchmarks[0].rules = ["FUTU-001"]
    assert "FUTU-001.x" in shown(run).text


@pytest.mark.parametrize("case", [f"{RULE}.{EVIL}", f"{RULE}.with spaces & 'quotes'"])
def test_texts_of_loops_stay_texts(case: str) -> None:
    text = page([run_with(broken(case, reason=EVIL, description=EVIL, lines=[EVIL]))])
    assert "<script>alert" not in text
    assert "\x1b" not in text


def test_runs_on_one_page_have_sections_of_their_own() -> None:
    found = shown(run_with(broken()), run_with(broken()))
    assert {"case-TIME-007.early", "r2-case-TIME-007.early"} <= set(found.values("id"))
    assert "#r2-case-TIME-007.early" in found.values("href")


def set_aside_run() -> RunSummary:
    """uvloop did its work in the first benchmark, and breaks a promise there."""
    run = run_with(broken())
    for number, benchmark in enumerate(run.benchmarks):
        draw = random.Random(number)
        benchmark.arms = [
            samples.measured(arm, 1000.0, samples.ratio(samples.SPEED[arm]), draw) for arm in LOOPS
        ]
    void = next(arm for arm in run.benchmarks[0].arms if arm.arm == "uvloop")
    void.status, void.reason, void.broken = "invalid", "breaks TIME-007", [CASE]
    void.cost, void.cost_low, void.cost_high = 123456.0, 123000.0, 124000.0
    void.values = [123456.0, 123789.0]
    void.ratio, void.to_fastest, void.verdict, void.ratios = None, None, "", []
    assert void.set_aside
    return run


def test_a_time_that_breaks_a_promise_is_shown_and_not_ranked() -> None:
    found = shown(set_aside_run())
    assert "123 µs [123, 124] INVALID did its work here, but breaks TIME-007 : not ranked" in (
        found.text
    )
    assert "its time means nothing)" not in found.text
    at = found.html.index("did its work here", found.html.index('class="raw sortable"'))
    row = found.html[at : found.html.index("</tr>", at)]
    assert '<td class="mute" data-v="">123456</td>' in row  # sorted among nobody
    assert "TIME-007: not ranked" in row


def test_no_export_takes_such_a_time_for_a_valid_one() -> None:
    run = set_aside_run()
    [line] = [
        line
        for line in csv.DictReader(StringIO(csv_text([run])))
        if (line["benchmark"], line["arm"]) == ("timer.lateness", "uvloop")
    ]
    assert (line["status"], line["cost"], line["values"], line["processes"]) == (
        "invalid",
        "",
        "",
        "0",
    )
    for text in (
        values_text([run]),
        markdown([run]),
        bencher_text(run),
        github_action_text(run),
        field.benchmarks(run, "timer"),
    ):
        assert "12345" not in text
        assert "123 µs" not in text
        assert "uvloop" in text  # of the other benchmark


def test_no_plot_shows_such_a_time() -> None:
    run = set_aside_run()
    plots = benchmark_plots(
        run.benchmarks[0], theme.marks(LOOPS, "asyncio"), "asyncio", theme.sentinel
    )
    assert {"ratio", "distribution", "spread"} <= {*plots}
    for drawn in plots.values():
        assert "123 µs" not in drawn.page_svg("x")


def test_a_failed_check_says_so_and_looks_like_no_link() -> None:
    run = run_with(broken())
    void = next(arm for arm in run.benchmarks[0].arms if arm.arm == "uvloop")
    void.reason, void.broken = "9 of 10 came", []
    found = shown(run)
    assert "9 of 10 came (did not do its work: its time means nothing)" in found.text
    assert 'title="9 of 10 came"><span class="failed">INVALID</span>' in found.html


def test_what_makes_it_invalid_comes_first_and_leaks_last() -> None:
    cases = [
        broken(f"{RULE}.early"),
        broken(f"{RULE}.a", verdict="LEAK", lines=["left behind: descriptor 7"]),
        broken(f"{RULE}.b"),
    ]
    run = run_with(*cases, asyncio=broken(verdict="LEAK", lines=["left behind: task"]))
    (rule,) = promises(run, "r1", NO_LINKS).broken
    assert [case.id for case in rule.cases] == [f"{RULE}.early", f"{RULE}.b", f"{RULE}.a"]
    assert [one.example.verdict for one in rule.cases[0].accounts] == ["FAIL", "LEAK"]
    assert rule.cases[0].command.endswith("--loop uvloop")
    assert [[one.id for one in case.void] for case in rule.cases] == [["timer.lateness"], [], []]


def test_a_case_leads_back_to_the_benchmarks() -> None:
    found = shown(run_with(broken(), broken(f"{RULE}.late")))
    assert "Back to what is not ranked because of it: timer.lateness" in found.text
    assert "Benchmarks that depend on TIME-007" in found.text


def test_each_loop_has_a_list_of_what_it_breaks() -> None:
    run = run_with(broken(), broken(f"{RULE}.late"), broken("SNDF-003.a"))
    found = shown(run)
    assert "uvloop breaks 3 of 1760 MUST cases, of 2 rules" in found.text
    assert "SNDF-003 1, TIME-007 2" in " ".join(found.text.split()).replace(" ,", ",")
    ids = found.values("id")
    assert {f"r1-promises-{loop}" for loop in LOOPS} <= {*ids}
    assert "rule-SNDF-003" in ids
    assert "#r1-promises-uvloop" in found.values("href")
    assert "epoll breaks" not in found.text  # nothing
