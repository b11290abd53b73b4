from __future__ import annotations

import random

import pytest
from report_testing import samples

from loopgauge.harness.model import Metric
from loopgauge.reports import tally, wording


def led_by(*leaders):
    """A run whose benchmarks have these lists of fastest arms."""
    draw = random.Random(1)

    def arms():
        return [
            samples.measured("asyncio", 10, samples.ratio(1), draw),
            samples.measured("epoll", 2, samples.ratio(0.2), draw),
            samples.measured("uvloop", 10, samples.ratio(1.001, 0.03), draw),
        ]

    found = [
        samples.benchmark(f"throughput.b{number}", arms(), list(names))
        for number, names in enumerate(leaders)
    ]
    return samples.run(found, ["asyncio", "epoll", "uvloop"])


@pytest.mark.parametrize(
    ("leaders", "sentence"),
    [
        ([["epoll"]], "epoll is the fastest at throughput.b0."),
        ([["epoll", "uvloop"]], "At throughput.b0 nobody is alone in front: epoll, uvloop are"),
        ([["epoll"], ["epoll"]], "epoll is the fastest in 2 of 2 benchmarks."),
        (
            [["epoll"], ["epoll"], ["uvloop"], ["epoll", "uvloop"]],
            "epoll is the fastest in 2 of 4 benchmarks, uvloop in 1; in 1 nobody is alone",
        ),
        ([["epoll"], ["epoll"], []], "epoll is the fastest in 2 of 2 benchmarks; 1 has no valid"),
        ([["epoll", "uvloop"]] * 2, "In none of 2 benchmarks is one loop alone in front."),
        ([[], []], "Nothing valid was measured"),
        ([], "The run holds no benchmark"),
    ],
)
def test_headline_counts_every_benchmark_once(leaders, sentence):
    assert tally.headline(led_by(*leaders)).startswith(sentence)


def test_one_loop_alone_is_not_the_fastest_of_anything():
    draw = random.Random(1)
    arms = [samples.measured("asyncio", 10, samples.ratio(1), draw)]
    arms.append(samples.failed("epoll", "crashed", "SIGSEGV"))
    run = samples.run([samples.benchmark(arms=arms, fastest=["asyncio"])])
    assert tally.headline(run) == (
        "Only asyncio has a valid figure, so there is nothing to compare it with."
    )


def test_what_was_not_timed_is_not_called_invalid():
    run = led_by([])
    for arm in run.benchmarks[0].arms:
        arm.values, arm.ratio, arm.cost = [], None, float("nan")
        arm.metrics = {
            "allocations": Metric(
                benchmark="b", arm=arm.arm, metric="allocations", unit="allocation/step", value=2.0
            )
        }
    assert tally.headline(run) == "Nothing was timed here: what the loops take was counted."
    for arm in run.benchmarks[0].arms:
        arm.status, arm.reason = "unmeasured", "the run did not get that far"
    assert tally.headline(run).startswith("Nothing has been measured yet")


def test_subline_says_by_how_much():
    said = tally.subline(led_by(["epoll"], ["epoll"]))
    assert said == "epoll costs 0.2 times what asyncio costs: faster in 2 of 2."


def test_subline_is_empty_where_only_the_reference_leads():
    assert tally.subline(led_by(["asyncio"])) == ""


def test_standings_count_verdicts_in_the_order_of_the_file():
    rows = tally.standings(led_by(["epoll"], ["epoll", "uvloop"]))
    assert [row.arm for row in rows] == ["asyncio", "epoll", "uvloop"]
    assert (rows[1].alone, rows[1].shared, rows[1].verdicts["faster"]) == (1, 1, 2)
    assert rows[2].verdicts["inconclusive"] == 2


def test_absences_group_equal_reasons():
    run = led_by(["epoll"], ["epoll"])
    for benchmark in run.benchmarks:
        benchmark.arms.append(samples.failed("zloop", "unavailable", "needs 3.12"))
    run.benchmarks[0].arms.append(samples.failed("talyn", "invalid", "early"))
    zloop, talyn = tally.absences(run)
    assert (zloop.arm, zloop.everywhere, len(zloop.benchmarks)) == ("zloop", True, 2)
    assert (talyn.arm, talyn.everywhere, talyn.benchmarks) == ("talyn", False, ["throughput.b0"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.0123, "0.0123"),
        (1.234, "1.23"),
        (56.78, "56.8"),
        (999.6, "1000"),
        (1e7, "1.00e+07"),
    ],
)
def test_numbers_have_three_digits(value, words):
    assert wording.number(value).replace(wording.NARROW_SPACE, "") == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.25, "4.0x as fast"), (0.05, "20x as fast"), (2, "2.0x the cost")]
)
def test_ratios_in_the_words_people_use(value, words):
    assert wording.times(value) == words.replace("x", wording.TIMES)


def test_cost_interval_uses_the_unit_of_the_estimate():
    arm = samples.measured("epoll", 1005, samples.ratio(0.5), random.Random(1))
    arm.cost_low, arm.cost_high = 990, 1020
    assert wording.cost_interval(arm, samples.benchmark()) == "1.00 µs [0.990, 1.02]"
