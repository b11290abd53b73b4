"""Runs tests of CPython in child processes and says how each of them ended.

Default: one process per class; when a test crashes or hangs its process, that test is named and
the rest of the class goes on in a new one. Isolated: one process per test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop_testing import process

#: Seconds a single test may take; CPython's slowest of these needs about two on an idle core.
HANG_AFTER = 120.0

LANE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    outcome: str  # passed, failed, skipped, crashed, hung
    detail: str = ""


@dataclass(frozen=True)
class Listed:
    id: str
    group: str


def list_tests(tier: str) -> list[Listed]:
    """The tier's tests in this Python; raises LookupError where the test package is missing."""
    return [Listed(row["id"], row["group"]) for row in _ask("--tier", tier, "--list")]


def forgotten_classes() -> list[str]:
    """Classes of this Python's test package that the catalogue says nothing about."""
    return _ask("--forgotten")


def _ask(*words: str) -> list[Any]:
    command = [sys.executable, "-m", "cpython_lane.child", *words]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise LookupError(done.stderr.strip().splitlines()[-1])
    answer: list[Any] = json.loads(done.stdout)
    return answer


class Lane:
    """Runs what was selected, `jobs` processes at a time, from the first question on."""

    def __init__(self, tier: str, selected: Iterable[Listed], isolate: bool, jobs: int) -> None:
        self._pool = ThreadPoolExecutor(jobs)
        self._groups: dict[str, Future[dict[str, Outcome]]] = {}
        self._made: dict[str, int] = {}
        batches: dict[str, list[str]] = {}
        for test in selected:
            batches.setdefault(test.id if isolate else test.group, []).append(test.id)
        for batch in batches.values():
            future = self._pool.submit(self._run, tier, batch)
            self._groups.update(dict.fromkeys(batch, future))

    def outcome(self, test: str) -> Outcome:
        """How `test` ended; waits for its process."""
        return self._groups[test].result()[test]

    def loops_made(self, tests: Sequence[str]) -> int:
        """How many loops of the target the processes of these tests have made."""
        for test in tests:
            self._groups[test].result()
        return sum(self._made.get(test, 0) for test in tests)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _run(self, tier: str, batch: list[str]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        while left := [test for test in batch if test not in outcomes]:
            self._run_process(tier, left, outcomes)
        return outcomes

    def _run_process(self, tier: str, tests: list[str], outcomes: dict[str, Outcome]) -> None:
        """One child; adds at least one outcome."""
        with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryDirectory() as folder:
            events, status = _child(tier, tests, errors.fileno(), folder)
            errors.seek(0)
            said = errors.read()
        running = _collect(events, outcomes)
        ended = [event for event in events if event["event"] == "end"]
        if ended:
            self._made[tests[0]] = ended[0]["made"]
            _fill(tests, outcomes, events, said)
        elif running is not None:
            outcomes[running] = _broken(status, said)
        else:
            outcomes.update((test, _broken(status, said)) for test in tests if test not in outcomes)


def _child(tier: str, tests: list[str], errors: int, folder: str) -> tuple[list[dict], int]:  # type: ignore[type-arg]
    read, write = os.pipe()
    with subprocess.Popen(
        [*_command(tier), "--results-fd", str(write), "--hang-after", str(HANG_AFTER)],
        env=_environment(),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=errors,
        stderr=errors,
        pass_fds=[write],
        start_new_session=True,
    ) as child:
        os.close(write)
        assert child.stdin is not None
        child.stdin.write(json.dumps(tests).encode())
        child.stdin.close()
        with os.fdopen(read) as lines:
            events = [json.loads(line) for line in lines if line.endswith("\n")]
        return events, child.wait(HANG_AFTER)


def _collect(events: list[dict], outcomes: dict[str, Outcome]) -> str | None:  # type: ignore[type-arg]
    """Stores what finished; returns the test that had started and never did."""
    running = None
    for event in events:
        if event["event"] == "start":
            running = event["id"]
        elif event["event"] == "done":
            outcomes[event["id"]] = Outcome(event["outcome"], event["detail"])
            running = None
    return running


def _fill(tests: list[str], outcomes: dict[str, Outcome], events: list[dict], said: str) -> None:  # type: ignore[type-arg]
    """Tests that never started: their setUpClass failed or skipped, which is told per class."""
    for event in events:
        if event["event"] == "class":
            for test in tests:
                outcomes.setdefault(test, Outcome(event["outcome"], event["detail"]))
    for test in tests:
        outcomes.setdefault(test, Outcome("failed", "the child never started this test\n" + said))


def _broken(status: int, said: str) -> Outcome:
    if status < 0:
        return Outcome("crashed", f"killed by {signal.Signals(-status).name}\n{said}")
    if "Timeout (" in said:
        return Outcome("hung", f"no end after {HANG_AFTER} s\n{said}")
    return Outcome("crashed", f"exit status {status}\n{said}")


def _command(tier: str) -> list[str]:
    return [sys.executable, "-m", "cpython_lane.child", "--tier", tier]


def _environment() -> dict[str, str]:
    environment = process.environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(LANE), environment["PYTHONPATH"]])
    return environment
