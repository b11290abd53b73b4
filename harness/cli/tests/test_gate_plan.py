from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from loopgauge.harness.cli.gate import gate
from loopgauge.harness.cli.gate_plan import show_plan
from loopgauge.harness.gate.sensitivity import BenchmarkPlan, Cost, Plan

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench


def benchmark(name: str, **changed: object) -> BenchmarkPlan:
    fields: dict[str, object] = {
        "margin": 0.01,
        "calibrated": 12,
        "spread": 0.008,
        "error": 0.0014,
        "seconds": 0.5,
        "power": 0.93,
        "powers": {"0.01": 0.0, "0.02": 0.93},
        "smallest": 0.0163,
        "processes": 32,
        "equivalent": 0.97,
    }
    return BenchmarkPlan(benchmark=name, **(fields | changed))  # type: ignore[arg-type]


PLAN = Plan(
    seed=7,
    change=0.02,
    wanted_power=0.9,
    minutes=5,
    most=64,
    fresh=16,
    benchmarks=[
        benchmark("tasks.gather[n=10]"),
        benchmark("loud", power=0.04, smallest=None, processes=None),
        benchmark("still", power=1.0, smallest=0.013),
    ],
    costs=[
        Cost(
            minutes=5,
            unchanged_minutes=1.44,
            changed_minutes=3.96,
            found=0.62,
            worst=0.04,
            equivalent=0.8,
        )
    ],
    left_out=["broken: 0 calibrated processes, 4 are needed"],
)


def test_the_table_has_a_row_for_each_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(PLAN, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:5]}
    assert rows["tasks.gather[n=10]"] == [
        "1.00%", "0.80%", "93%", "+1.6%", "32", "97%"
    ]  # fmt: skip
    assert rows["loud"][2:5] == ["4%", "nothing", "too"]
    assert rows["still"][2] == ">99%"


def test_below_the_table_are_cost_hopeless_cases_and_what_was_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    show_plan(PLAN, as_json=False)
    out = capsys.readouterr().out
    assert (
        "5 minutes at most: +2% is found in 62% of the cases, 4% where it is hardest; it takes "
        "1.4 minutes where nothing changed, 4.0 where everything did" in out
    )
    assert "finds +2% in 90% of the cases in: loud." in out
    assert "left out: broken: 0 calibrated processes" in out
    assert "seed 7" in out


def test_json_has_every_figure_as_a_share(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(PLAN, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["kind"]) == (1, "gate-plan")
    assert document["benchmarks"][0]["smallest"] == 0.0163
    assert document["benchmarks"][1]["processes"] is None
    assert document["costs"][0]["changed_minutes"] == 3.96


def test_a_plan_of_this_machine(bench: Bench) -> None:
    sides = ("--base", "asyncio", "--head", "asyncio")
    done = bench("gate", "sleep0", "--plan", "--find", "40", "--minutes", "0.01", *sides, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (found,) = document["benchmarks"]
    assert (document["kind"], document["change"], document["minutes"]) == ("gate-plan", 0.4, 0.01)
    assert (found["benchmark"], found["calibrated"]) == ("throughput.sleep0", 8)
    assert 0 < found["spread"] < 1
    assert found["seconds"] > 0
    assert not bench.runs(), "a trial is no run that `latest` could mean"
    assert not [*bench.folder.glob(".bench/gates/*")]


@pytest.mark.parametrize("option", ["--out", "--junit", "--markdown"])
def test_a_plan_keeps_nothing(option: str) -> None:
    done = CliRunner().invoke(gate, ["sleep0", "--plan", option, "there"])
    assert done.exit_code == 2
    assert f"--plan measures base against itself, and keeps nothing; leave out {option}." in (
        done.stderr
    )
