"""The published JSON Schema of the result file, generated from conformance/model.py."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.conformance.model import SCHEMA, AnyRecord

PATH = Path(__file__).with_name(f"conformance-{SCHEMA}.schema.json")


def json_schema() -> dict[str, Any]:
    """The published schema of one line of a result file (JSON Schema 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"loopgauge-conformance-{SCHEMA}",
        "title": f"One line of a loopgauge conformance result, schema {SCHEMA}",
        **msgspec.json.schema(AnyRecord),
    }


def text() -> str:
    return json.dumps(_tidy(json_schema()), indent=2, sort_keys=True) + "\n"


def _tidy(node: Any) -> Any:
    """Descriptions are docstrings, which the compiler itself dedents only from 3.13 on."""
    if isinstance(node, dict):
        return {
            key: inspect.cleandoc(value)
            if key == "description" and isinstance(value, str)
            else _tidy(value)
            for key, value in node.items()
        }
    return [_tidy(entry) for entry in node] if isinstance(node, list) else node
