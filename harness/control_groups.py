"""What the control groups of a container or a service allow (cgroups 2 and 1).

A limit of any group from ours up to the top of what we see counts: `systemd-run -p CPUQuota=`
limits a group far below the one that a container would show as its root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from loopgauge.harness.kernel_files import Files, keyed, whole

GROUPS = "sys/fs/cgroup"
UNLIMITED = 1 << 60  # cgroup 1 says "no limit" as a number near 2**63


@dataclass(frozen=True)
class Limits:
    """`quota`: CPUs' worth of time. Counts are since the group was made: periods of the quota (0:
    there is none), those in which it was used up, and how long everything stood still then."""

    quota: float | None = None
    periods: int = 0
    throttled: int = 0
    throttled_s: float = 0.0
    memory: int | None = None  # bytes
    memory_used: int = 0
    killed: int = 0  # processes, for want of memory


def limits(files: Files) -> Limits:
    groups = groups_of(files.text("proc/self/cgroup"))
    cpu, memory = folders(groups, "cpu"), folders(groups, "memory")
    quotas = [quota for folder in cpu if (quota := quota_of(files, folder)) is not None]
    stalls = [throttling(files.text(f"{folder}/cpu.stat")) for folder in cpu]
    periods, throttled, stood_s = max(stalls, key=lambda stall: stall[1:], default=(0, 0, 0.0))
    bounds = [pair for folder in memory for pair in memory_of(files, folder)]
    bound, used = min(bounds, default=(None, 0))
    return Limits(
        quota=min(quotas, default=None),
        periods=periods,
        throttled=throttled,
        throttled_s=stood_s,
        memory=bound,
        memory_used=used,
        killed=killed(files, memory),
    )


def groups_of(text: str) -> dict[str, str]:
    """By controllers ("" of cgroup 2), the folder below GROUPS: of lines such as
    "4:cpu,cpuacct:/user.slice" or "0::/user.slice"."""
    groups = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        groups[controllers] = path.strip("/")
    return groups


def folders(groups: dict[str, str], controller: str) -> list[str]:
    """Of the group and all above it, the group first. In a container whose own path is not to be
    seen only the last of them exists."""
    for controllers, path in groups.items():
        if controller in controllers.split(","):
            return [f"{GROUPS}/{controllers}/{part}".rstrip("/") for part in upward(path)]
    return [f"{GROUPS}/{part}".rstrip("/") for part in upward(groups.get("", ""))]


def upward(path: str) -> list[str]:
    pure = PurePosixPath(path)
    parts = [str(part) for part in (pure, *pure.parents)]
    return ["" if part == "." else part for part in parts]


def quota_of(files: Files, folder: str) -> float | None:
    """CPUs' worth; "max 100000" and -1 are none."""
    quota, _, period = files.text(f"{folder}/cpu.max").partition(" ")
    quota = quota or files.text(f"{folder}/cpu.cfs_quota_us")
    period = period or files.text(f"{folder}/cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return int(quota) / int(period)


def throttling(stat: str) -> tuple[int, int, float]:
    """Periods, those throttled, and seconds: microseconds in cgroup 2, nanoseconds in cgroup 1."""
    counts = keyed(stat)
    seconds = counts.get("throttled_usec", 0) / 1e6 + counts.get("throttled_time", 0) / 1e9
    return counts.get("nr_periods", 0), counts.get("nr_throttled", 0), seconds


def memory_of(files: Files, folder: str) -> Iterator[tuple[int, int]]:
    """Bound and use in bytes, where the group has a bound."""
    for bound_file, use_file in (
        ("memory.max", "memory.current"),
        ("memory.high", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        bound = whole(files.text(f"{folder}/{bound_file}"))
        if bound is not None and bound < UNLIMITED:
            yield bound, files.number(f"{folder}/{use_file}") or 0


def killed(files: Files, memory_folders: list[str]) -> int:
    """Of the innermost group that can be seen: those above count their other children, too."""
    for folder in memory_folders:
        text = files.text(f"{folder}/memory.events") or files.text(f"{folder}/memory.oom_control")
        if text:
            return keyed(text).get("oom_kill", 0)
    return 0
