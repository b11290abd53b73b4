"""The table of `scripts/dev cpython`: passed, failed, and what a correct loop may fail."""

from __future__ import annotations

import json
import os

import pytest
from conformance_testing import HERE

from loopgauge.conformance.lanes.cpython import parent, table

ACCEPT = "test_sock_accept"
WHITE_BOX = "test_start_server_1"


@pytest.fixture(autouse=True)
def usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYTHONPATH", f"{os.environ.get('PYTHONPATH', '')}:{HERE}")
    try:
        parent.list_tests()
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}")


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]):
    def run(loop: str, only: str) -> tuple[int, dict]:
        status = table.main(["--loop", loop, "--tier", "a", "--only", only, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_a_loop_that_passes(document) -> None:
    status, said = document("asyncio", ACCEPT)
    assert status == 0
    assert said["together"]["passed"] == 1
    assert [test["outcome"] for test in said["tests"]] == ["passed"]


def test_a_loop_that_fails(document) -> None:
    status, said = document("conformance_testing.bad_loops:raises", ACCEPT)
    assert status == 1
    assert said["together"]["failed"] == 1
    assert "no more rings" in said["tests"][0]["detail"]


def test_failing_a_white_box_test_is_no_failure(document) -> None:
    status, said = document("conformance_testing.bad_loops:raises", WHITE_BOX)
    assert status == 0
    assert (said["together"]["failed"], said["together"]["white_box_failed"]) == (0, 1)
    assert "private attributes" in said["tests"][0]["white_box"]


def test_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    loop = "conformance_testing.bad_loops:raises"
    assert table.main(["--loop", loop, "--tier", "a", "--only", ACCEPT]) == 1
    said = capsys.readouterr().out
    assert "together" in said
    assert f"error: test_sock_lowlevel.BaseSockTestsMixin.{ACCEPT}" in said
