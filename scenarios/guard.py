"""Ends a run that does not end by itself: a loop that loses a callback would wait for ever.

A timer of the loop under test could do it, but a pending timer changes what a turn costs. So a
thread looks every few seconds whether the run it saw last time is still the same one. A run pays
two attribute writes for it; the thread holds no lock and sleeps in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Guard:
    """Calls loop.stop() in a run that has lasted between one and two times `patience` seconds.

    The guard owns its thread, from `start` to `close`. A loop so broken that it does not react to
    call_soon_threadsafe(stop) is the business of whoever can kill the process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self.patience = patience
        self.fired = False
        self._loop = loop
        self._run: object = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="scenario-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(timeout=5.0)

    def enter(self) -> None:
        """A run begins. The loop's own thread calls this and `leave`."""
        self.fired = False
        self._run = object()

    def leave(self) -> None:
        self._run = None

    def _watch(self) -> None:
        seen: object = None
        while not self._closing.wait(self.patience):
            current = self._run
            if current is not None and current is seen:
                with contextlib.suppress(Exception):
                    self._loop.call_soon_threadsafe(self._stop, current)
            seen = current

    def _stop(self, run: object) -> None:
        """Runs in the loop's thread. A run that has ended by itself meanwhile was in time, and the
        next one, which may be the teardown's, is not to be stopped in its place."""
        if self._run is run:
            self.fired = True
            self._loop.stop()
