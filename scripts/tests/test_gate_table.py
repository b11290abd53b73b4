"""docs/gate.md shows what the studies of the gate have found, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import gate_table  # noqa: E402


def test_the_page_is_what_the_figures_say() -> None:
    script = ROOT / "scripts" / "gate_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_figure_changes_the_page() -> None:
    page = f"# Title\n\n{gate_table.BEGIN}\n{gate_table.END}\n\nAfter.\n"
    figures = {"study": "gate_power", "percent": 2, "gates": 5, "decisions": 50, "longest_s": 200}
    first = gate_table.with_table(page, [json.dumps({**figures, "found": 49})])
    assert "49 of 50 found" in first
    assert first.endswith("\n\nAfter.\n")
    second = gate_table.with_table(first, [json.dumps({**figures, "found": 48})])
    assert "48 of 50 found" in second
    assert "49 of 50" not in second


def test_a_page_without_the_section() -> None:
    with pytest.raises(ValueError, match="no section"):
        gate_table.with_table("# Title\n", [])
