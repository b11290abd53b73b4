"""The plots with two axes, the layers of the tiers, and memory."""

from __future__ import annotations

import random
import re

import pytest
from report_testing import samples

from loopgauge.harness.latency import Arrivals, Latencies
from loopgauge.harness.model import Metric
from loopgauge.harness.summary import Layer, Stack
from loopgauge.reports.plots import distribution, field, memory, percentiles, scaling, theme, tiers

NAMES = ["epoll", "asyncio", "uvloop", "blazio"]
LOOKS = theme.marks(NAMES, "asyncio")


def echo(size: int | None, factor: float = 1.0, **others: object):
    """One variant; `size` None is the default, which the id leaves out."""
    draw = random.Random(size)
    rows = [
        samples.measured("epoll", 200 * factor, samples.ratio(0.2), draw),
        samples.measured("asyncio", 1000 * factor, samples.ratio(1), draw),
        samples.measured("uvloop", 995 * factor, samples.ratio(0.995, 0.02), draw),
        samples.failed("blazio", "invalid", "lost a callback"),
    ]
    given = {**others} if size is None else {"size": size, **others}
    said = ",".join(f"{key}={value}" for key, value in given.items())
    name = f"io.echo[{said}]" if said else "io.echo"
    return samples.benchmark(
        name, rows, ["epoll"], params=given, values={"size": 1024, **given}, unit="message"
    )


def curves(picture: str) -> list[str]:
    return [path for path in re.findall(r'd="([^"]*)"', picture) if "z" not in path]


def test_a_distribution_has_a_step_for_every_process():
    found = echo(None)
    drawn = distribution.distribution(found, LOOKS, theme.sentinel)
    assert drawn.title == "Distribution: left is better, steep is steady"
    steps = [path for path in curves(drawn.page_svg("k")) if path.count("V") == 15]
    assert len(steps) == 3
    assert "epoll: 15 processes from" in drawn.description
    assert "blazio" not in drawn.description


def test_slots_are_dotted_beside_the_processes():
    found = echo(None)
    assert "dasharray" not in distribution.distribution(found, LOOKS, theme.sentinel).page_svg("k")
    found.arms[0].slots = [200.0 + step for step in range(32)]
    drawn = distribution.distribution(found, LOOKS, theme.sentinel).page_svg("k")
    assert drawn.count("stroke-dasharray") == 1
    assert "dotted: single slots" in drawn


def test_higher_is_better_turns_the_distribution_round():
    found = echo(None)
    found.direction = "higher"
    title = distribution.distribution(found, LOOKS, theme.sentinel).title
    assert title.startswith("Distribution: right is better")


def test_steps_end_at_the_top_for_the_largest_value():
    scale = field.Scale(1.0, 4.0, 0, 100, logarithmic=False)
    up = field.Scale(0.0, 1.0, 10, 0, logarithmic=False)
    assert distribution.steps([1.0, 4.0], scale, up) == [(0, 10), (0, 5), (100, 5), (100, 0)]


def test_variants_that_differ_in_a_number_make_a_sweep():
    others = [echo(65536), echo(None), echo(65536, api="streams"), echo(1, api="streams")]
    found = scaling.sweeps(others)
    assert [(sweep.words, sweep.param, sweep.values) for sweep in found] == [
        ("io.echo", "size", [1024, 65536]),
        ("io.echo[api=streams]", "size", [1, 65536]),
    ]


def test_a_default_that_no_file_recorded_is_not_guessed():
    default = echo(None)
    default.values = {}
    [sweep] = scaling.sweeps([default, echo(1), echo(64)])
    assert sweep.values == [1, 64]
    assert scaling.sweeps([default, echo(1)]) == []


@pytest.mark.parametrize("value", [True, "large", float("nan")])
def test_only_numbers_make_a_sweep(value):
    assert scaling.sweeps([echo(None), echo(None, work=value)]) == []


def test_curves_over_a_parameter_name_every_point_and_who_is_separated():
    [sweep] = scaling.sweeps([echo(1), echo(None, 2.0), echo(100_000, 60.0)])
    cost = scaling.cost_curves(sweep, LOOKS, theme.sentinel)
    assert cost is not None
    assert cost.title == "CPU time per message by size: lower is better"
    assert "epoll 200 ns at 1, 400 ns at 1\u202f024, 12 µs at 100\u202f000" in cost.description
    assert "size, log scale" in cost.page_svg("k")
    ratio = scaling.ratio_curves(sweep, LOOKS, "asyncio", theme.sentinel)
    assert ratio is not None
    assert "below 1 is better" in ratio.title
    picture = ratio.page_svg("k")
    assert f"fill:var(--surface);stroke:var(--{LOOKS['uvloop'].role})" in picture
    assert f"fill:var(--{LOOKS['epoll'].role})" in picture
    assert picture.count(f"fill:var(--{LOOKS['uvloop'].role})") == 1  # of the legend
    assert ">asyncio<" not in picture


def test_without_intervals_there_are_no_bars_and_it_says_so():
    found = [echo(1), echo(100)]
    for benchmark in found:
        for arm in benchmark.arms:
            arm.cost_low = arm.cost_high = float("nan")
    [sweep] = scaling.sweeps(found)
    drawn = scaling.cost_curves(sweep, LOOKS, theme.sentinel)
    assert drawn is not None
    picture = drawn.page_svg("k")
    assert "too few processes for intervals" in picture
    assert "nan" not in picture


def test_without_a_loop_at_two_points_there_are_no_curves():
    one, two = echo(1), echo(100)
    for arm in two.arms:
        arm.status, arm.reason = "crashed", "SIGSEGV"
    [sweep] = scaling.sweeps([one, two])
    assert scaling.cost_curves(sweep, LOOKS, theme.sentinel) is None
    assert scaling.ratio_curves(sweep, LOOKS, "asyncio", theme.sentinel) is None


def arrivals(slow: float) -> Arrivals:
    def latencies(factor: float) -> Latencies:
        points = [(0.0, 1e4 * factor), (0.9, 2e4 * factor), (0.99, 1e6 * slow * factor)]
        carried = {"p50": None, "p90": 2e4 * factor, "p99": None, "p99.9": None, "p99.99": None}
        return Latencies(count=1000, percentiles=carried, max_ns=10**7, curve=points)

    return Arrivals(
        asked_per_second=1000, achieved_per_second=990, due=1000, answered=1000, late_max_ns=9,
        corrected=latencies(2.0), service=latencies(1.0), reached=True,
    )  # fmt: skip


def test_percentile_curves_show_due_and_sent_with_room_for_the_tail():
    found = echo(None)
    assert not percentiles.has_curves(found)
    found.arms[0].arrivals = arrivals(1.0)
    assert percentiles.has_curves(found)
    drawn = percentiles.percentiles(found, LOOKS, theme.sentinel)
    picture = drawn.page_svg("k")
    assert drawn.title == "Latency by percentile: lower is better"
    assert picture.count("stroke-dasharray") == 1
    assert all(f">{words}<" in picture for words in ("0 %", "90 %", "99 %"))
    assert ">99.9 %<" not in picture
    assert "epoll p50 \u2013, p90 40.0 µs" in drawn.description
    [due] = [path for path in curves(picture) if path.startswith(f"M{field.LEFT:g} ")][1:2]
    ends = [float(x) for x in re.findall(r"L([\d.]+) ", due)]
    assert ends[0] == pytest.approx((field.LEFT + field.RIGHT) / 2, abs=0.1)


def stack(arm: str, **layers: float) -> Stack:
    return Stack(
        arm=arm,
        layers=[
            Layer(tier=tier, cost=cost, low=cost - 10, high=cost + 10)
            for tier, cost in layers.items()
        ],
    )


def test_tiers_are_stacked_and_said_in_words():
    found = echo(None)
    found.tiers = [
        stack("floor", floor=1000.0),
        stack("native:epoll", floor=1000.0, native=200.0),
        stack("epoll", floor=1000.0, native=200.0, Python=800.0),
        stack("uvloop", floor=1000.0, loop=-50.0),
    ]
    found.arms[0].cost = 1990.0  # estimated from its own figures, not from differences
    drawn = tiers.tiers(found, theme.sentinel)
    assert "shorter is better" in drawn.title
    assert "native loop +200 ns [190, 210], its Python +800 ns [790, 810]" in drawn.description
    assert "uvloop: system calls 1.00 µs [0.990, 1.01], loop and Python -50.0 ns" in (
        drawn.description
    )
    picture = drawn.page_svg("k")
    for words in ("system calls", "native loop", "its Python", "loop and Python", "1.99 µs"):
        assert f">{words}<" in picture


def test_a_tier_that_is_one_arm_has_the_figure_of_that_arm():
    found = echo(None)
    [native] = found.natives = [
        samples.measured("native:libuv", 53.0, samples.ratio(1), random.Random(5))
    ]
    found.tiers = [stack("native:libuv", native=53.5), stack("uvloop", native=53.5, Python=9.0)]
    alone, above = tiers.told(found)
    assert tiers.name_of(alone) == "libuv, native"
    assert alone.layers[0].cost == above.layers[0].cost == native.cost
    assert (alone.layers[0].low, alone.layers[0].high) == (native.cost_low, native.cost_high)
    assert above.layers[1] == found.tiers[1].layers[1]
    assert f">{tiers.name_of(alone)}<" in tiers.tiers(found, theme.sentinel).page_svg("k")


def test_one_tall_stack_does_not_squeeze_the_others():
    found = echo(None)
    names = ("floor", "epoll", "uvloop", "blazio")
    found.tiers = [stack(name, floor=1000.0, loop=10.0) for name in names]
    found.tiers.append(stack("asyncio", floor=1000.0, loop=99_000.0))
    next(arm for arm in found.arms if arm.arm == "asyncio").cost = 100_000.0
    picture = tiers.tiers(found, theme.sentinel).page_svg("k")
    assert picture.count(f">{tiers.ARROW}<") == 1
    assert ">100 µs<" in picture
    assert ">4 µs<" in picture


def remembering(**per_connection: float):
    found = echo(None)
    for arm in found.arms:
        for name, value, unit in (
            ("rss", per_connection.get(arm.arm), "byte/connection"),
            ("peak_rss", 2**20, "byte"),
        ):
            if value is not None and arm.status == "ok":
                arm.metrics[name] = Metric(
                    benchmark=found.id, arm=arm.arm, metric=name, unit=unit, value=value
                )
    return found


def test_memory_is_drawn_per_thing_held_where_something_is():
    drawn = memory.held(remembering(epoll=1024, uvloop=-10), LOOKS, theme.sentinel)
    assert drawn is not None
    assert drawn.title == "Memory per connection: shorter is better"
    assert "epoll 1.00 KiB; uvloop -10 B" in drawn.description
    assert memory.held(remembering(), LOOKS, theme.sentinel) is None
    peak = memory.peak(remembering(), LOOKS, theme.sentinel)
    assert peak is not None
    assert "uvloop 1.00 MiB" in peak.description
    assert memory.peak(echo(None), LOOKS, theme.sentinel) is None


def test_forty_loops_have_a_legend_of_many_lines():
    names = [f"loop{number}" for number in range(40)]
    draw = random.Random(1)
    rows = [
        samples.measured(name, 100 + n, samples.ratio(0.5), draw) for n, name in enumerate(names)
    ]
    found = samples.benchmark(arms=rows, fastest=names[:1])
    drawn = distribution.distribution(found, theme.marks(names, "asyncio"), theme.sentinel)
    picture = drawn.page_svg("k")
    assert all(f">{name}<" in picture for name in names)
    heights = [float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)">loop', picture)]
    assert max(heights) < drawn.canvas.height
