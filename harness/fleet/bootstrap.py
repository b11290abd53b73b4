"""What runs inside a Dask worker: it starts agents, hands them calls and gives back their answers.

Its text is sent along with every call, so that the worker's Python needs `distributed` and nothing
else: it must be understood by every Python we know, and imports the standard library alone (and
Dask, inside functions). It computes nothing itself: an *agent* does, a process of the environment
that holds loopgauge (fleet/agent.py).

A request is a line of JSON and the payload; so is an answer:

    {"function", "lock", "session"}    {"ok", "kind", "words", "trace"}
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AGENT = ("-P", "-m", "loopgauge.harness.fleet.agent")
# An agent that nobody wants leaves after 60 s; one that is younger can be relied upon.
FRESH_S = 40.0
LOOK_S = 0.25  # so often a call looks whether somebody waits for it still
LEAVE_S = 5.0  # for an agent to end what it has started
WORDS_KEPT = 2000
FRAME = struct.Struct(">Q")
WAITING = b'{"waiting":true}'


class Died(Exception):
    """The agent ended in the middle of a call, or never began."""


class Unwanted(Exception):
    """Nobody waits for the answer any more."""


class Agent:
    """A process that performs calls one after the other. Owns its pipes and what it says."""

    def __init__(self, python: str) -> None:
        self.python = python
        self.session = ""
        self.idle_since = time.monotonic()
        self._words = os.memfd_create("agent-stderr")
        # Appending, so that it can be emptied between two calls.
        fcntl.fcntl(self._words, fcntl.F_SETFL, os.O_APPEND)
        try:
            self._process = subprocess.Popen(
                [python, *AGENT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                env=environment(),
                start_new_session=True,  # Ctrl-C in the worker's terminal is not for it
            )
        except OSError as error:
            os.close(self._words)
            raise Died(f"{python} does not start: {error.strerror}") from error

    def usable(self) -> bool:
        fresh = time.monotonic() - self.idle_since < FRESH_S
        return fresh and self._process.poll() is None

    def perform(
        self, request: bytes, wanted: Callable[[], bool], waiting: Callable[[], None]
    ) -> bytes:
        """Raises Died or Unwanted; the agent is then of no use any more. `waiting` is called when
        it has to wait for its machine."""
        os.ftruncate(self._words, 0)
        try:
            self._process.stdin.write(FRAME.pack(len(request)) + request)  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except OSError:
            raise Died(self.last_words()) from None
        while (answer := self._frame(wanted)) == WAITING:
            waiting()
        return answer

    def _frame(self, wanted: Callable[[], bool]) -> bytes:
        (size,) = FRAME.unpack(self._read(FRAME.size, wanted))
        return self._read(size, wanted)

    def _read(self, size: int, wanted: Callable[[], bool]) -> bytes:
        answers = self._process.stdout.fileno()  # type: ignore[union-attr]
        data = bytearray()
        while len(data) < size:
            if not select.select([answers], [], [], LOOK_S)[0]:
                if not wanted():
                    raise Unwanted
                continue
            part = os.read(answers, min(size - len(data), 1 << 20))
            if not part:
                raise Died(self.last_words())
            data += part
        return bytes(data)

    def last_words(self) -> str:
        """How it ended, and the end of what it wrote to stderr."""
        self._let_go()
        status = self._process.returncode
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        size = os.fstat(self._words).st_size
        tail = os.pread(self._words, WORDS_KEPT, max(0, size - WORDS_KEPT))
        said = tail.decode(errors="replace").strip().rpartition("\n")[2]
        return f"{how}: {said}" if said else how

    def end(self) -> None:
        """It ends what it has started when its input closes."""
        self._let_go()
        self._process.stdout.close()  # type: ignore[union-attr]
        os.close(self._words)

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_idle: list[Agent] = []
_busy: set[Agent] = set()
_ended: set[str] = set()  # sessions whose command has gone
_lock = threading.Lock()
_told: dict[str, bytes] = {}
_pythons: dict[str, str] = {}  # of the environments made for sessions that brought wheels


def call(request: bytes) -> bytes:
    """Performs a call in an agent and returns its answer. Never raises: whatever happens is an
    answer, because an exception would travel as a pickle."""
    return answer_to(request, still_wanted())


def answer_to(request: bytes, wanted: Callable[[], bool]) -> bytes:
    head = json.loads(request.partition(b"\n")[0])
    session = head["session"]
    agent = None
    try:
        agent = taken(_pythons.get(session, sys.executable), session)
        answer = agent.perform(
            request, lambda: wanted() and session not in _ended, lambda: tell_of_waiting(session)
        )
    except Died as error:
        put_away(agent)
        return refusal("Died", str(error))
    except Unwanted:
        put_away(agent)
        return refusal("Unwanted", "nobody waits for it any more")
    except BaseException as error:
        put_away(agent)
        return refusal(type(error).__name__, str(error))
    with _lock:
        _busy.discard(agent)
        agent.idle_since = time.monotonic()
        _idle.append(agent)
    return answer


def tell_of_waiting(session: str) -> None:
    """To whoever listens for this session: the address of this worker."""
    with contextlib.suppress(Exception):
        from distributed import get_worker

        worker = get_worker()
        worker.log_event(f"loopgauge-{session}", worker.address)


def refusal(kind: str, words: str) -> bytes:
    return json.dumps({"ok": False, "kind": kind, "words": words, "trace": ""}).encode() + b"\n"


def taken(python: str, session: str) -> Agent:
    """An idle agent of this Python, or a new one. Starting one takes some 200 ms."""
    found = None
    with _lock:
        stale = [agent for agent in _idle if not agent.usable()]
        for agent in stale:
            _idle.remove(agent)
        for agent in _idle:
            if agent.python == python:
                found = agent
                _idle.remove(agent)
                break
    for agent in stale:
        agent.end()
    if found is None:
        found = Agent(python)
    found.session = session
    with _lock:
        _busy.add(found)
    return found


def put_away(agent: Agent | None) -> None:
    if agent is not None:
        with _lock:
            _busy.discard(agent)
        agent.end()


def end(session: str) -> bool:
    """The command of this session leaves: what still runs for it ends within LOOK_S."""
    with _lock:
        _ended.add(session)
        _pythons.pop(session, None)
        idle = [agent for agent in _idle if agent.session == session]
        for agent in idle:
            _idle.remove(agent)
    for agent in idle:
        agent.end()
    return True


def prefer(session: str, python: str) -> bool:
    """Whose Python the agents of this session take here."""
    _pythons[session] = python
    return True


def look() -> bytes:
    """What can be told at once of this worker, for its host to be recognised. JSON."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    facts = {"boot_id": boot, "utc": time.time(), "python": sys.executable, "pid": os.getpid()}
    return json.dumps({**facts, "hostname": socket.gethostname()}).encode()


def begin(ticket: str, request: bytes) -> bool:
    """Performs a call in a thread of its own, for a worker may be busy for minutes: `tell` has the
    answer as soon as there is one."""

    def perform() -> None:
        _told[ticket] = answer_to(request, lambda: True)

    threading.Thread(target=perform, daemon=True).start()
    return True


def tell(ticket: str) -> bytes | None:
    return _told.pop(ticket, None)


def environment() -> dict[str, str]:
    """The worker's own, without what Dask's nanny sets for the memory of its workers: the way the
    C library gives memory back would be another one than in a local run."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    for name, value in nanny_variables().items():
        if found.get(name) == str(value):
            del found[name]
    return found


def nanny_variables() -> dict[str, Any]:
    with contextlib.suppress(Exception):
        import dask

        return dict(dask.config.get("distributed.nanny.pre-spawn-environ"))
    return {}


def still_wanted() -> Callable[[], bool]:
    """Asks the worker that this thread works for whether the scheduler has taken the task back, or
    the worker is about to leave. A worker that cannot tell is believed to want it."""
    try:
        from distributed import get_worker

        worker = get_worker()
        key = worker.get_current_task()
        tasks = worker.state.tasks
    except Exception:
        return lambda: True

    def wanted() -> bool:
        task = tasks.get(key)
        leaving = worker.status.name in ("closing", "closed", "failed")
        return task is not None and task.state != "cancelled" and not leaving

    return wanted
