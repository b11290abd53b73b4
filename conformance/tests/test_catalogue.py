"""The catalogue and the cases fit together."""

from __future__ import annotations

import pytest

from loopgauge.conformance.case import all_cases, case
from loopgauge.conformance.catalogue import areas, rules

MUST_UNTESTED_AT_MOST = 0.10


def test_every_rule_says_what_a_reader_needs() -> None:
    for rule in rules().values():
        assert rule.text, rule.id
        assert rule.source, rule.id
        assert rule.rationale, rule.id


def test_every_rule_has_a_case_or_says_why_not() -> None:
    tested = {case.rule.id for case in all_cases().values()}
    bare = [rule.id for rule in rules().values() if rule.id not in tested and not rule.untested]
    assert bare == []
    both = [rule.id for rule in rules().values() if rule.id in tested and rule.untested]
    assert both == []


def test_few_must_rules_are_untested() -> None:
    must = [rule for rule in rules().values() if rule.level == "MUST"]
    untested = [rule.id for rule in must if rule.untested]
    assert len(untested) <= MUST_UNTESTED_AT_MOST * len(must), untested


def test_areas_are_in_reading_order() -> None:
    assert [*areas()][:3] == ["SURF", "LIFE", "SOON"]
    assert len(areas()) == 29


def test_cases_are_described() -> None:
    for made in all_cases().values():
        assert made.expected.strip(), made.id
        assert made.id.startswith(f"{made.rule.id}."), made.id


@pytest.mark.parametrize(
    ("id", "message"),
    [("NOPE-001.x", "no such rule"), ("SOON-001", "no slug"), ("SOON-001.three", "twice")],
)
def test_bad_declarations_are_refused(id: str, message: str) -> None:
    def body(t: object) -> None:
        """Does nothing."""

    all_cases()
    with pytest.raises(ValueError, match=message):
        case(id, expected="nothing")(body)


def test_a_case_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no description"):
        case("SOON-001.unsaid", expected="nothing")(lambda t: None)
