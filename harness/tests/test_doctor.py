from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from loopgauge.harness import doctor
from loopgauge.harness.deterministic.tools import Tool
from loopgauge.harness.doctor import Finding
from loopgauge.harness.model import Interpreter, Load, Machine


def python(**fields: object) -> Interpreter:
    good = {"executable": "x", "version": "3.14.1", "optimized": True, "build_hash": "abc"}
    return Interpreter(**{**good, **fields})  # type: ignore[arg-type]


GOOD = Machine(
    cpu_model="x",
    cpus_logical=4,
    cpus_allowed=[0, 1, 2, 3],
    memory_bytes=1 << 34,
    governor="performance",
    turbo="off",
    smt="off",
    aslr="2",
    clocksource="tsc",
)


def bad(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.level in ("warning", "problem")]


def test_a_good_machine_gives_no_warning() -> None:
    assert bad(doctor.python_findings(python())) == []
    assert bad(doctor.cpu_findings(GOOD)) == []
    assert bad(doctor.memory_findings(GOOD)) == []
    assert bad(doctor.load_findings(Load(load_1m=0.1, steal_s=0, total_s=100), 0.001)) == []


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({"optimized": False}, "python"),
        ({"debug": True}, "python"),
        ({"build_hash": ""}, "build"),
    ],
)
def test_pythons_that_mislead(fields: dict[str, object], check: str) -> None:
    assert bad(doctor.python_findings(python(**fields))) == [check]


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("cpus_allowed", [0], "cpu"),
        ("cpu_limit", 1.5, "cgroup"),
        ("governor", "powersave", "governor"),
        ("aslr", "0", "aslr"),
        ("clocksource", "hpet", "clock"),
    ],
)
def test_machines_that_are_noisy(field: str, value: object, check: str) -> None:
    machine = Machine(**{f: getattr(GOOD, f) for f in GOOD.__struct_fields__} | {field: value})
    assert bad(doctor.cpu_findings(machine)) == [check]


def test_load_steal_and_interference() -> None:
    findings = doctor.load_findings(Load(load_1m=3, steal_s=5, total_s=100), 0.2)
    assert bad(findings) == ["load", "steal", "interference"]


def test_everything_bad_comes_with_a_cure() -> None:
    machine = Machine(
        cpus_allowed=[0],
        cpu_limit=1,
        governor="powersave",
        turbo="on",
        smt="on",
        aslr="0",
        clocksource="hpet",
        memory_bytes=1 << 20,
    )
    findings = [
        *doctor.cpu_findings(machine),
        *doctor.memory_findings(machine),
        *doctor.load_findings(Load(load_1m=3, steal_s=5, total_s=100), 0.2),
        *doctor.python_findings(python(debug=True, build_hash="")),
    ]
    assert [f.check for f in findings if f.level != "info" and not f.cure] == []


def test_variables_that_workers_run_without() -> None:
    findings = list(doctor.variable_findings({"BENCHMARK_OUT": "f", "LD_PRELOAD": "j", "HOME": ""}))
    assert [finding.found for finding in findings] == ["BENCHMARK_OUT is set", "LD_PRELOAD=j"]


def test_a_loop_that_is_not_there_is_named_with_its_reason() -> None:
    loops = {
        "a": {"available": True, "version": "1", "reason": ""},
        "b": {"available": False, "version": "", "reason": "not installed"},
    }
    assert [f.found for f in doctor.loop_findings(loops)] == ["a 1", "b: not installed"]


def test_the_store(tmp_path: Path) -> None:
    assert bad(doctor.store_findings(tmp_path)) == []


def test_the_lost_share_is_a_share() -> None:
    assert 0 <= doctor.lost_share(0.01) < 1


def test_this_machine_can_be_diagnosed() -> None:
    checks = {finding.check for finding in doctor.diagnose()}
    assert {"python", "loops", "load", "cpu", "store"} <= checks


def test_what_cannot_be_counted_is_said_with_its_cure() -> None:
    found = {"plain": Tool("none"), "callgrind": Tool("", "valgrind is not installed", "install")}
    told = list(doctor.counting_findings(found, "No such file or directory"))
    assert [(finding.check, finding.level) for finding in told] == [
        ("counting", "ok"),
        ("counting", "info"),
        ("counters", "info"),
    ]
    assert "without instructions" in told[1].meaning
    assert told[1].cure == "install"
    assert "No such file" in told[2].found
    assert list(doctor.counting_findings({}, "")) == []
