"""Nurseries at work: as many as may run at a time, one case each."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from loopgauge.conformance.case import Case
from loopgauge.conformance.model import GOOD, Lane
from loopgauge.conformance.runner.messages import Order, Outcome, Target
from loopgauge.conformance.runner.patience import case_seconds

#: Without the current folder: the user's modules come by `path`, after the suite's own imports.
NURSERY = ("-P", "-m", "loopgauge.conformance.runner.nursery")

#: What a case may find set and must not, unless the user asked for it.
REMOVED = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONHASHSEED")


class Pool:
    """Up to `jobs` nurseries, started when needed, ended by `close`. `variables` are added to
    their environment, `path` to their module search path; the processes of other lanes take the
    same `environment` and `jobs`. The cases' working folder is `folder`, or ours. `hangs`: how
    often a loop has hung in a lane, which makes it be waited for less; whoever goes on with what
    somebody else began says what it was."""

    def __init__(
        self,
        jobs: int,
        variables: Mapping[str, str] | None = None,
        path: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        self.jobs = jobs
        self._folder = folder
        self.environment = {k: v for k, v in os.environ.items() if k not in REMOVED}
        self._own_environment = {**self.environment, **(variables or {})}  # of the nurseries
        before = [self.environment["PYTHONPATH"]] if "PYTHONPATH" in self.environment else []
        self.environment["PYTHONPATH"] = os.pathsep.join([*before, *path])
        self.environment.update(variables or {})
        self._path = [*path]
        self._idle: queue.SimpleQueue[_Nursery] = queue.SimpleQueue()
        self._all: list[_Nursery] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.hangs: Counter[tuple[Lane, str]] = Counter()

    def run(
        self, cases: Sequence[Case], target: Target, done: Callable[[Case, Outcome], None]
    ) -> None:
        """Every case on `target`: those that may share the machine first, then each of the rest
        by itself. `done` is called from this thread. KeyboardInterrupt ends what is running."""
        shared = [case for case in cases if not case.alone]
        for group, jobs in ((shared, self.jobs), ([c for c in cases if c.alone], 1)):
            self._run_group(group, jobs, target, done)

    def _run_group(
        self,
        cases: Sequence[Case],
        jobs: int,
        target: Target,
        done: Callable[[Case, Outcome], None],
    ) -> None:
        todo: queue.SimpleQueue[Case] = queue.SimpleQueue()
        for case in cases:
            todo.put(case)
        results: queue.SimpleQueue[tuple[Case, Outcome] | BaseException] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._serve, args=(todo, target, results), daemon=True)
            for _ in range(min(jobs, len(cases)))
        ]
        for thread in threads:
            thread.start()
        for _ in cases:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            done(*result)

    def _serve(
        self,
        todo: queue.SimpleQueue[Case],
        target: Target,
        results: queue.SimpleQueue[tuple[Case, Outcome] | BaseException],
    ) -> None:
        try:
            with self._nursery() as nursery:
                while not self._stopped.is_set():
                    case = todo.get_nowait()
                    results.put((case, self._try(nursery, case, target)))
        except queue.Empty:
            return
        except BaseException as error:  # not a verdict: the run cannot go on
            results.put(error)

    def _try(self, nursery: _Nursery, case: Case, target: Target) -> Outcome:
        """The case; once more where it seems to leak, since a library may keep something for the
        whole process, which only the second round in a process can tell from a leak."""
        outcome = nursery.ask(case, target, self._seconds(case, target), twice=False)
        if outcome.verdict == "HANG" and case.rule.id:
            with self._lock:
                self.hangs["rules", target.name] += 1
        if outcome.verdict == "LEAK":
            again = nursery.ask(case, target, self._seconds(case, target), twice=True)
            if again.verdict in GOOD:
                return again
        return outcome

    def _seconds(self, case: Case, target: Target) -> float:
        """Programs of other lanes are few, and long: they keep their time."""
        if not case.rule.id:
            return case.seconds
        return case_seconds(case.seconds, self.hangs["rules", target.name])

    @contextlib.contextmanager
    def _nursery(self) -> Iterator[_Nursery]:
        try:
            nursery = self._idle.get_nowait()
        except queue.Empty:
            with self._lock:  # so that `close` knows of every one that was begun
                if self._stopped.is_set():
                    raise  # nothing to do any more, as with an empty queue
                nursery = _Nursery(self._own_environment, self._path, self._folder)
                self._all.append(nursery)
        try:
            yield nursery
        finally:
            self._idle.put(nursery)

    def close(self) -> None:
        """Ends the nurseries and what they run."""
        self._stopped.set()
        with self._lock, contextlib.ExitStack() as all_of_them:  # whatever happens: Ctrl-C again
            for nursery in self._all:
                all_of_them.callback(nursery.close)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class InProcess(Pool):
    """Runs the bodies in this very process, one after the other: for a debugger. What a bad loop
    does to the process it does to us; Ctrl-C ends what hangs, and the run."""

    def __init__(
        self, variables: Mapping[str, str] | None = None, path: Sequence[str] = ()
    ) -> None:
        super().__init__(1, variables, path)
        os.environ.update(variables or {})

    def run(
        self, cases: Sequence[Case], target: Target, done: Callable[[Case, Outcome], None]
    ) -> None:
        from loopgauge.conformance.runner.body import perform

        for case in cases:
            with tempfile.TemporaryDirectory(prefix="lg-") as folder:
                done(case, perform(case, target, Path(folder), passing=KeyboardInterrupt))


class _Nursery:
    """One nursery process and the folder for the evidence of its cases. Restarted if it dies."""

    def __init__(
        self, environment: Mapping[str, str], path: Sequence[str], cwd: Path | None = None
    ) -> None:
        self._environment = dict(environment)
        self._path = path
        self._cwd = cwd
        self._folder = Path(tempfile.mkdtemp(prefix="lg-"))
        self._process = self._start()
        self._number = 0
        self._closed = False
        self._lock = threading.Lock()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *NURSERY, *self._path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            cwd=self._cwd,
            start_new_session=True,  # Ctrl-C is the runner's, which then ends this
        )

    def ask(self, case: Case, target: Target, seconds: float, twice: bool) -> Outcome:
        self._number += 1
        folder = self._folder / str(self._number)
        with self._lock:
            if not self._closed:  # else nobody would remove it
                folder.mkdir()
        order = Order(
            case=case.id,
            module=case.body.__module__,
            target=target,
            directory=str(folder),
            seconds=seconds,
            twice=twice,
        )
        try:
            return self._asked(order)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _asked(self, order: Order) -> Outcome:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if line:
            return msgspec.json.decode(line, type=Outcome)
        status = self._process.wait()
        with self._lock:
            if not self._closed:
                self._process = self._start()
        return Outcome(verdict="HARNESS", reason=f"the runner's own process ended ({status})")

    def close(self) -> None:
        """From another thread than the one that asks: that one must not start it again."""
        with self._lock:
            self._closed = True
            self._process.terminate()
        try:
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
