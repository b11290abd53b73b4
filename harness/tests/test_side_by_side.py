"""Processes that take turns, with real workers."""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from loopgauge.harness import manager
from loopgauge.harness.budget import Limits
from loopgauge.harness.gate.model import Side
from loopgauge.harness.gate.subject import BASE, HEAD, TWIN, build
from loopgauge.harness.model import Sample
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import RunRequest
from loopgauge.harness.store import RunFile, read_run

ROUNDS, BLOCKS = 2, 4
LIMITS = Limits(
    budget_s=60, rounds_least=ROUNDS, rounds_wanted=ROUNDS, rounds_most=ROUNDS,
    blocks_least=BLOCKS, blocks_wanted=BLOCKS, blocks_most=BLOCKS, batch=12, slot_s=0.001,
    hang_timeout_s=20, turns=True,
)  # fmt: skip
BENCHMARKS = [("throughput.sleep0", {}), ("throughput.call_soon_chain", {})]

# It is imported once by the question, once by the probe, and by one process a round after that.
DIES_ONCE = """
    import asyncio, os, signal
    from pathlib import Path

    marks = Path(__file__).with_suffix(".marks")
    with marks.open("a") as file:
        file.write(".")

    class Loop(asyncio.SelectorEventLoop):
        runs = 0

        def run_forever(self):
            self.runs += 1
            if marks.stat().st_size == {which} and self.runs == 4:
                {deed}
            super().run_forever()
"""


def measured(path: Path, head: Side, hang_timeout_s: float = 20) -> RunFile:
    base = Side(name="base", origin="factory", given="x", loop="asyncio", executable=sys.executable)
    base.path = head.path
    # As if it were another Python: each side has a process of its own.
    subject = build(base, head, BENCHMARKS)
    for benchmark in subject.benchmarks:
        benchmark.design = "process"
    limits = replace(LIMITS, hang_timeout_s=hang_timeout_s)
    request = RunRequest(seed=7, limits=limits, out=path)
    return read_run(manager.run_subject(request, subject, Tracker(lambda progress: None, 60.0)))


def head(loop: str, folder: Path) -> Side:
    made = Side(name="head", origin="factory", given="x", loop=loop, executable=sys.executable)
    made.path = [str(folder)]
    return made


def by_round(run: RunFile) -> dict[tuple[int, str], list[Sample]]:
    found: dict[tuple[int, str], list[Sample]] = defaultdict(list)
    for sample in run.samples:
        found[sample.round, sample.benchmark].append(sample)
    return found


def test_every_slot_has_its_turn(tmp_path: Path) -> None:
    run = measured(tmp_path / "run.jsonl", head("asyncio", tmp_path))
    rounds = by_round(run)
    assert len(rounds) == ROUNDS * len(BENCHMARKS)
    for samples in rounds.values():
        assert sorted(sample.arm for sample in samples) == [BASE, TWIN, HEAD]
        assert len({sample.process for sample in samples}) == 3
        assert len({sample.together for sample in samples} - {0}) == 1
        slots = sorted(slot for sample in samples for slot in sample.slot)
        assert slots == [*range(3 * BLOCKS)]
        assert all(sample.block == [*range(BLOCKS)] for sample in samples)


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("os._exit(3)", "exited with status 3"),
    ],
)
def test_whoever_dies_does_so_alone(tmp_path: Path, deed: str, told: str) -> None:
    """The others are ended, nobody else is blamed, and the round is measured again."""
    source = textwrap.dedent(DIES_ONCE).format(which=3, deed=deed)
    (tmp_path / "mortal.py").write_text(source)
    run = measured(tmp_path / "run.jsonl", head("mortal:Loop", tmp_path))
    deaths = [event for event in run.events if event.event == "crash"]
    assert [event.arm for event in deaths] == [HEAD]
    assert told in deaths[0].reason
    blamed = {event.arm for event in run.events if event.event in ("hang", "error", "invalid")}
    assert not blamed
    keys = [(sample.round, sample.benchmark, sample.arm) for sample in run.samples]
    assert len(keys) == len(set(keys)) == ROUNDS * len(BENCHMARKS) * 3


def test_whoever_hangs_is_found_out(tmp_path: Path) -> None:
    """The others wait for it, and are blamed for nothing."""
    source = textwrap.dedent(DIES_ONCE).format(which=3, deed="__import__('time').sleep(600)")
    (tmp_path / "stuck.py").write_text(source)
    run = measured(tmp_path / "run.jsonl", head("stuck:Loop", tmp_path), hang_timeout_s=4)
    hangs = [event for event in run.events if event.event == "hang"]
    assert [event.arm for event in hangs] == [HEAD]
    assert not [event for event in run.events if event.event in ("crash", "error", "invalid")]
    keys = [(sample.round, sample.benchmark, sample.arm) for sample in run.samples]
    assert len(keys) == len(set(keys)) == ROUNDS * len(BENCHMARKS) * 3


def test_an_arm_that_raises_lets_the_others_go_on(tmp_path: Path) -> None:
    source = textwrap.dedent(DIES_ONCE).format(which=3, deed='raise RuntimeError("meant")')
    (tmp_path / "moody.py").write_text(source)
    run = measured(tmp_path / "run.jsonl", head("moody:Loop", tmp_path))
    errors = [event for event in run.events if event.event == "error"]
    assert {event.arm for event in errors} == {HEAD}
    others = [(s.round, s.benchmark, s.arm) for s in run.samples if s.arm != HEAD]
    assert len(others) == len(set(others)) == ROUNDS * len(BENCHMARKS) * 2
