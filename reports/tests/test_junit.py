from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_testing import verdicts
from report_testing.verdicts import EVIL, KINDS

from loopgauge.conformance.model import GOOD
from loopgauge.reports.conformance.junit import ERRORS, write_junit


def xml_of(tmp_path: Path, found, **members):
    results = verdicts.results(tmp_path / "r.jsonl", found, **members)
    return ElementTree.parse(write_junit(results, tmp_path / "out" / "junit.xml")).getroot()


def test_a_suite_per_loop_and_lane_and_a_class_per_rule(tmp_path):
    found = [
        verdicts.verdict(loop="asyncio"),
        verdicts.verdict(),
        verdicts.lane_verdict("cpython", "cpython:test_x"),
    ]
    root = xml_of(tmp_path, found)
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == [
        "asyncio rules",
        "epoll rules",
        "epoll cpython",
    ]
    assert [case.get("classname") for case in root.iter("testcase")] == [
        "SOON.SOON-001", "SOON.SOON-001", "cpython",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_place(tmp_path, kind):
    (suite,) = xml_of(tmp_path, [verdicts.verdict(verdict=kind)])
    (case,) = suite.iter("testcase")
    child = "skipped" if kind == "NOT_APPLICABLE" else "error" if kind in ERRORS else "failure"
    if kind in GOOD - {"NOT_APPLICABLE"}:
        assert len(case) == 0
    else:
        assert (case[0].tag, case[0].get("type")) == (child, kind)
        assert f"why it is {kind}" in case[0].get("message")
    counted = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    for tag, attribute in counted.items():
        assert int(suite.get(attribute)) == len(list(suite.iter(tag)))


def test_a_known_fault_is_skipped_and_one_that_is_gone_fails(tmp_path):
    known = verdicts.verdict(verdict="FAIL", status="expected", expectation="rounds to ms")
    gone = verdicts.verdict("SOON-002.x", status="fixed", expectation="rounds to ms")
    (suite,) = xml_of(tmp_path, [known, gone])
    skipped, failed = suite.iter("testcase")
    assert skipped[0].tag == "skipped"
    assert "rounds to ms" in skipped[0].get("message")
    assert failed[0].tag == "failure"


def test_any_text_makes_xml(tmp_path):
    evil = verdicts.verdict(
        verdict="FAIL", reason=EVIL, evidence=verdicts.evidence(output=EVIL, traceback="")
    )
    evil.evidence.traceback = "\x08\ufffe"
    (suite,) = xml_of(tmp_path, [evil])
    (failure,) = suite.iter("failure")
    assert "<script>alert(1)</script>" in failure.get("message")
    assert r"\x1b[31m\x00" in failure.text
    assert r"\x08\ufffe" in failure.text


def test_an_empty_run_makes_a_document_without_suites(tmp_path):
    assert len(xml_of(tmp_path, [])) == 0


def test_times_and_counts_have_the_form_that_ci_servers_ask_for(tmp_path):
    root = xml_of(tmp_path, verdicts.every_kind())
    for element in [root, *root.iter("testsuite")]:
        assert re.fullmatch(r"\d+(\.\d*)?", element.get("time"))
        assert {"tests", "failures", "errors"} <= set(element.keys())
    assert set(root.keys()) <= {"name", "time", "tests", "failures", "errors"}
