"""Loads loopgauge._bench, the C++ side of the worker."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from loopgauge.scenarios.bare import Work

Run = Callable[[int], int]
# A _bench.Work is timed without a call into Python.
Timed = Run | Work


class SlotFailure(Exception):
    """The shape of _bench.SlotError: `slot` is the position in run_slots, `__cause__` what it
    raised."""

    slot: int


class Engine(Protocol):
    """What the worker uses of loopgauge._bench; scenarios get the same module as `native`."""

    @property
    def SlotError(self) -> type[SlotFailure]: ...

    @property
    def WrongCount(self) -> type[Exception]: ...

    def run_slots(
        self,
        slots: Sequence[tuple[Timed, int]],
        prepare: Callable[[int], object] | None = None,
        finished: Callable[[int, int, int, int, int], object] | None = None,
    ) -> None: ...

    def calibrate(
        self,
        run: Run,
        min_time: float,
        grain: int = 1,
        wall: bool = False,
        prepare: Callable[[int], object] | None = None,
    ) -> int: ...

    def __getattr__(self, name: str) -> Any: ...


def load_engine() -> Engine:
    """Google Benchmark reads its flags from BENCHMARK_* when it is loaded: a value left over in
    somebody's shell would change what is measured, or where a file is written."""
    for name in [name for name in os.environ if name.startswith("BENCHMARK_")]:
        del os.environ[name]
    return cast(Engine, importlib.import_module("loopgauge._bench"))
