"""`bench compare` by files written by hand: words, exit codes, outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from loopgauge.conformance import model as conformance
from loopgauge.harness.model import (
    Allocation,
    AnyRecord,
    Arm,
    Benchmark,
    End,
    Environment,
    Header,
    Interpreter,
    Machine,
    Plan,
    Sample,
)

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

BLOCKS = 4
ROLES: dict[str, Any] = {"asyncio": "reference", "asyncio~aa": "aa"}


def header(name: str, arms: Sequence[str], benchmarks: Sequence[str], **machine: str) -> Header:
    facts = Machine(**{"cpu_model": "A", "kernel": "6.1", **machine})
    return Header(
        run=name,
        created="2026-11-22T00:00:00Z",
        seed=1,
        arms=[
            Arm(label=arm, loop=arm, factory="x:y", python="3", role=ROLES.get(arm, "candidate"))
            for arm in arms
        ],
        benchmarks=[Benchmark(id=one, scenario=one) for one in benchmarks],
        plan=Plan(method="1", rounds=10, batch=1, slot_s=0.004, warmup=1, budget_s=1, expected_s=1,
                  hang_timeout_s=1, allocations={one: Allocation(blocks=BLOCKS, block_s=0.01)
                                                 for one in benchmarks}),
        environment=Environment(
            machine=facts,
            interpreters={"3": Interpreter(executable="python", version="3", optimized=True)},
        ),
    )  # fmt: skip


def sample(benchmark: str, arm: str, number: int, ns: float) -> Sample:
    total = [round(100 * ns)] * BLOCKS
    slots = list(range(BLOCKS))
    return Sample(
        process=number, round=number, benchmark=benchmark, arm=arm, design="hybrid",
        n=[100] * BLOCKS, block=slots, slot=slots, wall_ns=total, process_ns=total,
        thread_ns=total,
    )  # fmt: skip


def place(
    bench: Bench,
    name: str,
    benchmarks: Sequence[str] = ("io.echo",),
    complete: bool = True,
    machine: str = "6.1",
    **factors: float,
) -> Path:
    """A run of ten processes: stock asyncio, its twin, and loops by their factor."""
    draw = np.random.default_rng(len(name) + 17)
    arms = {"asyncio": 1.0, "asyncio~aa": 1.0, **factors}
    records: list[AnyRecord] = [header(name, [*arms], benchmarks, kernel=machine)]
    records += [
        sample(benchmark, arm, number, 1000 * factor * float(np.exp(0.002 * draw.normal())))
        for benchmark in benchmarks
        for number in range(10)
        for arm, factor in arms.items()
    ]
    if complete:
        records.append(End(utc="2026-11-22T00:10:00Z"))
    path = bench.folder / f"{name}.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("factor", "code", "verdict"),
    [(0.5, 0, "EQUIVALENT"), (0.55, 1, "REGRESSED"), (0.45, 0, "IMPROVED"),
     (0.51, 3, "INCONCLUSIVE")],
)  # fmt: skip
def test_the_exit_code_is_the_verdict(bench: Bench, factor: float, code: int, verdict: str) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=factor)
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert done.returncode == code, done.stderr
    assert f"1 {verdict}" in done.stdout
    assert "did not take turns" in done.stdout


def test_json_and_markdown(bench: Bench) -> None:
    place(bench, "old", ["io.echo", "io.bulk"], fast=0.5, same=0.7)
    place(bench, "new", ["io.echo", "io.bulk"], fast=0.55, same=0.7)
    done = bench("compare", "old.jsonl", "new.jsonl", "--json", "--markdown", "out/c.md")
    found = json.loads(done.stdout)
    assert (found["kind"], found["exit_code"], done.returncode) == ("comparison", 1, 1)
    first = found["compared"][0]
    assert (first["verdict"], first["loop"], first["basis"]) == ("REGRESSED", "fast", "control")
    assert 0.09 < first["low"] < first["change"] < first["high"] < 0.11
    text = (bench.folder / "out/c.md").read_text()
    assert text.count("**REGRESSED**") == 2
    assert text.index("REGRESSED") < text.index("<details>") < text.index("| io.bulk | same |")
    assert bench("compare", "old.jsonl", "new.jsonl", "--markdown", "-").stdout == text


def test_only_one_loop(bench: Bench) -> None:
    place(bench, "old", fast=0.5, same=0.7)
    place(bench, "new", fast=0.55, same=0.7)
    done = bench("compare", "old.jsonl", "new.jsonl", "--arm", "same")
    assert (done.returncode, "fast" in done.stdout) == (0, False)
    done = bench("compare", "old.jsonl", "new.jsonl", "--arm", "smae")
    assert done.returncode == 2
    assert "No loop 'smae' in old.jsonl or new.jsonl. Did you mean 'same'?" in done.stderr


def test_the_margin_is_in_percent(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.55)
    done = bench("compare", "old.jsonl", "new.jsonl", "--margin", "20")
    assert (done.returncode, "±20 %" in done.stdout) == (0, True)
    assert bench("compare", "old.jsonl", "new.jsonl", "--margin", "0").returncode == 2


def test_two_loops_of_one_run(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    done = bench("compare", "old.jsonl", "--base", "fast", "--head", "asyncio")
    assert (done.returncode, "1 REGRESSED" in done.stdout) == (1, True)
    assert "did not take turns" not in done.stdout


def test_another_machine_is_refused_unless_forced(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.5, machine="6.2")
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert (done.returncode, done.stdout) == (4, "")
    assert "kernel: 6.1 -> 6.2" in done.stderr
    assert "--force" in done.stderr
    done = bench("compare", "old.jsonl", "new.jsonl", "--force", "--markdown", "c.md")
    assert (done.returncode, "FORCED" in done.stdout) == (0, True)
    assert "**FORCED**" in (bench.folder / "c.md").read_text()
    done = bench("compare", "old.jsonl", "new.jsonl", "--force", "--json")
    assert json.loads(done.stdout)["forced"] is True


def test_what_only_one_run_holds_ends_with_6(bench: Bench) -> None:
    place(bench, "old", ["io.echo", "io.old"], fast=0.5)
    place(bench, "new", ["io.echo", "io.new"], fast=0.5)
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert done.returncode == 6
    assert "only in base: benchmark io.old" in done.stdout
    assert "only in head: benchmark io.new" in done.stdout


def test_no_common_benchmark(bench: Bench) -> None:
    place(bench, "old", ["io.old"], fast=0.5)
    place(bench, "new", ["io.new"], fast=0.5)
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert (done.returncode, "no common benchmark" in done.stderr) == (4, True)


def test_a_run_that_is_not_finished_is_no_silent_pass(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.5, complete=False)
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert (done.returncode, "new.jsonl is not finished" in done.stdout) == (6, True)


def test_a_cut_file_is_compared_as_far_as_it_goes(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    path = place(bench, "new", fast=0.5)
    path.write_bytes(path.read_bytes()[:-20])
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert done.returncode == 7
    assert "new.jsonl, line 32 is not whole" in done.stderr
    assert "1 EQUIVALENT" in done.stdout


@pytest.mark.parametrize("data", [b"", b"hello\n", b"[]", b'{"record": "header", "kind": "gate"}'])
def test_an_empty_or_foreign_file(bench: Bench, data: bytes) -> None:
    place(bench, "old", fast=0.5)
    (bench.folder / "new.jsonl").write_bytes(data)
    done = bench("compare", "old.jsonl", "new.jsonl")
    assert (done.returncode, done.stdout) == (7, "")
    assert "new.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    assert bench("compare", "old.jsonl", "none.jsonl").returncode == 7
    assert bench("compare", "latest", "old.jsonl").returncode == 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("old.jsonl", "needs --base LOOP and --head LOOP"),
        ("old.jsonl ./old.jsonl", "Both are"),
        ("old.jsonl new.jsonl new.jsonl", "Two results"),
        ("old.jsonl --base fsat --head asyncio", "Did you mean 'fast'?"),
        ("old.jsonl --base fast", "go together"),
        ("old.jsonl new.jsonl --base fast --head asyncio", "go together"),
        ("old.jsonl new.jsonl --json --markdown -", "not both"),
    ],
)
def test_wrong_usage(bench: Bench, words: str, told: str) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.5)
    done = bench("compare", *words.split())
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_a_markdown_file_that_cannot_be_written(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.5)
    done = bench("compare", "old.jsonl", "new.jsonl", "--markdown", "/dev/full")
    assert (done.returncode, "No space left" in done.stderr) == (8, True)


def test_a_narrow_terminal(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    place(bench, "new", fast=0.55)
    done = bench("compare", "old.jsonl", "new.jsonl", COLUMNS="60", NO_COLOR="1")
    assert "REGRESSED" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "\x1b" not in done.stdout


def test_files_of_pyperf_have_no_control_and_are_compared_raw(bench: Bench) -> None:
    for name, cost in (("a", 1.0e-6), ("b", 1.5e-6)):
        runs = [
            {"metadata": {"loops": 100, "date": "2026-11-22 00:00:00"},
             "values": [cost * (1 + number / 1000)] * 3}
            for number in range(8)
        ]  # fmt: skip
        document = {"version": "1.0", "metadata": {"name": "echo", "unit": "second"},
                    "benchmarks": [{"runs": runs}]}  # fmt: skip
        (bench.folder / f"{name}.json").write_text(json.dumps(document))
    done = bench("compare", "a.json", "b.json")
    assert done.returncode == 1, done.stderr
    assert "REGRESSED (raw)" in done.stdout
    assert "their margin ±10 %" in " ".join(done.stdout.split())


def verdicts(bench: Bench, name: str, **cases: Any) -> None:
    records: list[conformance.AnyRecord] = [
        conformance.Header(created="now", python="3.13.0", lanes=["rules"]),
        *(
            conformance.Verdict(
                loop="mine", rule=case[:4], case=case, level="MUST", verdict=verdict,
                status="expected", lane="rules", factory="m:f", python="3.13.0",
            )
            for case, verdict in cases.items()
        ),
        conformance.End(),
    ]  # fmt: skip
    data = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    (bench.folder / name).write_bytes(data)


def test_conformance_results(bench: Bench) -> None:
    verdicts(bench, "old", case1="PASS", case2="FAIL")
    verdicts(bench, "new", case1="FAIL", case2="PASS")
    done = bench("compare", "old", "new")
    assert done.returncode == 5, done.stderr
    assert "case1 MUST mine: PASS -> FAIL" in done.stdout
    found = json.loads(bench("compare", "old", "new", "--json").stdout)
    assert [change["way"] for change in found["changes"]] == ["regression", "repaired"]
    assert bench("compare", "new", "new").returncode == 2
    verdicts(bench, "less", case1="PASS")
    assert bench("compare", "old", "less").returncode == 6
    verdicts(bench, "other", case9="PASS")
    assert bench("compare", "old", "other").returncode == 4


def test_a_run_and_a_conformance_result(bench: Bench) -> None:
    place(bench, "old", fast=0.5)
    verdicts(bench, "new", case1="PASS")
    assert bench("compare", "old.jsonl", "new").returncode == 2


def test_a_fleet_is_no_run_to_compare(bench: Bench) -> None:
    place(bench, "old", same=1.0)
    (bench.folder / "fleet").mkdir()
    (bench.folder / "fleet" / "fleet.jsonl").write_text("{}\n")
    done = bench("compare", "old.jsonl", "fleet")
    assert done.returncode == 2
    assert "bench report FLEET" in done.stderr
