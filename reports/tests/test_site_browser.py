"""A site as a reader uses it: search, sort, drill down, go back, in every look and width."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_testing import files, verdicts
from report_testing.browser import DESK, PHONE, axe, overflow, printed

from loopgauge.conformance.store import read
from loopgauge.harness.cli.site_pages import Shared, Task, make_report
from loopgauge.harness.verdicts import NO_VERDICTS
from loopgauge.reports.links import NO_LINKS
from loopgauge.reports.site.contents import Contents
from loopgauge.reports.site.site import render

DAYS = ("2026-11-20", "2026-11-21")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same benchmarks, and what uvloop breaks."""
    folder = tmp_path_factory.mktemp("site")
    shared = Shared(folder / "site", "Loops", NO_VERDICTS, NO_LINKS)
    runs = []
    for day in DAYS:
        path = files.write_run(
            folder / f"{day}.jsonl", benchmarks=("throughput.sleep0", "timer.wait")
        )
        path.write_bytes(path.read_bytes().replace(b"2026-11-21T15:30", f"{day}T15:30".encode()))
        made = make_report(Task(path, day), shared)
        assert made.run is not None, made.problem
        runs.append(made.run)
    found = [
        verdicts.verdict("SOON-001.three", "asyncio"),
        verdicts.verdict("SOON-001.three", "uvloop", verdict="FAIL"),
    ]
    asked = verdicts.write_results(folder / "asked.jsonl", found, selection=["SOON"])
    render(Contents("Loops", runs, [read(asked)]), folder / "site")
    return folder / "site"


PAGES = ("index.html", "trends.html", "loops/uvloop.html", "loops/epoll.html")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PAGES)
def test_has_no_serious_fault_of_accessibility(browser, site, name, dark):
    with browser.tab(site / name, DESK, dark=dark) as page:
        assert axe(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_fits_a_phone_and_paper(browser, site, name):
    with browser.tab(site / name, PHONE) as page:
        assert overflow(page) <= 0
        assert printed(page) >= 1


def test_finds_loops_benchmarks_and_rules(browser, site):
    with browser.tab(site / "index.html") as page:
        page.keyboard.press("/")
        page.keyboard.type("uvloop")
        assert page.locator("#found a").all_text_contents()[0] == "uvloop"
        page.fill("#words", "rule soon-001")
        assert page.locator("#found a").all_text_contents()[0] == "SOON-001"
        page.fill("#words", "nothing is called so")
        assert page.inner_text("#found-count") == "0 found"
        page.fill("#words", "sleep0")
        address = page.evaluate("location.href")
    with browser.tab(address) as page:  # the words are in the address
        assert page.input_value("#words") == "sleep0"
        page.press("#words", "Enter")
        page.wait_for_url("**/runs/2026-11-21.html#r1-throughput.sleep0")


def test_drills_down_from_the_answer_to_the_broken_case_and_comes_back(browser, site):
    with browser.tab(site / "index.html") as page:
        page.click("table.speeds tbody tr:has-text('uvloop') th a")
        page.wait_for_url("**/loops/uvloop.html")
        page.click("text=three")
        page.wait_for_url("**/conformance/case/SOON-001.three.html")
        page.go_back()
        page.click(".crumbs a >> nth=0")
        page.wait_for_url("**/index.html")


def test_sorts_the_overview_by_cost(browser, site):
    with browser.tab(site / "index.html") as page:
        page.click("table.speeds thead button:has-text('timer')")
        names = page.locator("table.speeds tbody th").all_text_contents()
        assert [name.strip() for name in names] == ["epoll", "uvloop", "asyncio"]


def test_sorts_pythons_by_their_numbers(browser, site):
    with browser.tab(site / "index.html") as page:
        cells = page.locator("table.sortable:not(.speeds) tbody td:nth-child(4)")
        for number, python in enumerate(("3.14", "3.9")):
            cells.nth(number).evaluate(f"cell => {{ cell.textContent = '{python}' }}")
        page.click("table.sortable:not(.speeds) thead button:has-text('Python')")
        assert cells.all_text_contents() == ["3.9", "3.14"]


def test_reads_without_script(browser, site):
    with browser.tab(site / "index.html", script=False) as page:
        assert not page.is_visible("#search")
        assert "(loopgauge's own) is the fastest" in page.inner_text("main")
