"""The page of a gate as its reader meets it: in a browser."""

from __future__ import annotations

import pytest
from report_testing.browser import DESK, PHONE, axe, overflow, printed
from report_testing.gates import decision, evidence, gate, more_calls

from loopgauge.reports.gate import render_gate


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    decisions = [
        decision("REGRESSED", stage=2, processes=32, reason=""),
        more_calls(),
        decision("INCONCLUSIVE", subject="io.tcp_echo"),
        decision(subject="timer.schedule_cancel"),
        decision("BROKEN", tier="promises", subject="TIME-003.sleep", change=None, low=None),
    ]
    found = gate(*decisions, exit_code=5, notes=["other work was going on"])
    return render_gate(found, evidence(), tmp_path_factory.mktemp("gate") / "gate.html")


@pytest.mark.parametrize(("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone"])
def test_has_no_serious_fault_of_accessibility(browser, page, size, dark):
    with browser.tab(page, size, dark=dark) as tab:
        assert axe(tab) == []


def test_does_not_scroll_sideways_on_a_phone(browser, page):
    with browser.tab(page, PHONE) as tab:
        assert overflow(tab) == 0


def test_the_first_screen_answers(browser, page):
    with browser.tab(page) as tab:
        for question in ("What changed", "What to look at", "How sure that is"):
            box = tab.get_by_role("heading", name=question, exact=True).bounding_box()
            assert box["y"] < DESK[1]


def test_a_change_leads_to_its_evidence_and_tables_sort(browser, page):
    with browser.tab(page) as tab:
        tab.locator(".gate-changed a", has_text="TIME-003.sleep").click()
        tab.wait_for_url("**case-TIME-003.sleep**")
        rows = "#times-table tbody th"
        before = tab.locator(rows).all_inner_texts()
        tab.locator("#times-table thead button").first.click()
        assert tab.locator(rows).all_inner_texts() == sorted(before)


def test_prints(browser, page):
    with browser.tab(page) as tab:
        assert printed(tab) >= 1


def test_everything_can_be_read_without_a_script(browser, page):
    with browser.tab(page, script=False) as tab:
        assert tab.locator("#times-table tbody tr:visible").count() == 3
