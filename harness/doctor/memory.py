"""What moves, reclaims or runs out of memory while something is measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loopgauge.harness.doctor.finding import Finding, cpu_set
from loopgauge.harness.kernel_files import Files, chosen, keyed, pressure

NEEDED = 1 << 30  # bytes: scenarios with 100 000 tasks
PRESSED = 0.01  # share of the last minute in which somebody waited for memory
HUGE = "sys/kernel/mm/transparent_hugepage/enabled"


@dataclass(frozen=True)
class Memory:
    """Bytes; `swapped` counts pages since boot, in both directions."""

    total: int = 0
    available: int = 0
    swap: int = 0
    swap_used: int = 0
    swapped: int = 0
    waiting: float = 0.0  # share of the last minute (pressure stall information)
    huge_pages: str = ""
    nodes: int = 1
    balanced: bool = False  # the kernel moves memory between nodes
    merged: bool = False  # the kernel merges equal pages


def memory(files: Files) -> Memory:
    sizes = {name: kib << 10 for name, kib in keyed(files.text("proc/meminfo")).items()}
    swap = sizes.get("SwapTotal", 0)
    return Memory(
        total=sizes.get("MemTotal", 0),
        available=sizes.get("MemAvailable", 0),
        swap=swap,
        swap_used=swap - sizes.get("SwapFree", 0),
        swapped=pages_swapped(files.text("proc/vmstat")),
        waiting=pressure(files.text("proc/pressure/memory"), "avg60"),
        huge_pages=chosen(files.text(HUGE)),
        nodes=len(cpu_set(files.text("sys/devices/system/node/online"))) or 1,
        balanced=files.text("proc/sys/kernel/numa_balancing") not in ("", "0"),
        merged=files.text("sys/kernel/mm/ksm/run") == "1",
    )


def pages_swapped(vmstat: str) -> int:
    counts = keyed(vmstat)
    return counts.get("pswpin", 0) + counts.get("pswpout", 0)


def memory_findings(before: Memory, now: Memory, limit: int | None) -> Iterator[Finding]:
    """`limit`: of the control group, in bytes."""
    room = min(limit or now.total, now.total)
    if 0 < room < NEEDED:
        yield Finding(
            check="memory",
            level="warning",
            found=f"{room >> 20} MiB of memory",
            meaning="Scenarios with 100 000 callbacks or tasks may be killed",
            cure="Give it 1 GiB",
        )
    elif 0 < now.available < NEEDED:
        yield Finding(
            check="memory",
            level="warning",
            found=f"{now.available >> 20} MiB of memory are free",
            meaning="The kernel takes back pages and caches while something is measured",
            cure="Stop what holds it: ps -eo pid,rss,comm --sort=-rss | head",
        )
    elif now.total:
        yield Finding(
            check="memory",
            level="ok",
            found=f"{now.available / 2**30:.1f} of {now.total / 2**30:.1f} GiB are free",
        )
    if now.waiting > PRESSED:
        yield Finding(
            check="memory pressure",
            level="warning",
            found=f"somebody waited for memory in {now.waiting:.0%} of the last minute",
            meaning="Pages are taken away and fetched again, and each costs a pause",
            cure="Stop what holds it: ps -eo pid,rss,comm --sort=-rss | head",
        )
    yield from swap_findings(before, now)
    yield from page_findings(now)


def swap_findings(before: Memory, now: Memory) -> Iterator[Finding]:
    pages = now.swapped - before.swapped
    if pages > 0:
        yield Finding(
            check="swap",
            level="warning",
            found=f"{pages} pages were swapped in the last second",
            meaning="A page that was swapped out costs a read of the disk in the middle of a slot",
            cure="sudo swapoff -a, or stop what holds the memory",
        )
    elif now.swap_used > 0:
        yield Finding(
            check="swap",
            level="info",
            found=f"{now.swap_used >> 20} MiB are swapped out",
            meaning="A process that slept long, such as a shell, is slow once when it is needed",
            cure="sudo swapoff -a && sudo swapon -a",
        )
    else:
        yield Finding(
            check="swap", level="ok", found="nothing is swapped out" if now.swap else "no swap"
        )


def page_findings(now: Memory) -> Iterator[Finding]:
    if now.huge_pages == "always":
        yield Finding(
            check="huge pages",
            level="info",
            found="transparent huge pages are always used",
            meaning="The kernel collapses memory when it likes: pauses, and resident memory that "
            "grows in steps of 2 MiB",
            cure=f"echo madvise | sudo tee /{HUGE}",
        )
    elif now.huge_pages:
        yield Finding(
            check="huge pages", level="ok", found=f"transparent huge pages: {now.huge_pages}"
        )
    if now.balanced and now.nodes > 1:
        yield Finding(
            check="numa",
            level="info",
            found=f"{now.nodes} memory nodes, and the kernel moves pages between them",
            meaning="It unmaps pages to see who uses them; where memory lies differs by process",
            cure="numactl --cpunodebind=0 --membind=0 bench ... (or: sudo sysctl "
            "kernel.numa_balancing=0)",
        )
    if now.merged:
        yield Finding(
            check="page merging",
            level="info",
            found="the kernel merges equal pages (ksm)",
            meaning="It scans memory, and a page that is written to is copied first",
            cure="echo 0 | sudo tee /sys/kernel/mm/ksm/run",
        )
