"""What makes this machine noisy, what is missing, and how to cure it.

Each file looks at one thing: it collects facts (its parsers take the kernel's texts), and judges
them by pure functions.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from loopgauge.harness import control_groups, environment, interpreter
from loopgauge.harness.deterministic import tools
from loopgauge.harness.doctor import clocks, cpu, limits, load, memory, power
from loopgauge.harness.doctor.finding import Finding, Level
from loopgauge.harness.doctor.installation import (
    counting_findings,
    loop_findings,
    missing_counters,
    python_findings,
    store_findings,
    tool_findings,
    variable_findings,
)
from loopgauge.harness.kernel_files import Files
from loopgauge.harness.model import Interpreter

__all__ = ["Finding", "Level", "diagnose"]


def diagnose(results_here: bool = True) -> list[Finding]:
    """Every check, good or bad, in reading order. Takes a few seconds: other work is watched, and
    valgrind is tried. `results_here`: on the machine that the commands are given on, results are
    written and revisions are built, too."""
    from loopgauge.loops import registry

    facts = msgspec.convert(interpreter.describe(), Interpreter)
    return [
        *python_findings(facts),
        *loop_findings(interpreter.loops([*registry.known_loops()])),
        *machine_findings(Files()),
        *variable_findings(os.environ),
        *(store_findings(Path.cwd()) if results_here else ()),
        *(tool_findings() if results_here else ()),
        *counting_findings(tools.ask(facts.executable), missing_counters()),
    ]


def machine_findings(files: Files, busy_s: float = load.BUSY_S) -> list[Finding]:
    """Of the machine alone. Takes `busy_s`."""
    machine = environment.machine()
    cpus = machine.cpus_allowed
    memory_before, limits_before = memory.memory(files), control_groups.limits(files)
    others = load.watch(files, busy_s)
    memory_now, limits_now = memory.memory(files), control_groups.limits(files)
    timing = clocks.clocks(files)
    return [
        *load.load_findings(others),
        *cpu.cpu_findings(machine, cpu.topology(files, cpus)),
        *power.power_findings(machine, power.power(files, cpus)),
        *limits.limit_findings(machine, limits_before, limits_now),
        *limits.descriptor_findings(limits.descriptors()),
        *memory.memory_findings(memory_before, memory_now, limits_now.memory),
        *clocks.clock_findings(machine, timing),
        *clocks.address_findings(machine, timing),
    ]
