"""Whatever a loop does to its process: the case has a verdict, and nothing else is harmed."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loopgauge.conformance.case import Case, all_cases
from loopgauge.conformance.runner.body import perform
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.trial import Trial

HERE = str(Path(__file__).resolve().parent)

#: Asked of every bad loop: three callbacks "a", "b", "c" and their order.
CASE = "SOON-001.three"

GOOD = Target(name="asyncio", factory="asyncio:SelectorEventLoop")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2, path=[HERE]) as made:
        yield made


def ask(pool: Pool, target: Target, seconds: float = 30.0) -> Outcome:
    outcomes: list[Outcome] = []
    case = limited(all_cases()[CASE], seconds)
    pool.run([case], target, lambda case, outcome: outcomes.append(outcome))
    (outcome,) = outcomes
    return outcome


def limited(case: Case, seconds: float) -> Case:
    return replace(case, seconds=seconds)


def bad(name: str) -> Target:
    return Target(name=name, factory=f"conformance_testing.bad_loops:{name}")


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("raises", "ERROR", "the factory raised OSError"),
        ("no_loop", "ERROR", "no event loop"),
        ("same_twice", "ERROR", "closed loop"),
        ("ends", "CRASH", "exit status 3"),
        ("exits", "ERROR", "SystemExit"),
        ("Aborts", "CRASH", "SIGABRT"),
        ("dies_of_a_nameless_signal", "CRASH", "ended by signal "),
        ("forks", "LEAK", "child process"),
        ("ForksLate", "LEAK", "child process"),
        ("LeavesChild", "LEAK", "child process"),
        ("ClosesForeign", "LEAK", "not its own"),
        ("Prints", "PASS", ""),
        ("NeverCloses", "PASS", ""),  # for the cases about closing: see below
        ("KeepsWhenClosed", "PASS", ""),
        ("LeaksDescriptor", "LEAK", "descriptor"),
        ("KeepsPerProcess", "PASS", ""),
        ("WrongOrder", "FAIL", "wanted"),
        ("Teaching", "UNIMPLEMENTED", "call_soon"),
        ("there_is_no_such_factory", "ERROR", "there_is_no_such_factory"),
    ],
)
def test_bad_loop(pool: Pool, name: str, verdict: str, words: str) -> None:
    outcome = ask(pool, bad(name))
    assert (outcome.verdict, words in outcome.reason) == (verdict, True), outcome
    assert ask(pool, GOOD).verdict == "PASS"


@pytest.mark.parametrize("name", ["hangs", "SwallowsTermination"])
def test_hang(pool: Pool, name: str) -> None:
    outcome = ask(pool, bad(name), seconds=1.0)
    assert outcome.verdict == "HANG"
    assert name in outcome.evidence.stack or "bad_loops.py" in outcome.evidence.stack
    assert ask(pool, GOOD).verdict == "PASS"


@pytest.mark.parametrize("name", ["NeverCloses", "KeepsWhenClosed"])
def test_what_every_loop_leaves_behind_is_judged_where_it_belongs(pool: Pool, name: str) -> None:
    about_closing = [case for case in all_cases().values() if case.rule.id == "LIFE-025"]
    seen: list[str] = []
    pool.run(about_closing, bad(name), lambda case, outcome: seen.append(outcome.verdict))
    assert seen
    assert set(seen) <= {"FAIL", "LEAK"}


def test_broken_import(pool: Pool) -> None:
    target = Target(name="broken", factory="conformance_testing.raises_at_import:new_loop")
    outcome = ask(pool, target)
    assert outcome.verdict == "ERROR"
    assert "undefined symbol" in outcome.reason


def test_output_is_kept_and_never_parsed(pool: Pool) -> None:
    """What a loop prints looks like the runner's own messages."""
    outcome = ask(pool, Target(name="x", factory="conformance_testing.bad_loops:PrintsAndAborts"))
    assert outcome.verdict == "CRASH"
    assert '{"verdict": "FAIL"}' in outcome.evidence.output


def test_no_process_is_left() -> None:
    before = set(psutil.Process(os.getpid()).children(recursive=True))
    with Pool(2, path=[HERE]) as pool:
        ask(pool, bad("LeavesChild"))
        family = set(psutil.Process(os.getpid()).children(recursive=True)) - before
    assert family
    psutil.wait_procs(family, timeout=30)
    assert [process for process in family if process.is_running()] == []


def verdicts(jobs: int) -> dict[str, str]:
    cases = [case for case in all_cases().values() if case.rule.area == "SOON"]
    seen: dict[str, str] = {}
    with Pool(jobs, path=[HERE]) as pool:
        pool.run(
            cases,
            bad("WrongOrder"),
            lambda case, outcome: seen.update({case.id: outcome.verdict}),
        )
    return seen


def test_parallel_and_serial_agree() -> None:
    """The same cases on a loop that breaks some, one at a time and four at a time."""
    serial = verdicts(jobs=1)
    assert serial == verdicts(jobs=4)
    assert serial[CASE] == "FAIL"


def test_an_interrupted_pool_starts_nothing_again() -> None:
    """Closed while a case hangs, as by Ctrl-C."""
    before = set(psutil.Process(os.getpid()).children(recursive=True))
    outcomes: list[Outcome] = []
    pool = Pool(1, path=[HERE])
    case = limited(all_cases()[CASE], 600.0)
    asking = threading.Thread(
        target=pool.run,
        args=([case], bad("hangs"), lambda case, outcome: outcomes.append(outcome)),
        daemon=True,
    )
    asking.start()
    family = wait_for_family(before)
    pool.close()
    asking.join(30)
    psutil.wait_procs(family, timeout=30)
    assert set(psutil.Process(os.getpid()).children(recursive=True)) <= before
    assert [process for process in family if process.is_running()] == []
    assert [outcome.verdict for outcome in outcomes] == ["HARNESS"]


@pytest.mark.parametrize("verdict", ["PASS", "NON_STRICT"])
def test_an_error_of_close_is_not_hidden(tmp_path: Path, verdict: str) -> None:
    def body(t: Trial) -> None:
        t.loop.call_soon(t.event, "a")
        if verdict == "NON_STRICT":
            t.non_strict("for this test")

    asked = replace(all_cases()[CASE], body=body)
    outcome = perform(asked, bad("LeavesOnClose"), tmp_path)
    assert (outcome.verdict, "while the loop was closed" in outcome.reason) == ("ERROR", True)


def test_the_second_round_finds_an_empty_folder(tmp_path: Path) -> None:
    def body(t: Trial) -> None:
        (t.directory / "socket").touch(exist_ok=False)

    asked = replace(all_cases()[CASE], body=body)
    assert perform(asked, GOOD, tmp_path, twice=True).verdict == "PASS"


def test_a_closed_pool_begins_no_process() -> None:
    """As by Ctrl-C when the threads that are to ask have only just been started."""
    pool = Pool(2, path=[HERE])
    pool.close()
    with pytest.raises(queue.Empty), pool._nursery():
        pass
    assert pool._all == []


def test_ctrl_c_while_a_pool_is_closed_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    pool = Pool(2, path=[HERE])
    with pool._nursery(), pool._nursery():
        pass
    first, second = pool._all
    monkeypatch.setattr(second._process, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    monkeypatch.undo()
    assert [one._folder.exists() for one in (first, second)] == [False, False]
    assert second._process.wait(30) is not None
    pool.close()


def wait_for_family(before: set[psutil.Process]) -> set[psutil.Process]:
    """The nursery and the process of its case, once both are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        family = set(psutil.Process(os.getpid()).children(recursive=True)) - before
        if len(family) == 2:
            return family
        time.sleep(0.01)  # polls: nothing tells of grandchildren
    raise AssertionError("the case was not started")
