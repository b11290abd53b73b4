from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from loopgauge.harness.cli import COMMANDS, main
from loopgauge.harness.cli.errors import Problem, Terminated
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.group import BenchGroup, CommandEntry
from loopgauge.harness.errors import NotARunFile, StoreFull

HEAVY = ("rich", "numpy", "msgspec", "matplotlib", "jinja2", "asyncio", "loopgauge.loops")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from loopgauge.harness.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert done.returncode == 0


def test_help_shows_an_example_of_every_command() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name, entry in COMMANDS.items():
        assert f"  {name}" in text
        assert entry.example in text


def test_the_tiers_of_a_run_are_a_list() -> None:
    text = CliRunner().invoke(main, ["run", "--help"]).output
    for tier in ("python", "native", "deterministic", "memory"):
        assert re.search(rf"^ +{tier}  ", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"bench {name}" in result.output.split("Examples:")[1]


def test_an_unknown_command_offers_the_nearest() -> None:
    result = CliRunner().invoke(main, ["lst"])
    assert result.exit_code == ExitCode.USAGE
    assert "Did you mean 'list'" in result.output  # the nearest comes first


class Raiser:
    error: BaseException = RuntimeError()


@click.command()
def boom() -> None:
    raise Raiser.error


def run_raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(Raiser, "error", error)
    monkeypatch.setattr(BenchGroup, "get_command", lambda *arguments: boom)
    group = BenchGroup("bench", {"boom": CommandEntry("", "", "")}, help="")
    result = CliRunner().invoke(group, ["boom"])
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Terminated(15), 143),
        (Terminated(1), 129),
        (NotARunFile("x is no run", "Give one"), 7),
        (StoreFull("the disk is full", "Make room"), 8),
        (PermissionError(13, "Permission denied", "out.html"), 8),
        (Problem(ExitCode.NOTHING_MEASURED, "nothing"), 4),
    ],
)
def test_an_error_becomes_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_raising(error, monkeypatch)[0] == code


def test_a_known_error_is_one_line_with_cause_and_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = run_raising(StoreFull("the disk is full", "Make room"), monkeypatch)
    assert text == "error: the disk is full. Make room.\n"


def test_a_bug_keeps_its_traceback_and_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run_raising(ZeroDivisionError("oops"), monkeypatch)
    assert code == ExitCode.INTERNAL
    assert "ZeroDivisionError: oops" in text
    assert text.endswith("error: this is a bug in bench. Report it with the lines above.\n")


def test_a_reader_that_went_away_is_no_failure_of_ours() -> None:
    program = "from loopgauge.harness.cli import main; main(['list', 'loops'], prog_name='bench')"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == ExitCode.CLOSED_PIPE
