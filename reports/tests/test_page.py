from __future__ import annotations

import csv
import random
import re
from io import StringIO
from urllib.parse import unquote

import pytest
from report_testing import samples
from report_testing.files import write_run
from report_testing.pages import Page

from loopgauge.harness.latency import Arrivals, Latencies
from loopgauge.harness.model import Metric
from loopgauge.harness.store import read_run
from loopgauge.harness.summary import summarise
from loopgauge.reports import render
from loopgauge.reports.run.html import page

FIVE = ["epoll", "asyncio", "asyncio~aa", "uvloop", "blazio"]
EVIL = "<b>evil</b>&\"'$x$"


def made(*runs):
    return Page(page(list(runs)))


@pytest.fixture(scope="module")
def whole():
    """A full-sized page: rendered once, because it takes seconds."""
    return Page(page([samples.full_run()]))


@pytest.fixture
def draw():
    return random.Random(5)


def test_first_screen_says_what_was_measured_on_what_and_how_sure(whole):
    text = whole.text
    assert "The epoll loop (loopgauge's own) is the fastest at scheduling: " in text
    assert "Example CPU @ 2.50GHz" in text
    assert "CPython 3.14.8" in text
    assert "Self-check passed" in text
    assert "45 benchmarks \u00d7 12 loops \u00d7 15 fresh processes" in text
    assert text.index("Self-check passed") < text.index("Family by family")


def test_every_benchmark_has_its_section_and_three_plots(whole):
    sections = [each for each in whole.all("section") if each.get("class") == "benchmark"]
    assert len(sections) == 45
    drawn = [each for each in whole.all("svg") if each.get("role") == "img"]
    assert len(drawn) >= 2 + 2 + 3 * 45  # families and overview, for a desk and for a phone


def test_tags_are_closed_in_order(whole):
    assert whole.misplaced == []
    assert whole.open == []


def test_every_plot_has_a_title_and_a_text_alternative(whole):
    drawn = [each for each in whole.all("svg") if each.get("role") == "img"]
    labels = [label for each in drawn for label in each["aria-labelledby"].split()]
    ids = whole.values("id")
    assert set(labels) <= set(ids)
    assert len(labels) == 2 * len(drawn)
    assert len(whole.all("desc")) == len(drawn)


def test_ids_are_unique_and_every_internal_link_leads_somewhere(whole):
    ids = whole.values("id")
    assert len(ids) == len(set(ids))
    links = [href[1:] for href in whole.values("href") if href.startswith("#")]
    assert links
    assert set(links) <= set(ids)


def test_loads_nothing(whole):
    outside = [href for href in whole.values("href") if not href.startswith(("#", "data:"))]
    assert outside == []
    assert whole.values("src") == []
    assert whole.all("script") == [{}]  # its own, inside
    assert not whole.all("link")
    assert not re.search(r"https?:|url\(|@import", whole.html)


def test_is_small_enough_to_send_round(whole):
    assert len(whole.html.encode()) < 5 * 2**20


def test_plots_take_every_colour_from_the_theme(whole):
    for drawing in re.findall(r"<svg.*?</svg>", whole.html, re.DOTALL):
        assert not re.search(r"(fill|stroke): ?#", drawing)
        assert "var(--" in drawing or "<use " in drawing
    assert "prefers-color-scheme:dark" in whole.html


def test_names_with_markup_stay_text(draw):
    arms = [samples.measured("asyncio", 10, samples.ratio(1), draw)]
    arms.append(samples.measured(EVIL, 5, samples.ratio(0.5), draw))
    arms.append(samples.failed("zloop", "error", "raised <script>alert(1)</script>"))
    name = "throughput.<script>alert(2)</script>"
    found = samples.benchmark(name, arms, [EVIL], summary="<i>what</i>", unit="<u>", rules=["<r>"])
    run = samples.run([found], ["asyncio", EVIL], ["bench", "run", "<script>"], notes=["<n>"])
    shown = made(run)
    assert {"u", "r", "n"}.isdisjoint({tag for tag, _ in shown.tags})
    assert shown.all("script") == [{}]
    assert "<b>evil" not in shown.html
    assert "<i>what" not in shown.html
    for name in (EVIL, "alert(1)</script>", "<i>what</i>", "<u>", "<r>", "<n>"):
        assert name in shown.text
    assert shown.misplaced == []


def test_no_run_gives_a_page_that_says_what_to_do():
    assert "bench run throughput" in made().text


def test_run_without_benchmarks_says_so():
    assert "holds no benchmark" in made(samples.run([])).text


def test_run_with_nothing_valid_says_what_is_missing_and_why():
    arms = [
        samples.failed("asyncio", "invalid", "lost 3 callbacks"),
        samples.failed("epoll", "crashed", "SIGSEGV in phase slot"),
        samples.failed("uvloop", "hung", "no answer for 20 s"),
        samples.failed("zloop", "unsupported", "signal"),
        samples.failed("zuvloop", "unavailable", "needs Python 3.14"),
    ]
    shown = made(samples.run([samples.benchmark(arms=arms, aa=None)]))
    for word in ("INVALID", "CRASHED", "HUNG", "UNSUPPORTED", "unavailable"):
        assert word in shown.text
    for arm in arms:
        assert arm.reason in shown.text
    assert "Nothing valid was measured" in shown.text
    assert "nothing to draw" in shown.text
    assert not [each for each in shown.all("svg") if each.get("role") == "img"]


def test_failed_self_check_makes_the_verdicts_advisory():
    run = samples.full_run(2, arms=FIVE)
    run.aa_ok, run.advisory, run.self_check = False, True, "A/A within the margin in 0 of 2"
    run.benchmarks[0].aa_ok = False
    text = made(run).text
    assert "Self-check failed" in text
    assert "A/A within the margin in 0 of 2" in text
    assert "treat this benchmark with care" in text


def test_too_few_processes_for_an_interval_are_called_that(draw):
    open_ended = samples.ratio(0.5, n=2)
    arm = samples.measured("epoll", 5, open_ended, draw, processes=2)
    arm.ratio = samples.endless(0.5, 2)
    arm.verdict = "inconclusive"
    arm.cost_low = arm.cost_high = float("nan")
    base = samples.measured("asyncio", 10, samples.ratio(1), draw, processes=2)
    text = made(samples.run([samples.benchmark(arms=[base, arm], fastest=["epoll"])])).text
    assert "no interval: 2 processes" in text
    assert "INCONCLUSIVE" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_loops_keep_the_order_of_the_file_whatever_their_figures(whole):
    """A sorted list would rank loops that are not separated."""
    order = [name for name in samples.SPEED if name not in ("asyncio~aa", "uringcore")]
    for table in re.findall(r'aria-label="Figures of .*?</table>', whole.html, re.DOTALL):
        found = re.findall(r'<th scope="row">.*?</svg>([a-z]+)</th>', table, re.DOTALL)
        assert found == order


def test_those_who_share_the_front_are_named_together(draw):
    arms = [samples.measured(name, 5, samples.ratio(0.5), draw) for name in ("epoll", "blazio")]
    arms.insert(0, samples.measured("asyncio", 10, samples.ratio(1), draw))
    run = samples.run([samples.benchmark(arms=arms, fastest=["epoll", "blazio"])])
    text = made(run).text
    assert "nobody is alone in front: epoll, blazio are not separated" in text
    assert "Fastest: epoll, blazio (not separated)" in text


def test_a_value_of_its_own_is_better_or_worse_and_not_faster(draw):
    arms = [samples.measured("asyncio", 10, samples.ratio(1), draw)]
    arms.append(samples.measured("epoll", 5, samples.ratio(0.5), draw))
    found = samples.benchmark(arms=arms, fastest=["epoll"], measure="value", unit="turns")
    shown = made(samples.run([found]))
    assert '<td class="verdict faster">better</td>' in shown.html
    assert "Best: epoll" in shown.text
    assert "5.00 turns [" in shown.text


def test_tells_how_to_measure_again():
    text = made(samples.full_run(1, arms=FIVE)).text
    assert "bench run throughput --loop all --seed 42" in text
    assert "6.1.0-30-amd64" in text
    assert "glibc 2.42" in text


def test_raw_values_are_all_there():
    run = samples.full_run(3, processes=7, arms=FIVE)
    shown = made(run).html
    found = [text.split() for text in re.findall(r"</summary><div>(.*?)</div>", shown)]
    arms = [arm for benchmark in run.benchmarks for arm in benchmark.arms]
    assert [len(values) for values in found] == [7] * (3 * len(FIVE))
    assert [float(values[0]) for values in found] == [
        pytest.approx(arm.values[0], rel=1e-3) for arm in arms
    ]


def test_the_data_is_in_the_page_to_take_away():
    run = samples.full_run(2, processes=7, arms=FIVE)
    links = {each["download"]: each["href"] for each in made(run).all("a") if "download" in each}
    name = run.header.run
    assert [*links] == [f"{name}.csv", f"{name}-values.csv"]
    figures, values = (
        [*csv.DictReader(StringIO(unquote(uri.partition(",")[2])))] for uri in links.values()
    )
    assert [row["arm"] for row in figures] == FIVE * 2
    assert [row["what"] for row in values[:2]] == ["cost", "ratio"]
    wanted = [f"{value:.7g}" for value in run.benchmarks[0].arms[0].values]
    assert [values[0][str(number)] for number in range(1, 8)] == wanted


def test_several_runs_share_a_page_without_being_compared():
    one, two = samples.full_run(2, arms=FIVE), samples.full_run(2, arms=FIVE)
    shown = made(one, two)
    ids = shown.values("id")
    assert len(ids) == len(set(ids))
    assert "not compared with each other" in shown.text


def test_benchmarks_that_differ_in_punctuation_only_have_anchors_of_their_own():
    run = samples.full_run(2, arms=FIVE)
    run.benchmarks[0].id, run.benchmarks[1].id = "a.b[x=1]", "a.b[x/1]"
    ids = made(run).values("id")
    assert len(ids) == len(set(ids))


def test_renders_what_the_harness_summarises(tmp_path):
    run = summarise(read_run(write_run(tmp_path / "run.jsonl")))
    out = render([run], tmp_path / "new" / "folder" / "page.html")
    text = Page(out.read_text(encoding="utf-8")).text
    assert "is the fastest at throughput.sleep0: 5.0\u00d7 as fast as asyncio." in text
    assert "Self-check passed" in text
    assert "0.20 [" in text


def test_latencies_at_a_constant_rate_are_shown_both_ways():
    def latencies(p50: float) -> Latencies:
        carried = {"p50": p50, "p90": p50, "p99": 5e6, "p99.9": None, "p99.99": None}
        return Latencies(count=1_000, percentiles=carried, max_ns=9_000_000)

    run = samples.full_run(1, arms=FIVE)
    assert "p99.9" not in made(run).text
    run.benchmarks[0].arms[0].arrivals = Arrivals(
        asked_per_second=10_000,
        achieved_per_second=9_900,
        due=1_000,
        answered=990,
        late_max_ns=4_000,
        corrected=latencies(20_000),
        service=latencies(19_000),
        reached=True,
    )
    text = " ".join(made(run).text.split())
    assert "due 20.0 \u00b5s 20.0 \u00b5s 5.00 ms \u2013 \u2013 9.00 ms" in text
    assert "10 of 1000 4.00 \u00b5s" in text
    assert "sent 19.0 \u00b5s" in text


def test_memory_is_shown_of_those_who_have_it():
    run = samples.full_run(1, arms=FIVE)
    assert "Resident memory" not in made(run).text
    arm = next(arm for arm in run.benchmarks[0].arms if arm.arm == "uvloop")
    name = run.benchmarks[0].id
    arm.metrics = {
        "peak_rss": Metric(
            benchmark=name, arm="uvloop", metric="peak_rss", unit="byte", value=3 << 20,
            by_name={"set up": 2048, "left after the runs": 512},
        ),
        "rss": Metric(
            benchmark=name, arm="uvloop", metric="rss", unit="byte/timer", value=1536
        ),
    }  # fmt: skip
    text = " ".join(made(run).text.split())
    assert "per timer peak" in text
    assert "uvloop 1.50 KiB 3.00 MiB 2.00 KiB 512 B" in text


def test_counts_are_shown_of_those_who_have_them():
    run = samples.full_run(1, arms=FIVE)
    assert "Counted, not timed" not in made(run).text
    arm = next(arm for arm in run.benchmarks[0].arms if arm.arm == "uvloop")
    name = run.benchmarks[0].id

    def metric(what: str, value: float, **by_name: float) -> Metric:
        return Metric(
            benchmark=name, arm="uvloop", metric=what, unit=f"{what}/op", value=value,
            by_name=by_name,
        )  # fmt: skip

    arm.metrics = {
        "allocations": metric("allocations", 2.0),
        "instructions": metric("instructions", 12345.6, run=12000.0, trifle=0.001),
        "syscalls": metric("syscalls", 1.5, read=1.0, write=0.5),
    }
    text = " ".join(made(run).text.split())
    assert "loop instructions allocations system calls by name" in text
    assert "uvloop 12 346 2 1.5 read 1, write 0.5" in text
    assert "uvloop: functions by instructions run 12 000" in text
