"""Runs tests of CPython in child processes and says how each of them ended.

Default: one process per class; when a test crashes or hangs its process, that test is named and
the rest of the class goes on in a new one. Isolated: one process per test.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import msgspec

from loopgauge.conformance.lanes.cpython.messages import (
    Done,
    End,
    Ending,
    Event,
    Listed,
    OfClass,
    Order,
    Start,
)
from loopgauge.conformance.runner.messages import Target, signal_name
from loopgauge.conformance.runner.patience import test_seconds

#: Seconds a single test may take; CPython's slowest of these needs about two on an idle core.
PATIENCE = 120.0

#: From a test's time being over to its process being killed, where it does not end by itself.
KILL_AFTER = 5.0

#: Seconds in which a loop must be made and closed once.
MAKING = 30.0

CHILD = (sys.executable, "-m", "loopgauge.conformance.lanes.cpython.child")


@dataclass(frozen=True)
class Outcome:
    """`seconds` is 0 for a test that did not come to its end."""

    ending: Ending
    detail: str = ""
    seconds: float = 0.0


def list_tests() -> list[Listed]:
    """The tests of this Python, in order; raises LookupError without CPython's test package."""
    return msgspec.json.decode(_ask("--list"), type=list[Listed])


def forgotten_classes() -> list[str]:
    """Classes of this Python's test package that the catalogue says nothing about."""
    return msgspec.json.decode(_ask("--forgotten"), type=list[str])


@dataclass(frozen=True)
class Probe:
    """Of the loop itself. `foreign`: it is no subclass of asyncio's own. `problem`: why it cannot
    even be made and closed."""

    foreign: bool
    problem: Outcome | None = None


def probe(target: Target, environment: Mapping[str, str]) -> Probe:
    words = [*CHILD, "--foreign", msgspec.json.encode(target).decode()]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            words, env=dict(environment), stdout=said, stderr=said, start_new_session=True
        )
        try:
            status = process.wait(MAKING)
        except subprocess.TimeoutExpired:
            return Probe(True, Outcome("hung", f"not made and closed within {MAKING:g} s"))
        finally:
            _kill(process.pid)
            process.wait()
        said.seek(0)
        text = said.read()
    if status == 0:
        return Probe(foreign="false" not in text.splitlines())
    if status > 0 and "Traceback" in text:
        return Probe(True, Outcome("error", text))
    return Probe(True, _broken(status, text, False, MAKING))


def _ask(*words: str) -> str:
    done = subprocess.run([*CHILD, *words], capture_output=True, text=True)
    if done.returncode:
        raise LookupError((done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    return done.stdout


class Run:
    """Runs what was selected, `jobs` processes at a time; ask `outcome`, then `close`.

    `patience`: the seconds that a test may take. With `impatient` they are halved with every three
    hangs, because a loop that hangs often would take for ever; `hangs`: those before this run.
    """

    def __init__(
        self,
        target: Target,
        selected: Iterable[Listed],
        *,
        isolate: bool,
        jobs: int,
        environment: Mapping[str, str],
        patience: float = PATIENCE,
        impatient: bool = False,
        hangs: int = 0,
    ) -> None:
        self._target = target
        self._environment = environment
        self._patience = patience
        self._impatient = impatient
        self._hangs = hangs
        self._threads = ThreadPoolExecutor(jobs)
        self._groups: dict[str, Future[dict[str, Outcome]]] = {}
        self._made: dict[str, int] = {}
        self._children: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False
        batches: dict[str, list[Listed]] = {}
        for test in selected:
            batches.setdefault(test.id if isolate else test.group, []).append(test)
        for batch in batches.values():
            future = self._threads.submit(self._run, batch[0].tier, [test.id for test in batch])
            self._groups.update((test.id, future) for test in batch)

    def outcome(self, test: str) -> Outcome:
        """How `test` ended; waits for its process."""
        return self._groups[test].result()[test]

    def batches(self) -> Iterator[dict[str, Outcome]]:
        """The outcomes, a process or class at a time, as they come."""
        for future in as_completed(dict.fromkeys(self._groups.values())):
            yield future.result()

    def loops_made(self, tests: Sequence[str]) -> int:
        """How many loops of the target the processes of these tests have made."""
        for test in tests:
            self._groups[test].result()
        return sum(self._made.get(test, 0) for test in tests)

    def close(self) -> None:
        """Ends what is running."""
        with self._lock:
            self._closed = True
            for pid in self._children:
                _kill(pid)
        self._threads.shutdown(cancel_futures=True)

    def _run(self, tier: str, batch: list[str]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        while not self._closed and (left := [test for test in batch if test not in outcomes]):
            self._run_process(tier, left, outcomes)
        return outcomes

    def _run_process(self, tier: str, tests: list[str], outcomes: dict[str, Outcome]) -> None:
        """One child; adds at least one outcome."""
        patience = self._patience
        if self._impatient:
            patience = test_seconds(patience, self._hangs)
        order = Order(target=self._target, tier=tier, tests=tests, patience=patience)
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            events, broken = self._child(order, errors.fileno())
            errors.seek(0)
            said = errors.read()
        running = _collect(events, outcomes)
        ended = [event for event in events if isinstance(event, End)]
        if ended:
            self._made[tests[0]] = ended[0].made
            _fill(tests, outcomes, events, said)
            return
        outcome = broken(said)
        self._hangs += outcome.ending == "hung"
        lost = [running] if running is not None else tests
        outcomes.update((test, outcome) for test in lost if test not in outcomes)

    def _child(self, order: Order, errors: int) -> tuple[list[Event], Callable[[str], Outcome]]:
        """What a child said, and how to tell of one that did not come to its end."""
        read, write = os.pipe()
        with (
            tempfile.TemporaryDirectory() as folder,
            tempfile.TemporaryFile() as orders,
            subprocess.Popen(
                [*CHILD, "--results-fd", str(write)],
                env=dict(self._environment),
                cwd=folder,
                stdin=_holding(orders, msgspec.json.encode(order)),
                stdout=errors,
                stderr=errors,
                pass_fds=[write],
                start_new_session=True,
            ) as child,
        ):
            os.close(write)
            with self._lock:
                self._children.add(child.pid)
                if self._closed:
                    _kill(child.pid)
            try:
                events = list(_events(read, order.patience + KILL_AFTER))
            finally:
                os.close(read)
                killed = _end(child)
                with self._lock:
                    self._children.discard(child.pid)
        status, patience = child.returncode, order.patience
        return events, lambda said: _broken(status, said, killed, patience)


def _holding(file: Any, content: bytes) -> Any:
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _events(fd: int, patience: float) -> Iterator[Event]:
    """What the child says, until it ends or says nothing for so long: then it is beyond help."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    buffer = b""
    while poll.poll(patience * 1000):
        more = os.read(fd, 1 << 16)
        if not more:
            return
        *lines, buffer = (buffer + more).split(b"\n")
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):  # a bad loop may write anywhere
                yield msgspec.json.decode(line, type=Event)


def _end(child: subprocess.Popen[bytes]) -> bool:
    """Waits for it, and kills what it left running; whether it had to be killed itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(KILL_AFTER)
    killed = child.returncode is None
    _kill(child.pid)
    child.wait()
    return killed


def _kill(pid: int) -> None:
    """The process and its group: tests start children of their own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _collect(events: list[Event], outcomes: dict[str, Outcome]) -> str | None:
    """Stores what finished; returns the test that had started and never did."""
    running = None
    for event in events:
        if isinstance(event, Start):
            running = event.id
        elif isinstance(event, Done):
            outcomes[event.id] = Outcome(event.ending, event.detail, event.seconds)
            running = None
    return running


def _fill(tests: list[str], outcomes: dict[str, Outcome], events: list[Event], said: str) -> None:
    """Tests that never started: their setUpClass failed or skipped, which is told per class."""
    for event in events:
        if isinstance(event, OfClass):
            for test in tests:
                outcomes.setdefault(test, Outcome(event.ending, event.detail))
    for test in tests:
        outcomes.setdefault(test, Outcome("error", "the child never started this test\n" + said))


def _broken(status: int, said: str, killed: bool, patience: float) -> Outcome:
    if killed or "Timeout (" in said:
        return Outcome("hung", f"no end after {patience:g} s\n{said}")
    if status < 0:
        return Outcome("crashed", f"killed by {signal_name(-status)}\n{said}")
    return Outcome("crashed", f"exit status {status}\n{said}")
