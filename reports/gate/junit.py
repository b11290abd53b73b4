"""JUnit XML of a gate, for CI servers that read it.

A test suite per tier, a test case per decision. What neither passes nor fails is skipped with its
reason, so that no reader of the file takes it for a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from loopgauge.harness.gate.model import FAILING, Decision, GateHeader, GateResult, Verdict
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports.conformance.texts import printable
from loopgauge.reports.gate import words

PASSES: frozenset[Verdict] = frozenset({"EQUIVALENT", "IMPROVED", "REPAIRED"})


def write_junit(gate: GateFile, out: Path) -> Path:
    """Writes the XML to `out` (folders are made) and returns it. Raises OSError."""
    document = JUnitXml("loopgauge gate")
    for name, cases in _suites(gate):
        document.add_testsuite(_suite(gate.header, name, cases))
    out.parent.mkdir(parents=True, exist_ok=True)
    document.update_statistics()  # type: ignore[no-untyped-call]
    # The schema that CI servers publish has this count on each suite only.
    document._elem.attrib.pop("skipped", None)
    document.write(str(out), pretty=True)
    return out


def _suites(gate: GateFile) -> Iterator[tuple[str, list[TestCase]]]:
    result = gate.result
    if result is None:
        yield "gate", [_error("end", words.headline(gate))]
        return
    if result.exit_code == words.NOTHING_COMPARED:
        yield "gate", [_error("comparison", words.headline(gate))]
    for tier in words.TIERS:
        cases = [_case(found) for found in result.decisions if found.tier == tier]
        if tier == "timing" and result.self_check:
            cases.append(_self_check(result))
        if cases:
            yield tier, cases
    if result.left_out:
        yield "left out", [_left_out(line) for line in result.left_out]


def _suite(header: GateHeader, name: str, cases: list[TestCase]) -> TestSuite:
    suite = TestSuite(name)
    suite.timestamp = header.created
    for side in (header.base, header.head):
        suite.add_property(side.name, printable(side.title))
    suite.add_testcases(cases)
    return suite


def _case(decision: Decision) -> TestCase:
    made = TestCase(printable(decision.subject), f"gate.{decision.tier}")
    made.system_out = printable(f"{decision.verdict}: {words.sentence(decision)}")
    if decision.verdict in FAILING:
        return _result(made, Failure, words.sentence(decision), decision.verdict)
    if decision.verdict not in PASSES:
        return _result(made, Skipped, words.sentence(decision), decision.verdict)
    return made


def _self_check(result: GateResult) -> TestCase:
    made = TestCase("base against itself", "gate.timing")
    made.system_out = printable(result.self_check)
    return _result(made, Skipped, result.self_check, "advisory") if result.advisory else made


def _error(name: str, reason: str) -> TestCase:
    """Of the gate as a whole."""
    return _result(TestCase(name, "gate"), Error, reason, "gate")


def _left_out(line: str) -> TestCase:
    return _result(TestCase(words.one_line(line), "gate"), Skipped, line, "left_out")


def _result(
    case: TestCase, kind: type[Error] | type[Failure] | type[Skipped], reason: str, word: str
) -> TestCase:
    case.result = [kind(printable(reason), word)]
    return case
