"""The pages of a store: sound, escaped, readable, and in the words that the figures allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from report_testing.browser import DESK, PHONE, axe, overflow, printed
from report_testing.pages import Page
from test_over_hosts import RYZEN, TIMERS, run

from loopgauge.harness.history.fleet_queries import read_days, read_figures
from loopgauge.harness.history.model import MachineKind, StoredRun
from loopgauge.harness.history.opening import init_store, open_store
from loopgauge.harness.history.over_hosts import REFERENCE, summarise, summarise_days
from loopgauge.reports.site import stored_words as words
from loopgauge.reports.site.stored import Stored, write_loop_page
from loopgauge.reports.site.stored_site import render_stored

EVIL = "<script>alert(1)</script>&\"'"
STRANGE = MachineKind(cpu_model=EVIL, kernel=EVIL, python="3.9.1", build_kind=EVIL)


def runs() -> Iterator[StoredRun]:
    """Hosts on two days; one says the opposite, one has names of its own."""
    for day in (1, 2):
        for number in range(8):
            ratios = {"fast": 0.5 + number / 200, "next": 0.7}
            yield run(f"h{number}", ratios, day=day)
            yield run(f"h{number}", ratios, day=day, benchmarks=["signal.x"], unit="us")
        yield run("odd", {"fast": 1.6, "next": 0.7}, day=day, machine=RYZEN, advisory=True)
        yield run("evil", {EVIL: 0.5, "next": None}, day=day, machine=STRANGE, version=EVIL)
        yield run("evil", {EVIL: 0.5}, day=day, machine=STRANGE, benchmarks=[f"timer.{EVIL}"])


def contents(folder: Path) -> Stored:
    store = str(folder / "store.sqlite")
    init_store(store)
    kept = open_store(store)
    kept.add([*runs()])
    with kept.reading() as connection:
        found = summarise(read_figures(connection, REFERENCE))
        days = summarise_days(read_days(connection, REFERENCE))
    kept.close()
    return Stored("Loops", found, days)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    made = contents(folder)
    render_stored(made, folder / "site")
    write_loop_page(made, "fast", folder / "site/alone.html")
    return folder / "site"


def page(site: Path, name: str) -> Page:
    return Page((site / name).read_text(encoding="utf-8"))


def test_the_first_page_says_which_loop_for_what_and_where_not(site: Path) -> None:
    text = page(site, "index.html").text
    assert "Python 3.14, 9 hosts" in text
    assert f"fast is the fastest at {words.wording.family('timer')}, but 1 of 9 hosts" in text
    assert "on 8 of 9 hosts" in text
    assert f"next on {RYZEN.title}" in text
    assert "A store keeps summaries" in text
    assert "differed from its own copy: those hosts were noisy" in text


def test_the_page_of_a_loop_counts_hosts_and_names_the_odd_one(site: Path) -> None:
    text = page(site, "loops/fast.html").text
    assert "faster on 8 of 9 hosts, slower on 1" in text
    assert f"odd ({RYZEN.title})" in text
    for name in TIMERS:
        assert name in text


def test_every_page_is_sound(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) == 6
    ids = {path: Page(path.read_text("utf-8")).values("id") for path in pages}
    for path in pages:
        found = Page(path.read_text(encoding="utf-8"))
        assert (found.misplaced, found.open) == ([], []), path
        assert len(ids[path]) == len(set(ids[path])), path
        assert "<script>alert" not in path.read_text(encoding="utf-8"), path
        for address in [*found.values("href"), *found.values("src")]:
            name, _, anchor = address.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path.resolve()
            assert target.is_file(), (path, address)
            if anchor:
                assert anchor in ids[target], (path.name, address)


def test_a_page_by_itself_leads_nowhere(site: Path) -> None:
    found = page(site, "alone.html")
    assert {address for address in found.values("href") if not address.startswith("#")} == set()
    assert found.values("src") == []


def test_trends_have_a_point_a_day(site: Path) -> None:
    text = page(site, "trends.html").text
    assert "2026-01-01: 8 hosts, 2026-01-02: 8 hosts" in text
    assert "Bar: 95 % interval of that day." in (site / "trends.html").read_text("utf-8")
    assert text.count("Python 3.14") == 1
    assert "fast: 2026-01-01 0.5" in (site / "trends.html").read_text("utf-8")


def test_badges_say_that_hosts_differ(site: Path) -> None:
    badge = (site / "badges/fast-speed.svg").read_text("utf-8")
    assert "speed, asyncio 3.14, 9 hosts" in badge
    assert "hosts differ" in badge


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((12, 12, 0), "faster on all 12 hosts"),
        ((1, 0, 1), "slower on the one host"),
        ((1000, 990, 10), "faster on 990 of 1\N{NARROW NO-BREAK SPACE}000 hosts, slower on 10"),
        ((3, 0, 0), "no clear difference on all 3 hosts"),
        ((5, 1, 2), "slower on 2 of 5 hosts, no clear difference on 2, faster on 1"),
        ((0, 0, 0), "no figure on any host"),
    ],
)
def test_what_hosts_say(counts: tuple[int, int, int], said: str) -> None:
    assert words.hosts_say(words.Counts(*counts)) == said


PAGES = ("index.html", "loops/fast.html", "trends.html", "alone.html")


@pytest.mark.parametrize("name", PAGES)
def test_has_no_serious_fault_of_accessibility(browser, site, name):
    with browser.tab(site / name, DESK, dark=name in PAGES[::2]) as tab:
        assert axe(tab) == []


@pytest.mark.parametrize("name", PAGES)
def test_fits_a_phone_and_paper(browser, site, name):
    with browser.tab(site / name, PHONE) as tab:
        assert overflow(tab) <= 0
        assert printed(tab) >= 1


def test_finds_a_benchmark_of_a_loop(browser, site):
    with browser.tab(site / "index.html") as tab:
        tab.keyboard.press("/")
        tab.keyboard.type("timer.sleep fast")
        tab.press("#words", "Enter")
        tab.wait_for_url("**/loops/fast.html#b*")
