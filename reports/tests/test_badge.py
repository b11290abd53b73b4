from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from report_testing import verdicts

from loopgauge.conformance.summary import LoopSummary, summarise
from loopgauge.reports.conformance.badge import COLOURS, Badge, badge, svg, write_badge

AREAS = {"Core": "SOON", "Net": "TCPC", "TLS": "TLSS", "Process": "PROC"}


def loop(tmp_path, **kinds):
    """A loop with one MUST case per named profile."""
    found = [
        verdicts.verdict(f"{AREAS[profile]}-001.x", verdict=kind, profile=profile)
        for profile, kind in kinds.items()
    ]
    return summarise(verdicts.results(tmp_path / "r.jsonl", found)).loops[-1]


@pytest.mark.parametrize(
    ("kinds", "message", "colour"),
    [
        ({"Core": "PASS", "Net": "PASS", "TLS": "PASS", "Process": "PASS"}, "Full: conforms",
         "green"),
        ({"Core": "PASS", "Net": "PASS", "TLS": "PASS"}, "Core Net TLS: conforms", "green"),
        ({"Core": "PASS", "Net": "FAIL", "TLS": "HANG"}, "Core: conforms, 2 MUST fail", "orange"),
        ({"Core": "FAIL", "Net": "UNIMPLEMENTED"}, "2 MUST fail", "red"),
        ({"Core": "PASS", "Net": "HARNESS"}, "not decided", "lightgrey"),
        ({"Core": "NOT_APPLICABLE"}, "not asked", "lightgrey"),
    ],
)  # fmt: skip
def test_what_it_says(tmp_path, kinds, message, colour):
    assert badge(loop(tmp_path, **kinds), "3.13.0") == Badge("asyncio 3.13", message, colour)


def test_a_loop_that_is_not_there():
    missing = LoopSummary(loop="x", factory="x:y", available=False, reason="not installed")
    assert badge(missing, "3.14.0").message == "not asked"


def test_both_files_say_the_same(tmp_path):
    image, endpoint = write_badge(loop(tmp_path, Core="FAIL"), "3.13.0", tmp_path / "a" / "b.svg")
    document = json.loads(endpoint.read_text())
    assert document == {
        "schemaVersion": 1,
        "label": "asyncio 3.13",
        "message": "1 MUST fail",
        "color": "red",
    }
    assert endpoint.name == "b.json"
    assert "asyncio 3.13: 1 MUST fail" in image.read_text()


@pytest.mark.parametrize("colour", COLOURS)
def test_the_image_is_well_formed_and_wide_enough(colour):
    short = ElementTree.fromstring(svg(Badge("asyncio 3.13", "<&\x00>", colour)))
    long = ElementTree.fromstring(svg(Badge("asyncio 3.13", "Core Net TLS: conforms", colour)))
    assert float(long.get("width")) > float(short.get("width")) > 60
    texts = ["".join(element.itertext()) for element in long.iter() if element.tag.endswith("text")]
    assert texts == ["asyncio 3.13", "Core Net TLS: conforms"]
