"""One thing that was looked at, and the words for CPUs and shares that all findings use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Level = Literal["ok", "info", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`problem`: measuring fails or misleads; `warning`: intervals get wider than need be;
    `info`: a figure depends on it. `meaning`: what it does to figures; `cure`: a command where
    there is one."""

    check: str
    level: Level
    found: str
    meaning: str = ""
    cure: str = ""


def cpu_set(text: str) -> set[int]:
    """Of the kernel's list format: "0-3,8". Other text ("(null)", nothing) names no CPU."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def cpu_list(cpus: Iterable[int]) -> str:
    """The other way round."""
    ordered = sorted(cpus)
    starts = [cpu for cpu in ordered if cpu - 1 not in ordered]
    ends = [cpu for cpu in ordered if cpu + 1 not in ordered]
    return ",".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in zip(starts, ends, strict=True)
    )
