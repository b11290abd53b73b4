"""Memory, and what control groups take away."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from loopgauge.harness.control_groups import Limits
from loopgauge.harness.doctor import limits, memory
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.doctor.memory import Memory
from loopgauge.harness.kernel_files import Files, chosen, pressure
from loopgauge.harness.model import Machine

MEMINFO = """\
MemTotal:       16318480 kB
MemFree:          412000 kB
MemAvailable:     524288 kB
SwapCached:            0 kB
SwapTotal:       2097148 kB
SwapFree:        1048572 kB
HugePages_Total:       0
"""
PRESSURE = """\
some avg10=0.22 avg60=3.17 avg300=1.11 total=58761459
full avg10=0.00 avg60=1.50 avg300=0.55 total=57761459
"""
TEXTS = {
    "proc/meminfo": MEMINFO,
    "proc/vmstat": "nr_free_pages 103000\npswpin 40\npswpout 2\n",
    "proc/pressure/memory": PRESSURE,
    "proc/sys/kernel/numa_balancing": "1\n",
    "sys/devices/system/node/online": "0-1\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    "sys/kernel/mm/ksm/run": "1\n",
}
GIB = 1 << 30
QUIET = Memory(total=16 * GIB, available=12 * GIB)
MACHINE = Machine(cpus_allowed=[0, 1])


def read(root: Path, content: dict[str, str]) -> Memory:
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return memory.memory(Files(root))


def bad(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.level in ("warning", "problem")]


def test_the_kernels_texts(tmp_path: Path) -> None:
    assert read(tmp_path, TEXTS) == Memory(
        total=16318480 << 10,
        available=GIB >> 1,
        swap=2097148 << 10,
        swap_used=GIB,
        swapped=42,
        waiting=pytest.approx(0.0317),
        huge_pages="always",
        nodes=2,
        balanced=True,
        merged=True,
    )
    assert memory.memory(Files(tmp_path / "nothing")) == Memory()


def test_pressure_is_that_of_some_task_and_0_without_the_kernels_word() -> None:
    assert pressure(PRESSURE, "avg10") == pytest.approx(0.0022)
    assert pressure("", "avg10") == 0


def test_the_word_in_brackets() -> None:
    assert chosen("always [madvise] never") == "madvise"
    assert chosen("always") == ""


def test_everything_that_is_wrong_with_memory(tmp_path: Path) -> None:
    now = read(tmp_path, TEXTS)
    findings = [*memory.memory_findings(now, now, None)]
    assert [(finding.check, finding.level) for finding in findings] == [
        ("memory", "warning"),
        ("memory pressure", "warning"),
        ("swap", "info"),
        ("huge pages", "info"),
        ("numa", "info"),
        ("page merging", "info"),
    ]
    assert all(finding.meaning and finding.cure for finding in findings)
    assert "512 MiB of memory are free" in findings[0].found


def test_quiet_memory_gives_no_warning() -> None:
    assert bad(memory.memory_findings(QUIET, QUIET, None)) == []


def test_swapping_just_now_is_worse_than_pages_that_lie_there() -> None:
    before, now = Memory(swapped=40, swap=GIB, swap_used=GIB), Memory(swapped=55, swap=GIB)
    assert bad(memory.memory_findings(before, now, None)) == ["swap"]
    (found,) = memory.swap_findings(before, now)
    assert "15 pages" in found.found


def test_a_small_group_is_a_small_machine() -> None:
    (found, *_) = memory.memory_findings(QUIET, QUIET, 512 << 20)
    assert (found.level, found.found) == ("warning", "512 MiB of memory")


@pytest.mark.parametrize(("quota", "level"), [(None, "ok"), (1.5, "warning"), (2.0, "info")])
def test_a_quota_bites_below_the_cpus_there_are(quota: float | None, level: str) -> None:
    (found,) = limits.limit_findings(MACHINE, Limits(), Limits(quota=quota))
    assert (found.check, found.level) == ("cgroup", level)


def test_throttling_is_told_with_how_often_and_how_long() -> None:
    before = Limits(quota=1.5, periods=30, throttled=10, throttled_s=1.0)
    now = Limits(quota=1.5, periods=40, throttled=12, throttled_s=1.2)
    found = [*limits.limit_findings(MACHINE, before, now)]
    assert bad(found) == ["cgroup", "throttling"]
    assert "12 times so far, in 30% of its periods, for 1.2 s; 2 times just now" in found[1].found
    assert "just now" not in [*limits.limit_findings(MACHINE, now, now)][1].found


def test_a_group_that_is_nearly_full_or_lost_processes() -> None:
    full = Limits(memory=GIB, memory_used=GIB - 1, killed=2)
    found = [*limits.limit_findings(MACHINE, full, full)]
    assert [finding.level for finding in found] == ["ok", "info", "warning"]
    assert "2 processes were killed" in found[1].found
    assert "1023 of 1024 MiB" in found[2].found


def test_too_few_descriptors() -> None:
    assert bad(limits.descriptor_findings(1024)) == ["descriptors"]
    assert [*limits.descriptor_findings(limits.FILES_NEEDED)] == []
    assert limits.descriptors() > 0
