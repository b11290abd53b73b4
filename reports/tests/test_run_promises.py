"""The way from an INVALID to the case that explains it, and from a rule to its benchmarks."""

from __future__ import annotations

from typing import Any

import pytest
from report_testing import samples
from report_testing.pages import Page
from report_testing.verdicts import EVIL

from loopgauge.harness.summary import ArmPromises, BrokenCase, RunSummary
from loopgauge.reports.links import NO_LINKS, Links
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
    assert found.values("href").count("#rule-TIME-007") == 3  # two benchmarks, and itself
    assert "Depending on it: timer.lateness (no result: uvloop) , timer.rate_limiter" in found.text


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
