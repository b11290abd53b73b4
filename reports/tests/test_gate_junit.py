from __future__ import annotations

from xml.etree import ElementTree

import pytest
from report_testing.gates import EVIL, decision, gate, unfinished

from loopgauge.reports.gate import write_junit


def xml_of(tmp_path, found):
    return ElementTree.parse(write_junit(found, tmp_path / "out" / "gate.xml")).getroot()


def test_a_suite_per_tier_in_their_order(tmp_path):
    found = gate(decision(), decision("BROKEN", tier="promises", subject="SOON-001.three"))
    root = xml_of(tmp_path, found)
    assert [suite.get("name") for suite in root] == ["promises", "timing"]
    assert [case.get("classname") for case in root.iter("testcase")] == [
        "gate.promises",
        "gate.timing",
    ]
    names = {one.get("name"): one.get("value") for one in root[0].iter("property")}
    assert names == {"base": "main (0123456789)", "head": "the working tree"}


@pytest.mark.parametrize(
    ("verdict", "child"),
    [
        ("REGRESSED", "failure"),
        ("BROKEN", "failure"),
        ("INCONCLUSIVE", "skipped"),
        ("EXPECTED", "skipped"),
        ("ADDED", "skipped"),
        ("REMOVED", "skipped"),
        ("EQUIVALENT", None),
        ("IMPROVED", None),
        ("REPAIRED", None),
    ],
)
def test_every_verdict_has_its_place(tmp_path, verdict, child):
    (suite,) = xml_of(tmp_path, gate(decision(verdict)))
    (case,) = suite.iter("testcase")
    assert verdict in case.findtext("system-out")
    outcomes = [(one.tag, one.get("type")) for one in case if one.tag != "system-out"]
    assert outcomes == ([(child, verdict)] if child else [])
    counted = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    for tag, attribute in counted.items():
        assert int(suite.get(attribute)) == len(list(suite.iter(tag)))


def test_the_self_check_is_a_case_and_skipped_where_it_fails(tmp_path):
    found = gate(decision("INCONCLUSIVE"), advisory=True, self_check="base against base: +1.9%")
    (suite,) = xml_of(tmp_path, found)
    assert [one.get("type") for one in suite.iter("skipped")] == ["INCONCLUSIVE", "advisory"]
    (quiet,) = xml_of(tmp_path, gate(decision(), self_check="base against base: +0.1%"))
    assert quiet.get("skipped") == "0"


def test_what_was_left_out_is_no_pass(tmp_path):
    (suite,) = xml_of(tmp_path, gate(left_out=["counts: valgrind is missing"]))
    assert (suite.get("name"), suite.get("skipped")) == ("left out", "1")


def test_any_text_makes_xml(tmp_path):
    found = gate(decision("BROKEN", subject=EVIL, reason=EVIL), left_out=[EVIL])
    root = xml_of(tmp_path, found)
    (failure,) = root.iter("failure")
    assert "<b>@everyone</b>" in failure.get("message")


def test_a_gate_without_an_end_is_an_error(tmp_path):
    (suite,) = xml_of(tmp_path, unfinished())
    assert suite.get("errors") == "1"


def test_a_gate_that_compared_nothing_is_an_error(tmp_path):
    suites = xml_of(tmp_path, gate(decision("ADDED"), exit_code=4))
    assert [(one.get("name"), one.get("errors")) for one in suites] == [
        ("gate", "1"),
        ("timing", "0"),
    ]
