"""The matrix beside what was measured: a rule leads to its benchmarks, a loop to its speed."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_testing import samples, verdicts
from report_testing.pages import Page

from loopgauge.harness.summary import ArmPromises, FamilyArm, FamilySummary, RunSummary
from loopgauge.reports.conformance.measured import MOST, measured
from loopgauge.reports.conformance.site import page_links, render_site
from loopgauge.reports.links import Links

RULE = "SOON-001"
LOOPS = ["epoll", "asyncio", "uvloop"]
PAGE = "../measurement.html"


def run_of(created: str = "2026-11-21T15:30:00Z", name: str = "timer.storm") -> RunSummary:
    draw = samples.random.Random(1)
    arms = [
        samples.measured("epoll", 200, samples.ratio(0.2), draw),
        samples.measured("asyncio", 1000, samples.ratio(1.0), draw),
        samples.failed("uvloop", "invalid", "breaks SOON-001"),
    ]
    families = [
        FamilySummary(
            family="timer", benchmarks=[name], compared=[name], fastest=["epoll"],
            arms=[
                FamilyArm(arm="epoll", ratio=samples.ratio(0.2), verdict="faster", measured=1,
                          asked=1),
                FamilyArm(arm="asyncio", ratio=samples.ratio(1.0), verdict="reference", measured=1,
                          asked=1),
                FamilyArm(arm="uvloop", ratio=samples.ratio(0.99), verdict="inconclusive",
                          measured=2, asked=3, missing=[name]),
            ],
        )
    ]  # fmt: skip
    promises = [
        ArmPromises(arm="epoll", known=True, must=1760),
        ArmPromises(arm="asyncio", known=False),
        ArmPromises(arm="uvloop", known=True, must=1760, must_failing=7),
    ]
    run = samples.run(
        [samples.benchmark(name, arms, ["epoll"], rules=[RULE])],
        LOOPS,
        families=families,
        promises=promises,
    )
    run.header.created = created
    run.path = f"{created}.jsonl"
    return run


@pytest.fixture
def rendered(tmp_path: Path):
    def make(*runs: RunSummary, asked: tuple[str, ...] = ("SOON-001.three",), **members) -> Path:
        result = verdicts.results(
            tmp_path / "r.jsonl",
            [verdicts.verdict(case, verdict="FAIL") for case in asked],
            selection=["SOON"],
        )
        pages = {run.path: PAGE for run in runs}
        render_site([result], tmp_path / "site", runs=runs, pages=pages, **members)
        return tmp_path / "site"

    return make


def page(path: Path) -> Page:
    made = Page(path.read_text(encoding="utf-8"))
    assert (made.misplaced, made.open) == ([], [])
    return made


def test_a_rule_leads_to_the_benchmarks_that_depend_on_it(rendered) -> None:
    rule = page(rendered(run_of()) / "rule/SOON-001.html")
    assert f"../{PAGE}#r1-timer.storm" in rule.values("href")
    assert "timer.storm 0.20 1 INVALID" in rule.text
    cells = [cell.get("class", "") for cell in rule.all("td")]
    assert "n status invalid" in cells
    assert "n lead-cell" in cells


def test_a_case_leads_to_them_by_its_rule(rendered) -> None:
    case = page(rendered(run_of()) / "case/SOON-001.three.html")
    assert "../rule/SOON-001.html#benchmarks" in case.values("href")
    assert "1 benchmark : a loop that fails a MUST case" in case.text


def test_a_rule_on_which_nothing_depends(rendered) -> None:
    site = rendered(run_of(), asked=("SOON-002.x",))
    assert "No benchmark: a loop" in page(site / "rule/SOON-002.html").text
    assert "What depends on it" not in page(site / "case/SOON-002.x.html").text


def test_without_a_measurement_the_scenarios_are_named(rendered) -> None:
    site = rendered(declared={RULE: [("timer.storm", "Many timers"), ("timer.other", "Others")]})
    rule = page(site / "rule/SOON-001.html")
    assert "INVALID in the benchmarks of these scenarios, where the case" in rule.text
    assert "timer.storm Many timers timer.other Others" in rule.text
    assert "2 scenarios : a loop" in page(site / "case/SOON-001.three.html").text
    assert "Promises beside speed" not in page(site / "index.html").text


def test_promises_stand_beside_speed(rendered) -> None:
    index = page(rendered(run_of()) / "index.html")
    assert "epoll 0 0.20 asyncio not asked 1 uvloop 7 0.990 (2 of 3)" in index.text
    assert PAGE in index.values("href")
    assert "Advisory" not in index.text


def test_a_run_that_failed_its_self_check_is_called_advisory(rendered) -> None:
    run = run_of()
    run.advisory, run.self_check = True, "A/A within ±1 % in 1 of 9 benchmarks"
    site = rendered(run)
    for name in ("index.html", "rule/SOON-001.html"):
        text = page(site / name).text
        assert "Advisory, the self-check failed: A/A within ±1 % in 1 of 9 benchmarks" in text


def test_the_newest_runs_come_first_and_hundreds_do_not_fill_the_page() -> None:
    runs = [run_of(f"2026-11-{day:02}T00:00:00Z") for day in range(1, 20)]
    found = measured(runs, {}, {})
    assert len(found.of_rule(RULE)) == len([*found.speeds()]) == MOST
    assert found.of_rule(RULE)[0].title.endswith("2026-11-19")
    assert found.count(RULE) == 1
    assert found.of_rule("TIME-001") == []


def test_links_into_the_pages(tmp_path: Path, rendered) -> None:
    site = rendered()
    result = verdicts.read(tmp_path / "r.jsonl")
    links = page_links([result], "site/")
    assert links.case("SOON-001.three") == "site/case/SOON-001.three.html"
    for address in (*links.cases.values(), *links.rules.values()):
        assert (site.parent / address).exists()
    assert links.rule("FUTU-001") == ""


def test_in_a_site_every_page_leads_home_and_to_the_loops(rendered) -> None:
    links = Links(home=("../index.html", "All loops"), loops={"epoll": "../loops/epoll.html"})
    site = rendered(run_of(), links=links)
    assert {"../index.html", "../loops/epoll.html"} <= set(page(site / "index.html").values("href"))
    case = set(page(site / "case/SOON-001.three.html").values("href"))
    assert {"../../index.html", "../../loops/epoll.html"} <= case
    for name in ("rule/SOON-001.html", "surface.html"):
        assert "All loops \u203a" in page(site / name).text
