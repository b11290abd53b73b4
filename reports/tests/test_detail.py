"""The evidence's order, its index, what is left out of a large page, and how to measure again."""

from __future__ import annotations

import re
import shlex

import pytest
from report_testing import samples
from report_testing.pages import Page

from loopgauge.harness.cli.selection import BENCHMARK_ID
from loopgauge.harness.model import Metric
from loopgauge.harness.summary import ArmSummary, Layer, Stack
from loopgauge.reports import wording
from loopgauge.reports.exports.images import write_images
from loopgauge.reports.run import detail, first
from loopgauge.reports.run.again import again
from loopgauge.reports.run.html import page

THREE = ["epoll", "asyncio", "asyncio~aa"]


@pytest.fixture
def two_families():
    run = samples.full_run(6, processes=6, arms=THREE)
    names = ["io.echo", "timer.wait", "io.echo[size=1]", "timer.wait[delay=0.1]", "io.a", "solo"]
    for benchmark, name in zip(run.benchmarks, names, strict=True):
        benchmark.id, benchmark.scenario = name, name.split("[")[0]
    run.benchmarks[0].values = {"size": 1024}
    run.benchmarks[2].params = run.benchmarks[2].values = {"size": 1}
    return run


def test_families_and_scenarios_stand_together_in_the_order_of_the_run(two_families):
    shown = Page(page([two_families]))
    places = [
        each["id"]
        for each in shown.all("section")
        if each.get("class") in ("family", "scenario", "benchmark")
    ]
    assert places == [
        "r1-family-io",
        "r1-scenario-io.echo",
        "r1-io.echo",
        "r1-io.echo-size-1",
        "r1-io.a",
        "r1-family-timer",
        "r1-scenario-timer.wait",
        "r1-timer.wait",
        "r1-timer.wait-delay-0.1",
        "r1-family-other",
        "r1-solo",
    ]


def test_the_index_leads_to_families_and_scenarios(two_families):
    text = page([two_families])
    index = text[text.index('<nav class="index"') : text.index("</nav>", text.index('"index"'))]
    for place in ("family-io", "family-timer", "scenario-io.echo", "io.a", "solo"):
        assert f'href="#r1-{place}"' in index
    assert wording.family("io") in index


def test_a_parameter_that_is_a_number_makes_curves(two_families):
    text = page([two_families])
    assert "by size: lower is better" in text
    assert "by delay" not in text  # its default was not recorded


def test_names_that_differ_in_punctuation_have_places_of_their_own(two_families):
    for benchmark, name in zip(
        two_families.benchmarks, ["a.x", "a/x", "a.x[k=1]", "b/x", "b.x", "b:x"], strict=True
    ):
        benchmark.id, benchmark.scenario = name, name.split("[")[0]
    ids = Page(page([two_families])).values("id")
    assert len(ids) == len(set(ids))


def test_a_large_page_draws_one_of_each_scenario_first_and_says_so(monkeypatch, two_families):
    monkeypatch.setattr(detail, "MOST_ROWS", 8)  # two loops each: four benchmarks
    assert detail.with_plots(two_families.benchmarks) == {"io.echo", "timer.wait", "io.a", "solo"}
    text = " ".join(Page(page([two_families])).text.split())
    assert "Plots are drawn of 4 of 6 benchmarks" in text
    assert text.count("Measure this again") == 6


def test_a_page_within_its_size_says_nothing_of_it(two_families):
    assert "Plots are drawn of" not in Page(page([two_families])).text


def test_a_thousand_benchmarks_get_plots_for_some():
    found = [samples.benchmark(f"a.b{number}") for number in range(1_000)]
    assert len(detail.with_plots(found)) == detail.MOST_BENCHMARKS


def test_a_chart_without_room_for_all_says_so(monkeypatch, two_families):
    monkeypatch.setattr(first, "MOST_BENCHMARKS", 4)
    text = " ".join(Page(page([two_families])).text.split())
    assert "room for the first 4 benchmarks of 6" in text


def test_the_tiers_stand_in_figures_too(two_families):
    layers = [Layer(tier="floor", cost=1000.0, low=990.0, high=1010.0)]
    layers.append(Layer(tier="loop", cost=-20.0, low=-30.0, high=5.0))
    two_families.benchmarks[0].tiers = [Stack(arm="epoll", layers=layers)]
    text = " ".join(Page(page([two_families])).text.split())
    assert (
        "epoll system calls 1.00 µs [0.990, 1.01], loop and Python -20.0 ns [-30.0, 5.00]" in text
    )


def test_fifty_scenarios_eight_loops_and_thirty_processes_stay_below_five_mebibytes():
    run = samples.full_run(50, processes=30, arms=[*samples.SPEED][:9])
    for benchmark in run.benchmarks:
        for arm in benchmark.arms:
            arm.slots = [arm.cost * (1 + step / 99) for step in range(32)] if arm.values else []
            arm.metrics = {
                name: Metric(
                    benchmark=benchmark.id, arm=arm.arm, metric=name, unit=unit, value=arm.cost
                )
                for name, unit in (("rss", "byte/timer"), ("peak_rss", "byte"))
            }
        benchmark.tiers = [
            Stack(
                arm=arm.arm,
                layers=[
                    Layer(tier=tier, cost=9.0, low=8.0, high=9.5)
                    for tier in ("floor", "native", "Python")
                ],
            )
            for arm in benchmark.arms
        ]
    text = page([run])
    assert "Plots are drawn of" not in text
    assert text.count(">Tier upon tier: shorter is better</title>") == 50
    assert len(text.encode()) < 5 * 2**20


def test_a_command_measures_one_benchmark_with_the_same_loops_and_seed():
    header = samples.header(["epoll", "asyncio", "asyncio~aa", "uvloop"])
    header.environment.variables = {"PYTHONHASHSEED": "0", "NAME": "a b"}
    header.tiers = ["python", "native", "memory"]
    header.cpus = [0, 1]
    found = samples.benchmark("io.echo[size=1]")
    assert again(header, found) == (
        "PYTHONHASHSEED=0 NAME='a b' bench run 'io.echo[size=1]' --loop epoll --loop uvloop"
        " --tier python --tier memory --cpus 0,1 --full --seed 42"
    )


@pytest.mark.parametrize(("value", "written"), [(1024, "1024"), (True, "true"), ("tcp", "tcp")])
def test_a_default_is_written_out_because_the_bare_name_means_all_variants(value, written):
    found = samples.benchmark("io.echo", values={"way": value})
    words = shlex.split(again(samples.header(["asyncio"]), found))
    assert words[2] == f"io.echo[way={written}]"
    assert BENCHMARK_ID.fullmatch(words[2])


def test_a_command_names_neither_this_program_s_own_folders_nor_loops_that_were_not_there():
    header = samples.header(["epoll", "asyncio", "uvloop"])
    header.environment.variables = {
        "LOOPGAUGE_ROOT": "main",
        "PYTHONPATH": "pyroot",
        "PYTHONMALLOC": "malloc",
    }
    header.arms[-1].available = False
    assert again(header, samples.benchmark("io.echo")) == (
        "PYTHONMALLOC=malloc bench run io.echo --loop epoll --full --seed 42"
    )


def test_a_loop_that_was_never_there_is_said_once(two_families):
    def lost(name: str, status: str) -> ArmSummary:
        return samples.failed(name, status, "not installed")

    for benchmark in two_families.benchmarks:
        benchmark.arms.append(lost("uringcore", "unavailable"))
    two_families.benchmarks[0].arms.append(lost("uvloop", "unavailable"))
    two_families.benchmarks[1].arms.append(lost("uvloop", "crashed"))
    text = page([two_families])
    matrix = text[text.index('id="r1-ratios"') : text.index("</table>", text.index("r1-ratios"))]
    assert "uringcore" not in matrix
    assert "uvloop" in matrix
    assert "uringcore could not be loaded here, and has no column" in " ".join(text.split())
    tables = re.findall(r'aria-label="Figures of .*?</table>', text, re.DOTALL)
    assert len(tables) == 6
    assert not any("uringcore" in table for table in tables)


def test_where_no_loop_could_be_loaded_none_is_left_out(two_families):
    arms = [samples.failed("epoll", "unavailable", "not installed")]
    two_families.benchmarks = [samples.benchmark(arms=arms, fastest=[])]
    assert detail.never_loaded(two_families) == []


def test_the_contents_lead_to_every_part(two_families):
    shown = Page(page([two_families]))
    text = page([two_families])
    nav = text[text.index('<nav class="contents"') :].split("</nav>")[0]
    places = re.findall(r'href="#([^"]+)"', nav)
    assert len(places) == 8
    assert set(places) <= set(shown.values("id"))


def test_the_run_file_is_named_without_its_folder(two_families):
    two_families.path = "/srv/mallory/secret/mine.jsonl"
    text = page([two_families])
    assert "mine.jsonl" in text
    assert "mallory" not in text


def test_several_pythons_are_named():
    header = samples.header(["asyncio"])
    header.arms += samples.header(["asyncio~aa"]).arms
    header.arms[-1].python = "3.13"
    assert "--python 3.14 --python 3.13" in again(header, samples.benchmark())


def test_an_application_is_named_as_it_was():
    found = samples.benchmark("app:mine:main", scenario="app:mine:main")
    assert " mine:main " in again(samples.header(["asyncio"]), found)


def test_what_another_tool_measured_has_no_command():
    header = samples.header(["asyncio"])
    header.imported = "pyperf"
    assert again(header, samples.benchmark()) == ""


def test_curves_become_files_too(tmp_path, two_families):
    written = {path.name for path in write_images([two_families], tmp_path, ["svg"])}
    assert {"io.echo-by-size.svg", "io.echo-by-size-ratio.svg"} <= written
    assert {"io.a-ratio.svg", "io.a-distribution.svg", "io.a-spread.svg"} <= written


def test_no_two_benchmarks_have_one_place():
    assert detail.ids("r1", ["a-2", "a", "a!", "a?", ""]) == [
        "r1-a-2",
        "r1-a",
        "r1-a-3",
        "r1-a-4",
        "r1-",
    ]


def test_a_variable_of_a_foreign_file_starts_no_command():
    run = samples.run([samples.benchmark()])
    run.header.environment.variables = {"PYTHONHASHSEED": "0", "A;touch x;B": "1 2"}
    words = shlex.split(again(run.header, run.benchmarks[0]))
    assert words[:4] == ["env", "PYTHONHASHSEED=0", "A;touch x;B=1 2", "bench"]
