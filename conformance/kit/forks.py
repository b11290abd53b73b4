"""A forked child that says something: what it found goes back as text, and it never returns."""

from __future__ import annotations

import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable

CHILD_SECONDS = 5.0


def in_child(function: Callable[[], str]) -> str:
    """Forks; the child calls `function` and ends, without any clean-up. Returns what `function`
    returned, the traceback of what it raised, or a word about how the child ended without one."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():  # 3.12 warns where there are threads
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _speak(function, writing)
    os.close(writing)
    try:
        return _heard(reading, pid)
    finally:
        os.close(reading)


def _speak(function: Callable[[], str], writing: int) -> None:
    try:
        try:
            text = function()
        except BaseException:
            text = traceback.format_exc()
        os.write(writing, text.encode()[-4000:])
    finally:
        os._exit(0)


def _heard(reading: int, pid: int) -> str:
    ready = select.select([reading], [], [], CHILD_SECONDS)[0]
    if not ready:
        os.kill(pid, signal.SIGKILL)
    text = os.read(reading, 4096).decode() if ready else ""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if text:
        return text
    return f"the child ended with status {status}" if ready else "the child did not end"
