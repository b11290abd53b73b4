from __future__ import annotations

import msgspec

from loopgauge.conformance.model import Evidence
from loopgauge.conformance.runner.messages import Outcome, encoded


def test_half_a_surrogate_pair_is_kept_as_an_escape() -> None:
    seen = Evidence(observations=[("what", "\udc80", "é")], notes={"\udc81": "x"}, events=["a"])
    outcome = Outcome(verdict="FAIL", reason="wanted \udc80", evidence=seen)
    read = msgspec.json.decode(encoded(outcome), type=Outcome)
    assert read.reason == r"wanted \udc80"
    assert read.evidence.observations == [("what", r"\udc80", "é")]
    assert read.evidence.notes == {r"\udc81": "x"}
    assert (read.verdict, read.evidence.events) == ("FAIL", ["a"])


def test_other_texts_stay_as_they_are() -> None:
    outcome = Outcome(verdict="PASS", reason="é \U0001f525 \x00")
    assert msgspec.json.decode(encoded(outcome), type=Outcome) == outcome
