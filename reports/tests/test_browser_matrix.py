"""The conformance matrix and a case's page as their reader meets them: in a browser."""

from __future__ import annotations

import pytest
from report_testing import verdicts
from report_testing.browser import DESK, PHONE, axe, overflow, printed

from loopgauge.reports.conformance.site import render_site

CASES = [("SOON-001.three", "FAIL"), ("SOON-002.two", "PASS"), ("TIME-003.early", "HANG")]
# All rules of the catalogue, and all methods of the interface, look alike.
REST = "tbody.rule:nth-of-type(n+9), .surface tr:nth-of-type(n+9)"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """Two loops; uvloop breaks two of three promises."""
    folder = tmp_path_factory.mktemp("matrix")
    found = [
        verdicts.verdict(case, loop, verdict=kind if loop == "uvloop" else "PASS",
                         evidence=verdicts.evidence())
        for loop in ("epoll", "uvloop")
        for case, kind in CASES
    ]  # fmt: skip
    return render_site([verdicts.results(folder / "result.jsonl", found)], folder / "out")


def cases(page) -> list[str]:
    return page.locator("#grid tr.c:visible th a").all_inner_texts()


def test_filters_and_keeps_them_in_the_address(browser, matrix):
    with browser.tab(matrix) as page:
        assert cases(page) == []
        page.get_by_role("button", name="Open all cases").click()
        assert cases(page) == ["three", "two", "early"]
        page.locator("label.chip", has_text="HANG").click()
        assert cases(page) == ["early"]
        page.keyboard.press("/")
        page.keyboard.type("soon")
        assert cases(page) == []
        assert page.locator("#nothing").is_visible()
        address = page.url
        assert address.endswith("#verdict=HANG&words=soon")
    with browser.tab(address) as page:
        assert page.locator("#nothing").is_visible()
        page.get_by_role("button", name="Show everything").click()
        page.wait_for_url(lambda url: "#" not in url)
        assert page.locator("#count").inner_text() == "3 cases"


def test_follows_a_mark_to_the_case_that_explains_it(browser, matrix):
    with browser.tab(f"{matrix.as_uri()}#verdict=FAIL") as page:
        page.locator("tr.c td a").first.click()
        page.wait_for_url("**/case/SOON-001.three.html#*")
        assert page.locator("tr:visible", has_text="why it is FAIL").count() == 1
        assert page.get_by_role("button", name="Copy").count() == 1
        page.go_back()
        page.wait_for_url("**/index.html#verdict=FAIL")
        assert cases(page) == ["three"]


def test_a_case_leads_back_to_its_area(browser, matrix):
    with browser.tab(matrix.parent / "case" / "TIME-003.early.html") as page:
        page.locator(".crumbs a").nth(1).click()
        page.wait_for_url("**/index.html#area=TIME")
        page.get_by_role("button", name="Open all cases").click()
        assert cases(page) == ["early"]


def test_all_of_a_mangled_address_that_makes_sense_counts(browser, matrix):
    with browser.tab(f"{matrix.as_uri()}#words=%ff&verdict=NOSUCH,FAIL&area=x&stock=&=&y") as page:
        assert page.locator("#count").inner_text() == "0 cases"
        page.get_by_label("Words").fill("")
        assert cases(page) == ["three"]


@pytest.mark.parametrize("name", ["index", "surface", "case/SOON-001.three", "rule/SOON-001"])
def test_has_no_serious_fault_of_accessibility(browser, matrix, name):
    file = matrix.parent / f"{name}.html"
    with browser.tab(file, DESK) as page:
        assert axe(page, without=REST) == []
    with browser.tab(file, PHONE, dark=True) as page:
        assert axe(page, without=REST) == []
        assert overflow(page) == 0


def test_prints(browser, matrix):
    with browser.tab(matrix) as page:
        assert printed(page) >= 1


def test_everything_can_be_read_without_a_script(browser, matrix):
    with browser.tab(matrix, script=False) as page:
        assert cases(page) == ["three", "two", "early"]
        assert not page.locator("#filters").is_visible()
