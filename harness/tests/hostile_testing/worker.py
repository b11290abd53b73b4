"""Loaded into a Dask worker: its agents are liars, or its tasks return pickles that do harm."""

from __future__ import annotations

import os
import pickle
import subprocess
from typing import Any

import distributed.worker
from distributed.protocol import to_serialize

LIE = os.environ["LOOPGAUGE_TEST_LIE"]
HUGE = 1 << 30  # zeros that nobody touches, which take no memory
TRUE_AGENT = "loopgauge.harness.fleet.agent"
HARM = "import os, pathlib; pathlib.Path({!r}).write_text(str(os.getpid()))"

true_popen = subprocess.Popen
true_run_task = distributed.worker._run_task_simple


class Bomb:
    """Leaves the number of the process that opened its pickle."""

    def __reduce__(self) -> Any:
        return exec, (HARM.format(os.environ["LOOPGAUGE_TEST_HARM"]),)


class Popen(true_popen):  # type: ignore[type-arg]
    def __init__(self, command: Any, **options: Any) -> None:
        if TRUE_AGENT in command:
            command = [command[0], "-m", "hostile_testing.agent"]
        super().__init__(command, **options)


def fail(data: dict[Any, Any]) -> None:
    raise ValueError("boo")


def run_task(task: Any, *rest: Any) -> Any:
    told = true_run_task(fail if LIE == "error" else task, *rest)
    if LIE == "pickle":
        told["result"] = Bomb()
    if LIE == "huge":
        told.update(result=bytes(HUGE), nbytes=HUGE)
    if LIE == "error":
        told["exception"] = to_serialize(pickle.dumps(Bomb()))
    return told


def dask_setup(worker: Any) -> None:
    """Dask calls it once; the module itself it loads twice."""
    subprocess.Popen = Popen  # type: ignore[misc]
    distributed.worker._run_task_simple = run_task
