from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from loopgauge.conformance import schema
from loopgauge.conformance.model import AnyRecord, End, Evidence, Header, Subject, Verdict

RECORDS: list[AnyRecord] = [
    Header(
        created="2026-11-22T01:08:37+00:00",
        python="3.13.0",
        lanes=["rules"],
        subjects=[Subject(loop="l", factory="m:f")],
    ),
    Verdict(
        loop="l",
        rule="SOON-001",
        case="SOON-001.x",
        level="MUST",
        verdict="FAIL",
        status="unexpected",
        tries={"FAIL": 1, "PASS": 2},
        evidence=Evidence(observations=[("what", "wanted", "observed")], notes={"a": "b"}),
        factory="m:f",
        python="3.13.0",
    ),
    End(complete=False, duration_s={"l": 1.5}),
]


def test_the_published_schema_is_that_of_the_structs() -> None:
    assert schema.PATH.read_text() == schema.text(), "write it anew: scripts/dev schema"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_fits_the_schema(record: AnyRecord) -> None:
    jsonschema.validate(json.loads(msgspec.json.encode(record)), schema.json_schema())


def test_the_schema_tells_wrong_from_right() -> None:
    wrong = json.loads(msgspec.json.encode(RECORDS[1]))
    wrong["verdict"] = "GOOD"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema.json_schema())
