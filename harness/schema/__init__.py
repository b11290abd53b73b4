"""The published JSON Schema of the run file, generated from harness/model.py."""

from __future__ import annotations

import json
from pathlib import Path

from loopgauge.harness.model import SCHEMA, json_schema

PATH = Path(__file__).with_name(f"run-{SCHEMA}.schema.json")


def text() -> str:
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"
