"""The process on a host that does the work: `python -P -m loopgauge.harness.fleet.agent`.

It reads calls on stdin and writes answers on stdout, both as frames (eight bytes of length, then a
line of JSON, then bytes). It ends as soon as its input closes, in the middle of a call too, and
what it has started ends with it: whoever loses interest closes the pipe or dies.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import json
import os
import queue
import signal
import struct
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

from loopgauge.harness.fleet.machine_lock import machine_lock

FRAME = struct.Struct(">Q")
IDLE_S = 60.0  # without a call; bootstrap.py takes no agent that has waited nearly so long
TIDY_S = 2.0  # bootstrap.py gives an agent 5 s to leave
ROUNDS = 50  # of looking for what is to be ended; more is somebody we may not kill
WAITING = b'{"waiting":true}'  # a frame of its own, before the answer
_PR_SET_CHILD_SUBREAPER = 36
_sending = threading.Lock()


def main() -> NoReturn:
    requests, answers = _own_pipes()
    become_subreaper()
    be_undisturbed()
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    while True:
        try:
            request = inbox.get(timeout=IDLE_S)
        except queue.Empty:
            leave()
        send(answers, perform(request, lambda: send(answers, WAITING)))


def send(answers: BinaryIO, frame: bytes) -> None:
    with _sending:
        try:
            answers.write(FRAME.pack(len(frame)) + frame)
            answers.flush()
        except BrokenPipeError:
            leave()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """What a call prints goes to stderr, and what it reads is empty."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _receive(requests: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    """In a thread of its own, because the end of the input must be seen during a call."""
    while size := requests.read(FRAME.size):
        (length,) = FRAME.unpack(size)
        request = requests.read(length)
        if len(request) < length:
            break
        inbox.put(request)
    leave()


def perform(request: bytes, waiting: Callable[[], None]) -> bytes:
    """What the function returns, or the error that it raised as its words. `waiting` is called
    when somebody else has had the machine for a while."""
    head, _, payload = request.partition(b"\n")
    told = {"ok": True, "kind": "", "words": "", "trace": ""}
    answer = b""
    try:
        call = json.loads(head)
        module, _, name = call["function"].partition(":")
        function = getattr(importlib.import_module(module), name)
        with machine_lock(call["lock"], waiting):
            answer = function(payload)
    except BaseException as error:
        told = {
            "ok": False,
            "kind": type(error).__name__,
            "words": str(error) or type(error).__name__,
            "trace": "".join(traceback.format_exception(error))[-8000:],
        }
    return json.dumps(told).encode() + b"\n" + answer


def become_subreaper() -> None:
    """Whoever loses its parent below us becomes our child, so that it can be found."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def be_undisturbed() -> None:
    """Signals are as in a program that somebody starts by hand: what the worker ignores or holds
    back, because of nohup or of a terminal that it shares, would change what is measured."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def leave() -> NoReturn:
    """Ends everything below this process, then the process, whatever its main thread does. What
    functions want done at exit, such as removing folders, has a moment before."""
    tidying = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    tidying.start()
    tidying.join(TIDY_S)
    for _ in range(ROUNDS):  # a process may start another one while we look
        children = descendants(os.getpid())
        if not children:
            break
        for pid in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    os._exit(0)


def descendants(root: int) -> list[int]:
    """Living processes below `root`, by /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                # The name of the program is in parentheses, and may hold anything.
                stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if stat[0] not in "ZX":
                    parents[int(entry.name)] = int(stat[1])
    found: list[int] = []
    below = {root}
    while below:
        below = {pid for pid, parent in parents.items() if parent in below}
        found += below
    return found


if __name__ == "__main__":
    main()
