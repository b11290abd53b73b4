"""`bench validate`, asked of a part of the suite: what a user sees of good, begun and bad loops."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from loopgauge.conformance.model import Header, Verdict
from loopgauge.conformance.store import Results
from loopgauge.harness.cli import main, questions
from loopgauge.harness.cli.validate import exit_code
from loopgauge.harness.cli.validation import Validation

LOOPS = """
import asyncio

class Teaching:
    def create_task(self, coroutine):
        return coroutine

    def run_until_complete(self, coroutine):
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value

class Unordered(asyncio.SelectorEventLoop):
    def call_soon(self, callback, *args, context=None):
        handle = super().call_soon(callback, *args, context=context)
        self._ready.rotate()
        return handle

def broken():
    raise OSError("no rings")
"""


@pytest.fixture
def validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in a folder of its own, with two areas instead of all."""
    make_request = questions.make_request
    (tmp_path / "mine.py").write_text(LOOPS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        questions,
        "make_request",
        lambda what, loops, lanes: make_request(("SOON-001", "HNDL-001"), loops, lanes),
    )

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["validate", *words, "--no-measure", "--lane", "rules"])

    return run


def test_a_loop_that_is_begun_gets_a_list(validate: Callable[..., Result]) -> None:
    done = validate("mine:Teaching")
    assert done.exit_code == 5
    assert "What to do next" in done.stdout
    assert "implement  call_soon()" in done.stdout
    assert "Traceback" not in done.output
    assert "begin with: bench repro SOON-001" in done.stderr


def test_what_is_broken_is_named(validate: Callable[..., Result]) -> None:
    done = validate("mine:Unordered")
    assert done.exit_code == 5
    assert "SOON-001: FAIL" in done.stdout


def test_a_good_loop(validate: Callable[..., Result], tmp_path: Path) -> None:
    done = validate("asyncio:SelectorEventLoop", "--report", "site")
    assert done.exit_code == 0
    assert "What to do next" not in done.stdout
    page = (tmp_path / "site" / "index.html").read_text()
    assert "Nothing: every case passes." in page
    assert (tmp_path / "site" / "conformance" / "index.html").exists()


def test_the_page_leads_to_the_cases(validate: Callable[..., Result], tmp_path: Path) -> None:
    validate("mine:Unordered", "--report", "site")
    page = (tmp_path / "site" / "index.html").read_text()
    link = page.split('<td><a href="')[1].split('"')[0]
    assert (tmp_path / "site" / link).exists()


def test_json(validate: Callable[..., Result]) -> None:
    document = json.loads(validate("mine:Teaching", "--json").stdout)
    assert document["exit_code"] == 5
    assert document["next_steps"][0]["must"] >= document["next_steps"][-1]["must"]
    assert document["not_measured"] == "not asked for"


def test_known_faults_are_no_failure(validate: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text(
        '[[expect]]\ncase = "*"\nverdict = "FAIL"\nreason = "rotates"\nstrict = false\n'
    )
    assert validate("mine:Unordered", "--expectations", str(known)).exit_code == 0


def test_what_cannot_be_measured_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["validate", "asyncio", "--measure", "nosuch"])
    assert done.exit_code == 2
    assert "no scenario matches 'nosuch'" in done.stderr
    assert not Path(".bench").exists()


def test_a_factory_that_raises(validate: Callable[..., Result]) -> None:
    done = validate("mine:broken")
    assert done.exit_code == 5
    assert "the factory raised OSError: no rings" in done.stdout


@pytest.mark.parametrize(
    ("loop", "code", "words"),
    [
        ("there_is_no_such_module:loop", 4, "no module named there_is_no_such_module"),
        ("uvlop", 2, "did you mean uvloop"),
    ],
)
def test_a_loop_that_is_not_there(
    validate: Callable[..., Result], loop: str, code: int, words: str
) -> None:
    done = validate(loop)
    assert done.exit_code == code
    assert words in done.stderr


def test_what_has_no_verdict_is_left_out() -> None:
    """Where stock asyncio fails unexpectedly, nothing is known about the loop."""
    header = Header(created="", python="3.13.0")
    verdict = Verdict(
        loop="x:y", rule="A-001", case="A-001.b", level="MUST", verdict="HARNESS",
        status="expected", factory="x:y", python="3.13.0",
    )  # fmt: skip
    found = Validation("x:y", Results(Path("r.jsonl"), header, [verdict]), [], [], "")
    assert exit_code(found, measurement_wanted=False) == 6
