"""`bench doctor`: what is shown of the findings, and the exit code."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from loopgauge.harness import doctor as room
from loopgauge.harness.cli.doctor import doctor
from loopgauge.harness.doctor import Finding

LOAD = Finding(
    check="load",
    level="warning",
    found="others use 80% of a CPU just now: node (20) 70%",
    meaning="Other work shares caches",
    cure="kill -STOP 20 [on: kill -CONT 20]",
)
SICK = Finding(check="build", level="problem", found="no extension modules", cure="build them")
FINE = Finding(check="swap", level="ok", found="no swap")


def asked(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *words: str) -> tuple[int, str]:
    monkeypatch.setattr(room, "diagnose", lambda: findings)
    done = CliRunner().invoke(doctor, words, prog_name="bench doctor")
    return done.exit_code, done.stdout


def test_each_finding_has_its_effect_and_its_cure_below_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, out = asked(monkeypatch, [LOAD, FINE])
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[0].split(maxsplit=2) == ["warning", "load", LOAD.found]
    assert lines[1:3] == [LOAD.meaning, f"cure: {LOAD.cure}"]
    assert lines[3].split(maxsplit=2) == ["ok", "swap", "no swap"]
    assert lines[-1] == "1 warning."


def test_a_problem_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = asked(monkeypatch, [LOAD, LOAD, SICK])
    assert code == 8
    assert out.splitlines()[-1] == "1 problem and 2 warnings."


def test_a_machine_without_anything_wrong_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [FINE]) == (
        0,
        "ok  swap  no swap\nNothing stands in the way of good figures.\n",
    )


def test_programs_get_every_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = asked(monkeypatch, [SICK, FINE], "--json")
    document = json.loads(out)
    assert document["exit_code"] == code == 8
    assert [finding["check"] for finding in document["findings"]] == ["build", "swap"]
    assert document["findings"][0]["cure"] == "build them"
