"""One machine measures one thing at a time: a lock that every command on it shares.

Measurements take it alone, conformance batches beside each other. It is a file lock, which the
kernel drops with the process that holds it, however that ends. Its name holds the machine's boot
id, which is the same in all its containers; LOOPGAUGE_LOCK names a file that they share.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

VARIABLE = "LOOPGAUGE_LOCK"
TOLD_AFTER_S = 5.0  # a process of ours that measures beside others takes that long

Lock = Literal["exclusive", "shared", "none"]


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def path() -> Path:
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"loopgauge-{boot_id()}.lock"


@contextlib.contextmanager
def machine_lock(kind: Lock, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Waits for the machine, and says so once it takes longer than TOLD_AFTER_S (`waiting` is
    called in another thread). Raises OSError where the file can be neither made nor opened."""
    if kind == "none":
        yield
        return
    lock = _opened(path())
    patience = threading.Timer(TOLD_AFTER_S, waiting)
    patience.daemon = True
    patience.start()
    try:
        # A turnstile: without it, those who share the lock would keep it from ever getting free
        # for somebody who wants it alone.
        turnstile = _opened(Path(f"{path()}.next"))
        try:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX if kind == "exclusive" else fcntl.LOCK_SH)
        finally:
            os.close(turnstile)
            patience.cancel()
        try:
            yield
        finally:
            # Said, because a forked child may hold a copy of the descriptor.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


def _opened(file: Path) -> int:
    """For everybody on the machine. In a folder with the sticky bit the kernel forbids O_CREAT on
    a file of somebody else (fs.protected_regular), so it is asked for only where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, 0o666)  # whatever the umask
    return descriptor


def probe() -> None:
    """Raises OSError if the lock cannot be taken by this process, now or ever."""
    for file in (path(), Path(f"{path()}.next")):
        descriptor = _opened(file)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
