"""What `bench explain` found out: everything its table and its page show, so that they compute
nothing. How it was found out is in harness/deterministic/anatomy.py."""

from __future__ import annotations

import msgspec

from loopgauge.harness.model import Benchmark, Interpreter, Metric

# Of the CPU time of an operation; where there are no instructions, "kernel" and "user".
PARTS = ("kernel", "loop", "binding", "Python")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """A function and what it takes of one operation."""

    name: str
    file: str
    value: float  # instructions, or bytecodes
    share: float  # of all of them


class Anatomy(msgspec.Struct, kw_only=True):
    """One loop. Times are nanoseconds per operation; None stands for what could not be found out,
    of which `missing` says why."""

    arm: str
    loop: str
    python: str
    status: str = "ok"
    missing: list[str] = []
    wall_ns: float | None = None
    cpu_ns: float | None = None
    waiting_ns: float | None = None  # wall time without CPU time: blocked, or others had the core
    parts_ns: dict[str, float] = {}  # PARTS, or kernel and user where they cannot be divided
    parts_instructions: dict[str, float] = {}  # the same without the kernel
    unnamed: float = (
        0.0  # share of the instructions in functions of the interpreter without a symbol
    )
    divided: bool = False
    metrics: dict[str, Metric] = {}
    functions: list[Cost] = []
    python_functions: list[Cost] = []


class Explanation(msgspec.Struct, kw_only=True):
    """`method` says how the parts were told apart."""

    benchmark: Benchmark
    operation: str  # "callback", "message"
    command: list[str]
    python: Interpreter
    created: str
    machine: str
    method: str
    loops: list[Anatomy]
    left_out: list[str] = []
