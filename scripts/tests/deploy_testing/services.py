"""Processes of Dask's commands, each with everything it starts, ended when the tests end."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

START_S = 120.0  # a busy machine takes seconds to import Dask


class Service:
    """A running command, and what it has printed so far."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=log.parent,
                env={**os.environ, "LOOPGAUGE_LOCK": str(log.parent / "machine.lock")},
            )

    def says(self, pattern: str) -> str:
        """What the first group of `pattern` is in the output, as soon as it is there."""
        deadline = time.monotonic() + START_S
        while (found := re.search(pattern, self.log.read_text(encoding="utf-8"))) is None:
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"it never says {pattern}:\n{self.log.read_text()}"
            time.sleep(0.05)
        return found[1]

    def processes(self) -> list[psutil.Process]:
        return tree(self.process.pid) if self.process.poll() is None else []


def end(scheduler: Service, workers: Sequence[Service]) -> None:
    """Workers as containers are stopped; a scheduler has nothing to put away."""
    everything = [process for service in workers for process in service.processes()]
    for service in workers:
        service.process.terminate()
    for service in workers:
        with suppress(subprocess.TimeoutExpired):
            service.process.wait(20)
    scheduler.process.kill()
    for process in everything:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for service in (scheduler, *workers):
        service.process.wait()


def tree(pid: int) -> list[psutil.Process]:
    """A process and everything it has started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def scheduler(command: Sequence[str], log: Path) -> tuple[Service, str]:
    """Started, and its address."""
    service = Service(command, log)
    return service, service.says(r"Scheduler at:\s+(\S+)")


def worker(command: Sequence[str], log: Path) -> Service:
    """Started, and known to its scheduler."""
    service = Service(command, log)
    service.says(r"(Registered to):")
    return service
