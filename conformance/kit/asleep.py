"""Whether a thread sleeps in the kernel: for cases about being idle and about being woken up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path


class Sleeper:
    """The thread that makes it, to be looked at by other threads."""

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._stat = Path(f"/proc/self/task/{threading.get_native_id()}/stat")

    def cpu_seconds(self) -> float:
        """CPU time the thread has taken so far."""
        return time.clock_gettime(self._clock)

    def waits(self) -> bool:
        """Whether the kernel has it wait for something."""
        stat = self._stat.read_text()
        return stat[stat.rfind(")") + 2] == "S"

    def until_asleep(self, seconds: float = 5.0) -> bool:
        """Blocks until it was seen waiting several times and took no CPU time in between, which a
        busy machine cannot feign; False if that does not happen."""
        deadline = time.monotonic() + seconds
        quiet, before = 0, -1.0
        while quiet < 4:
            if time.monotonic() > deadline:
                return False
            now = self.cpu_seconds()
            quiet = quiet + 1 if now == before and self.waits() else 0
            before = now
            time.sleep(0.002)  # between two looks; nothing tells when a loop begins to wait
        return True


def when_asleep(action: Callable[[], object]) -> threading.Thread:
    """Has a thread call `action` once the calling thread sleeps (after 1 s in any case)."""
    sleeper = Sleeper()

    def work() -> None:
        try:
            sleeper.until_asleep(1.0)
        finally:
            action()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
