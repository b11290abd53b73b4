"""Control groups, read from trees with the kernel's texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopgauge.harness import control_groups
from loopgauge.harness.control_groups import Limits
from loopgauge.harness.kernel_files import Files

SERVICE = "0::/user.slice/app.service\n"
HYBRID = """\
9:name=systemd:/
4:memory:/docker/3f2a
3:cpuset:/
1:cpu,cpuacct:/docker/3f2a
0::/
"""
STAT = """\
usage_usec 91800000
user_usec 71800000
system_usec 20000000
nr_periods 4000
nr_throttled 1000
throttled_usec 52500000
nr_bursts 0
burst_usec 0
"""
STAT_1 = "nr_periods 40\nnr_throttled 10\nthrottled_time 1500000000\n"
EVENTS = "low 0\nhigh 12\nmax 40\noom 3\noom_kill 2\noom_group_kill 0\n"


def limits(root: Path, content: dict[str, str]) -> Limits:
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return control_groups.limits(Files(root))


def test_a_machine_without_any_control_group_has_no_limit(tmp_path: Path) -> None:
    assert limits(tmp_path, {}) == Limits()


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("20000 100000\n", 0.2)]
)
def test_the_quota_of_a_container_is_at_the_top(
    tmp_path: Path, text: str, quota: float | None
) -> None:
    found = limits(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": text})
    assert found.quota == quota


def test_the_narrowest_group_up_to_the_top_counts(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": SERVICE,
            "sys/fs/cgroup/user.slice/app.service/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/user.slice/app.service/memory.max": "2147483648\n",
            "sys/fs/cgroup/user.slice/app.service/memory.current": "1048576\n",
            "sys/fs/cgroup/user.slice/app.service/memory.high": "1073741824\n",
            "sys/fs/cgroup/user.slice/memory.max": "max\n",
        },
    )
    assert (found.quota, found.memory, found.memory_used) == (0.5, 1 << 30, 1 << 20)


def test_what_was_throttled_and_killed(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": SERVICE,
            "sys/fs/cgroup/user.slice/app.service/cpu.stat": STAT,
            "sys/fs/cgroup/user.slice/app.service/memory.events": EVENTS,
            "sys/fs/cgroup/user.slice/memory.events": "oom_kill 9\n",
        },
    )
    assert (found.periods, found.throttled, found.throttled_s) == (4000, 1000, 52.5)
    assert found.killed == 2


def test_cgroup_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    """In a container its own path is that of the host, and only the folder's top is to be seen."""
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": HYBRID,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.stat": STAT_1,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "4096\n",
            "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\noom_kill 1\n",
        },
    )
    assert found == Limits(
        quota=0.5,
        periods=40,
        throttled=10,
        throttled_s=1.5,
        memory=1 << 29,
        memory_used=4096,
        killed=1,
    )


def test_cgroup_1_without_limits(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        {
            "proc/self/cgroup": HYBRID,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert found == Limits()
