from __future__ import annotations

from pathlib import Path

import pytest

from loopgauge.harness.cli.errors import explain
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.errors import BadSettings
from loopgauge.harness.gate.model import Expected, Settings
from loopgauge.harness.gate.settings import read_settings


def settings(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_settings(folder)


def test_without_a_file_or_a_table_there_are_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    assert settings(tmp_path, "[project]\nname = 'x'\n") == Settings()


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        """
        [tool.loopgauge.gate]
        loop = "mine"
        benchmarks = ["sleep0", "app:main"]
        margin = 0.02
        minutes = 3
        conformance = false
        areas = ["timers"]
        build = "cp -r ${SRC:-x} {source} && {python} -c pass"
        [tool.loopgauge.gate.margins]
        "io.*" = 0.05
        [[tool.loopgauge.gate.expected]]
        benchmark = "io.*"
        reason = "checks more"
        expires = 2027-01-31
        at_most = 0.1
        """,
    )
    assert (found.loop, found.margin, found.minutes, found.conformance) == (
        "mine",
        0.02,
        3.0,
        False,
    )
    assert found.margins == {"io.*": 0.05}
    assert found.expected == [
        Expected(benchmark="io.*", reason="checks more", expires="2027-01-31", at_most=0.1)
    ]


def test_the_loop_of_the_project_is_that_of_the_gate_unless_it_has_one(tmp_path: Path) -> None:
    assert settings(tmp_path, "[tool.loopgauge]\nloop = 'a'\n").loop == "a"
    both = "[tool.loopgauge]\nloop = 'a'\n[tool.loopgauge.gate]\nloop = 'b'\n"
    assert settings(tmp_path, both).loop == "b"


def entry(text: str) -> str:
    return f"[[tool.loopgauge.gate.expected]]\n{text}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool.loopgauge.gate\n", "is no TOML"),
        ("tool.loopgauge = 3\n", "tool.loopgauge is 3"),
        ("[tool.loopgauge]\ngate = 'x'\n", "tool.loopgauge.gate is 'x'"),
        ("[tool.loopgauge.gates]\nmargin = 0.1\n", "there is no 'gates'. Did you mean 'gate'"),
        ("[tool.loopgauge.gate]\nmargn = 0.1\n", r"no key 'margn'. Did you mean 'margin'"),
        ("[tool.loopgauge.gate]\nzzz = 1\n", "no key 'zzz'. There are: loop, benchmarks"),
        ("[tool.loopgauge.gate]\nmargin = '1 %'\n", r"margin: Expected float, got str"),
        ("[tool.loopgauge.gate]\nbenchmarks = [3]\n", r"benchmarks\[.*\]: Expected str"),
        ("[tool.loopgauge.gate]\nmargin = 2\n", "margin is 2, .* between 0 and 1"),
        ("[tool.loopgauge.gate]\nmargin = nan\n", "margin is nan"),
        ("[tool.loopgauge.gate]\nmargins = { 'io.*' = 0 }\n", r"margins.'io\.\*' is 0"),
        ("[tool.loopgauge.gate]\ninstructions_margin = -0.1\n", "instructions_margin is -0.1"),
        ("[tool.loopgauge.gate]\nminutes = 0\n", "minutes is 0"),
        ("[tool.loopgauge.gate]\nbuild = 'make {pyhton}'\n", r"build has \{pyhton\}"),
        ("[tool.loopgauge.gate]\nexpected = [3]\n", "expected.*Expected object, got int"),
        (entry("benchmark = 'x'\nexpires = '2027-01-01'\n"), "missing required field reason"),
        (entry("benchmark = 'x'\nreason = 'y'\nexpires = '31.1.2027'\n"), "expires is '31.1.2027'"),
        (entry("benchmark = 'x'\nreason = 'y'\nexpires = 2027-01-01T10:00:00\n"), "got datetime"),
        (
            entry("benchmark = 'x'\nreason = ' '\nexpires = 2027-01-01\n"),
            "entry 1: reason is empty",
        ),
        (entry("benchmark = 'x'\nreson = 'y'\n"), "entry 1: there is no key 'reson'. .* 'reason'"),
        (
            entry("benchmark = 'x'\nreason = 'y'\nexpires = 2027-01-01\nat_most = -1\n"),
            "at_most is -1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadSettings, match=says) as caught:
        settings(tmp_path, text)
    problem = explain(caught.value)
    assert problem is not None
    assert problem.code == ExitCode.USAGE
    assert str(tmp_path / "pyproject.toml") in problem.line()
    assert "\n" not in problem.line()
