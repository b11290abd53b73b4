"""The lane of CPython's own tests: what becomes of a test's ending, and of bad loops."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from conformance_testing import HERE

from loopgauge.conformance import lanes
from loopgauge.conformance.lanes.cpython import lane, parent
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool

ACCEPT = "cpython:test_sock_lowlevel.BaseSockTestsMixin.test_sock_accept"
RECEIVE = "cpython:test_sock_lowlevel.BaseSockTestsMixin.test_recvfrom"
WHITE_BOX = "cpython:test_server.BaseStartServer.test_start_server_1"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    try:
        parent.list_tests()
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}")
    with Pool(2, path=[HERE]) as made:
        yield made


def ask(pool: Pool, factory: str, *wanted: str) -> dict[str, Outcome]:
    questions = [question for question in lane.questions((3, 11)) if question.id in wanted]
    assert len(questions) == len(wanted)
    seen: dict[str, Outcome] = {}
    target = Target(name=factory, factory=factory)
    lane.answer(questions, target, pool, lambda question, got: seen.update({question.id: got}))
    assert seen.keys() == {*wanted}
    return seen


def bad(name: str) -> str:
    return f"conformance_testing.bad_loops:{name}"


def test_it_is_registered() -> None:
    assert lanes.lane_module("cpython") is lane


def test_ids_are_unique(pool: Pool) -> None:
    ids = [question.id for question in lane.questions((3, 11))]
    assert len(ids) == len({*ids}) > 400


def test_stock_passes_even_the_white_box(pool: Pool) -> None:
    seen = ask(pool, "asyncio:SelectorEventLoop", ACCEPT, WHITE_BOX)
    assert {id: outcome.verdict for id, outcome in seen.items()} == {
        ACCEPT: "PASS",
        WHITE_BOX: "PASS",
    }


def test_a_white_box_test_says_nothing_about_a_foreign_loop(pool: Pool) -> None:
    seen = ask(pool, bad("Foreign"), ACCEPT, WHITE_BOX)
    assert seen[WHITE_BOX].verdict == "INFO"
    assert "private attributes" in seen[WHITE_BOX].reason
    assert seen[WHITE_BOX].evidence.notes == {"result": "unimplemented"}
    assert seen[ACCEPT].verdict == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("raises", "ERROR", "no more rings"),
        ("ends", "CRASH", "exit status 3"),
        ("Aborts", "CRASH", "SIGABRT"),
        ("Prints", "PASS", ""),
        ("forks", "PASS", ""),
        ("Teaching", "UNIMPLEMENTED", "has no attribute"),
        ("there_is_no_such_factory", "ERROR", "there_is_no_such_factory"),
    ],
)
def test_bad_loop(pool: Pool, name: str, verdict: str, words: str) -> None:
    for outcome in ask(pool, bad(name), ACCEPT, RECEIVE).values():
        assert (outcome.verdict, words in outcome.reason) == (verdict, True), outcome


def test_a_loop_that_cannot_be_made_is_asked_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "MAKING", 3.0)
    monkeypatch.setattr(parent.Run, "_run_process", None)
    for outcome in ask(pool, bad("hangs"), ACCEPT, RECEIVE).values():
        assert outcome.verdict == "HANG"


def test_without_the_test_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise LookupError("No module named 'test.test_asyncio'")

    monkeypatch.setattr(parent, "list_tests", missing)
    monkeypatch.setattr(lane, "_listed", functools.cache(lane._listed.__wrapped__))
    with pytest.raises(lanes.LaneMissing, match=r"No module named.*testsuite"):
        lane.questions((3, 11))
