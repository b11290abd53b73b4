from __future__ import annotations

from typing import Any

import pytest

from loopgauge.conformance.model import FAILING, Kind, Verdict
from loopgauge.conformance.profiles import NAMES, Standing, standings


def verdict(kind: Kind = "PASS", **members: Any) -> Verdict:
    made: dict[str, Any] = {
        "loop": "l",
        "rule": "SOON-001",
        "case": "SOON-001.x",
        "level": "MUST",
        "profile": "Core",
        "verdict": kind,
        "factory": "m:f",
        "python": "3.13.0",
    }
    return Verdict(**{**made, **members})


def standing(profile: str, *verdicts: Verdict, whole: bool = True) -> Standing:
    found = {one.profile: one for one in standings(verdicts, whole=whole)}
    assert [*found] == [*NAMES]
    return found[profile]


@pytest.mark.parametrize("kind", sorted(FAILING))
def test_one_failing_must_case_is_enough(kind: Kind) -> None:
    found = standing("Core", verdict(), verdict(kind, status="expected"))
    assert (found.state, found.must, found.must_failing) == ("fails", 2, 1)
    assert found.must_unimplemented == (kind == "UNIMPLEMENTED")
    assert found.failing_rules == ["SOON-001"]


@pytest.mark.parametrize("kind", ["PASS", "NON_STRICT", "INFO"])
def test_what_the_documentation_allows_conforms(kind: Kind) -> None:
    assert standing("Core", verdict(kind)).state == "conforms"


def test_should_is_a_number_of_its_own() -> None:
    found = standing("Core", verdict(), verdict("FAIL", level="SHOULD"), verdict(level="SHOULD"))
    assert (found.state, found.should, found.should_passed) == ("conforms", 2, 1)


def test_levels_below_should_do_not_count() -> None:
    found = standing("Core", verdict(), verdict("FAIL", level="INFO"), verdict("FAIL", level="MAY"))
    assert (found.state, found.must, found.should) == ("conforms", 1, 0)


def test_a_fault_of_the_suite_decides_nothing_and_hides_no_failure() -> None:
    found = standing("Core", verdict(), verdict("HARNESS"))
    assert (found.state, found.must, found.harness) == ("not decided", 1, 1)
    assert standing("Core", verdict("HARNESS"), verdict("FAIL")).state == "fails"


def test_what_does_not_bind_is_not_asked() -> None:
    assert standing("Core", verdict("NOT_APPLICABLE")).state == "not asked"


def test_full_is_all_profiles_and_other_lanes_are_none() -> None:
    net = verdict("FAIL", profile="Net")
    other = verdict("FAIL", lane="cpython", rule="", level="", profile="")
    assert standing("Full", verdict(), net, other).must == 2
    assert standing("Core", verdict(), net, other).state == "conforms"


def test_nobody_conforms_by_a_part() -> None:
    assert standing("Core", verdict(), whole=False).state == "not decided"
    assert standing("Core", verdict("FAIL"), whole=False).state == "fails"
