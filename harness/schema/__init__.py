"""The published JSON Schema of the run file, generated from harness/model.py."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from loopgauge.harness.model import SCHEMA, json_schema

PATH = Path(__file__).with_name(f"run-{SCHEMA}.schema.json")


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
