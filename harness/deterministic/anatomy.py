"""Where the time of one operation goes: kernel, loop, binding and Python.

What is measured, and what is deduced (METHOD says it to the reader):

- CPU and wall time per operation: the clocks of a process without any tool, by two sizes.
- *kernel*: the share of system time in the CPU time (getrusage), which the kernel takes by ticks:
  good to a few per cent of the CPU time.
- What is left is user time, divided in proportion to instructions (callgrind), which takes every
  instruction for equally long. Instructions belong to the file their function is in:
  - *loop*: the extension modules and libraries that the loop brings along;
  - the interpreter's functions that evaluate bytecode are divided again, by who the bytecode
    belongs to, counted one by one: *Python* is the application's (the scenario's callbacks), the
    loop's own and the standard library's (asyncio) is *loop*;
  - *binding*: everything else in the interpreter, its extension modules and the C library: objects,
    calls, contexts, memory, locks. It is what it takes to get from one of the others to the next.

A loop's extension module holds the code by which it is called from Python, too; no symbol tells
that apart, so it counts as the loop's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TypeVar

from loopgauge.harness.deterministic.callgrind import UNNAMED, Function
from loopgauge.harness.deterministic.counting import Findings
from loopgauge.harness.deterministic.figures import difference
from loopgauge.harness.deterministic.sizes import per_operation
from loopgauge.harness.explained import PARTS, Anatomy, Cost
from loopgauge.harness.model import Arm

METHOD = (
    "kernel: system time (getrusage). The rest is user time, divided by instructions (callgrind): "
    "loop: the loop's own machine code, and the bytecode of the loop and of asyncio; "
    "Python: the application's bytecode and callbacks; "
    "binding: the rest of the interpreter and the C library (objects, calls, contexts, memory)."
)
UNDIVIDED = (
    "kernel: system time (getrusage). Without instructions the user time, which is loop, binding "
    "and Python, is not divided."
)
Key = TypeVar("Key")

COSTLIEST = 15  # functions kept of each kind, where nobody asks for more
TINY = 0.001  # share that is taken for nothing: of a part, or of a function

_INTERPRETER = re.compile(r"(lib)?python3?[.\d]*(\.so[.\d]*)?t?$")
_C_LIBRARY = re.compile(r"(lib(c|m|pthread|dl|rt|stdc\+\+|gcc_s)|ld-[\w-]+|ld)[-.]|\[vdso\]|vdso")
_EVALUATION = re.compile(
    r"_PyEval_|_PyEvalFrame|_PyFrame_|_PyThreadState_(Push|Pop)|_TAIL_CALL_|_Py_Specialize|"
    r"_PyFunction_Vectorcall|gen_send_ex|_PyGen_|PyEval_EvalCode|clear_(thread|gen)_frame"
)
_STDLIB = re.compile(r"<frozen |/lib(64)?/python3[.\d]*t?/(?!(site|dist)-packages/)")
HARNESS = "_bench."
CATALOGUE = re.compile(r"loopgauge/scenarios/|/scenarios/\w+")


def absent(arm: Arm) -> Anatomy:
    """Of a loop that cannot be made here."""
    return Anatomy(
        arm=arm.label,
        loop=arm.loop,
        python=arm.python,
        status="unavailable",
        missing=[arm.reason],
    )


def anatomy_of(arm: Arm, found: Findings, most: int = COSTLIEST) -> Anatomy:
    """`most`: functions that are kept of each kind."""
    made = Anatomy(
        arm=arm.label,
        loop=arm.loop,
        python=arm.python,
        metrics={metric.metric: metric for metric in found.metrics},
        missing=[event.reason for event in found.events],
    )
    refused = [event.event for event in found.events if event.event != "left_out"]
    if refused or not found.process:
        made.status = refused[0] if refused else "error"
        return made
    bytecodes: dict[str, float] = {}
    if found.bytecodes:
        bytecodes = difference(found.n["bytecodes"], *found.bytecodes)
        made.python_functions = costliest(bytecodes, python_function, most)
    if found.profiles:
        instructions = per_function(found)
        made.functions = costliest(instructions, machine_function, most)
        unnamed = (cost for function, cost in instructions.items() if is_unnamed(function))
        made.unnamed = sum(unnamed) / sum(instructions.values())
        made.parts_instructions = divided(instructions, arm, bytecodes)
    set_times(made, found)
    return made


def set_times(made: Anatomy, found: Findings) -> None:
    n = found.n["plain"]
    small, large = found.process
    took = {name: max(0.0, per_operation(n, (small[name], large[name]))) for name in TIMES}
    made.wall_ns, made.cpu_ns = took["wall_ns"], took["cpu_ns"]
    made.waiting_ns = max(0.0, took["wall_ns"] - took["cpu_ns"])
    both = took["user_ns"] + took["system_ns"]
    kernel = took["cpu_ns"] * (took["system_ns"] / both if both else 0.0)
    user = took["cpu_ns"] - kernel
    total = sum(made.parts_instructions.values())
    made.divided = total > 0
    made.parts_ns = {"kernel": kernel}
    if made.divided:
        parts = made.parts_instructions
        made.parts_ns |= {part: user * parts[part] / total for part in PARTS[1:]}
    else:
        made.parts_ns["user"] = user
    for part, ns in made.parts_ns.items():
        if ns < TINY * made.cpu_ns:
            made.parts_ns[part] = 0.0


TIMES = ("wall_ns", "cpu_ns", "user_ns", "system_ns")


def per_function(found: Findings) -> dict[Function, float]:
    small, large = (profile.self_cost for profile in found.profiles)
    n = found.n["callgrind"]
    names = small.keys() | large.keys()
    costs = {name: per_operation(n, (small[name], large[name])) for name in names}
    return {name: cost for name, cost in costs.items() if cost > 0}


def divided(
    instructions: Mapping[Function, float], arm: Arm, bytecodes: Mapping[str, float]
) -> dict[str, float]:
    """Instructions by part, the kernel's being invisible here."""
    parts = dict.fromkeys(PARTS[1:], 0.0)
    share = applications_share(bytecodes, arm)
    for function, cost in instructions.items():
        part = part_of(function, arm)
        if part == "evaluation":
            parts["Python"] += cost * share
            parts["loop"] += cost * (1 - share)
        else:
            parts[part] += cost
    return parts


def part_of(function: Function, arm: Arm) -> str:
    """ "loop", "binding", "Python" or "evaluation", which is to be divided."""
    file = PurePosixPath(function.object)
    if file.name.startswith(HARNESS):
        # The callbacks in C of a scenario; but the floor's and the native tier's work is there too.
        return "loop" if arm.role in ("floor", "native") else "Python"
    if _INTERPRETER.fullmatch(file.name):
        return "evaluation" if _EVALUATION.match(function.name) else "binding"
    if not function.object or _C_LIBRARY.match(file.name) or "lib-dynload" in file.parts:
        return "binding"
    return "loop"


def is_unnamed(function: Function) -> bool:
    """Of the interpreter: nobody can say whether it evaluates bytecode."""
    file = PurePosixPath(function.object).name
    return function.name == UNNAMED and _INTERPRETER.fullmatch(file) is not None


def applications_share(bytecodes: Mapping[str, float], arm: Arm) -> float:
    """Of the bytecode that is executed. Where none was counted: all of it, for it is the
    application that is called."""
    total = sum(bytecodes.values())
    own = sum(count for name, count in bytecodes.items() if is_applications(name, arm))
    return own / total if total else 1.0


def is_applications(name: str, arm: Arm) -> bool:
    """`name` is "file:function". The loop's own files are those of its package."""
    file = name.rpartition(":")[0]
    if CATALOGUE.search(file):
        return True
    package = arm.factory.partition(":")[0].partition(".")[0]
    return not (_STDLIB.search(file) or f"/{package}/" in file)


def costliest(
    costs: Mapping[Key, float], named: Callable[[Key], tuple[str, str]], most: int
) -> list[Cost]:
    """`named`: function and file."""
    total = sum(costs.values())
    found = []
    for key, value in sorted(costs.items(), key=lambda item: -item[1])[:most]:
        name, file = named(key)
        if value < TINY * total:
            break
        found.append(Cost(name=name, file=file, value=value, share=value / total))
    return found


def python_function(key: str) -> tuple[str, str]:
    file, _, name = key.rpartition(":")
    return name, "/".join(PurePosixPath(file).parts[-2:])


def machine_function(function: Function) -> tuple[str, str]:
    return function.name, PurePosixPath(function.object).name
