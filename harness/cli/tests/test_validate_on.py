"""`bench validate --on`, asked of a part of the suite and measured in a moment."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fleet_testing import Cluster

from loopgauge.harness import budget
from loopgauge.harness.cli import conformance_on, main
from loopgauge.harness.fleet.folder import read_fleet

BAD = "fleet_loops:Deaf"


@pytest.fixture
def validate(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    asked = functools.partial(conformance_on.run, what=("SOON-007",))
    monkeypatch.setattr(conformance_on, "run", asked)
    quick = dataclasses.replace(
        budget.LIMITS["quick"], budget_s=1.0, slot_s=0.001, hang_timeout_s=10.0,
        rounds_least=2, rounds_wanted=2, rounds_most=2,
        blocks_least=2, blocks_wanted=2, blocks_most=2,
    )  # fmt: skip
    monkeypatch.setitem(budget.LIMITS, "quick", quick)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["validate", *words, "--lane", "rules", "--on", cluster.on])

    return run


def test_promises_and_speed_of_every_host(validate: Callable[..., Result], tmp_path: Path) -> None:
    done = validate(BAD, "--measure", "sleep0", "--report", "site")
    assert done.exit_code == 5, done.output
    assert "SOON-007: FAIL" in done.stdout
    assert "throughput.sleep0" in done.stdout
    (folder,) = tmp_path.glob(".bench/fleets/*")
    fleet = read_fleet(folder)
    assert fleet.complete
    (run,) = fleet.runs.values()
    assert {arm.loop for arm in run.header.arms} >= {BAD, "asyncio", "uvloop"}
    assert (tmp_path / "site/index.html").exists()
    assert (tmp_path / "site/measurement.html").exists()
    assert f"run: .bench/fleets/{folder.name}" in done.stderr


def test_json_without_measuring(validate: Callable[..., Result], tmp_path: Path) -> None:
    done = validate(BAD, "--no-measure", "--json")
    assert done.exit_code == 5, done.output
    document = json.loads(done.stdout)
    assert (document["kind"], document["run"], document["exit_code"]) == (
        "validation-fleet", None, 5,
    )  # fmt: skip
    (one,) = document["validations"]
    assert one["hosts"] == ["one"]
    assert one["not_measured"] == "not asked for"
    assert one["next_steps"][0]["must"] >= 1
    assert not (tmp_path / ".bench/fleets").exists()


def test_a_loop_that_no_host_has(validate: Callable[..., Result], tmp_path: Path) -> None:
    done = validate("nowhere:Loop", "--no-measure")
    assert done.exit_code == 4
    assert "nowhere" in done.stderr
    assert not (tmp_path / ".bench").exists()
