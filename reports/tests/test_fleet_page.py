"""The page and the Markdown of a fleet, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fleets_testing import Host, write_fleet
from report_testing.pages import Page

from loopgauge.harness.fleet.across import FleetSummary, summarise_fleet
from loopgauge.harness.fleet.folder import read_fleet
from loopgauge.harness.summary import summarise
from loopgauge.reports.fleet import page as pages
from loopgauge.reports.fleet.markdown import fleet_markdown

KEYS = [f"{number:08x}" for number in range(1, 31)]
EVIL = '<script>alert(1)</script>"x | **b** ![i](http://e) @all\x1b[31m\n' + "y" * 300


def summary(folder: Path, *hosts: Host, **more: object) -> FleetSummary:
    found = read_fleet(write_fleet(folder, hosts, **more))  # type: ignore[arg-type]
    return summarise_fleet(found, {key: summarise(run) for key, run in found.runs.items()})


def mixed(folder: Path) -> FleetSummary:
    hosts = [Host(key, {"epoll": 0.6, "uvloop": 0.8}) for key in KEYS[:7]]
    last = Host(KEYS[7], {"epoll": 0.6, "uvloop": 0.8, ("epoll", "timer.sleep"): 1.7})
    return summary(folder, *hosts, last)


def test_says_first_where_it_does_not_hold(tmp_path: Path) -> None:
    made = Page(pages.page(mixed(tmp_path / "f")))
    assert made.misplaced == []
    text = made.text
    assert "Not everywhere: in timer.sleep epoll is faster on 7 of 8 hosts, slower on 00000008" in (
        text
    )
    assert text.index("Where not") < text.index("The hosts") < text.index("Every benchmark")


def test_every_link_has_its_place(tmp_path: Path) -> None:
    made = Page(pages.page(mixed(tmp_path / "f")))
    ids = made.values("id")
    assert len(ids) == len(set(ids))
    targets = [link["href"][1:] for link in made.all("a") if link["href"].startswith("#")]
    assert targets
    assert set(targets) <= set(ids)


def test_the_plot_says_in_words_what_it_shows(tmp_path: Path) -> None:
    text = pages.page(mixed(tmp_path / "f"))
    assert re.search(r"<desc[^>]*>[^<]*epoll: faster on 7 of 8 hosts, slower on 00000008", text)
    assert "7 hosts without 1" in text


def test_many_hosts_are_drawn_in_part_and_counted_in_all(tmp_path: Path) -> None:
    hosts = [Host(key, {"epoll": 0.6}, processes=6) for key in KEYS]
    hosts[29].ratios = {"epoll": 0.6, ("epoll", "timer.sleep"): 1.7}
    made = pages.page(summary(tmp_path / "f", *hosts, benchmarks=("timer.sleep",)))
    assert "6 hosts more are not drawn" in made
    drawn = made[made.index("<svg", made.index("Where not") - 30_000) :]
    assert f">{KEYS[29]}<" in drawn  # the one that a reader has to know of
    assert "faster on 29 of 30 hosts, slower on 0000001e" in made


def test_a_page_that_would_be_too_large_lists_findings_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = mixed(tmp_path / "f")
    whole = pages.page(found)
    assert whole.count("fleet-raw") == 6
    monkeypatch.setattr(pages, "LISTED", 60)  # 16 a section: two families, one benchmark
    monkeypatch.setattr(pages, "DRAWN", 3)
    made = pages.page(found)
    assert made.count("fleet-raw") == 3
    assert made.count("<figure") == 2 * (3 + 1)  # wide and narrow, and the first screen's
    last = made[made.index('id="on-benchmark-timer.sleep"') :]
    assert last.index("fleet-raw") < last.index('id="on-benchmark-timer.wait_for"')


def test_one_host_and_none_have_a_page(tmp_path: Path) -> None:
    alone = pages.page(summary(tmp_path / "a", Host(KEYS[0], {"epoll": 0.6})))
    assert "One host was measured, so nothing can be said over hosts" in alone
    nobody = summary(tmp_path / "b", Host(KEYS[0], {}, state="left_out", reason="no disk"))
    made = Page(pages.page(nobody))
    assert "Nothing was measured on any host" in made.text
    assert "00000001: left out: no disk" in made.text


def test_words_of_a_file_stay_words(tmp_path: Path) -> None:
    found = summary(
        tmp_path / "f",
        Host(KEYS[0], {"epoll": 0.6}, cpu=EVIL),
        Host(KEYS[1], {"epoll": 0.6}, python="3.13.5<b>"),
        Host(EVIL, {}, state="left_out", reason=EVIL),
    )
    made = pages.page(found)
    assert "<script>alert" not in made
    assert "\x1b" not in made
    assert Page(made).misplaced == []
    text = fleet_markdown(found)
    assert "\x1b" not in text
    assert "<script>" not in text.replace("\\<", "")
    assert "![i](" not in text
    assert "@all" not in text
    widths = {row.count(" | ") for row in text.splitlines() if row.startswith("| 0000")}
    assert widths == {2}


def test_markdown_has_the_answer_the_hosts_and_every_loop(tmp_path: Path) -> None:
    text = fleet_markdown(mixed(tmp_path / "f"))
    lines = text.splitlines()
    assert lines[0].startswith("### loopgauge: Not everywhere: in timer.sleep epoll is")
    assert "**Where it does not hold**" in lines
    assert sum(line.startswith("| timer.sleep | ") for line in lines) == 2
    assert sum(line.startswith("| timer | ") for line in lines) == 2
    (epoll,) = (line for line in lines if line.startswith("| timer.sleep | epoll"))
    assert "7 hosts without 1" in epoll
    assert text.endswith("seed 7.\n")
