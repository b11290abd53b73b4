"""The template of a backend's repository works as its README says, except for being installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "backend"
WORKFLOW = (TEMPLATE / ".github" / "workflows" / "conformance.yml").read_text(encoding="utf-8")


def run(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    here = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([str(TEMPLATE / "src"), here])
    return subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )


def bench(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, "-m", "loopgauge.harness.cli", *words)


def test_its_loop_conforms(tmp_path: Path) -> None:
    known = str(TEMPLATE / "conformance.toml")
    loop = "myloop:new_event_loop"
    done = bench(tmp_path, "conformance", "HNDL", "--loop", loop, "--expectations", known)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_tests_pass(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TEMPLATE / "tests"))
    assert done.returncode == 0, done.stdout


def test_its_entry_point_is_its_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    from loopgauge.loops.registry import load_factory
    from loopgauge.loops.spec import LoopSpec

    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))
    entry = project["project"]["entry-points"]["loopgauge.loops"]["myloop"]
    monkeypatch.syspath_prepend(TEMPLATE / "src")
    assert load_factory(LoopSpec(name="myloop", factory=entry))().__class__.__module__ == "myloop"


@pytest.mark.parametrize("line", re.findall(r"run: bench (.*)", WORKFLOW))
def test_its_workflow_uses_options_that_exist(tmp_path: Path, line: str) -> None:
    command, *words = line.split()
    help = bench(tmp_path, command, "--help")
    assert help.returncode == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in help.stdout
