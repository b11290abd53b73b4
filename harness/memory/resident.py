"""How much of this process is in memory, as the kernel counts it. Bytes.

`resident` walks the page tables (smaps_rollup) and is exact; the counters in `status` lag behind by
up to 32 pages a core. `peak` is such a counter: of a few hundred KiB, not of bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from pathlib import Path

_PROC = Path("/proc/self")
_RESET_PEAK = "5"  # proc(5), clear_refs: the peak is what is resident now


def resident() -> int:
    for name, pattern in (("smaps_rollup", r"^Rss:"), ("status", r"^VmRSS:")):
        with contextlib.suppress(OSError):
            return _kilobytes((_PROC / name).read_text(), pattern)
    raise NotImplementedError("this kernel does not say how much memory a process has (/proc)")


def peak() -> int:
    """The most since the start, or since `forget_peak`; never less than what is there now."""
    return max(_kilobytes((_PROC / "status").read_text(), r"^VmHWM:"), resident())


def forget_peak() -> bool:
    """False where the kernel does not do it: the peak is then that of the whole life."""
    try:
        (_PROC / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def give_back() -> None:
    """Free memory goes back to the system, as far as the C library can: it would be used first, and
    what is used then would not show."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _kilobytes(text: str, pattern: str) -> int:
    found = re.search(pattern + r"\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise NotImplementedError("this kernel does not say how much memory a process has (/proc)")
    return int(found[1]) * 1024
