from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from manager_testing.records import header, run_of, sample

from loopgauge.harness.comparison.figures import DEFAULT_MARGIN
from loopgauge.harness.comparison.model import Compared, Comparison
from loopgauge.harness.comparison.runs import compare_arms, compare_runs
from loopgauge.harness.errors import Incomparable, NothingToMeasure
from loopgauge.harness.model import (
    Benchmark,
    Environment,
    Event,
    Header,
    Interpreter,
    Machine,
    Metric,
)
from loopgauge.harness.store import RunFile

TWIN = "asyncio~aa"
DRAW = np.random.default_rng(2024)
NOISE = 0.004
N = 12


def made(drift: float = 1.0, n: int = N, name: str = "run", **factors: float) -> RunFile:
    """Every process has a drift of its own, which all its arms share, and each arm some noise."""
    own = drift * DRAW.uniform(1.0, 1.1, n)
    arms = {"asyncio": 1.0, TWIN: 1.0, **factors}
    costs = {
        arm: list(1000 * factor * own * np.exp(NOISE * DRAW.standard_normal(n)))
        for arm, factor in arms.items()
    }
    run = run_of(costs, run=name)
    run.path = Path(f"{name}.jsonl")
    return run


def only(found: Comparison, loop: str = "fast") -> Compared:
    [one] = [one for one in found.compared if one.loop == loop]
    return one


def with_environment(run: RunFile, machine: Machine, **members: Any) -> RunFile:
    facts = {"executable": "python", "version": "3.13.1", "build_kind": "pgo", **members}
    environment = Environment(machine=machine, interpreters={"3": Interpreter(**facts)})
    run.header = msgspec.structs.replace(run.header, environment=environment)
    return run


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.5, "EQUIVALENT"), (0.53, "REGRESSED"), (0.47, "IMPROVED"), (0.51, "INCONCLUSIVE")],
)
def test_the_drift_of_the_machine_is_in_no_verdict(factor: float, verdict: str) -> None:
    found = compare_runs(made(fast=0.5), made(drift=1.3, fast=factor))
    one = only(found)
    assert (one.verdict, one.basis) == (verdict, "control")
    assert one.change == pytest.approx(factor / 0.5 - 1, abs=0.01)
    assert one.low is not None
    assert one.high is not None
    assert one.low < one.change < one.high
    assert (one.base_n, one.head_n) == (N, N)
    [control] = found.controls
    assert control.change == pytest.approx(0.3, abs=0.1)
    assert (found.advisory, found.margin) == (False, DEFAULT_MARGIN)


def test_how_likely_it_is_worse() -> None:
    assert only(compare_runs(made(fast=0.5), made(fast=0.6))).superiority == 1.0
    assert only(compare_runs(made(fast=0.5), made(fast=0.4))).superiority == 0.0


def test_where_more_is_better_the_sign_is_turned() -> None:
    rate = Benchmark(
        id="fake.rate", scenario="fake.rate", measure="value", direction="higher", unit="op/s"
    )
    costs = {"asyncio": [100.0] * 8, TWIN: [100.0] * 8, "fast": [200.0 + i for i in range(8)]}
    less = {**costs, "fast": [150.0 + i for i in range(8)]}
    one = only(compare_runs(run_of(costs, rate), renamed(run_of(less, rate))))
    assert one.verdict == "REGRESSED"
    assert one.change == pytest.approx(203.5 / 153.5 - 1, abs=0.01)
    assert one.superiority == 1.0


def renamed(run: RunFile) -> RunFile:
    run.path = Path("other.jsonl")
    return run


def test_without_a_common_control_costs_are_raw_and_said_to_be() -> None:
    base, head = made(fast=0.5), made(fast=0.5)
    for run in (base, head):
        for arm in run.header.arms:
            arm.role = "candidate"
    found = compare_runs(base, head)
    assert {one.basis for one in found.compared} == {"raw"}
    assert any("raw costs" in note for note in found.notes)
    assert found.control == ""


def test_the_control_alone_is_compared_raw() -> None:
    found = compare_runs(made(), made())
    assert [(one.loop, one.basis) for one in found.compared] == [("asyncio", "raw")]


def test_raw_costs_have_a_wider_margin() -> None:
    assert only(compare_runs(made(), made(drift=1.06)), "asyncio").verdict != "REGRESSED"
    assert only(compare_runs(made(), made(drift=1.3)), "asyncio").verdict == "REGRESSED"
    asked = only(compare_runs(made(), made(drift=1.15), margin=0.02), "asyncio")
    assert (asked.verdict, asked.margin) == ("REGRESSED", 0.02)


def test_a_loop_that_a_run_holds_twice_is_known_by_its_labels() -> None:
    """As in the timing of a gate, whose base and head may be the same loop."""
    base, head = made(fast=1.0), made(fast=1.1)
    for run in (base, head):
        for arm in run.header.arms:
            arm.loop = "epoll"
    found = compare_runs(base, head)
    assert [(one.loop, one.basis) for one in found.compared] == [("fast", "control")]


def test_a_few_processes_decide_nothing() -> None:
    one = only(compare_runs(made(n=3, fast=0.5), made(n=3, fast=0.9)))
    assert (one.verdict, one.low) == ("INCONCLUSIVE", None)
    assert "too few processes" in one.reason


def test_one_chance_finding_among_many_is_not_called() -> None:
    """Alone it would be; Holm asks more of it among 40."""
    names = [f"fake.{number}" for number in range(40)]
    benchmarks = [Benchmark(id=name, scenario=name) for name in names]
    runs = []
    for factor in (1.0, 1.06):
        head = header(["asyncio", "fast", TWIN], benchmarks)
        samples = [
            sample(arm, number, [1000 * (factor if moved else 1.0) * (1 + number / 1000)] * 4, name)
            for name in names
            for arm in ("asyncio", "fast", TWIN)
            for number in range(5)
            for moved in [arm == "fast" and name == "fake.7"]
        ]
        runs.append(RunFile(Path(f"{factor}.jsonl"), head, samples))
    found = {one.benchmark: one for one in compare_runs(*runs).compared}
    assert found["fake.7"].verdict == "INCONCLUSIVE"
    assert "among 40 comparisons" in found["fake.7"].reason
    assert only(compare_runs(made(n=5, fast=0.5), made(n=5, fast=0.53))).verdict == "REGRESSED"


def test_identical_code_that_differs_makes_it_advisory() -> None:
    head = made(fast=0.5)
    for one in head.samples:
        if one.arm == TWIN:
            one.process_ns = [round(total * 1.1) for total in one.process_ns]
    found = compare_runs(made(fast=0.5), head)
    assert found.advisory
    assert "1 of 1 called changed" in found.self_check


def counted(run: RunFile, metric: str, value: float, **parts: float) -> RunFile:
    run.metrics.append(
        Metric(benchmark="fake.work", arm="fast", metric=metric, unit="x/op", value=value,
               by_name=parts)
    )  # fmt: skip
    return run


@pytest.mark.parametrize(
    ("metric", "before", "after", "verdict"),
    [
        ("instructions", 1000.0, 1004.0, "EQUIVALENT"),
        ("instructions", 1000.0, 1010.0, "REGRESSED"),
        ("instructions", 1000.0, 990.0, "IMPROVED"),
        ("syscalls", 0.0, 1.0, "REGRESSED"),
        ("syscalls", 6.0, 6.01, "EQUIVALENT"),
        ("peak_rss", 1e7, 1.2e7, "REGRESSED"),
        ("peak_rss", 1e4, 2e4, "EQUIVALENT"),
    ],
)
def test_counts_have_margins_of_their_own(
    metric: str, before: float, after: float, verdict: str
) -> None:
    base = counted(made(fast=0.5), metric, before, read=before)
    head = counted(made(fast=0.5), metric, after, read=after)
    [one] = [one for one in compare_runs(base, head).compared if one.metric == metric]
    assert (one.verdict, one.basis, one.p) == (verdict, "count", None)
    assert (one.by_name == {"read": after - before}) is (verdict != "EQUIVALENT")


@pytest.mark.parametrize(
    ("sizes", "verdict"), [([1, 3], "INCONCLUSIVE"), ([1000, 3000], "REGRESSED")]
)
def test_a_stray_call_among_few_operations_is_no_change(sizes: list[int], verdict: str) -> None:
    base, head = (counted(made(fast=0.5), "syscalls", value) for value in (1.0, 1.5))
    head.metrics[0].n = sizes
    [one] = [one for one in compare_runs(base, head).compared if one.metric == "syscalls"]
    assert one.verdict == verdict
    assert ("counted over 2 operations only" in one.reason) is (verdict == "INCONCLUSIVE")


def test_what_only_one_side_counted_is_named() -> None:
    found = compare_runs(counted(made(fast=0.5), "instructions", 9.0), made(fast=0.5))
    assert found.left_out == ["fake.work, fast: only in base: instructions"]


def test_a_loop_that_crashes_now_is_broken_and_repaired_the_other_way_round() -> None:
    good, bad = made(fast=0.5), made(fast=0.5)
    bad.samples = [one for one in bad.samples if one.arm != "fast"]
    bad.events.append(Event(event="crash", arm="fast", reason="SIGSEGV", final=True))
    one = only(compare_runs(good, bad))
    assert (one.verdict, one.reason) == ("BROKEN", "crashed: SIGSEGV")
    assert only(compare_runs(bad, good)).verdict == "REPAIRED"


def test_a_loop_that_was_not_reached_is_no_fault() -> None:
    bad = made(fast=0.5)
    bad.samples = [one for one in bad.samples if one.arm != "fast"]
    bad.ends = []
    found = compare_runs(made(fast=0.5), bad)
    assert found.compared == []
    assert "did not get that far" in found.left_out[0]
    assert "is not finished" in found.left_out[1]


def test_what_only_one_run_holds_is_named() -> None:
    base, head = made(fast=0.5, old=0.7), made(fast=0.5, new=0.6)
    head.header.benchmarks.append(Benchmark(id="fake.more", scenario="fake.more"))
    found = compare_runs(base, head)
    assert found.only_base == ["loop old"]
    assert found.only_head == ["benchmark fake.more", "loop new"]
    assert compare_runs(base, head, ["fast"]).only_base == []


def test_a_renamed_benchmark_is_pointed_out_and_not_compared() -> None:
    base, head = made(fast=0.5), made(fast=0.5)
    for run, name in ((base, "fake.echo_lines"), (head, "fake.echo_line")):
        run.header.benchmarks.append(Benchmark(id=name, scenario=name))
    found = compare_runs(base, head)
    assert found.only_base == ["benchmark fake.echo_lines"]
    assert "perhaps renamed: fake.echo_lines -> fake.echo_line" in found.notes


def test_nothing_in_common() -> None:
    with pytest.raises(NothingToMeasure, match="no common loop"):
        compare_runs(made(old=0.5), made(new=0.5))
    head = made(fast=0.5)
    head.header.benchmarks[0] = Benchmark(id="fake.other", scenario="fake.other")
    with pytest.raises(NothingToMeasure, match="no common benchmark"):
        compare_runs(made(fast=0.5), head)
    empty = made(fast=0.5)
    empty.samples = []
    with pytest.raises(NothingToMeasure, match="nothing was measured"):
        compare_runs(made(fast=0.5), empty)
    with pytest.raises(Incomparable, match="neither run holds a loop 'nobody'"):
        compare_runs(made(fast=0.5), made(fast=0.5), ["nobody"])


def test_a_benchmark_that_measures_something_else_is_not_compared() -> None:
    head = made(fast=0.5)
    head.header.benchmarks[0] = msgspec.structs.replace(head.header.benchmarks[0], measure="wall")
    found = compare_runs(made(fast=0.5), head)
    assert found.left_out == ["fake.work: measured differently (measure cpu -> wall)"]


@pytest.mark.parametrize(
    ("machine", "members", "what"),
    [
        (Machine(cpu_model="B"), {}, "CPU: A -> B"),
        (Machine(cpu_model="A", kernel="6.2"), {}, "kernel: 6.1 -> 6.2"),
        (Machine(cpu_model="A", hostname_hash="other"), {}, "machine: here -> other"),
        (Machine(cpu_model="A"), {"version": "3.14.0"}, "Python version: 3.13.1 -> 3.14.0"),
        (Machine(cpu_model="A"), {"build_kind": "plain"}, "Python build kind: pgo -> plain"),
        (Machine(cpu_model="A"), {"libc": "musl"}, "Python libc: glibc -> musl"),
        (Machine(cpu_model="A"), {"build_hash": "b2"}, "build of loopgauge: a1 -> b2"),
    ],
)
def test_other_circumstances_are_refused_unless_forced(
    machine: Machine, members: dict[str, str], what: str
) -> None:
    here = Machine(cpu_model="A", kernel="6.1", hostname_hash="here")
    usual = {"libc": "glibc", "build_hash": "a1"}
    base = with_environment(made(fast=0.5), here, **usual)
    head = with_environment(made(fast=0.5), machine, **{**usual, **members})
    with pytest.raises(Incomparable) as caught:
        compare_runs(base, head)
    assert what in caught.value.cause
    assert "--force" in caught.value.cure
    found = compare_runs(base, head, force=True)
    assert found.forced
    assert len([one for one in found.mismatches if one.refuses]) == 1


def test_another_build_of_our_own_loop_is_the_point() -> None:
    base = with_environment(made(fast=0.5), Machine(), build_hash="a1")
    head = with_environment(made(fast=0.5), Machine(), build_hash="b2")
    for run in (base, head):
        for arm in run.header.arms:
            arm.distribution = "loopgauge" if arm.label == "fast" else None
    found = compare_runs(base, head)
    assert not found.forced
    assert [one.what for one in found.mismatches] == ["build of loopgauge"]


def test_another_version_of_a_loop_is_the_point() -> None:
    base, head = made(fast=0.5), made(fast=0.53)
    for run, version in ((base, "1.0"), (head, "2.0")):
        next(arm for arm in run.header.arms if arm.label == "fast").version = version
    found = compare_runs(base, head)
    one = only(found)
    assert (one.base_version, one.head_version, one.verdict) == ("1.0", "2.0", "REGRESSED")
    assert found.mismatches == []


def test_two_loops_of_one_run_are_paired() -> None:
    """Processes differ by 10 %, pairs by 0.4 %."""
    run = made(fast=0.5, slow=0.52)
    found = compare_arms(run, "fast", "slow")
    one = only(found, "slow")
    assert (one.verdict, one.basis, one.superiority) == ("REGRESSED", "paired", 1.0)
    assert one.change == pytest.approx(0.04, abs=0.005)
    assert (found.base.arm, found.head.arm, found.method) == ("fast", "slow", "paired-hl-1")
    with pytest.raises(NothingToMeasure, match="no arm 'nobody'"):
        compare_arms(run, "nobody", "fast")
    with pytest.raises(NothingToMeasure, match="both fast"):
        compare_arms(run, "fast", "fast")


def test_values_of_zero_have_no_ratio() -> None:
    turns = Benchmark(id="fake.turns", scenario="fake.turns", measure="value", unit="turn")
    zero = {"asyncio": [0.0] * 8, "fast": [0.0] * 8, TWIN: [0.0] * 8}
    some = {**zero, "fast": [float(i) for i in range(8)]}
    same = only(compare_runs(run_of(zero, turns), renamed(run_of(zero, turns))))
    assert (same.verdict, same.change) == ("EQUIVALENT", 0.0)
    other = only(compare_runs(run_of(zero, turns), renamed(run_of(some, turns))))
    assert (other.verdict, other.change) == ("INCONCLUSIVE", None)
    assert other.superiority is not None
    assert other.superiority > 0.5


def test_identical_code_is_seldom_called_changed() -> None:
    """40 comparisons of runs of 12 processes, each run with a drift of its own."""
    called = [
        only(compare_runs(made(fast=0.5), made(drift=DRAW.uniform(0.8, 1.2), fast=0.5))).verdict
        for _ in range(40)
    ]
    assert called.count("REGRESSED") + called.count("IMPROVED") == 0
    assert called.count("EQUIVALENT") > 36


def test_headers_are_not_changed() -> None:
    base, head = made(fast=0.5), made(fast=0.5)
    before = msgspec.json.encode(base.header)
    compare_runs(base, head)
    assert msgspec.json.encode(base.header) == before
    assert isinstance(base.header, Header)
