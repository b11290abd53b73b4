"""What a loop leaves in the process: threads that burn CPU beside the others' slots, or that stay,
with open files, after close()."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

REST_S = 0.05
BUSY_SHARE = 0.05
PATIENCE_S = 1.0
POLL_S = 0.002


def threads() -> frozenset[int]:
    """Of the operating system: native helper threads are invisible to `threading`."""
    return frozenset(int(entry.name) for entry in Path("/proc/self/task").iterdir())


def open_files() -> dict[int, str]:
    """Descriptor to what it is."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        # The descriptor of the listing itself is gone again.
        with contextlib.suppress(OSError):
            found[int(entry.name)] = str(entry.readlink())
    return found


def busy_at_rest() -> list[str]:
    """Measures the process while its main thread sleeps. Such CPU time would be counted as every
    other loop's in a process they share."""
    start = time.process_time()
    time.sleep(REST_S)
    share = (time.process_time() - start) / REST_S
    if share < BUSY_SHARE:
        return []
    return [f"its helper threads use {share:.0%} of a CPU while the loop rests"]


def after_close(threads_before: frozenset[int], files_before: dict[int, str]) -> list[str]:
    """What is still there of the loop that was closed."""
    left = []
    stayed = len(_threads_that_stay(threads_before))
    if stayed:
        left.append(f"left {stayed} running thread{'s' * (stayed > 1)} behind after close()")
    for fd, what in open_files().items():
        if files_before.get(fd) != what:
            left.append(f"left descriptor {fd} ({what}) open after close()")
    return left


def _threads_that_stay(before: frozenset[int]) -> frozenset[int]:
    """An executor that was shut down without waiting ends by itself, a moment later; so does the
    watchdog's thread. What is new and still there after a second stays."""
    deadline = time.monotonic() + PATIENCE_S
    while (new := threads() - before) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return new
