"""The first screen: what it says of each family, and what it does not claim."""

from __future__ import annotations

import pytest
from report_testing import samples
from report_testing.pages import Page

from loopgauge.harness.summary import FamilyArm, FamilySummary, Ratio, RunSummary
from loopgauge.reports.plots import families as plots
from loopgauge.reports.plots import theme
from loopgauge.reports.run import answers
from loopgauge.reports.run.html import page

ARMS = ["asyncio", "epoll", "uvloop", "blazio"]
OWN = "The epoll loop (loopgauge's own)"


def arm(name: str, ratio: Ratio | None = None, lost: int = 0, to_fastest: float = 1.3) -> FamilyArm:
    """Of a family of four benchmarks; `lost` have no valid figure."""
    return FamilyArm(
        arm=name,
        ratio=ratio,
        to_fastest=samples.ratio(to_fastest) if ratio else None,
        verdict="reference" if name == "asyncio" else samples.verdict(ratio) if ratio else "",
        measured=4 - lost,
        asked=4,
        missing=[f"timer.b{number}" for number in range(lost)],
    )


def family(*, name: str = "timer", lead: str = "clear", **changes: object) -> FamilySummary:
    ids = [f"{name}.b{number}" for number in range(4)]
    facts = {
        "benchmarks": ids,
        "compared": ids,
        "arms": [
            arm("asyncio", samples.ratio(1.0, 0)),
            arm("epoll", samples.ratio(0.25)),
            arm("uvloop", samples.ratio(0.5)),
            arm("blazio", samples.ratio(0.2), lost=1, to_fastest=0.9),
        ],
        "fastest": ["epoll"],
        "aa": samples.ratio(1.002, 0.004),
    }
    return FamilySummary(family=name, lead=lead, **(facts | changes))


def run_of(*families: FamilySummary, **changes: object) -> RunSummary:
    found = samples.full_run(2, arms=ARMS)
    found.families = [*families]
    for key, value in changes.items():
        setattr(found, key, value)
    return found


def one_answer(found: FamilySummary, **changes: object) -> answers.Answer:
    [made] = answers.answers(run_of(found, **changes), [found])
    return made


def test_says_who_leads_by_how_much_how_surely_and_what_it_breaks() -> None:
    made = one_answer(family())
    assert made.words == "timers"
    assert made.fastest == ["epoll"]
    assert made.figures == [("4.0\u00d7 as fast", "0.25 [0.25, 0.25]")]
    assert made.sure == "yes"
    assert made.why == (
        "uvloop, next of those with all 4 benchmarks, "
        "costs 1.30\u00d7 [1.29, 1.31] what epoll costs"
    )
    assert made.broken == ["4 of 1760 cases"]


def test_a_loop_with_gaps_is_not_ranked_and_not_hidden() -> None:
    """Over the three benchmarks it has, blazio costs less than epoll."""
    made = one_answer(family())
    assert made.fastest == ["epoll"]
    assert made.aside == (
        "blazio is not ranked, with results in 3 of 4; "
        "on those it costs 0.900\u00d7 [0.89, 0.909] what epoll costs"
    )


def test_who_has_few_benchmarks_is_not_named_and_yet_not_forgotten() -> None:
    """With one of four benchmarks blazio says too little to be named, but uvloop is not the next
    of all."""
    rest = family().arms[:3]
    few = arm("blazio", samples.ratio(0.2), lost=3, to_fastest=0.9)
    made = one_answer(family(arms=[*rest, few]))
    assert made.aside == ""
    assert made.why.startswith("uvloop, next of those with all 4 benchmarks, costs")
    without = one_answer(family(arms=rest))
    assert without.why.startswith("uvloop, next, costs")


def test_who_is_cheap_and_late_is_told_beside_the_cost() -> None:
    late = arm("uvloop", samples.ratio(12.0), to_fastest=12.0)
    waits = family(kind="wait", arms=[arm("asyncio", samples.ratio(1.0, 0)), late])
    assert one_answer(family(), waits=[waits]).hint == "uvloop waits 12.0\u00d7 as long as epoll"
    late.to_fastest = samples.ratio(1.2)
    assert one_answer(family(), waits=[waits]).hint == ""


def test_an_undecided_lead_marks_all_who_may_be_first() -> None:
    noisy = family(lead="noise", aa=samples.ratio(1.0, 0.4))
    assert noisy.undecided == ["epoll", "asyncio", "uvloop"]
    assert family().undecided == ["epoll"]
    made = one_answer(noisy)
    assert made.why.endswith("what epoll costs: a lead of 29 to 31 %, noise up to 67 %")


def test_what_those_in_front_break_is_said_once_beside_the_reference() -> None:
    run = run_of(family(), family(name="io"))
    assert [each.arm for each in answers.leading(run, run.families)] == ["asyncio", "epoll"]
    made = Page(page([run]))
    assert made.text.count("in all areas together") == 1
    assert "#r1-promises-epoll" in made.values("href")


def test_an_advisory_run_is_sure_of_nothing() -> None:
    made = one_answer(family(), advisory=True)
    assert made.sure == "yes, but the run was noisy"
    assert made.why.endswith("noise: asyncio measured twice differed by \u22120 to +1 %")
    text = Page(page([run_of(family(), advisory=True, aa_ok=False)])).text
    assert "Advisory: this run failed its self-check." in text


@pytest.mark.parametrize(
    ("lead", "sure", "why"),
    [
        ("shared", "no", "they are not separated from each other"),
        ("unknown", "not known", "too few processes for an interval"),
        ("alone", "\u2013", "no other loop has a valid figure in all 4 benchmarks"),
        (
            "noise",
            "undecided",
            "benchmarks, costs 1.30\u00d7 [1.29, 1.31] what epoll costs: a lead of",
        ),
        ("slight", "yes, slightly", "perhaps less than 1%"),
        ("", "\u2013", "asyncio has no valid figure here"),
    ],
)
def test_what_is_not_sure_is_said(lead: str, sure: str, why: str) -> None:
    fastest = {"shared": ["epoll", "uvloop"], "": []}.get(lead, ["epoll"])
    made = one_answer(family(lead=lead, fastest=fastest))
    assert made.sure == sure
    assert why in made.why


@pytest.mark.parametrize(
    ("families", "sentence"),
    [
        ([family()], f"{OWN} is the fastest at timers: 4.0\u00d7 as fast as asyncio."),
        (
            [family(), family(name="io"), family(name="mine", fastest=["uvloop"])],
            f"{OWN} is the fastest at timers and I/O; uvloop is the fastest at mine.",
        ),
        (
            [family(lead="shared", fastest=["epoll", "uvloop"])],
            "At timers the epoll loop (loopgauge's own) and uvloop share the front.",
        ),
        ([family(lead="shared", fastest=ARMS)], "At timers 4 loops share the front."),
        (
            [family(lead="alone", fastest=["asyncio"])],
            "At timers only asyncio has a valid figure in every benchmark.",
        ),
        ([family(lead="", fastest=[])], "At timers no loop can be compared."),
        ([family(lead="unknown")], "At timers too few processes were measured to tell."),
        (
            [family(lead="noise")],
            "At timers the epoll loop (loopgauge's own) leads, but noise leaves it undecided.",
        ),
        (
            [family(name=f"f{number}", fastest=[f"l{number}"]) for number in range(9)],
            "l0 is the fastest at f0; l1 is the fastest at f1; l2 is the fastest at f2; "
            "6 more answers are in the table.",
        ),
        (
            [family(kind="wait")],
            f"{OWN} waits least at timers: 4.0\u00d7 shorter wait than asyncio.",
        ),
    ],
)
def test_the_headline_is_one_sentence(families: list[FamilySummary], sentence: str) -> None:
    assert answers.headline(families, "asyncio") == sentence


def test_those_who_share_the_front_stand_in_the_order_of_the_file() -> None:
    """By their figures they would look ranked."""
    made = one_answer(family(lead="shared", fastest=["uvloop", "epoll"]))
    assert made.fastest == ["epoll", "uvloop"]
    many = one_answer(family(lead="shared", fastest=["blazio", "uvloop", "epoll", "asyncio"]))
    assert many.fastest == ARMS
    assert many.figures == [("0.20 to 1.000 times the cost of asyncio", "")]
    assert many.broken == []


def test_one_benchmark_does_not_speak_for_its_family() -> None:
    single = family(benchmarks=["timer.wait_for"], compared=["timer.wait_for"])
    said = answers.headline([single], "asyncio")
    assert said.startswith(f"{OWN} is the fastest at timer.wait_for")


def test_what_each_loop_breaks_is_told_by_area() -> None:
    run = run_of(family())
    shown = {each.arm: each for each in answers.broken(run)}
    assert list(shown) == ["asyncio", "epoll", "blazio"]
    assert (shown["epoll"].share, shown["epoll"].areas) == (
        "4 of 1760 cases",
        "call_later, call_at, time 4",
    )
    assert answers.not_asked(run) == ["uvloop"]


def test_the_chart_keeps_the_order_and_ranks_nobody_with_gaps() -> None:
    run = run_of(family(), family(name="io", arms=[arm(name) for name in ARMS], fastest=[]))
    looks = theme.marks(ARMS, "asyncio")
    drawn = plots.chart(run, run.families, looks, plots.WIDE, theme.light)
    svg = drawn.page_svg("k")
    assert drawn.title == "Cost relative to asyncio, by family: left is faster"
    names = [svg.index(f">{name}<") for name in ARMS]
    assert names == sorted(names)
    assert ">0.20 (3 of 4)<" in svg
    assert ">0.20<" not in svg
    assert ">not asked<" in svg
    assert "timers: fastest epoll; epoll 0.25 [0.25, 0.25], uvloop 0.50" in drawn.description
    assert "blazio 0.20 [0.20, 0.20] over 3 of 4" in drawn.description
    assert "MUST cases broken: asyncio 6 of 1760, epoll 4 of 1760" in drawn.description


def test_costs_come_first_and_waits_below() -> None:
    waits = family(kind="wait")
    both = Page(page([run_of(family(), waits=[waits])])).text
    assert both.index(f"{OWN} is the fastest") < both.index("How late, and how long the wait")
    alone = Page(page([run_of(waits=[waits])])).text
    assert f"{OWN} waits least at timers" in alone
    assert "How late, and how long the wait" not in alone


def test_a_thousand_families_make_a_page() -> None:
    """A foreign file may name each of its benchmarks like a family."""
    many = Page(page([run_of(*(family(name=f"f{number}") for number in range(1000)))]))
    assert "985 more families are not in this table" in " ".join(many.text.split())
    assert len(many.html) < 2 * 2**20


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("epoll", "epoll"),
        ("package.loops.mine:new_event_loop", "\u2026e.loops.mine"),
        ("mine:new_event_loop", "mine"),
        ("x" * 300, "x" * 12 + "\u2026"),
    ],
)
def test_long_names_keep_what_tells_them_apart(name: str, shown: str) -> None:
    assert plots.short_name(name, 13) == shown
