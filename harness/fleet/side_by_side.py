"""Hosts at work, each in a thread of its own. What ends one of them is its own affair; what ends
all of them is raised."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from loopgauge.harness.fleet.register import Register

if TYPE_CHECKING:
    from loopgauge.harness.fleet.hosts import Host


class SideBySide:
    """`work` is called for each host, and raises only what is to end the others, too; `stop_all`
    then makes their work end with KeyboardInterrupt. How it ended is in the register."""

    def __init__(
        self, register: Register, work: Callable[[Host], None], stop_all: Callable[[], None]
    ) -> None:
        self._register = register
        self._work = work
        self._stop_all = stop_all
        self._stopping: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, hosts: Sequence[Host]) -> None:
        """Returns when every host has come to its end."""
        ended: queue.SimpleQueue[Host] = queue.SimpleQueue()
        for host in hosts:
            threading.Thread(target=self._follow, args=(host, ended), daemon=True).start()
        left = len(hosts)
        try:
            while left:
                ended.get()
                left -= 1
        except KeyboardInterrupt as interruption:
            self._stop(interruption)
            for _ in range(left):
                ended.get()  # what they have finished is on disk when they return
        if isinstance(self._stopping, KeyboardInterrupt):
            self._register.event("interrupted")
        if self._stopping is not None:
            raise self._stopping
        self._register.event("ended")

    def _follow(self, host: Host, ended: queue.SimpleQueue[Host]) -> None:
        """In a thread of its own."""
        try:
            self._work(host)
        except BaseException as error:
            self._stop(error)
        finally:
            ended.put(host)

    def _stop(self, error: BaseException) -> None:
        """The first one counts; the threads that it ends say KeyboardInterrupt."""
        with self._lock:
            if self._stopping is not None:
                return
            self._stopping = error
        self._stop_all()
