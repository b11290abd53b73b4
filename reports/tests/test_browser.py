"""The comparison report as its reader meets it: in a browser."""

from __future__ import annotations

import re

import pytest
from report_testing import samples
from report_testing.browser import DESK, PHONE, axe, overflow, printed

from loopgauge.reports import render


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report.html"
    return render([samples.full_run(4, processes=8)], out)


def test_opens_without_a_fault_and_without_a_network(browser, report):
    with browser.tab(report) as page:
        assert "is the fastest in" in page.inner_text("h1")


def test_notices_what_a_page_does_wrong(browser, tmp_path):
    def bad(line: str):
        page = tmp_path / "bad.html"
        page.write_text(f"<!doctype html><html lang=en><title>bad</title>{line}", "utf-8")
        with browser.tab(page) as tab:
            tab.wait_for_load_state("networkidle")

    for line, words in (
        ("<script>nobody()</script>", "exception: nobody is not defined"),
        ("<script>console.error('oh')</script>", "error on the console: oh"),
        ("<img src='https://example.com/x.png' alt=x>", "asked for https://example.com/x.png"),
        ("<script src=missing.js></script>", "missing.js"),
    ):
        with pytest.raises(pytest.fail.Exception, match=re.escape(words)):
            bad(line)


@pytest.mark.parametrize(("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone"])
def test_has_no_serious_fault_of_accessibility(browser, report, size, dark):
    with browser.tab(report, size, dark=dark) as page:
        assert axe(page) == []


def test_does_not_scroll_sideways_on_a_phone(browser, report):
    with browser.tab(report, PHONE) as page:
        assert overflow(page) == 0


def test_prints(browser, report):
    with browser.tab(report) as page:
        assert printed(page) > 1
