"""JUnit XML of a conformance run, for CI servers that read it.

A test suite per loop and lane, a test case per verdict. Known faults are skipped with their reason,
as expected failures are by pytest; a known fault that is gone is a failure.
"""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from loopgauge.conformance.model import GOOD, Verdict
from loopgauge.conformance.store import Results
from loopgauge.conformance.summary import loops_of
from loopgauge.reports.conformance.texts import printable

#: The question itself could not be put to its end; everything else is the loop's answer.
ERRORS = frozenset({"ERROR", "HANG", "CRASH", "HARNESS"})


def write_junit(results: Results, out: Path) -> Path:
    """Writes the XML to `out` (folders are made) and returns it. Raises OSError."""
    document = JUnitXml("loopgauge conformance")
    for loop in loops_of(results.header, results.verdicts):
        verdicts = results.of(loop)
        for lane in dict.fromkeys(verdict.lane for verdict in verdicts):
            document.add_testsuite(
                _suite(results, loop, lane, [v for v in verdicts if v.lane == lane])
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    document.update_statistics()  # type: ignore[no-untyped-call]
    # The schema that CI servers publish has this count on each suite only.
    document._elem.attrib.pop("skipped", None)
    document.write(str(out), pretty=True)
    return out


def _suite(results: Results, loop: str, lane: str, verdicts: list[Verdict]) -> TestSuite:
    header, first = results.header, verdicts[0]
    suite = TestSuite(printable(f"{loop} {lane}"))
    suite.timestamp = header.created
    for name, value in (
        ("python", header.python),
        ("factory", first.factory),
        ("version", first.version),
    ):
        suite.add_property(name, printable(value))
    suite.add_testcases([_case(verdict) for verdict in verdicts])
    return suite


def _case(verdict: Verdict) -> TestCase:
    area = verdict.rule.partition("-")[0]
    group = f"{area}.{verdict.rule}" if verdict.rule else verdict.lane
    made = TestCase(printable(verdict.case), printable(group), round(verdict.duration_s, 6))
    kind, reason = verdict.verdict, printable(verdict.reason)
    if verdict.status == "fixed":
        known = printable(verdict.expectation)
        made.result = [Failure(f"a known fault is gone: {known}", "fixed")]
    elif kind == "NOT_APPLICABLE":
        made.result = [Skipped(reason, kind)]
    elif kind not in GOOD and verdict.status == "expected":
        known = printable(f"known: {verdict.expectation} ({kind}: {verdict.reason})")
        made.result = [Skipped(known, kind)]
    elif kind in ERRORS or kind not in GOOD:
        made.result = [(Error if kind in ERRORS else Failure)(reason, kind)]
        made.result[0].text = printable(evidence(verdict))
    return made


def evidence(verdict: Verdict) -> str:
    """What was seen, as plain text."""
    seen = verdict.evidence
    parts = [
        verdict.description,
        f"A conforming loop: {verdict.expected_behaviour}" * bool(verdict.expected_behaviour),
        "\n".join(
            f"{what}: wanted {wanted}, observed {observed}"
            for what, wanted, observed in seen.observations
        ),
        "\n".join(seen.resources),
        "\n".join(seen.logs),
        seen.traceback,
        seen.stack,
        seen.output,
    ]
    return "\n\n".join(part for part in parts if part)
