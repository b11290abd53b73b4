"""The process that forks one process per case: `python -m loopgauge.conformance.runner.nursery`.

It has imported the cases and asyncio, and never a backend, so a fork costs milliseconds and no
case finds anything of another. It reads one `Order` a line from stdin and answers each with one
`Outcome` on stdout. A case speaks through a file in its folder, because a bad loop may close any
descriptor or print anything anywhere. Its arguments are folders for the module search path.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import select
import signal
import sys
import time
from pathlib import Path

import msgspec

from loopgauge.conformance import case as declared
from loopgauge.conformance.model import Evidence
from loopgauge.conformance.runner.body import LONGEST, perform
from loopgauge.conformance.runner.messages import Order, Outcome, encoded, signal_name
from loopgauge.conformance.runner.patience import KILL_AFTER_S

OUTCOME = "outcome.json"
STACK = "stack.txt"
OUTPUT = "output.txt"


def main() -> int:
    signal.signal(signal.SIGTERM, _end)
    declared.all_cases()
    sys.path[:0] = sys.argv[1:]  # only now: a module of the user's may be called like Python's
    gc.collect()
    gc.freeze()  # what is here now is nobody's garbage: a collection in a case is quick
    orders = sys.stdin.buffer
    answers = sys.stdout.buffer
    while line := orders.readline():
        outcome = run(msgspec.json.decode(line, type=Order))
        answers.write(encoded(outcome) + b"\n")
        answers.flush()
    return 0


def _end(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def run(order: Order) -> Outcome:
    """Forks, waits, and says how the case ended, whatever it did to its process."""
    started = time.monotonic()
    folder = Path(order.directory)
    # Not to be ended between the fork and the block that ends the child, too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pid = os.fork()
    if pid == 0:
        _child(order, folder)
    with contextlib.suppress(OSError):  # both sides do it: whoever is first
        os.setpgid(pid, pid)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        status = _wait(pid, order.seconds + KILL_AFTER_S)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # whatever it left running
    if status is None:
        os.waitpid(pid, 0)
        outcome = Outcome(verdict="HANG", reason=f"not finished after {order.seconds:g} s")
    else:
        outcome = _spoken(folder, status)
    outcome.evidence.stack = _end_of(folder / STACK)
    if outcome.verdict not in ("PASS", "NON_STRICT", "INFO"):
        outcome.evidence.output = _end_of(folder / OUTPUT)
    outcome.duration_s = time.monotonic() - started
    return outcome


def _wait(pid: int, seconds: float) -> int | None:
    """The exit code (negative: the signal), or None if it is still there after `seconds`."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return None
    finally:
        os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _spoken(folder: Path, status: int) -> Outcome:
    """What the case's process wrote; a crash where a signal ended it."""
    if status < 0:
        return Outcome(verdict="CRASH", reason=f"ended by {signal_name(-status)}")
    try:
        return msgspec.json.decode((folder / OUTCOME).read_bytes(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        return Outcome(
            verdict="CRASH", reason=f"the process ended by itself with exit status {status}"
        )


def _child(order: Order, folder: Path) -> None:
    """Never returns: os._exit, so that nothing of the nursery is flushed or run twice."""
    status = 70
    try:
        os.setpgid(0, 0)
        _redirect(folder / OUTPUT)
        _reset_signals()
        stack = (folder / STACK).open("w")  # never closed: a bad loop may do that as well
        faulthandler.enable(stack)
        faulthandler.dump_traceback_later(order.seconds, file=stack)
        own = folder / "own"
        own.mkdir()
        pid = os.getpid()
        case = declared.find(order.case, order.module)
        outcome = perform(case, order.target, own, order.twice)
        faulthandler.cancel_dump_traceback_later()
        if os.getpid() == pid:
            _write(folder / OUTCOME, outcome)
            status = 0
    except BaseException as error:  # of ours: the body's own are judged in perform
        with contextlib.suppress(BaseException):
            _write(folder / OUTCOME, _confused(error))
            status = 0
    finally:
        os._exit(status)


def _confused(error: BaseException) -> Outcome:
    """The case left the process in a state in which not even judging works: a closed descriptor,
    a patched module."""
    reason = f"the process cannot go on: {type(error).__name__}: {error}"
    return Outcome(verdict="ERROR", reason=reason[:500], evidence=Evidence())


def _write(path: Path, outcome: Outcome) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(encoded(outcome))
    fresh.rename(path)


def _redirect(path: Path) -> None:
    """stdin from nowhere, stdout and stderr to a file; the nursery's pipes are gone after it."""
    sys.stdin.close()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for fd in {null, output} - {0, 1, 2}:
        os.close(fd)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _reset_signals() -> None:
    """As in a program that was just started: a shell in the background ignores SIGINT, and others
    block signals; both would be taken for the loop's fault."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)


def _end_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-LONGEST:]
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
