"""What makes this machine noisy, what is missing, and how to cure it.

Facts are collected once; every judgement is a pure function of them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from loopgauge.harness import environment, interpreter
from loopgauge.harness.deterministic import tools
from loopgauge.harness.model import Interpreter, Load, Machine

Level = Literal["ok", "info", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`problem`: measuring fails or misleads; `warning`: intervals get wider than need be;
    `info`: a figure depends on it."""

    check: str
    level: Level
    found: str
    meaning: str = ""
    cure: str = ""


BUSY_S = 0.3  # how long the interference check keeps one CPU busy
LOST_LIMIT = 0.02  # share of that time that others had the CPU
STEAL_LIMIT = 0.01
LOAD_LIMIT = 0.5
DISK_NEEDED = 100 << 20  # a full run file has about 5 MB
GOOD_CLOCKS = frozenset({"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"})


def diagnose() -> list[Finding]:
    """Every check, good or bad, in reading order. Takes a few seconds: valgrind is tried."""
    from loopgauge.loops import registry

    machine, load = environment.machine(), environment.load()
    facts = msgspec.convert(interpreter.describe(), Interpreter)
    return [
        *python_findings(facts),
        *loop_findings(interpreter.loops([*registry.known_loops()])),
        *load_findings(load, lost_share()),
        *cpu_findings(machine),
        *memory_findings(machine),
        *variable_findings(os.environ),
        *store_findings(Path.cwd()),
        *counting_findings(tools.ask(facts.executable), missing_counters()),
    ]


def python_findings(python: Interpreter) -> Iterator[Finding]:
    name = f"CPython {python.version} ({python.build_kind})"
    if python.build_hash == interpreter.NO_EXTENSIONS:
        yield Finding(
            check="build",
            level="problem",
            found="loopgauge's extension modules are not there",
            cure="In a checkout: scripts/dev build. Otherwise: pip install --force-reinstall "
            "loopgauge",
        )
    if python.debug:
        yield Finding(
            check="python",
            level="problem",
            found=f"{name}: a debug build",
            meaning="Its figures say nothing about the Python that people run",
            cure="Use a release build: --python PATH",
        )
    elif not python.optimized:
        yield Finding(
            check="python",
            level="warning",
            found=f"{name}: built without --enable-optimizations",
            meaning="It makes stock asyncio look slow and native loops look good",
            cure="Use your distribution's Python, or build with --enable-optimizations "
            "(pyenv: PYTHON_CONFIGURE_OPTS=--enable-optimizations)",
        )
    else:
        yield Finding(check="python", level="ok", found=name)


def loop_findings(loops: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    there = [
        f"{name} {facts['version']}".strip() for name, facts in loops.items() if facts["available"]
    ]
    yield Finding(check="loops", level="ok", found=", ".join(there) or "none")
    for name, facts in loops.items():
        if not facts["available"]:
            yield Finding(check="loops", level="info", found=f"{name}: {facts['reason']}")


def load_findings(load: Load, lost: float) -> Iterator[Finding]:
    if load.load_1m > LOAD_LIMIT:
        yield Finding(
            check="load",
            level="warning",
            found=f"load average {load.load_1m:.1f} over the last minute",
            meaning="Other work shares caches, memory and CPU with what is measured",
            cure="Stop it, or measure when it is done (top shows what it is)",
        )
    else:
        yield Finding(check="load", level="ok", found=f"load average {load.load_1m:.1f}")
    share = load.steal_s / load.total_s if load.total_s else 0.0
    if share > STEAL_LIMIT:
        yield Finding(
            check="steal",
            level="warning",
            found=f"the hypervisor gave {share:.1%} of the CPU time to others since boot",
            meaning="Pauses come from outside, and nothing in this machine can stop them",
            cure="Use a machine with dedicated CPUs, or more processes (the full setting)",
        )
    if lost > LOST_LIMIT:
        yield Finding(
            check="interference",
            level="warning",
            found=f"a busy process was without its CPU for {lost:.1%} of the time",
            meaning="Somebody else ran on it just now",
            cure="Stop other work; in a container, ask for CPUs of your own",
        )
    else:
        yield Finding(
            check="interference", level="ok", found=f"{lost:.1%} of the CPU lost to others"
        )


def cpu_findings(machine: Machine) -> Iterator[Finding]:
    yield Finding(
        check="cpu",
        level="info",
        found=f"{machine.cpu_model}, {len(machine.cpus_allowed)} of {machine.cpus_logical} CPUs"
        + (f", {machine.virtual}" if machine.virtual else ""),
    )
    if len(machine.cpus_allowed) < 2:
        yield Finding(
            check="cpu",
            level="warning",
            found="only one CPU may be used",
            meaning="Scenarios with several threads measure the scheduler; the manager itself "
            "interrupts the worker",
            cure="Allow a second one",
        )
    if machine.cpu_limit is not None:
        yield Finding(
            check="cgroup",
            level="warning",
            found=f"a CPU quota of {machine.cpu_limit:g} CPUs",
            meaning="When it is used up, everything stands still until the next period",
            cure="Run without the quota (docker: no --cpus; Kubernetes: no CPU limit)",
        )
    if machine.governor not in ("", "performance"):
        yield Finding(
            check="governor",
            level="warning",
            found=f"CPU frequency governor {machine.governor}",
            meaning="The clock rate follows the load",
            cure="sudo cpupower frequency-set -g performance",
        )
    if machine.turbo == "on":
        yield Finding(
            check="turbo",
            level="info",
            found="turbo is on",
            meaning="The clock rate depends on temperature and on the other cores; pairing "
            "cancels most of it",
            cure="echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo (or 0 into "
            "cpufreq/boost)",
        )
    if machine.smt == "on":
        yield Finding(
            check="smt",
            level="info",
            found="hyper-threading is on",
            meaning="Work on the sibling thread slows a core down",
            cure="echo off | sudo tee /sys/devices/system/cpu/smt/control",
        )
    if machine.aslr == "0":
        yield Finding(
            check="aslr",
            level="warning",
            found="address space randomisation is off",
            meaning="Every process gets the same layout, and its luck looks like a result",
            cure="sudo sysctl kernel.randomize_va_space=2",
        )
    if machine.clocksource and machine.clocksource not in GOOD_CLOCKS:
        yield Finding(
            check="clock",
            level="warning",
            found=f"clock source {machine.clocksource}",
            meaning="Reading the time is a slow system call, and loops read it every turn",
            cure="Boot with clocksource=tsc if the CPU has a stable one",
        )


def memory_findings(machine: Machine) -> Iterator[Finding]:
    limit = machine.memory_limit_bytes or machine.memory_bytes
    if 0 < limit < 1 << 30:
        yield Finding(
            check="memory",
            level="warning",
            found=f"{limit >> 20} MiB of memory",
            meaning="Scenarios with 100 000 callbacks or tasks may be killed",
            cure="Give it 1 GiB",
        )


def variable_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(variables):
        if name in environment.REMOVED - {"PYTHONHASHSEED"} or name.startswith(
            environment.REMOVED_PREFIXES
        ):
            yield Finding(
                check="environment",
                level="info",
                found=f"{name} is set",
                meaning="Workers run without it: it would change what is measured",
            )
        elif name in ("LD_PRELOAD", "PYTHONMALLOC", "GLIBC_TUNABLES"):
            yield Finding(
                check="environment",
                level="info",
                found=f"{name}={variables[name]}",
                meaning="Workers have it too, and it is recorded with the run",
            )


def store_findings(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        yield Finding(
            check="store",
            level="problem",
            found=f"{folder} is not writable",
            cure="Run bench in a folder of yours, or give --out",
        )
    elif free < DISK_NEEDED:
        yield Finding(
            check="store",
            level="warning",
            found=f"{free >> 20} MiB of disk left",
            meaning="A full run file has about 5 MB; plots and reports more",
            cure="Make room, or give --out on another disk",
        )
    else:
        yield Finding(check="store", level="ok", found=f"{free >> 30} GiB of disk left")


def counting_findings(found: Mapping[str, tools.Tool], no_counters: str) -> Iterator[Finding]:
    """What the deterministic tier and `bench explain` count with."""
    for how, tool in found.items():
        if tool.version:
            yield Finding(check="counting", level="ok", found=tool.version)
        else:
            what = tools.NEEDED_FOR[how]
            meaning = f"--tier deterministic and bench explain go without {what}"
            yield Finding(
                check="counting", level="info", found=tool.reason, meaning=meaning, cure=tool.cure
            )
    if no_counters:
        yield Finding(
            check="counters",
            level="info",
            found=f"the processor's counters cannot be read: {no_counters}",
            meaning="No cycles, cache misses and branch misses; everything else is counted",
            cure="Virtual machines seldom offer them; on bare metal: "
            "sudo sysctl kernel.perf_event_paranoid=2",
        )


def missing_counters() -> str:
    """Why the processor's counters are not there, in the kernel's words; "" where they are."""
    try:
        engine = importlib.import_module("loopgauge._bench")
    except ImportError:
        return ""  # `build` says so
    return str(engine.HardwareCounters().reason)


def lost_share(seconds: float = BUSY_S) -> float:
    """Share of wall time in which a process that wants the CPU all the time does not have it."""
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < began + seconds:
        pass
    return max(0.0, 1 - (time.process_time() - cpu) / (time.monotonic() - began))
