"""A Dask cluster for tests: scheduler and workers as processes of their own, on the loopback, each
of which can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
RESOURCE = "loopgauge=1"
START_S = 120.0


@dataclass
class Member:
    """A scheduler or worker that runs. Its log is beside its folder."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Cluster:
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    scheduler: Member | None = None
    workers: dict[str, Member] = field(default_factory=dict)

    @property
    def on(self) -> str:
        """For `--on`."""
        return f"dask://127.0.0.1:{self.port}"

    def start_scheduler(self, *options: str) -> Member:
        """At the port where it was before, if it was."""
        told = self.folder / "scheduler.json"
        told.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler",
            ["dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard",
             "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(told), *options],
        )  # fmt: skip
        wait_until(lambda: _whole(told), self.scheduler)
        self.port = int(json.loads(told.read_text())["address"].rpartition(":")[2])
        return self.scheduler

    def start_worker(
        self,
        name: str,
        *options: str,
        resources: str = RESOURCE,
        python: str = sys.executable,
        threads: int = 1,
        nanny: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Member:
        """Returns at once: a fleet that opens waits for the first worker only, see `ready`."""
        known = ["--resources", resources] if resources else []
        self.workers[name] = self._start(
            name,
            ["dask_worker", f"tcp://127.0.0.1:{self.port}", "--host", "127.0.0.1", "--name", name,
             "--nthreads", str(threads), "--nanny" if nanny else "--no-nanny", "--no-dashboard",
             "--dashboard-address", "127.0.0.1:0", "--memory-limit", "0",
             "--local-directory", str(self.folder), *known, *options],
            python,
            variables,
        )  # fmt: skip
        return self.workers[name]

    def ready(self, workers: int) -> None:
        """Until so many workers have told the scheduler of themselves."""
        from distributed import Client

        with Client(
            f"tcp://127.0.0.1:{self.port}", set_as_default=False, timeout=START_S
        ) as client:
            client.wait_for_workers(workers, timeout=START_S)

    def end(self) -> None:
        for member in [*self.workers.values(), self.scheduler]:
            if member is not None:
                member.end()

    def _start(
        self,
        name: str,
        command: list[str],
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> Member:
        log = self.folder / f"{name}.log"
        program, *options = command
        with log.open("ab") as file:
            process = subprocess.Popen(
                [python, "-P", "-m", f"distributed.cli.{program}", *options],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env=environment({**self.variables, **(variables or {})}, self.folder),
            )
        return Member(name, process, log)


def environment(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """With the calls of tests in reach, and a machine lock and a cache of the cluster's own: other
    tests may run on this machine."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "LOOPGAUGE_LOCK": str(folder / "machine.lock"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        **variables,
    }


def wait_until(true: Callable[[], bool], member: Member | None = None) -> None:
    """Long enough for any machine; a member that has died ends it at once, with its log."""
    until = time.monotonic() + START_S
    while not true():
        if member is not None and member.process.poll() is not None:
            pytest.fail(f"{member.name} has died:\n{member.log.read_text()[-3000:]}")
        if time.monotonic() > until:
            pytest.fail(f"nothing happened within {START_S:g} s")
        time.sleep(0.01)


def _whole(file: Path) -> bool:
    try:
        return "address" in json.loads(file.read_text())
    except (OSError, ValueError):
        return False


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers, `one` and `two`, shared by the tests of a module: who kills one
    of them starts it again."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start_scheduler()
        made.start_worker("one")
        made.start_worker("two")
        made.ready(2)
        yield made
    finally:
        made.end()


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler of the test's own, without workers."""
    made = Cluster(tmp_path)
    try:
        made.start_scheduler()
        yield made
    finally:
        made.end()
