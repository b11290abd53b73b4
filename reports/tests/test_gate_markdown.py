from __future__ import annotations

import re

import pytest
from report_testing.gates import (
    EVIL,
    VERDICTS,
    decision,
    every_verdict,
    gate,
    side,
    unfinished,
)

from loopgauge.reports.gate import markdown
from loopgauge.reports.gate.markdown import MARKER, MOST
from loopgauge.reports.wording import DASH


def rows(page: str) -> list[list[str]]:
    """Cells of every table row, heads and rules left out."""
    found = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in found]
    return [[cell.strip() for cell in row] for row in cells if row[0].strip() != "verdict"]


def test_the_comment_says_what_failed_before_anything_else():
    page = markdown(
        gate(
            decision(),
            decision("INCONCLUSIVE", subject="io.tcp_echo"),
            decision("REGRESSED", subject="timer.schedule_cancel", stage=2),
            exit_code=1,
        )
    )
    assert page.startswith(MARKER)
    assert "head is worse: 1 REGRESSED, 1 INCONCLUSIVE, 1 EQUIVALENT" in page
    assert "Base main (0123456789)" in page
    first = rows(page)[0]
    assert first == [
        "**REGRESSED**", r"timer.schedule\_cancel", "timing", "+2.1%", "+1.4% to +2.8%", "±1%",
        "1.20 µs", "why it is REGRESSED",
    ]  # fmt: skip
    assert page.index("REGRESSED**") < page.index("Worth a look") < page.index("<details>")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_is_told_once_and_explained(verdict):
    page = markdown(gate(decision(verdict)))
    ((told, *_),) = rows(page)
    assert told.strip("*") == verdict
    assert f"- {verdict}: " in page
    row = page.index("| throughput.sleep0 |")
    assert (row > page.index("<details>")) == (verdict == "EQUIVALENT")


def test_what_is_the_same_is_folded_away_by_tier():
    page = markdown(gate(decision(), decision(subject="a.b"), decision(tier="instructions")))
    first, second = re.findall(r"<summary>(.*: \d+ the same.*)</summary>", page)
    assert first == "instructions per operation: 1 the same, to within the margin"
    assert second == "time per operation: 2 the same, to within the margin"


def test_a_comment_never_exceeds_what_github_takes():
    found = [
        decision("REGRESSED" if number < 500 else "EQUIVALENT", subject=f"a.b{number}", reason=EVIL)
        for number in range(3000)
    ]
    page = markdown(gate(*found, exit_code=1, notes=[EVIL] * 100, left_out=[EVIL] * 100))
    assert len(page) <= MOST
    assert len(rows(page)) > 50
    shown, more = len(rows(page)), [int(n) for n in re.findall(r"and (\d+) more, in the", page)]
    assert shown + sum(more) == 3000
    assert page.count("<details>") == page.count("</details>")
    assert "How it was measured" in page


def test_texts_stay_texts():
    page = markdown(gate(decision("BROKEN", subject=EVIL, reason=EVIL), notes=[EVIL]))
    assert "<b>" not in page.replace(r"\<b\>", "")
    assert "@everyone" not in page
    assert "\x1b" not in page
    assert "\x00" not in page
    assert {len(row) for row in rows(page)} == {8}


def test_timing_that_is_advisory_is_said():
    page = markdown(
        gate(decision("INCONCLUSIVE"), advisory=True, self_check="base against base: +1.9%")
    )
    assert "Timing is advisory" in page
    assert page.index("base against base: +1.9%") < page.index("Worth a look")


def test_counts_name_what_changed_most():
    counted = decision(
        "REGRESSED",
        tier="syscalls",
        low=None,
        high=None,
        base=6.0,
        head=7.0,
        unit="call/message",
        change=1 / 6,
        margin=0.02,
        stage=2,
        by_name={"epoll_wait": 1.0, "read": 0.0, "write": -0.5},
        reason="",
    )
    (row,) = rows(markdown(gate(counted, exit_code=1)))
    assert row[3:] == [
        "+16.67%", DASH, "±0.02 call/message", "6.00 call/message → 7.00 call/message",
        "most of it: epoll\\_wait +1.00, write -0.500; counted twice",
    ]  # fmt: skip


def test_what_was_left_out_and_noted_is_said():
    page = markdown(
        gate(exit_code=6, left_out=["counts: valgrind is missing"], notes=["both sides are one"])
    )
    assert "something was left out" in page
    assert "- counts: valgrind is missing" in page
    assert "- both sides are one" in page


def test_a_gate_without_an_end_says_so_and_how_to_go_on():
    page = markdown(unfinished())
    assert page.startswith(MARKER)
    assert "did not come to an end" in page
    assert "- timing: begun" in page
    assert "bench gate --resume" in page


def test_all_verdicts_together_are_sorted_by_weight():
    page = markdown(gate(*reversed(every_verdict()), exit_code=1))
    verdicts = [row[0].strip("*") for row in rows(page)]
    assert verdicts[:2] == ["BROKEN", "REGRESSED"]
    assert verdicts[-1] == "EQUIVALENT"
    assert sorted(verdicts) == sorted(VERDICTS)


def test_large_counts_keep_their_digits():
    counted = decision("REGRESSED", tier="instructions", base=1_063_204.0, head=1_068_520.0,
                       unit="instruction/run", by_name={"call_soon": 5316.0})  # fmt: skip
    (row,) = rows(markdown(gate(counted, exit_code=1)))
    assert row[-2] == "1 063 204 instruction/run → 1 068 520 instruction/run"
    assert "call\\_soon +5 316" in row[-1]


def test_a_commit_is_named_by_its_first_digits():
    found = gate()
    found.header.base = side("base", given="0123456789abcdef", commit="0123456789abcdef")
    assert "Base 0123456789, head the working tree" in markdown(found)


def test_what_to_look_at_comes_before_the_rest():
    counted = decision("REGRESSED", tier="syscalls", by_name={"epoll_wait": 1.0}, reason="")
    undecided = decision("INCONCLUSIVE", subject="io.tcp_echo")
    page = markdown(gate(counted, undecided, exit_code=1))
    assert "- **throughput.sleep0**: system calls: epoll\\_wait +1.00\n" in page
    assert "- **io.tcp\\_echo**: neither a pass nor a fail: why it is" in page
    assert page.index("What to look at") < page.index("Worth a look")


def test_what_was_not_counted_comes_with_a_command_where_there_is_one():
    found = gate(decision("REGRESSED", reason=""), exit_code=1)
    assert "nothing was counted that could say why" in markdown(found)
    assert "bench explain" not in markdown(found)
    for one in (found.header.base, found.header.head):
        one.origin = "factory"
    said = "`bench explain throughput.sleep0 --loop myloop:new --loop myloop:new` shows where"
    assert said in markdown(found)


def test_a_broken_promise_comes_with_a_script():
    broken = decision("BROKEN", tier="promises", subject="SOON-001.three", change=None)
    page = markdown(gate(broken, exit_code=5))
    assert "`bench repro SOON-001.three --loop myloop:new` prints a script" in page
    assert "bench repro" not in markdown(gate(decision("BROKEN"), exit_code=1))


def test_a_confirmed_change_says_by_how_many_processes():
    found = decision("IMPROVED", reason="", stage=2)
    assert rows(markdown(gate(found)))[0][-1] == "confirmed in 16 fresh processes"
