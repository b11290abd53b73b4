"""The lane's runner names the test that crashed, hung or failed, and goes on with the rest."""

from __future__ import annotations

import os

import pytest
from conformance_testing import HERE

from loopgauge.conformance.lanes.cpython import parent
from loopgauge.conformance.lanes.cpython.messages import Listed
from loopgauge.conformance.runner.messages import Target

TESTS = [
    Listed(
        id="test_server.BaseStartServer.test_start_server_1",
        group="one process",
        method="test_start_server_1",
        tier="a",
    ),
    Listed(
        id="test_sock_lowlevel.BaseSockTestsMixin.test_sock_accept",
        group="one process",
        method="test_sock_accept",
        tier="a",
    ),
]


@pytest.fixture
def run():
    def run(factory: str, patience: float = parent.PATIENCE) -> list[parent.Outcome]:
        factory = f"conformance_testing.bad_loops:{factory}"
        running = parent.Run(
            Target(name=factory, factory=factory),
            TESTS,
            isolate=False,
            jobs=1,
            environment={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{HERE}"},
            patience=patience,
        )
        try:
            return [running.outcome(test.id) for test in TESTS]
        finally:
            running.close()

    try:
        parent.list_tests()
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}")
    return run


def test_crash_is_named_and_the_rest_still_runs(run) -> None:
    outcomes = run("Aborts")
    assert [outcome.ending for outcome in outcomes] == ["crashed", "crashed"]
    assert all("SIGABRT" in outcome.detail for outcome in outcomes)


def test_hang_is_named_with_the_stack(run) -> None:
    outcomes = run("hangs", patience=5.0)
    assert [outcome.ending for outcome in outcomes] == ["hung", "hung"]
    assert all("in hangs" in outcome.detail for outcome in outcomes)


def test_failure_carries_the_traceback(run) -> None:
    outcomes = run("raises")
    assert [outcome.ending for outcome in outcomes] == ["error", "error"]
    assert all("no more rings" in outcome.detail for outcome in outcomes)
