from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from loopgauge.harness import doctor
from loopgauge.harness.deterministic.tools import Tool
from loopgauge.harness.doctor import Finding, installation
from loopgauge.harness.model import Interpreter


def python(**fields: object) -> Interpreter:
    good = {"executable": "x", "version": "3.14.1", "optimized": True, "build_hash": "abc"}
    return Interpreter(**{**good, **fields})  # type: ignore[arg-type]


def bad(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.level in ("warning", "problem")]


def test_a_good_python_gives_no_warning() -> None:
    assert bad(installation.python_findings(python())) == []


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({"optimized": False}, "python"),
        ({"debug": True}, "python"),
        ({"build_hash": ""}, "build"),
    ],
)
def test_pythons_that_mislead(fields: dict[str, object], check: str) -> None:
    assert bad(installation.python_findings(python(**fields))) == [check]


def test_variables_that_workers_run_without() -> None:
    findings = list(
        installation.variable_findings({"BENCHMARK_OUT": "f", "LD_PRELOAD": "j", "HOME": ""})
    )
    assert [finding.found for finding in findings] == ["BENCHMARK_OUT is set", "LD_PRELOAD=j"]


def test_a_loop_that_is_not_there_is_named_with_its_reason() -> None:
    loops = {
        "a": {"available": True, "version": "1", "reason": ""},
        "b": {"available": False, "version": "", "reason": "not installed"},
    }
    assert [f.found for f in installation.loop_findings(loops)] == ["a 1", "b: not installed"]


def test_the_store(tmp_path: Path) -> None:
    assert bad(installation.store_findings(tmp_path)) == []


def test_this_machine_can_be_diagnosed() -> None:
    findings = doctor.diagnose()
    assert {"python", "loops", "load", "cpu", "governor", "smt", "cgroup", "swap", "store"} <= {
        finding.check for finding in findings
    }
    assert [f.check for f in findings if f.level == "warning" and not f.cure] == []


def test_tools_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [*installation.tool_findings()] == []
    monkeypatch.setattr(installation.shutil, "which", lambda name: None)
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda name: None)
    found = [*installation.tool_findings()]
    assert [finding.found for finding in found] == [
        "git is not installed",
        "this Python has no pip",
    ]
    assert all(finding.cure and finding.meaning for finding in found)


def test_what_cannot_be_counted_is_said_with_its_cure() -> None:
    found = {"plain": Tool("none"), "callgrind": Tool("", "valgrind is not installed", "install")}
    told = list(installation.counting_findings(found, "No such file or directory"))
    assert [(finding.check, finding.level) for finding in told] == [
        ("counting", "ok"),
        ("counting", "info"),
        ("counters", "info"),
    ]
    assert "without instructions" in told[1].meaning
    assert told[1].cure == "install"
    assert "No such file" in told[2].found
    assert list(installation.counting_findings({}, "")) == []
