from __future__ import annotations

import itertools
import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from report_testing import samples

from loopgauge.reports.plots import arms, overview, svg, swatch, theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.scale import MAX_TICKS, even_scale, log_scale

NAMES = ["epoll", "asyncio", "uvloop", "blazio"]
LOOKS = theme.marks(NAMES, "asyncio")


@pytest.fixture
def found():
    draw = random.Random(2)
    rows = [
        samples.measured("epoll", 200, samples.ratio(0.2), draw),
        samples.measured("asyncio", 1000, samples.ratio(1), draw),
        samples.measured("uvloop", 995, samples.ratio(0.995, 0.02), draw),
        samples.failed("blazio", "invalid", "lost a callback"),
    ]
    return samples.benchmark(arms=rows, fastest=["epoll"])


def test_scale_maps_its_ends_and_holds_what_lies_beyond():
    scale = log_scale([1, 100], 0, 300)
    assert scale(scale.low) == pytest.approx(0)
    assert scale(scale.high) == pytest.approx(300)
    assert scale(10) == pytest.approx(150)
    assert scale(0) == pytest.approx(0)
    assert scale(float("inf")) == pytest.approx(300)


@pytest.mark.parametrize("values", [[1.0], [0.98, 1.01], [0.2, 1.1], [3, 9e6], [1e-3, 1e9], []])
def test_log_ticks_are_few_inside_and_apart(values):
    scale = log_scale(values, 0, 400)
    ticks = scale.ticks(apart=40)
    assert 1 <= len(ticks) <= MAX_TICKS
    assert all(scale.holds(at) for at in ticks)
    gaps = [scale(b) - scale(a) for a, b in itertools.pairwise(ticks)]
    assert all(gap >= 40 for gap in gaps)


def test_a_log_scale_of_values_whose_product_has_no_float():
    scale = log_scale([1e300, 1.1e300], 0, 300)
    assert scale.holds(1e300)
    assert scale.ticks()


def test_nothing_is_so_many_percent_off_zero(found):
    rows = [samples.measured("epoll", 0, samples.ratio(1), random.Random(2), 8), *found.arms[1:]]
    drawn = arms.spread(samples.benchmark(arms=rows), LOOKS, theme.sentinel)
    assert "asyncio" in drawn.description
    assert "epoll" not in drawn.description


def test_one_keeps_its_tick_where_ticks_are_crowded():
    scale = log_scale([0.5, 1.3], 0, 120)
    assert 1.0 in scale.ticks(apart=50)


def test_even_scale_is_symmetric_and_has_a_least_reach():
    scale = even_scale([0.1], 0, 100, least=2.0)
    assert scale(0) == pytest.approx(50)
    assert scale.high >= 2.0
    assert 0.0 in scale.ticks()


@pytest.mark.parametrize("role", [theme.INK, theme.SURFACE, "arm0", "arm11"])
def test_sentinel_colours_lead_back_to_their_role(role):
    assert theme.role_of(theme.sentinel(role)) == role


def test_arms_differ_in_shape_as_well_as_in_colour():
    looks = theme.marks([f"loop{n}" for n in range(12)] + ["asyncio"], "asyncio")
    others = [look for name, look in looks.items() if name != "asyncio"]
    assert len({look.marker for look in others}) == 12
    assert len({look.role for look in others}) == 12
    assert looks["asyncio"].role == theme.MUTED


def test_title_says_what_is_better_and_the_words_give_the_figures(found):
    drawn = arms.cost(found, LOOKS, theme.sentinel)
    assert "left is better" in drawn.title
    assert "CPU time per step" in drawn.title
    assert "epoll 200 ns [197, 204]" in drawn.description
    assert "blazio INVALID" in drawn.description


def test_higher_is_better_turns_the_words_round(found):
    found.measure, found.unit, found.direction = "value", "turns", "higher"
    assert arms.cost(found, LOOKS, theme.sentinel).title.startswith("turns: right is better")


def test_only_separated_arms_are_filled(found):
    """In the ratio plot epoll is separated from asyncio, uvloop is not."""
    picture = arms.ratio(found, LOOKS, "asyncio", theme.sentinel).page_svg("k")
    epoll, uvloop = LOOKS["epoll"].role, LOOKS["uvloop"].role
    assert f"fill:var(--{epoll});stroke:var(--{epoll})" in picture
    assert f"fill:var(--surface);stroke:var(--{uvloop})" in picture
    assert f"fill:var(--{uvloop})" not in picture


def test_an_interval_without_end_reaches_both_edges(found):
    found.arms[0].ratio = samples.endless(0.2, 3)
    found.arms[0].verdict = "inconclusive"
    picture = arms.ratio(found, LOOKS, "asyncio", theme.sentinel).page_svg("k")
    assert f"M{arms.LEFT:g} " in picture
    assert f"H{arms.RIGHT:g}" in picture


def test_spread_shows_every_process(found):
    picture = arms.spread(found, LOOKS, theme.sentinel).page_svg("k")
    dots = [part for part in re.findall(r'd="([^"]*)"', picture) if part.count("M") > 3]
    assert [part.count("M") for part in dots] == [15] * 3


def test_absent_arms_are_named_in_their_row(found):
    for drawn in (arms.cost, arms.spread):
        assert ">INVALID<" in drawn(found, LOOKS, theme.sentinel).page_svg("k")


@pytest.mark.parametrize("layout", [overview.WIDE, overview.NARROW])
def test_overview_names_the_fastest_of_each_benchmark(found, layout):
    tied = samples.benchmark("throughput.tied", found.arms, ["epoll", "uvloop"])
    void = samples.benchmark("throughput.void", [found.arms[3]], [])
    run = samples.run([found, tied, void])
    drawn = overview.overview(run, LOOKS, layout, theme.sentinel)
    picture = drawn.page_svg("k")
    assert ">epoll = uvloop<" in picture
    assert ">nothing valid<" in picture
    assert "left is faster" in drawn.title
    assert "throughput.sleep0: fastest epoll" in drawn.description


def test_an_arm_far_beyond_is_named_at_the_edge_and_does_not_squeeze_the_others(found):
    found.arms[2].ratio = samples.ratio(80)
    found.arms[2].verdict = "slower"
    drawn = overview.overview(samples.run([found]), LOOKS, overview.WIDE, theme.sentinel)
    picture = drawn.page_svg("k")
    assert ">uvloop 80 \u2192<" in picture
    assert ">0.5<" in picture
    assert ">10<" not in picture
    assert "uvloop 80.00 [" in drawn.description


def test_those_beyond_the_edge_are_named_where_no_mark_is(found):
    draw = random.Random(5)
    found.arms[2].ratio = samples.ratio(720)
    found.arms.append(samples.measured("zloop", 5, samples.ratio(33), draw))
    looks = {**LOOKS, "zloop": theme.Mark(marker="o", role="arm0")}
    found.aa = None
    found.arms[0].ratio = samples.ratio(0.2)
    found.arms[1].ratio = samples.ratio(0.2)

    def picture() -> str:
        run = samples.run([found])
        return overview.overview(run, looks, overview.WIDE, theme.sentinel).page_svg("k")

    assert ">uvloop 720, zloop 33 \u2192<" in picture()
    # A bar as long as the row.
    found.arms[0].ratio = samples.ratio(1, half=1.5)
    assert ">2 further off \u2192<" in picture()
    assert "zloop 33 \u2192" not in picture()


def test_page_svg_has_a_prefix_on_every_id(found):
    picture = arms.cost(found, LOOKS, theme.sentinel).page_svg("here")
    ids = [part.split('"')[0] for part in picture.split(' id="')[1:]]
    assert ids
    assert all(each.startswith("here") for each in ids)
    assert "xlink" not in picture
    assert "DejaVu" not in picture


def test_file_svg_is_a_document_with_both_themes(found):
    text = arms.cost(found, LOOKS, theme.sentinel).file_svg()
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in text
    assert "--arm0" in text
    assert float(root.get("width")) == arms.WIDTH + 2 * svg.MARGIN


def test_svg_is_the_same_every_time(found):
    first = arms.cost(found, LOOKS, theme.sentinel).page_svg("k")
    assert arms.cost(found, LOOKS, theme.sentinel).page_svg("k") == first


def test_png_is_a_bitmap_of_twice_the_size(found):
    data = arms.cost(found, LOOKS, theme.light).png()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == pytest.approx(
        2 * (arms.WIDTH + 2 * svg.MARGIN), abs=2
    )


def test_words_in_a_plot_are_escaped():
    canvas = Canvas(10, 10, theme.sentinel)
    canvas.text(0, 5, "1 < 2 $x$")
    text = svg.for_page(canvas.svg(), "k", "<t>", 'a & "b"')
    assert "&lt;t&gt;" in text
    assert "a &amp; " in text
    assert ">1 &lt; 2 $x$<" in text


def test_what_is_drawn_keeps_its_place_and_its_role():
    canvas = Canvas(100, 60, theme.sentinel)
    canvas.box(10, 20, 30, 5, theme.BAND)
    canvas.curve([(0, 0), (5, 7.25), (5, 9)], "arm3")
    canvas.text(50, 30, "up", upright=True)
    picture = svg.for_page(canvas.svg(), "k", "t", "d")
    assert '<g style="fill:var(--band)"><path d="M10 20H40V25H10z"/></g>' in picture
    assert 'd="M0 0L5 7.2V9"' in picture
    assert "stroke:var(--arm3)" in picture
    assert 'transform="rotate(-90 ' in picture


@pytest.mark.parametrize("marker", theme.MARKERS)
def test_a_marker_lies_around_its_point(marker):
    canvas = Canvas(100, 60, theme.sentinel)
    canvas.dots([50], [30], theme.Mark("arm0", marker), size=8)
    data = re.findall(r'd="([^"]*)"', canvas.svg().body())[0]
    x, y = map(float, re.findall(r"M([\d.]+) ([\d.]+)", data)[0])
    assert abs(x - 50) <= 6
    assert abs(y - 30) <= 6


@pytest.mark.parametrize("marker", theme.MARKERS)
def test_swatch_draws_every_marker(marker):
    once, swatches = swatch.symbols({"epoll": theme.Mark("arm0", marker)}, "r1")
    assert 'd="M' in once
    assert swatches["epoll"].count('href="#r1m0"') == once.count('id="r1m0"') == 1
