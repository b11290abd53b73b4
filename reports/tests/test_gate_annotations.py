from __future__ import annotations

import re

import pytest
from report_testing.gates import EVIL, decision, gate, unfinished

from loopgauge.reports.gate import workflow_commands
from loopgauge.reports.gate.annotate import MOST

FORM = re.compile(r"::(error|warning|notice) title=([^:,\r\n]+)::([^\r\n]+)")


def levels(lines):
    found = [FORM.fullmatch(line) for line in lines]
    assert all(found)
    return [match[1] for match in found]


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        ("REGRESSED", ["error"]),
        ("BROKEN", ["error"]),
        ("INCONCLUSIVE", ["warning"]),
        ("REMOVED", ["warning"]),
        ("EXPECTED", ["notice"]),
        ("ADDED", ["notice"]),
        ("REPAIRED", ["notice"]),
        ("IMPROVED", ["notice"]),
        ("EQUIVALENT", []),
    ],
)
def test_each_verdict_has_its_level(verdict, level):
    assert levels(workflow_commands(gate(decision(verdict)))) == level


def test_the_line_has_the_figures():
    (line,) = workflow_commands(gate(decision("REGRESSED"), exit_code=1))
    assert line == (
        "::error title=REGRESSED%3A throughput.sleep0::time per operation: +2.1%25 "
        "(+1.4%25 to +2.8%25, margin ±1%25); 1.20 µs on base; 16 processes a side; "
        "why it is REGRESSED"
    )


def test_no_text_can_begin_a_command_of_its_own():
    lines = workflow_commands(
        gate(decision("BROKEN", subject=EVIL, reason=EVIL), left_out=[EVIL], advisory=True)
    )
    assert levels(lines) == ["error", "warning", "warning"]
    assert "\x1b" not in "".join(lines)


def test_what_exceeds_githubs_limit_is_counted_in_the_last_line():
    many = [decision("REGRESSED", subject=f"a.b{number}") for number in range(25)]
    lines = workflow_commands(gate(*many, exit_code=1))
    assert levels(lines) == ["error"] * MOST
    assert lines[-1].startswith("::error title=loopgauge%3A 16 more::REGRESSED: a.b9")


def test_a_machine_that_is_too_noisy_is_said_before_other_warnings():
    found = gate(
        decision("INCONCLUSIVE"), decision("BROKEN"), advisory=True, self_check="base: +1.9%"
    )
    lines = workflow_commands(found)
    assert levels(lines) == ["error", "warning", "warning"]
    assert "timing is advisory::base: +1.9%25" in lines[1]


def test_a_gate_without_an_end_is_an_error():
    assert levels(workflow_commands(unfinished())) == ["error"]


def test_a_gate_that_compared_nothing_is_an_error():
    assert workflow_commands(gate(exit_code=4)) == ["::error title=loopgauge::nothing was compared"]
