"""The lane's runner names the test that crashed, hung or failed, and goes on with the rest."""

from __future__ import annotations

import pytest
from cpython_lane import parent
from loop_testing import target

TESTS = [
    parent.Listed("test_server.BaseStartServer.test_start_server_1", "one process"),
    parent.Listed("test_sock_lowlevel.BaseSockTestsMixin.test_sock_accept", "one process"),
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    def run(factory: str) -> list[parent.Outcome]:
        monkeypatch.setenv(target.VARIABLE, f"loop_testing.broken:{factory}")
        lane = parent.Lane("a", TESTS, isolate=False, jobs=1)
        try:
            return [lane.outcome(test.id) for test in TESTS]
        finally:
            lane.close()

    try:
        parent.list_tests("a")
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}")
    return run


def test_crash_is_named_and_the_rest_still_runs(run) -> None:
    outcomes = run("aborts")
    assert [outcome.outcome for outcome in outcomes] == ["crashed", "crashed"]
    assert all("SIGABRT" in outcome.detail for outcome in outcomes)


def test_hang_is_named_with_the_stack(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "HANG_AFTER", 1.0)
    outcomes = run("hangs")
    assert [outcome.outcome for outcome in outcomes] == ["hung", "hung"]
    assert all("in hangs" in outcome.detail for outcome in outcomes)


def test_failure_carries_the_traceback(run) -> None:
    outcomes = run("raises")
    assert [outcome.outcome for outcome in outcomes] == ["failed", "failed"]
    assert all("no loop today" in outcome.detail for outcome in outcomes)
