"""One worker process: started, listened to, and gone without a trace when `run_worker` returns.

The worker leads a process group of its own, so that Ctrl-C in the terminal reaches the manager
alone, which then kills the whole group. Should the manager itself be killed, the kernel kills the
worker (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from loopgauge.harness import messages
from loopgauge.harness.interruptions import INTERRUPTIONS
from loopgauge.harness.messages import ProtocolError
from loopgauge.harness.worker.plan import AnyMessage, Begin, Bye, Hello

WORKER_MODULE = ("-P", "-m", "loopgauge.harness.worker")
STDERR_KEPT = 16_000  # bytes of the worker's stderr that an event carries at most
EXIT_GRACE_S = 5.0  # after the last message: interpreter shutdown
ABORT_GRACE_S = 2.0  # after SIGABRT: faulthandler writes the stacks
_PR_SET_PDEATHSIG = 1
_HANG_DUMP = re.compile(rb"^Timeout \(\d+:\d\d:\d\d(?:\.\d+)?\)!", re.MULTILINE)


@dataclass(frozen=True)
class Launch:
    command: Sequence[str]  # interpreter and worker program; the pipe options are added
    plan: Mapping[str, Any]
    environment: Mapping[str, str]
    silence_s: float  # no message for so long means that it hangs
    cpus: Sequence[int] | None = None
    inherited: Sequence[int] = ()  # descriptors that it finds under the same numbers


@dataclass(frozen=True)
class Outcome:
    """How it ended. `last` is the last thing it said it was about to do."""

    end: Literal["done", "crash", "hang", "protocol", "unstarted"]
    reason: str = ""
    signal: str = ""
    detail: str = ""  # the end of what it wrote to stderr
    last: Begin | None = None
    pid: int = 0

    @property
    def predicate(self) -> str:
        """The reason as what a sentence says of the process: "was killed by SIGSEGV"."""
        return f"was {self.reason}" if self.signal else self.reason


class _Conversation:
    """Splits the pipe's bytes into messages and remembers the ones that matter for blame."""

    def __init__(self, listener: Callable[[AnyMessage], None]) -> None:
        self._listener = listener
        self._partial = b""
        self.greeted = False
        self.finished = False
        self.last: Begin | None = None

    def feed(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if not line:
                continue
            message = messages.decode(line)
            self.greeted |= isinstance(message, Hello)
            self.finished |= isinstance(message, Bye)
            if isinstance(message, Begin):
                self.last = message
            self._listener(message)


def run_worker(
    launch: Launch,
    listener: Callable[[AnyMessage], None],
    started: Callable[[int], None] = lambda pid: None,
) -> Outcome:
    """Runs one worker to its end. The listener may raise ProtocolError to reject a message; any
    other exception (Ctrl-C, a full disk) passes through after the group is dead."""
    (outcome,) = run_workers([launch], [listener], [started])
    return outcome


def run_workers(
    launches: Sequence[Launch],
    listeners: Sequence[Callable[[AnyMessage], None]],
    started: Sequence[Callable[[int], None]],
) -> list[Outcome]:
    """The same for workers that live side by side and wait for each other: where one does not come
    to its end, the others are ended, too, and nobody blames them."""
    workers: list[_Worker] = []
    try:
        for launch, listener, told in zip(launches, listeners, started, strict=True):
            held = _hold_interruptions()
            try:
                workers.append(_Worker(launch, listener, held))
            finally:
                _release_interruptions(held)  # whoever interrupts now meets our `finally`
            told(workers[-1].process.pid)
        _listen(workers)
    finally:
        for worker in workers:
            worker.end()
    return [worker.outcome() for worker in workers]


class _Worker:
    """A worker that runs, and what is known of it. Owns its process group and two descriptors."""

    def __init__(
        self,
        launch: Launch,
        listener: Callable[[AnyMessage], None],
        mask: set[signal.Signals],
    ) -> None:
        self.talk = _Conversation(listener)
        self.silence_s = launch.silence_s
        self.hung = False
        self.rejected = ""
        self.given_up = False  # because of another one
        self.stderr = os.memfd_create("worker-stderr")
        try:
            self.process, self.results = _start(launch, self.stderr, mask)
        except BaseException:
            os.close(self.stderr)
            raise
        os.set_blocking(self.results, False)
        self.heard = time.monotonic()

    @property
    def left_s(self) -> float:
        """Until its silence means that it hangs."""
        return self.heard + self.silence_s - time.monotonic()

    def read(self) -> bool:
        """What it has written. Whether more may come."""
        data = os.read(self.results, 1 << 20)
        if not data:
            self.hung = _leave(self.process, self.talk)
            return False
        self.heard = time.monotonic()
        try:
            self.talk.feed(data)
        except ProtocolError as error:
            self.rejected = str(error)
            return False
        return True

    def end(self) -> None:
        os.close(self.results)
        _kill_group(self.process)
        self.tail = _tail(self.stderr)
        os.close(self.stderr)

    def outcome(self) -> Outcome:
        if self.given_up:
            return Outcome("crash", "was ended, since one beside it had failed")
        return _outcome(self.process, self.talk, self.hung, self.rejected, self.tail)


def _start(
    launch: Launch, stderr: int, mask: set[signal.Signals]
) -> tuple[subprocess.Popen[bytes], int]:
    """The plan goes through a memory file: no pipe buffer to fill, nothing on disk."""
    plan = os.memfd_create("worker-plan", 0)
    results, results_write = os.pipe()
    try:
        os.write(plan, msgspec.json.encode(launch.plan))
        os.lseek(plan, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [*launch.command, "--plan-fd", str(plan), "--results-fd", str(results_write)],
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env=dict(launch.environment),
            pass_fds=(plan, results_write, *launch.inherited),
            process_group=0,
            preexec_fn=lambda: _begin_child(launch, mask),
        )
    except BaseException:
        os.close(results)
        raise
    finally:
        os.close(plan)
        os.close(results_write)
    return process, results


_libc = ctypes.CDLL(None, use_errno=True)


def _hold_interruptions() -> set[signal.Signals]:
    """Ctrl-C and SIGTERM wait until the worker is in safe hands. With a preexec_fn the fork runs
    Python hooks (logging has some), and an exception raised in one of those is printed and
    forgotten; one raised right after the fork would leave the worker to itself. Returns the mask
    that was."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    return {signal.Signals(number) for number in before}


def _release_interruptions(before: set[signal.Signals]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_child(launch: Launch, mask: set[signal.Signals]) -> None:
    """In the child, before exec: all of it survives exec."""
    if launch.cpus is not None:
        os.sched_setaffinity(0, launch.cpus)
    _end_with_parent(signal.SIGKILL, mask)


def end_with_parent(signum: signal.Signals) -> None:
    """This process gets the signal when the thread that started it ends, be it by SIGKILL."""
    _libc.prctl(_PR_SET_PDEATHSIG, signum)


def _end_with_parent(signum: signal.Signals, mask: set[signal.Signals]) -> None:
    end_with_parent(signum)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def starting(signum: signal.Signals) -> Iterator[Callable[[], None]]:
    """For a Popen within it, its preexec_fn: the child gets `signum` should we be killed. Ctrl-C
    waits for the end of the block, which belongs inside the `try` that ends the child."""
    mask = _hold_interruptions()
    try:
        yield lambda: _end_with_parent(signum, mask)
    finally:
        _release_interruptions(mask)


def _listen(workers: Sequence[_Worker]) -> None:
    """Until all pipes are closed, or one of the workers ends early, falls silent or says something
    absurd."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.results, selectors.EVENT_READ, worker)
        while selector.get_map():
            if failed := _listen_once(selector):
                for key in selector.get_map().values():
                    key.data.given_up = key.data is not failed
                return


def _listen_once(selector: selectors.BaseSelector) -> _Worker | None:
    """The worker that failed, if one did."""
    open_ones: list[_Worker] = [key.data for key in selector.get_map().values()]
    # Whoever waits for its turn is silent, too: what counts is the last word of all.
    latest = max(open_ones, key=lambda worker: worker.heard)
    # Woken twice a second for a worker that died while a child of it keeps the pipe open.
    left = min(0.5, max(0.0, latest.left_s))
    ready = {id(key.data) for key, _ in selector.select(left)}
    for worker in open_ones:
        if id(worker) in ready:
            if worker.read():
                continue
        elif worker.process.poll() is not None:
            if _has_more(worker):  # what it wrote between the two looks still counts
                continue
        elif worker is latest and worker.left_s <= 0:
            _abort(worker.process)
            worker.hung = True
        else:
            continue
        selector.unregister(worker.results)
        if not worker.talk.finished:
            return worker
    return None


def _has_more(worker: _Worker) -> bool:
    return bool(select.select([worker.results], [], [], 0)[0])


def _leave(process: subprocess.Popen[bytes], talk: _Conversation) -> bool:
    """The pipe is closed: the process should end by itself. After `bye` nothing it does matters
    any more; before, not ending is a hang."""
    try:
        process.wait(EXIT_GRACE_S)
    except subprocess.TimeoutExpired:
        _abort(process)
        return not talk.finished
    return False


def _abort(process: subprocess.Popen[bytes]) -> None:
    """SIGABRT first: faulthandler then writes every thread's stack to stderr."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ABORT_GRACE_S)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(stderr: int) -> bytes:
    size = os.fstat(stderr).st_size
    return os.pread(stderr, STDERR_KEPT, max(0, size - STDERR_KEPT))


def _outcome(
    process: subprocess.Popen[bytes], talk: _Conversation, hung: bool, rejected: str, tail: bytes
) -> Outcome:
    detail = tail.decode(errors="replace").strip()
    status = process.returncode
    name = _signal_name(-status) if status < 0 else ""
    common: dict[str, Any] = {"detail": detail, "last": talk.last, "pid": process.pid}
    if rejected:
        return Outcome("protocol", f"the worker's message makes no sense: {rejected}", **common)
    if talk.finished:
        return Outcome("done", **common)
    if hung or (status == 1 and _HANG_DUMP.search(tail)):
        return Outcome("hang", "gave no sign of life within the time limit", **common)
    how = f"killed by {name}" if name else f"exited with status {status}"
    if not talk.greeted:
        return Outcome("unstarted", how, name, **common)
    return Outcome("crash", how, name, **common)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
