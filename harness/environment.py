"""The machine a run was measured on: facts for the header, and snapshots of its load."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from datetime import UTC, datetime
from pathlib import Path

import psutil

from loopgauge.harness import control_groups
from loopgauge.harness.kernel_files import Files, read
from loopgauge.harness.model import Load, Machine

CPU = Path("/sys/devices/system/cpu")

# Variables that change what is measured; recorded when set.
RELEVANT_PREFIXES = ("PYTHON", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "UV_", "LOOPGAUGE_")

# Variables that would measure something else: debug modes, or flags Google Benchmark reads.
REMOVED_PREFIXES = ("BENCHMARK_",)
REMOVED = frozenset(
    {
        "PYTHONASYNCIODEBUG",
        "PYTHONDEVMODE",
        "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED",
        "PYTHONIMPORTTIME",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONTRACEMALLOC",
        "PYTHONWARNINGS",
    }
)
PADDING_VARIABLE = "LOOPGAUGE_PADDING"


def machine() -> Machine:
    limits = control_groups.limits(Files())
    return Machine(
        cpu_model=cpu_model(),
        cpus_logical=os.cpu_count() or 0,
        cpus_allowed=sorted(os.sched_getaffinity(0)),
        cpu_limit=limits.quota,
        memory_bytes=psutil.virtual_memory().total,
        memory_limit_bytes=limits.memory,
        kernel=platform.release(),
        governor=read(CPU / "cpu0/cpufreq/scaling_governor"),
        turbo=turbo(CPU),
        smt=read(CPU / "smt/control"),
        aslr=read(Path("/proc/sys/kernel/randomize_va_space")),
        clocksource=read(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        virtual=virtualisation(),
        hostname_hash=hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12],
    )


def load() -> Load:
    """Steal time counts what the hypervisor gave to others while we wanted to run."""
    times = psutil.cpu_times()
    total = sum(times) - times.guest - times.guest_nice  # guest time is part of user time
    one, five, _ = os.getloadavg()
    return Load(
        utc=utc_now(),
        load_1m=one,
        load_5m=five,
        steal_s=times.steal,
        busy_s=total - times.idle - times.iowait,
        total_s=total,
    )


def steal_share(before: Load, after: Load) -> float:
    """Of the CPU time between two snapshots."""
    span = after.total_s - before.total_s
    return (after.steal_s - before.steal_s) / span if span > 0 else 0.0


def relevant_variables() -> dict[str, str]:
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(RELEVANT_PREFIXES) and name not in REMOVED
    }


def worker_environment(hash_seed: int, padding: int) -> dict[str, str]:
    """Ours without what would disturb, plus what was drawn for this process."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in REMOVED and not name.startswith(REMOVED_PREFIXES)
    }
    environment["PYTHONHASHSEED"] = str(hash_seed)
    environment[PADDING_VARIABLE] = "x" * padding
    return environment


def cpu_model() -> str:
    for line in read(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "cpu model"):
            return value.strip()
    return platform.machine()


def turbo(cpu: Path) -> str:
    """Intel and the rest say it with opposite signs."""
    no_turbo = read(cpu / "intel_pstate/no_turbo")
    if no_turbo:
        return "off" if no_turbo == "1" else "on"
    boost = read(cpu / "cpufreq/boost")
    return {"1": "on", "0": "off"}.get(boost, "")


def virtualisation() -> str:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "container"
    if "hypervisor" in read(Path("/proc/cpuinfo")):
        return read(Path("/sys/class/dmi/id/sys_vendor")) or "hypervisor"
    return ""


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def same_machine(one: Machine, other: Machine) -> bool:
    """As far as a run tells: samples of two machines have no like to be paired with."""
    return (one.cpu_model, one.hostname_hash) == (other.cpu_model, other.hostname_hash)
