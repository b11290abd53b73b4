"""Files of one program that was run several times: its processes, and so one run.

A process is the sampling unit. What a file measured in one process (repetitions of Google
Benchmark) becomes the slots of one sample, as ours are; runs of pyperf are processes already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loopgauge.harness.environment import same_machine
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.formats.foreign import Process, Reading
from loopgauge.harness.formats.google_benchmark import ONE_PROCESS

Key = tuple[int | None, str, str]


def join(readings: Sequence[Reading]) -> Reading:
    """Later files add rounds to the first. Raises NothingToMeasure where they are no like."""
    first = readings[0]
    joined = replace(first, processes=[], events=[], arms={}, benchmarks={})
    rounds = 0
    for number, reading in enumerate(readings, 1):
        _require_like(first, reading)
        joined.arms = reading.arms | joined.arms
        joined.benchmarks = reading.benchmarks | joined.benchmarks
        joined.events += [event for event in reading.events if event.reason != ONE_PROCESS]
        added = _processes(reading, number, rounds)
        joined.processes += added
        rounds += 1 + max((process.round for process in added), default=-1)
    return joined


def _processes(reading: Reading, number: int, rounds: int) -> list[Process]:
    """`number`: of the file, and so of its one process; `rounds`: how many there are."""
    shared: dict[Key, Process] = {}
    made = []
    for each in reading.processes:
        key = (each.number, each.benchmark, each.arm)
        if each.number is None:
            made.append(replace(each, round=rounds + each.round))
        elif key in shared:
            _extend(shared[key], each)
        else:
            shared[key] = replace(each, round=rounds, number=number)
            made.append(shared[key])
    return made


def _extend(process: Process, more: Process) -> None:
    process.n = process.n + more.n
    process.wall = _both(process.wall, more.wall)
    process.cpu = _both(process.cpu, more.cpu)
    process.value = _both(process.value, more.value)


def _both(first: list[float] | None, more: list[float] | None) -> list[float] | None:
    return None if first is None or more is None else first + more


def _require_like(first: Reading, other: Reading) -> None:
    if first.format != other.format:
        raise NothingToMeasure(
            f"{first.path} and {other.path} are of different formats", "Import them one by one"
        )
    if not same_machine(first.environment.machine, other.environment.machine):
        raise NothingToMeasure(
            f"{first.path} and {other.path} were measured on different machines",
            "Import them one by one",
        )
