"""Ends a worker that hangs, with every thread's stack on stderr.

Nothing inside the process can be trusted to interrupt a loop (several swallow SIGINT or an
exception from a signal handler), so this is faulthandler's own thread, which needs no GIL. It exits
with status 1; the manager reads the stack from the captured stderr.
"""

from __future__ import annotations

import faulthandler
import time

STDERR = 2


class Watchdog:
    """`timeout` is what one phase may take, in seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._slack = timeout / 4
        self._started = 0.0

    def start(self) -> None:
        """A phase begins: it may take the whole timeout."""
        self._started = time.monotonic()
        faulthandler.dump_traceback_later(self._timeout + self._slack, exit=True, file=STDERR)

    def keep_alive(self) -> None:
        """A slot begins. Starting over starts a thread, whose CPU time would fall into the slot, so
        it is done only when less than the timeout is left."""
        if time.monotonic() - self._started > self._slack:
            self.start()

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()
