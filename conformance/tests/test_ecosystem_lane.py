"""The lane of popular libraries: programs are cases of no rule, and what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance_testing import HERE

from loopgauge.conformance import lanes
from loopgauge.conformance.case import Case
from loopgauge.conformance.lanes.ecosystem import lane
from loopgauge.conformance.lanes.ecosystem.program import library
from loopgauge.conformance.repro import script
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.trial import NotApplicable, Trial

ECHO = "ecosystem:websockets.echo-tcp"
UNIX = "ecosystem:anyio.unix"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pytest.importorskip("websockets")
    pytest.importorskip("anyio")
    with Pool(2, path=[HERE]) as made:
        yield made


def ask(pool: Pool, factory: str, *wanted: str) -> dict[str, Outcome]:
    questions = [question for question in lane.questions((3, 11)) if question.id in wanted]
    seen: dict[str, Outcome] = {}
    target = Target(name=factory, factory=factory)
    lane.answer(questions, target, pool, lambda question, got: seen.update({question.id: got}))
    assert seen.keys() == {*wanted}
    return seen


def test_it_is_registered() -> None:
    assert lanes.lane_module("ecosystem") is lane
    asked = [question.id for question in lane.questions((3, 11))]
    assert len(asked) == len({*asked}) > 20
    assert all(id.startswith("ecosystem:") for id in asked)


def test_programs_pass_on_stock(pool: Pool) -> None:
    for outcome in ask(pool, "asyncio:SelectorEventLoop", ECHO, UNIX).values():
        assert outcome.verdict == "PASS", outcome
        assert outcome.evidence.observations


@pytest.mark.parametrize(("name", "verdict"), [("raises", "ERROR"), ("Aborts", "CRASH")])
def test_bad_loop(pool: Pool, name: str, verdict: str) -> None:
    (outcome,) = ask(pool, f"conformance_testing.bad_loops:{name}", ECHO).values()
    assert outcome.verdict == verdict, outcome


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    trial = Trial(lambda: None, directory=tmp_path)
    with pytest.raises(NotApplicable, match=r"no_such_library.*pip install no_such_library"):
        library(trial, "no_such_library.server")


@pytest.mark.parametrize("program", lane.programs(), ids=lambda program: program.id)
def test_every_program_can_be_cut_out(program: Case) -> None:
    text = script(program, Target(name="asyncio", factory="asyncio:SelectorEventLoop"))
    compile(text, program.id, "exec")
    assert "loopgauge" not in text


def test_a_cut_out_program_runs_alone(pool: Pool, tmp_path: Path) -> None:
    program = next(program for program in lane.programs() if program.id == ECHO)
    path = tmp_path / "alone.py"
    path.write_text(script(program, Target(name="asyncio", factory="asyncio:SelectorEventLoop")))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the ping is answered" in done.stdout
