"""The comparison report as its reader meets it: in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_testing import samples
from report_testing.browser import A4, DESK, PHONE, axe, overflow, printed

from loopgauge.reports import render


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report.html"
    return render([samples.full_run(4, processes=8)], out)


def test_opens_without_a_fault_and_without_a_network(browser, report):
    with browser.tab(report) as page:
        assert "is the fastest at" in page.inner_text("h1")


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
    with browser.tab(f"{report.as_uri()}#loops=epoll&family=throughput&q=soon", PHONE) as page:
        assert "of 12 loops" in page.locator(".filter summary").inner_text()
        assert overflow(page) == 0


def test_prints(browser, report):
    with browser.tab(report, A4) as page:
        page.emulate_media(media="print")
        assert overflow(page) == 0
        assert page.locator("table.answers").is_visible()
        assert page.locator(".bar:visible, .copy:visible, .downloads:visible").count() == 0
        assert printed(page) > 1


def sections(page) -> list[str]:
    """The benchmarks that are left. What is further down is laid out when it is scrolled to
    (content-visibility), and has no inner text until then."""
    return page.locator("section.benchmark:visible :is(h3, h4)").all_text_contents()


def cells(page, column: int) -> list[str]:
    """A column of the table of raw numbers, as it is shown."""
    return page.locator(f"#r1-table tbody tr:visible td:nth-child({column})").all_inner_texts()


def test_filters_and_keeps_them_in_the_address(browser, report):
    with browser.tab(report) as page:
        assert len(sections(page)) == 4
        page.keyboard.press("/")
        page.keyboard.type("soon batch")
        assert sections(page) == ["throughput.call_soon_batch"]
        page.get_by_label("zloop", exact=True).check()
        page.get_by_label("epoll", exact=True).check()
        assert page.locator(".filter summary").inner_text() == (
            "Filter: 1 of 4 benchmarks, 2 of 12 loops"
        )
        address = page.url
        assert address.endswith("#q=soon+batch&loops=epoll,zloop")
    with browser.tab(address) as page:
        assert sections(page) == ["throughput.call_soon_batch"]
        page.locator("#r1-raw > summary").click()
        assert cells(page, 2) == ["epoll", "zloop"]
        page.locator(".filter summary").click()
        assert page.get_by_label("epoll", exact=True).is_checked()
        page.get_by_role("button", name="Show everything").click()
        page.wait_for_url(lambda url: "#" not in url)
        assert len(sections(page)) == 4


def test_picked_loops_are_all_that_tables_show(browser, report):
    with browser.tab(f"{report.as_uri()}#loops=epoll,uvloop") as page:
        heads = page.locator("table.matrix thead th:visible").all_inner_texts()
        assert [head.strip() for head in heads] == ["benchmark", "epoll", "uvloop"]
        rows = page.locator("section.benchmark").first.locator("tbody th:visible")
        assert rows.all_inner_texts() == ["epoll", "uvloop"]


def test_families_without_a_benchmark_left_are_gone_from_the_index(browser, report):
    with browser.tab(report) as page:
        index = page.locator("nav.index a")
        assert "call_soon_args" in index.all_inner_texts()
        page.keyboard.press("/")
        page.keyboard.type("call_soon_chain")
        family, scenario = page.locator("nav.index a:visible").all_inner_texts()
        assert scenario == "call_soon_chain"
        # The filter calls it the same.
        assert page.get_by_role("checkbox", name=family).is_visible()
        page.keyboard.type("nobody has this")
        assert page.locator("nav.index a:visible").count() == 0
        assert page.locator("section.family:visible").count() == 0


def test_filters_by_what_became_of_a_loop(browser, report):
    with browser.tab(f"{report.as_uri()}#verdict=unavailable&loops=uringcore,epoll") as page:
        assert len(sections(page)) == 4
        page.locator("#r1-raw > summary").click()
        assert cells(page, 2) == ["uringcore"] * 4
    with browser.tab(f"{report.as_uri()}#verdict=unavailable&loops=epoll") as page:
        assert sections(page) == []


def test_an_address_with_names_this_page_does_not_have_shows_everything(browser, report):
    for hash in ("family=nosuch&loops=%ff,x", "&&==%", "at=nowhere", "sort=r1-table:99:up,x"):
        with browser.tab(f"{report.as_uri()}#{hash}") as page:
            assert len(sections(page)) == 4


@pytest.mark.parametrize("sort", ["", "&sort=r1-table:8:up", "&sort=r1-table:8:down"])
def test_a_sorted_table_does_not_change_what_a_link_filters(browser, tmp_path, sort):
    found = samples.full_run(4, processes=2).benchmarks
    timers = [
        samples.benchmark(one.id.replace("throughput", "timer"), one.arms, one.fastest)
        for one in found
    ]
    page = render([samples.run([*found, *timers])], tmp_path / "page.html")
    with browser.tab(f"{page.as_uri()}#family=timer{sort}") as tab:
        assert "4 of 8 benchmarks" in tab.locator(".filter summary").inner_text()
        shown = tab.locator("section.benchmark:visible")
        ids = shown.evaluate_all("all => all.map((one) => one.id)")
        assert len(ids) == 4
        assert all(id.startswith("r1-timer.") for id in ids)
        tab.keyboard.press("/")
        boxes = tab.locator(".filter input[name=family]")
        assert boxes.evaluate_all("all => all.map((one) => one.value)") == ["throughput", "timer"]


def test_sorts_up_down_and_back(browser, report):
    with browser.tab(report) as page:
        page.locator("#r1-raw > summary").click()
        file = cells(page, 4)
        numbers = sorted(float(cell) for cell in file if cell)
        missing = [""] * file.count("")
        head = page.locator("#r1-table thead th").nth(3)
        head.get_by_role("button").click()
        assert cells(page, 4) == [f"{n:.4g}" if n < 1000 else f"{n:.0f}" for n in numbers] + missing
        assert head.get_attribute("aria-sort") == "ascending"
        address = page.url
        head.get_by_role("button").press("Enter")
        assert [float(cell) for cell in cells(page, 4) if cell] == numbers[::-1]
        assert cells(page, 4)[len(numbers) :] == missing
        head.get_by_role("button").click()
        assert cells(page, 4) == file
        assert head.get_attribute("aria-sort") is None
        assert "sort" not in page.url
    with browser.tab(address) as page:
        page.locator("#r1-raw > summary").click()
        assert [float(cell) for cell in cells(page, 4) if cell] == numbers


def test_figures_with_units_and_intervals_sort_as_numbers(browser, report):
    def names() -> list[str]:
        return [name.strip() for name in table.locator("tbody th").all_inner_texts()]

    with browser.tab(report) as page:
        table = page.locator("section.benchmark table.sortable").first
        file = names()
        table.locator("thead th").nth(2).get_by_role("button").click()
        ratios = [
            cell.split(" ")[0] for cell in table.locator("td.n:nth-child(3)").all_inner_texts()
        ]
        found = [float(ratio) for ratio in ratios]
        assert found == sorted(found)
        assert names() != file
        table.locator("thead th").nth(1).get_by_role("button").click()
        scale = {"ns": 1.0, "µs": 1e3, "ms": 1e6}
        costs = [
            cell.split(" ")[:2] for cell in table.locator("td.n:nth-child(2)").all_inner_texts()
        ]
        found = [float(number) * scale[unit] for number, unit in costs]
        assert found == sorted(found)
        assert len({unit for _, unit in costs}) > 1


def test_help_leads_to_how_to_read_the_page(browser, report):
    with browser.tab(report) as page:
        page.keyboard.press("?")
        page.get_by_role("link", name="How to read this page").click()
        page.wait_for_url("**#r1-how")
        assert not page.get_by_role("dialog", name="Keys").is_visible()


def test_the_head_of_a_long_table_stays_in_sight(browser, report):
    with browser.tab(report) as page:
        page.locator("#r1-raw > summary").click()
        frame = page.locator(".scroll:has(> #r1-table)")
        assert frame.bounding_box()["height"] < page.viewport_size["height"]
        frame.evaluate("frame => frame.scrollTop = 300")
        head = page.locator("#r1-table thead th").first.bounding_box()
        assert frame.evaluate("frame => frame.scrollTop") == 300
        assert head["y"] == frame.bounding_box()["y"]


def test_nothing_is_cut_off_on_paper(browser, report):
    with browser.tab(report, A4) as page:
        page.emulate_media(media="print")
        cut = page.locator(".scroll").evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)"
        )
        assert cut == []


def test_values_of_each_process_unfold(browser, report):
    with browser.tab(report) as page:
        page.locator("#r1-raw > summary").click()
        row = page.locator("#r1-table tbody tr").first
        assert not row.locator("details div").is_visible()
        row.locator("summary").click()
        assert len(row.locator("details div").inner_text().split()) == 8


def test_data_can_be_taken_away(browser, report):
    with browser.tab(report) as page:
        for name, rows in (("figures", 4 * 13), ("values", 2 * 8)):
            with page.expect_download() as caught:
                page.get_by_role("link", name=name).click()
            text = Path(caught.value.path()).read_text("utf-8")
            assert len(text.splitlines()) > rows
            assert caught.value.suggested_filename.endswith(".csv")


def test_links_lead_to_a_benchmark_and_keep_the_filters(browser, report):
    with browser.tab(f"{report.as_uri()}#loops=epoll,uvloop") as page:
        page.locator("table.matrix a", has_text="call_soon_args").click()
        page.wait_for_url("**#*at=*")
        assert page.url.endswith("#loops=epoll,uvloop&at=r1-throughput.call_soon_args")
        assert page.evaluate("document.activeElement.id") == "r1-throughput.call_soon_args"
        assert page.locator("#r1-throughput\\.call_soon_args").bounding_box()["y"] < 120
        page.go_back()
        page.wait_for_url("**#loops=epoll,uvloop")


def test_a_link_opens_what_is_folded_or_filtered_away(browser, report):
    with browser.tab(f"{report.as_uri()}#r1-table") as page:
        assert page.locator("#r1-table").is_visible()
    with browser.tab(f"{report.as_uri()}#q=batch&at=r1-throughput.call_soon_args") as page:
        assert "throughput.call_soon_args" in sections(page)


def test_keys_walk_from_benchmark_to_benchmark(browser, report):
    def here() -> str:
        return page.evaluate("document.activeElement.id")

    with browser.tab(report) as page:
        for key, name in (("j", "chain"), ("j", "batch"), ("j", "args"), ("k", "batch")):
            page.keyboard.press(key)
            assert here() == f"r1-throughput.call_soon_{name}"
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        page.get_by_label("single keys work").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("k")
        assert here() != "r1-throughput.call_soon_chain"


def test_themes_go_round_and_are_kept(browser, report):
    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    with browser.tab(report) as page:
        light = background()
        page.get_by_role("button", name="Theme: system").click()
        assert background() == light
        page.keyboard.press("t")
        dark = background()
        assert dark != light
        page.reload()
        assert background() == dark
        page.emulate_media(media="print")
        assert background() == light
    with browser.tab(report, dark=True) as page:
        assert background() == dark


def test_commands_are_copied_by_a_button(browser, report):
    with browser.tab(report) as page:
        button = page.locator(".copy:visible").first
        button.click()
        button.get_by_text("Copied").wait_for()
        wanted = page.locator("pre:visible > code").first.inner_text()
        assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_everything_can_be_read_without_a_script(browser, report):
    with browser.tab(report, script=False) as page:
        assert page.locator("section.benchmark:visible").count() == 4
        assert not page.locator("#tools").is_visible()
        page.locator("#r1-raw > summary").click()
        assert len(cells(page, 1)) == 4 * 13
