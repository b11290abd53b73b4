"""The page of a fleet as its reader meets it: in a browser."""

from __future__ import annotations

import pytest
from fleets_testing import CPUS, Host, write_fleet
from report_testing.browser import DESK, PHONE, axe, overflow, printed

from loopgauge.harness.fleet.across import summarise_fleet
from loopgauge.harness.fleet.folder import read_fleet
from loopgauge.harness.summary import summarise
from loopgauge.reports.fleet.page import render_fleet

KEYS = [f"{number:08x}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Six hosts that agree on two Pythons, one that does not, one that was left out."""
    hosts = [
        Host(
            key,
            {"epoll": 0.6, "uvloop": 0.8, "rloop": 1.1},
            cpu=CPUS[number % 3],
            python="3.14.0" if number % 2 else "3.13.5",
        )
        for number, key in enumerate(KEYS)
    ]
    hosts[2].ratios = {**hosts[2].ratios, ("epoll", "timer.sleep"): 1.7}
    hosts[4].without = ["rloop"]
    hosts.append(Host("deadbeef", {}, state="left_out", reason="another loopgauge"))
    found = read_fleet(write_fleet(tmp_path_factory.mktemp("fleet") / "f", hosts))
    runs = {key: summarise(run) for key, run in found.runs.items()}
    return render_fleet(summarise_fleet(found, runs), found.path / "fleet.html")


@pytest.mark.parametrize(("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone"])
def test_has_no_serious_fault_of_accessibility(browser, page, size, dark):
    with browser.tab(page, size, dark=dark) as tab:
        assert axe(tab) == []


def test_does_not_scroll_sideways_on_a_phone(browser, page):
    with browser.tab(page, PHONE) as tab:
        assert overflow(tab) == 0


def test_the_first_screen_answers(browser, page):
    with browser.tab(page) as tab:
        assert "slower on 00000003" in tab.locator("h1").inner_text()
        for question in ("Does it hold everywhere?", "Where not"):
            box = tab.get_by_role("heading", name=question, exact=True).bounding_box()
            assert box["y"] < DESK[1]
        picture = tab.locator(".fleet-first figure.wide svg").bounding_box()
        assert picture["y"] + picture["height"] < 1.2 * DESK[1]


def test_a_finding_leads_to_its_benchmark_and_tables_sort(browser, page):
    with browser.tab(page) as tab:
        tab.locator(".fleet-where a", has_text="timer.sleep").first.click()
        tab.wait_for_url("**timer.sleep**")
        column = "#fleet-hosts tbody th"
        tab.locator("#fleet-hosts thead button").first.click()
        names = tab.locator(column).all_inner_texts()
        assert names == sorted(names)
        assert len(names) == 8


def test_every_figure_of_every_host_is_there(browser, page):
    with browser.tab(page) as tab:
        section = tab.locator("article", has=tab.locator("h3", has_text="timer.sleep")).last
        section.locator("summary").click()
        rows = section.locator(".fleet-raw tbody tr")
        assert rows.count() == 21
        missing = section.locator("tr", has_text="no wheel fits")
        assert missing.locator("th").inner_text() == KEYS[4]


def test_prints(browser, page):
    with browser.tab(page) as tab:
        assert printed(tab) >= 1


def test_everything_can_be_read_without_a_script(browser, page):
    with browser.tab(page, script=False) as tab:
        assert tab.locator("#fleet-standings tbody tr:visible").count() == 3
        assert tab.locator("#fleet-hosts tbody tr:visible").count() == 8
