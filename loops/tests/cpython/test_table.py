"""The table of `scripts/dev cpython`: passed, failed, and what a correct loop may fail."""

from __future__ import annotations

import json

import pytest
from cpython_lane import parent, table
from loop_testing import target

ACCEPT = "test_sock_accept"
WHITE_BOX = "test_start_server_1"


@pytest.fixture(autouse=True)
def usable() -> None:
    try:
        parent.list_tests("a")
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}")


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(parent, "HANG_AFTER", parent.HANG_AFTER)  # the command changes it

    def run(loop: str, only: str) -> tuple[int, dict]:
        monkeypatch.setenv(target.VARIABLE, "")
        status = table.main(["--loop", loop, "--tier", "a", "--only", only, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_a_loop_that_passes(document) -> None:
    status, said = document("asyncio", ACCEPT)
    assert status == 0
    assert said["together"]["passed"] == 1
    assert [test["outcome"] for test in said["tests"]] == ["passed"]


def test_a_loop_that_fails(document) -> None:
    status, said = document("loop_testing.broken:raises", ACCEPT)
    assert status == 1
    assert said["together"]["failed"] == 1
    assert "no loop today" in said["tests"][0]["detail"]


def test_failing_a_white_box_test_is_no_failure(document) -> None:
    status, said = document("loop_testing.broken:raises", WHITE_BOX)
    assert status == 0
    assert (said["together"]["failed"], said["together"]["white_box_failed"]) == (0, 1)
    assert "private attributes" in said["tests"][0]["white_box"]


def test_the_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(parent, "HANG_AFTER", parent.HANG_AFTER)
    monkeypatch.setenv(target.VARIABLE, "")
    loop = "loop_testing.broken:raises"
    assert table.main(["--loop", loop, "--tier", "a", "--only", ACCEPT]) == 1
    said = capsys.readouterr().out
    assert "together" in said
    assert f"failed: test_sock_lowlevel.BaseSockTestsMixin.{ACCEPT}" in said
