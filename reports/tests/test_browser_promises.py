"""The way between figures and the promises behind them, as a reader goes it: in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_testing import verdicts
from report_testing.browser import DESK, PHONE, axe, overflow
from test_measured import run_of
from test_run_promises import broken, run_with

from loopgauge.reports import render
from loopgauge.reports.conformance.site import page_links, render_site


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A matrix with every kind of verdict, and the page of a run beside it."""
    folder = tmp_path_factory.mktemp("matrix")
    bad = verdicts.verdict(
        "TIME-007.early", "uvloop", verdict="FAIL", reason="delay: 0.0091",
        evidence=verdicts.evidence(observations=[("delay", ">= 0.01", "0.0091")]),
    )  # fmt: skip
    stock = [verdicts.verdict(case, "asyncio") for case in ("SOON-001.case", "TIME-007.early")]
    found = verdicts.results(folder / "r.jsonl", [*stock, *verdicts.every_kind(), bad],
                             selection=["SOON", "TIME"])  # fmt: skip
    run = run_with(broken())
    pages = {run.path: "../report.html"}
    render_site([found], folder / "conformance", runs=[run, run_of()], pages=pages)
    render([run], folder / "report.html", page_links([found], "conformance/"))
    return folder


@pytest.fixture
def matrix(site: Path) -> Path:
    return site / "conformance/index.html"


def test_from_the_matrix_down_to_a_case_and_back(browser, matrix: Path) -> None:
    with browser.tab(matrix) as page:
        page.click("text=Open all cases")
        page.click("tr.c td a[href*='TIME-007.early']")
        assert page.inner_text("h1") == "TIME-007.early"
        assert page.inner_text(".compared .off td:nth-child(4)") == "0.0091"
        assert "bench repro TIME-007.early --loop uvloop" in page.inner_text("pre.command")
        page.click("text=What depends on it >> .. >> a")
        assert "INVALID" in page.inner_text("table.matrix")
        page.click(".crumbs a >> nth=0")
        assert page.inner_text("h1").startswith("Which promises")


def test_an_invalid_leads_to_its_case_and_the_rule_back_to_the_benchmark(
    browser, site: Path
) -> None:
    with browser.tab(site / "report.html") as page:
        page.click("table.matrix td.invalid a >> nth=0")
        assert page.inner_text("h1") == "TIME-007.early"
        page.click("text=What depends on it >> .. >> a")
        page.click("table.matrix tbody th a >> nth=0")
        assert page.url.endswith("report.html#r1-timer.lateness")


def test_a_whole_page_explains_an_invalid_by_itself(browser, tmp_path: Path) -> None:
    out = render([run_with(broken())], tmp_path / "report.html")
    with browser.tab(out) as page:
        page.click("table.matrix td.invalid a >> nth=0")
        page.wait_for_function("location.hash === '#case-TIME-007.early'")
        case = page.locator("[id='case-TIME-007.early']")
        assert case.is_visible()
        assert "wanted >= 0.01, observed 0.0091" in case.inner_text()
        assert "bench repro TIME-007.early --loop uvloop" in case.inner_text()
        plain = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert case.evaluate("place => getComputedStyle(place).backgroundColor") not in (
            plain,
            "rgba(0, 0, 0, 0)",
        )
        title = page.locator("[id='rule-TIME-007'] > h4").bounding_box()
        assert 0 <= title["y"] < case.bounding_box()["y"]
        case.locator(".back a >> nth=0").click()
        page.wait_for_function("location.hash === '#r1-timer.lateness'")


def test_how_many_a_loop_breaks_leads_to_which(browser, tmp_path: Path) -> None:
    out = render([run_with(broken("SNDF-003.a"))], tmp_path / "report.html")
    with browser.tab(out) as page:
        page.click("a[href='#r1-promises-uvloop'] >> nth=-1")
        page.click("[id='r1-promises-uvloop'] a")
        page.wait_for_function("location.hash === '#rule-SNDF-003'")
        assert page.locator("[id='rule-SNDF-003']").is_visible()


@pytest.mark.parametrize("name", ["index", "rule/TIME-007"])
def test_figures_beside_promises_have_no_serious_fault(browser, site: Path, name: str) -> None:
    file = site / f"conformance/{name}.html"
    with browser.tab(file, DESK) as page:
        assert axe(page, "table.matrix") == []
    with browser.tab(file, PHONE, dark=True) as page:
        assert axe(page, "table.matrix") == []
        assert overflow(page) == 0


def test_what_each_loop_breaks_has_no_serious_fault(browser, tmp_path: Path) -> None:
    out = render([run_with(broken())], tmp_path / "report.html")
    with browser.tab(out, PHONE) as page:
        assert axe(page, ".promises") == []
        assert overflow(page) == 0
