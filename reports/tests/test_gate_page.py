"""The page of a gate, made of decisions and evidence by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from report_testing.gates import (
    EVIL,
    VERDICTS,
    decision,
    every_verdict,
    evidence,
    gate,
    more_calls,
    unfinished,
)
from report_testing.pages import Page

from loopgauge.harness.gate.evidence import Evidence
from loopgauge.reports.gate.page import again, page


def shown(found, known=None):
    made = Page(page(found, known or Evidence()))
    assert not made.misplaced
    assert not made.open
    ids = made.values("id")
    assert len(ids) == len(set(ids))
    targets = [address[1:] for address in made.values("href") if address.startswith("#")]
    assert set(targets) <= set(ids)
    return made


def test_the_first_words_are_the_verdict():
    slower = decision("REGRESSED", stage=2, reason="")
    made = shown(gate(slower, more_calls(), exit_code=1), evidence())
    assert (
        "<h1>Head is worse in 2 of 2 comparisons: throughput.sleep0 takes 2.1% more time</h1>"
        in made.html
    )
    assert "system calls: epoll_wait +1.00" in made.text
    assert "16 fresh processes a side" in made.text


def test_both_stages_and_base_against_itself_are_shown():
    made = shown(gate(decision("REGRESSED", stage=2), exit_code=1), evidence())
    for words in ("+3.0% (+2.0% to +4.0%) in 8", "+2.1% (+1.1% to +3.1%) in 32", "+0.1% (-0.9%"):
        assert words in made.text


def test_a_change_leads_to_its_evidence():
    fewer = decision("REGRESSED", tier="instructions", low=None, high=None)
    made = shown(gate(decision("REGRESSED"), more_calls(), fewer, exit_code=1), evidence())
    links = {address for address in made.values("href") if address.startswith("#")}
    assert {"#syscalls-throughput.sleep0-0", "#explained-throughput.sleep0-0"} <= links


def test_a_count_that_was_nothing_on_base_has_no_share():
    found = more_calls()
    found.base, found.change = 0.0, None
    assert "system calls +2.00" in shown(gate(found, exit_code=1)).text


def test_a_count_that_changed_is_shown_by_name():
    made = shown(gate(more_calls(), exit_code=1), evidence())
    assert "Difference of system calls per step: left is better" in made.html
    assert "epoll_wait 1.00 2.00 +1.00" in made.text


def test_an_explanation_says_where_the_time_went():
    made = shown(gate(decision("REGRESSED", reason=""), exit_code=1), evidence())
    assert "CPU time: most of the difference is in loop (+250 ns; +250 ns in all)" in made.text
    assert "instructions: slow_path +120" in made.text
    assert "loop 200 ns 450 ns +250 ns" in made.text
    assert "slow_path _core.so 0 120 +120" in made.text


def test_times_that_say_the_contrary_of_the_verdict_explain_nothing():
    made = shown(gate(decision("IMPROVED", reason=""), exit_code=0), evidence())
    assert "most of the difference" not in made.text


def test_an_explanation_without_figures_says_why():
    known = evidence()
    known.explained[0].functions = []
    for side in known.explained[0].explanation.loops:
        side.parts_ns = {}
    known.explained[0].explanation.left_out = ["no instructions: valgrind is not installed"]
    made = shown(gate(decision("REGRESSED", reason=""), exit_code=1), known)
    assert "left out: no instructions: valgrind is not installed" in made.text
    assert "CPU time:" not in made.text


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_is_shown_and_explained(verdict):
    made = shown(gate(decision(verdict)))
    assert made.text.count(verdict) >= 3


@pytest.mark.parametrize(
    ("decisions", "members", "says"),
    [
        ([decision()], {}, "Head is no worse than base"),
        ([decision("IMPROVED")], {}, "Head is no worse, and better in 1 of 1 comparisons"),
        ([decision("INCONCLUSIVE"), decision()], {"exit_code": 3}, "1 of 2 comparisons are open"),
        ([], {"exit_code": 4}, "Nothing was compared"),
        ([decision()], {"exit_code": 6, "left_out": ["no valgrind"]}, "something was left out"),
        (
            [decision("BROKEN", tier="promises", subject="TIME-003.sleep", change=None)],
            {"exit_code": 5},
            "Head breaks a promise that base keeps: TIME-003.sleep",
        ),
    ],
)
def test_the_headline_says_what_came_of_it(decisions, members, says):
    assert says in shown(gate(*decisions, **members)).html.partition("</h1>")[0]


def test_a_gate_that_did_not_end_says_so():
    found = unfinished()
    found.result = gate(decision("REGRESSED")).result
    made = shown(found)
    assert "The gate did not come to an end; so far: throughput.sleep0 takes 2.1% more" in made.html


def test_what_is_not_decided_is_hollow_and_no_ranking():
    found = gate(
        decision("INCONCLUSIVE", subject="b"), decision(subject="a"), decision(subject="c")
    )
    made = shown(found)
    title = made.html.split("<desc ")[1]
    assert title.index("b:") < title.index("a:") < title.index("c:")


def test_a_gate_without_any_figure_has_no_empty_plot():
    found = gate(decision("ADDED", change=None, low=None, high=None), exit_code=4)
    assert "<svg" not in shown(found).html


def test_hundreds_of_benchmarks_are_a_table_and_a_plot_that_says_what_it_lacks():
    found = [decision(subject=f"a.b{number}") for number in range(300)]
    made = shown(gate(*found, decision("REGRESSED", subject="a.worse"), exit_code=1))
    assert "277 more benchmarks matter less" in made.text
    assert made.html.count("<tr id=") == 301


def test_texts_stay_texts():
    found = gate(decision("BROKEN", subject=EVIL, reason=EVIL), notes=[EVIL], left_out=[EVIL])
    found.header.head.given = EVIL
    made = shown(found)
    assert not made.all("b") or "@everyone" not in {w.strip() for w in made.words}
    assert "\x1b" not in made.html
    assert "\x00" not in made.html


def test_the_page_loads_nothing():
    made = shown(gate(*every_verdict(), exit_code=1), evidence())
    assert not made.all("link")
    assert all("src" not in attributes for attributes in made.all("script"))
    assert not [address for address in made.values("href") if not address.startswith("#")]


def test_a_gate_is_repeated_with_its_seed_and_not_into_its_own_folder():
    found = gate()
    found.header.command = [
        "bench",
        "gate",
        "--out",
        "x",
        "--html=y",
        "--seed",
        "1",
        "--",
        "sleep0",
    ]
    assert again(found) == "bench gate --seed 7 -- sleep0"


def test_a_truncated_promise_file_is_named(tmp_path: Path):
    (tmp_path / "promises-head.jsonl").write_text("{}\n")
    broken = decision("BROKEN", tier="promises", subject="TIME-003.sleep", change=None)
    made = shown(gate(broken, folder=tmp_path, exit_code=5))
    assert "promises-head.jsonl is no result of a conformance run" in made.text


def test_thousands_of_counts_that_changed_are_one_table_and_a_few_plots():
    names = [f"a.b{number}" for number in range(2000)]
    found = [replace(more_calls(), subject=name) for name in names]
    known = evidence()
    (one,) = known.counted
    known.counted = [replace(one, benchmark=name) for name in names]
    made = shown(gate(*found, exit_code=1), known)
    assert len(made.html) < 2_000_000
    assert made.html.count("Difference of system calls") <= 24
    assert "1988 more counts changed" in made.text


def test_what_was_flagged_and_not_measured_again_is_no_calm():
    known = evidence()
    known.timed[0].second = None
    made = shown(gate(decision("INCONCLUSIVE"), exit_code=3), known)
    assert "what was flagged was not measured again" in made.text
    assert "no second stage was needed" not in made.text


def test_the_levels_of_the_intervals_are_told():
    made = shown(gate(decision("REGRESSED", stage=2), exit_code=1), evidence())
    assert "98 % in the first stage, 90 % in the second" in made.text
