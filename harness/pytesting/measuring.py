"""One benchmark in the process of pytest: calibrated slots on all its loops, in turns.

The same slots, schedule and garbage policy as in a worker process (harness/worker), without its
protocol: what the function raises is the test's failure.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from loopgauge.harness import schedule
from loopgauge.harness.model import Sample
from loopgauge.harness.pytesting.work import Call, Work
from loopgauge.harness.worker import gcpolicy
from loopgauge.harness.worker.engine import Engine, load_engine
from loopgauge.loops.registry import new_loop
from loopgauge.loops.spec import LoopSpec

SLOT_S = 0.004  # many short slots beat few long ones: half the spread of 14 ms
BLOCKS_LEAST = 4
BLOCKS_MOST = 36
WARM_SHARE = 8  # of a slot, before it and untimed: the caches still hold the loop before


@dataclass(frozen=True)
class Question:
    """What is to be measured. `loops`: label -> how it is made, the reference among them."""

    benchmark: str
    call: Call
    loops: Mapping[str, LoopSpec]
    seconds: float  # of all loops together, once warm; a long call takes longer
    seed: int
    round: int
    process: int


class Failed(Exception):
    """The call raised on the loop `label`; the cause is what it raised."""

    def __init__(self, label: str) -> None:
        super().__init__(f"failed on {label}")
        self.label = label


def run_once(question: Question) -> Any:
    """Unmeasured, once on each loop; the result on the first."""
    with opened(question) as works:
        return next(iter(works.values())).result


def measure(question: Question) -> tuple[Any, list[Sample]]:
    """The result of the last call on the first loop, and a sample per loop. Raises Failed."""
    with opened(question) as works, frozen_garbage():
        counts = {label: calibrate(label, work) for label, work in works.items()}
        blocks = schedule.job_blocks(
            question.seed,
            question.round,
            question.benchmark,
            [*works],
            how_many_blocks(works, counts, question.seconds),
        )
        slots = [(number, label) for number, block in enumerate(blocks) for label in block]
        taken = run_slots(works, counts, slots)
        result = next(iter(works.values())).result
    samples = [
        Sample(
            process=question.process,
            round=question.round,
            benchmark=question.benchmark,
            arm=label,
            design="hybrid",
            n=[counts[label]] * len(blocks),
            block=[number for number, who in slots if who == label],
            slot=[position for position, (_, who) in enumerate(slots) if who == label],
            wall_ns=[wall for wall, _, _, _ in taken[label]],
            thread_ns=[thread for _, thread, _, _ in taken[label]],
            process_ns=[process for _, _, process, _ in taken[label]],
            nivcsw=[switches for _, _, _, switches in taken[label]],
        )
        for label in question.loops
    ]
    return result, samples


@contextlib.contextmanager
def opened(question: Question) -> Iterator[dict[str, Work]]:
    """The loops in the order of the question, made in a random one, each with its first call done.
    All are closed at the end, whatever happened."""
    order = schedule.creation_order(
        question.seed, question.round, question.benchmark, [*question.loops]
    )
    made: dict[str, Work] = {}
    with contextlib.ExitStack() as closing:
        for label in order:
            made[label] = Work(new_loop(question.loops[label]), question.call)
            closing.callback(made[label].close)
        for label in question.loops:
            with blamed(label):
                made[label].open()
        yield {label: made[label] for label in question.loops}


@contextlib.contextmanager
def blamed(label: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # pytest.fail() and pytest.skip() are no Exception
        raise Failed(label) from error


def calibrate(label: str, work: Work) -> int:
    """Calls in a slot. By elapsed time: what waits takes hardly any CPU time, and a slot of that
    would take minutes."""
    with blamed(label):
        return our_engine().calibrate(work.run, min_time=SLOT_S, wall=True)


def how_many_blocks(works: Mapping[str, Work], counts: Mapping[str, int], seconds: float) -> int:
    """By the time that a slot of each takes; these slots are the warm-up, too."""
    block_s = 0.0
    for label, work in works.items():
        with blamed(label):
            begin = time.perf_counter()
            work.run(counts[label])
            block_s += time.perf_counter() - begin
    return max(BLOCKS_LEAST, min(BLOCKS_MOST, int(seconds / block_s)))


def run_slots(
    works: Mapping[str, Work], counts: Mapping[str, int], slots: list[tuple[int, str]]
) -> dict[str, list[tuple[int, int, int, int]]]:
    """Per loop and slot: wall, thread and process time (ns), involuntary context switches."""
    taken: dict[str, list[tuple[int, int, int, int]]] = {label: [] for label in works}

    def prepare(position: int) -> None:
        label = slots[position][1]
        if warm := counts[label] // WARM_SHARE:
            works[label].run(warm)
        gcpolicy.before_slot("freeze")

    def finished(position: int, wall: int, thread: int, process: int, switches: int) -> None:
        taken[slots[position][1]].append((wall, thread, process, switches))

    engine = our_engine()
    timed = [(works[label].run, counts[label]) for _, label in slots]
    try:
        engine.run_slots(timed, prepare, finished)
    except engine.SlotError as failure:
        raise Failed(slots[failure.slot][1]) from (failure.__cause__ or failure)
    return taken


@contextlib.contextmanager
def frozen_garbage() -> Iterator[None]:
    """What pytest holds is out of the collector's sight while slots run; a process that froze
    objects of its own before keeps them frozen."""
    frozen_before = gc.get_freeze_count()
    gcpolicy.before_slot("freeze")
    try:
        yield
    finally:
        if not frozen_before:
            gcpolicy.after_job("freeze")


@cache
def our_engine() -> Engine:
    """Loading it removes variables from the environment, which is the user's here."""
    before = dict(os.environ)
    try:
        return load_engine()
    finally:
        os.environ.update(before)
