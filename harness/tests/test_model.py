from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from manager_testing.records import header, sample

from loopgauge.harness import schema
from loopgauge.harness.model import AnyRecord, End, Event, Metric, Worker, json_schema

WORKER = Worker(round=1, design="hybrid", creation=["a"], benchmarks=["b"], hash_seed=1, padding=2)
RECORDS: list[AnyRecord] = [
    header(),
    sample(),
    sample(value=[1.0, 2.0, 3.0, 4.0]),
    Metric(
        benchmark="b",
        arm="a",
        metric="syscalls",
        unit="call/op",
        value=2.0,
        n=[10, 20],
        raw=[25.0, 45.0],
        by_name={"recvfrom": 1.0, "sendto": 1.0},
        tool="strace 6.1",
    ),
    Event(event="worker", worker=WORKER),
    End(utc="now"),
]


def test_the_published_schema_is_that_of_the_structs() -> None:
    assert schema.PATH.read_text() == schema.text(), "write it anew: scripts/dev schema"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_fits_the_schema(record: AnyRecord) -> None:
    jsonschema.validate(json.loads(msgspec.json.encode(record)), json_schema())


def test_the_schema_tells_wrong_from_right() -> None:
    wrong = json.loads(msgspec.json.encode(sample()))
    wrong["wall_ns"] = "long"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_round_trip_changes_nothing(record: AnyRecord) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=AnyRecord) == record
