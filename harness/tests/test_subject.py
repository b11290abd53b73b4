from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from loopgauge.harness import subject
from loopgauge.harness.errors import InterpreterUnusable, NothingToMeasure
from loopgauge.harness.model import Interpreter
from loopgauge.harness.request import RunRequest
from loopgauge.harness.subject import Python

SLEEP0 = ("throughput.sleep0", {})


def test_asyncio_and_its_twin_are_added() -> None:
    what = subject.resolve(RunRequest(benchmarks=[SLEEP0], arms=["uvloop"]))
    assert [(arm.label, arm.role) for arm in what.arms] == [
        ("uvloop", "candidate"),
        ("asyncio", "reference"),
        ("asyncio~aa", "aa"),
    ]
    assert what.reference == "asyncio"
    assert what.arms[1].factory == what.arms[2].factory


def test_a_benchmark_is_described_by_its_scenario() -> None:
    [sleep0] = subject.resolve(RunRequest(benchmarks=[SLEEP0])).benchmarks
    assert (sleep0.id, sleep0.measure, sleep0.direction) == ("throughput.sleep0", "cpu", "lower")
    assert sleep0.summary


def test_an_application_is_described_without_being_imported() -> None:
    [app] = subject.resolve(RunRequest(benchmarks=[("app:no_such_module:main", {})])).benchmarks
    assert app.id == "app:no_such_module:main"


def test_nothing_selected() -> None:
    with pytest.raises(NothingToMeasure):
        subject.resolve(RunRequest(arms=["asyncio"]))


def test_a_forced_design_holds_for_every_benchmark() -> None:
    what = subject.resolve(RunRequest(benchmarks=[SLEEP0], design="process"))
    assert [benchmark.design for benchmark in what.benchmarks] == ["process"]


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(InterpreterUnusable, match=r"2\.0"):
        subject.executables(["2.0"])


def test_a_program_that_is_no_python(tmp_path: Path) -> None:
    false = tmp_path / "python"
    false.write_text("#!/bin/sh\necho hello\n")
    false.chmod(0o755)
    with pytest.raises(InterpreterUnusable, match="cannot measure"):
        subject.ask(str(false), ["asyncio"], [])


def test_an_interpreter_without_loopgauge_says_how_to_install_it(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(InterpreterUnusable, match="pip install loopgauge"):
        subject.ask(str(bare), ["asyncio"], [])


def test_the_link_of_a_virtual_environment_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert subject.executables([str(link)]) == [str(link)]
    assert subject.executables([]) == [sys.executable]


def python(version: str, **fields: object) -> Python:
    facts = {
        "factory": "a:b",
        "distribution": None,
        "version": version,
        "capabilities": [],
        "available": True,
        "reason": "",
    }
    key = version.rpartition(".")[0]
    interpreter = Interpreter(executable=os.devnull, version=version)
    return Python(key, interpreter, {"asyncio": facts, "uvloop": facts})


def test_several_interpreters_give_arms_with_their_name() -> None:
    arms = [
        arm
        for one in (python("3.13.1"), python("3.14.2"))
        for arm in subject.arms_on(one, ["asyncio", "uvloop"], several=True)
    ]
    labels = [(arm.label, arm.role, arm.python) for arm in subject.with_twin(arms)]
    assert labels == [
        ("asyncio@3.13", "reference", "3.13"),
        ("uvloop@3.13", "candidate", "3.13"),
        ("asyncio@3.14", "candidate", "3.14"),
        ("uvloop@3.14", "candidate", "3.14"),
        ("asyncio~aa@3.13", "aa", "3.13"),
    ]


def test_two_builds_of_one_version_are_told_apart() -> None:
    pythons = [python("3.14.1"), python("3.14.2"), python("3.14.2")]
    subject.make_keys_unique(pythons)
    assert len({one.key for one in pythons}) == 3


def test_a_loop_that_another_python_does_not_know_is_not_there() -> None:
    """Its name comes from a distribution that is installed here and not there."""
    found = subject.ask(sys.executable, ["asyncio", "registered-elsewhere"], [])
    assert found.loops["asyncio"]["available"]
    assert not found.loops["registered-elsewhere"]["available"]
    assert "no loop is called" in found.loops["registered-elsewhere"]["reason"]
