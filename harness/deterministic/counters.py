"""The ways of counting, inside the process that is counted: each takes totals of one run."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from loopgauge.harness.deterministic.plan import CountPlan
from loopgauge.harness.worker.engine import Engine, Run

ENOUGH_INSTRUCTIONS = 2_000_000  # of the smaller run: 0.1 s under callgrind
ENOUGH_S = 0.005  # for counts that are exact
ENOUGH_TRACED_S = 0.1
ENOUGH_TIMED_S = 0.1  # for CPU time, which the kernel splits by its ticks, and for switches
PATIENCE_S = 1.0  # no try beyond a run that takes this long
# Closing this descriptor, which cannot exist, and the numbers below it, marks the trace.
MARK = -1_060_900_000

Totals = dict[str, float]


class Counter(Protocol):
    def enough(self, run: Run, n: int) -> bool:
        """Does a run of n operations; whether its totals are large enough to tell from nothing."""

    def count(self, run: Run, n: int, index: int) -> Totals:
        """Totals of one run, as far as this process itself can tell them."""

    def close(self) -> None: ...


def make_counter(plan: CountPlan, engine: Engine) -> Counter:
    makers: dict[str, Callable[[], Counter]] = {
        "callgrind": lambda: Callgrind(engine, Path(plan.folder)),
        "strace": Marks,
        "plain": lambda: Plain(engine),
        "bytecodes": Bytecodes,
    }
    return makers[plan.how]()


class Callgrind:
    """Instructions: each run is a file of its own, which `index` names in its first lines."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        if not engine.under_valgrind():
            raise RuntimeError("this process does not run under valgrind")
        self._engine = engine
        self._folder = folder
        self._engine.start_callgrind()

    def enough(self, run: Run, n: int) -> bool:
        started = time.monotonic()
        self._engine.run_under_callgrind(run, n, "try")
        took = time.monotonic() - started
        return took > PATIENCE_S or last_total(self._folder) >= ENOUGH_INSTRUCTIONS

    def count(self, run: Run, n: int, index: int) -> Totals:
        self._engine.run_under_callgrind(run, n, f"run {index}")
        return {}

    def close(self) -> None:
        self._engine.stop_callgrind()


class Marks:
    """System calls: this process only marks where a run begins and ends in the trace."""

    def enough(self, run: Run, n: int) -> bool:
        return timed(run, n) >= ENOUGH_S

    def count(self, run: Run, n: int, index: int) -> Totals:
        mark(2 * index)
        run(n)
        mark(2 * index + 1)
        return {}

    def close(self) -> None:
        pass


class Bytecodes:
    """How many bytecode instructions each Python function executes, in the loop's own thread."""

    def enough(self, run: Run, n: int) -> bool:
        """Traced, too: a function is not traced from its first instruction when it first is."""
        started = time.monotonic()
        self.count(run, n, 0)
        return time.monotonic() - started >= ENOUGH_TRACED_S

    def count(self, run: Run, n: int, index: int) -> Totals:
        counts: dict[CodeType, int] = {}

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            if event == "opcode":
                counts[frame.f_code] = counts.get(frame.f_code, 0) + 1
            return trace

        sys.settrace(trace)
        try:
            run(n)
        finally:
            sys.settrace(None)
        totals: Totals = {}
        for code, count in counts.items():
            name = f"{code.co_filename}:{code.co_qualname}"
            totals[name] = totals.get(name, 0.0) + count
        return totals

    def close(self) -> None:
        pass


class Plain:
    """With no tool around the process. Allocations are counted in a run of their own, since
    counting them takes time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hardware = engine.HardwareCounters()

    def enough(self, run: Run, n: int) -> bool:
        return timed(run, n) >= ENOUGH_TIMED_S

    def count(self, run: Run, n: int, index: int) -> Totals:
        totals = self._allocations(run, n)
        before = self._read()
        run(n)
        after = self._read()
        return totals | {name: after[name] - before[name] for name in after if name in before}

    def close(self) -> None:
        pass

    def _allocations(self, run: Run, n: int) -> Totals:
        self._engine.start_counting_allocations()
        try:
            run(n)
        finally:
            domains: dict[str, dict[str, int]] = self._engine.stop_counting_allocations()
        return {
            f"{what}:{domain}": float(count)
            for domain, counts in domains.items()
            for what, count in counts.items()
        }

    def _read(self) -> Totals:
        hardware: dict[str, float] = self._hardware.read()
        used = resource.getrusage(resource.RUSAGE_SELF)
        return hardware | {
            "wall_ns": float(time.monotonic_ns()),
            "cpu_ns": float(time.process_time_ns()),
            "user_ns": used.ru_utime * 1e9,
            "system_ns": used.ru_stime * 1e9,
            "voluntary_switches": float(used.ru_nvcsw),
            "involuntary_switches": float(used.ru_nivcsw),
        }


def timed(run: Run, n: int) -> float:
    started = time.monotonic()
    run(n)
    return time.monotonic() - started


def mark(number: int) -> None:
    with contextlib.suppress(OSError):
        os.close(MARK - number)


def last_total(folder: Path) -> int:
    """Of the newest file that callgrind has written so far: its last line is "totals: N"."""
    newest = max(folder.glob("callgrind.*"), key=lambda path: int(path.suffix[1:]))
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - 200))
        return int(file.read().rpartition(b"totals:")[2])


def quiet(loop: Any) -> None:
    """No clock may decide what the loop does, as far as the loop lets us say so."""
    by_turns = getattr(loop, "_set_poll_by_turns", None)
    if by_turns is not None:
        by_turns(True)
