from __future__ import annotations

import pytest
from report_testing import verdicts

from loopgauge.conformance.surface import Exercised, Method, Surface
from loopgauge.reports.conformance.interface import parts
from loopgauge.reports.conformance.matrix import matrix_of

METHOD = Method("loop", "call_soon", ("callback",))


def known(tmp_path, found, by=(), about=(), parameter=""):
    """What the page says about call_soon, or its parameter, for a loop with these verdicts."""
    uses = {("loop", "call_soon", parameter): Exercised(set(by), set(about))}
    columns = matrix_of([verdicts.results(tmp_path / "r.jsonl", found)]).columns
    (loop, *_others) = parts(Surface([METHOD], uses), [columns[-1]])
    (line,) = (line for line in loop.lines if line.parameter == parameter)
    return line.cells[0]


@pytest.mark.parametrize("parameter", ["", "callback"])
@pytest.mark.parametrize(
    ("kinds", "about", "state"),
    [
        ({}, (), "untested"),
        ({"a": "PASS"}, (), "works"),
        ({"a": "PASS", "b": "FAIL"}, ("b",), "fails"),
        ({"a": "PASS", "b": "FAIL"}, ("a",), "works"),
        ({"a": "FAIL", "b": "HANG"}, (), "fails"),
        ({"a": "NOT_APPLICABLE", "b": "HARNESS"}, ("a", "b"), "untested"),
    ],
)
def test_what_is_known(tmp_path, kinds, about, state, parameter):
    found = [verdicts.verdict(f"SOON-001.{name}", verdict=kind) for name, kind in kinds.items()]
    by = [one.case for one in found]
    cell = known(tmp_path, found, by, [f"SOON-001.{name}" for name in about], parameter)
    assert cell.state == state
    assert bool(cell.page) == (state == "fails")


@pytest.mark.parametrize("parameter", ["", "callback"])
def test_a_method_that_is_not_there_has_no_parameters_either(tmp_path, parameter):
    found = verdicts.verdict(
        "SOON-001.a", verdict="UNIMPLEMENTED", evidence=verdicts.Evidence(missing="call_soon")
    )
    cell = known(tmp_path, [found], parameter=parameter)
    assert cell.state == "missing"
    assert cell.page == "case/SOON-001.a.html#epoll-3.13.0"
