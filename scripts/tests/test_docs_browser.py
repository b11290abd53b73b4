"""The documentation in a browser, opened from a disk without a network: it reads, searches, turns
dark, fits a phone, and axe-core finds nothing serious."""

from __future__ import annotations

import sys

import pytest
from docs_testing.shown import ROOT

sys.path.insert(0, str(ROOT / "reports" / "tests"))

from report_testing.browser import PHONE, axe, overflow, started

PAGES = [
    "index.html",
    "choose.html",
    "method.html",
    "scenarios.html",
    "commands/run.html",
    "glossary.html",
]


@pytest.fixture(scope="module")
def browser():
    with started() as found:
        yield found


def test_search_finds_and_leads_to_a_command(browser, documentation):
    with browser.tab(documentation / "index.html") as page:
        page.get_by_role("textbox", name="Search").fill("self-check")
        page.locator(".md-search-result__item").first.wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("link", name="bench gate", exact=True).first.click()
        page.get_by_role("heading", name="bench gate").wait_for()
        assert page.url.endswith("commands/gate.html")


def test_the_theme_switch_turns_pages_dark(browser, documentation):
    with browser.tab(documentation / "index.html") as page:
        background = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(background)
        for _ in range(2):  # system, light, dark
            page.locator("label.md-header__button[for^=__palette]:not([hidden])").click()
        assert page.evaluate(background) != before


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_phone(browser, documentation, name):
    with browser.tab(documentation / name, PHONE) as page:
        assert overflow(page) == 0


def test_formulas_are_drawn_without_a_script(browser, documentation):
    with browser.tab(documentation / "method.html", script=False) as page:
        sizes = page.locator("math").evaluate_all("all => all.map(one => one.clientHeight)")
        assert len(sizes) >= 8
        assert min(sizes) > 10


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", [name for name in PAGES if name != "scenarios.html"])
def test_axe_finds_nothing_serious(browser, documentation, name, dark):
    with browser.tab(documentation / name, dark=dark) as page:
        assert axe(page) == []
