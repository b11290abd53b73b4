"""One run from question to file: stock first, repeats, and what an interruption leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopgauge.conformance import session, store
from loopgauge.conformance.asking import Here
from loopgauge.conformance.case import Case
from loopgauge.conformance.model import Header, Kind, Subject, Verdict
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.session import Request

CASE = "SOON-001.three"


class Scripted(Pool):
    """Answers with what a test wants, loop by loop, one verdict per time of asking."""

    def __init__(self, answers: dict[str, list[Kind]]) -> None:
        super().__init__(1)
        self.answers = answers

    def run(self, cases, target, done) -> None:
        for case in cases:
            self.answer(case, target, done)

    def answer(self, case: Case, target: Target, done) -> None:
        left = self.answers[target.name]
        if not left:
            raise KeyboardInterrupt
        kind = left.pop(0)
        done(case, Outcome(verdict=kind, reason="" if kind == "PASS" else "seen"))


class Quiet:
    def begin(self, loop, lane, questions) -> None:
        pass

    def tried(self, loop, lane) -> None:
        pass

    def verdict(self, verdict) -> None:
        pass

    def missing(self, lane, reason) -> None:
        raise AssertionError(reason)


def run(tmp_path: Path, repeat: int = 1, **answers: list[Kind]) -> store.Results:
    header = Header(created="", python="3.13.0", lanes=["rules"], repeat=repeat)
    header.subjects = [Subject(loop=loop, factory="x:y") for loop in answers]
    targets = [Target(name=loop, factory="x:y") for loop in answers]
    request = Request(header=header, targets=targets, selection=[CASE])
    path = tmp_path / "result.jsonl"
    with store.Writer(path) as writer:
        session.run(request, Here(Scripted(answers)), writer, Quiet())
    return store.read(path)


def only(results: store.Results, loop: str) -> Verdict:
    (verdict,) = results.of(loop)
    return verdict


def test_a_run(tmp_path: Path) -> None:
    results = run(tmp_path, asyncio=["PASS"], mine=["FAIL"])
    assert only(results, "asyncio").status == "expected"
    mine = only(results, "mine")
    assert (mine.verdict, mine.status, mine.stock) == ("FAIL", "unexpected", "PASS")
    assert (mine.rule, mine.level, mine.profile) == ("SOON-001", "MUST", "Core")
    assert results.end is not None
    assert results.end.complete


def test_where_stock_fails_the_case_is_wrong(tmp_path: Path) -> None:
    results = run(tmp_path, asyncio=["FAIL"], mine=["PASS"])
    assert only(results, "asyncio").status == "unexpected"
    assert only(results, "mine").verdict == "HARNESS"


def test_repeats_that_agree(tmp_path: Path) -> None:
    mine = only(run(tmp_path, 3, asyncio=["PASS"] * 3, mine=["FAIL"] * 3), "mine")
    assert (mine.verdict, mine.tries) == ("FAIL", {"FAIL": 3})


def test_repeats_that_disagree_are_flaky(tmp_path: Path) -> None:
    results = run(tmp_path, 3, asyncio=["PASS"] * 3, mine=["PASS", "HANG", "PASS"])
    mine = only(results, "mine")
    assert mine.verdict == "FLAKY"
    assert mine.tries == {"PASS": 2, "HANG": 1}
    assert "2 x PASS, 1 x HANG" in mine.reason


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, asyncio=["PASS"], mine=[])
    results = store.read(tmp_path / "result.jsonl")
    assert only(results, "asyncio").verdict == "PASS"
    assert results.end is not None
    assert not results.end.complete


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    run(tmp_path, asyncio=["PASS"])
    path = tmp_path / "result.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    results = store.read(path)
    assert len(results.verdicts) == 1
    assert results.end is None


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    run(tmp_path, asyncio=["PASS"])
    path = tmp_path / "result.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"verdict":"PASS"', b'"verdict":"GREAT"'))
    with pytest.raises(store.UnreadableResult, match="line 2"):
        store.read(path)


@pytest.mark.parametrize("pattern", ["SOON", "SOON-001", CASE, "SOON-001*"])
def test_selection(pattern: str) -> None:
    found = session.chosen([pattern], ["rules"])["rules"]
    assert CASE in [question.id for question in found]
    assert all(question.rule.startswith("SOON") for question in found)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(session.UnknownCases) as caught:
        session.chosen(["SON"], ["rules"])
    assert "SOON" in caught.value.known


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    run(tmp_path, asyncio=["PASS"])
    (tmp_path / "z.jsonl").touch()
    assert store.stored(tmp_path) == [tmp_path / "result.jsonl"]
