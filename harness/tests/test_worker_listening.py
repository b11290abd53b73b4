"""Starting a worker, listening to it and getting rid of it, with programs of a few lines."""

from __future__ import annotations

import os
import select
import signal
import sys
import textwrap

import pytest

from loopgauge.harness.messages import ProtocolError
from loopgauge.harness.worker.plan import AnyMessage, Begin, Hello
from loopgauge.harness.worker_process import Launch, Outcome, run_worker

PRELUDE = """
import json, os, signal, sys
plan = json.load(os.fdopen(int(sys.argv[2])))
results = int(sys.argv[4])
def send(**message): os.write(results, json.dumps(message).encode() + b"\\n")
def hello(): send(t="hello", pid=os.getpid(), python="3", process=1, gc="freeze")
def begin(): send(t="begin", arm="x", benchmark="b", phase="slot")
"""


def run(
    body: str,
    listener: list[AnyMessage] | None = None,
    silence_s: float = 60.0,
    plan: dict[str, object] | None = None,
    cpus: list[int] | None = None,
) -> Outcome:
    heard = [] if listener is None else listener
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + textwrap.dedent(body)]
    return run_worker(Launch(command, plan or {}, dict(os.environ), silence_s, cpus), heard.append)


def test_a_worker_that_says_goodbye_is_done() -> None:
    heard: list[AnyMessage] = []
    assert run("hello(); begin(); send(t='bye')", heard).end == "done"
    assert [type(message) for message in heard[:2]] == [Hello, Begin]


def test_a_large_plan_arrives_whole() -> None:
    plan = {"long": "x" * 1_000_000}
    assert run("hello(); assert len(plan['long']) == 1_000_000; send(t='bye')", plan=plan).end == (
        "done"
    )


def test_messages_that_come_in_pieces() -> None:
    body = """
        hello()
        for byte in b'{"t":"bye"}\\n': os.write(results, bytes([byte]))
    """
    assert run(body).end == "done"


def test_a_signal_has_its_name_and_its_guilty_arm() -> None:
    outcome = run("hello(); begin(); os.kill(os.getpid(), signal.SIGSEGV)")
    assert (outcome.end, outcome.signal) == ("crash", "SIGSEGV")
    assert outcome.last is not None
    assert (outcome.last.arm, outcome.last.benchmark) == ("x", "b")


def test_an_exit_without_goodbye_is_a_crash_with_what_it_said() -> None:
    outcome = run("hello(); begin(); print('boo', file=sys.stderr); sys.exit(3)")
    assert (outcome.end, outcome.reason, outcome.detail) == ("crash", "exited with status 3", "boo")


def test_a_worker_that_never_says_hello() -> None:
    assert run("sys.exit('no engine')").end == "unstarted"


def test_silence_is_a_hang_and_ends_it() -> None:
    outcome = run("hello(); begin(); signal.pause()", silence_s=0.2)
    assert outcome.end == "hang"
    wait_until_gone(outcome.pid)


def test_a_worker_that_ignores_everything_is_killed_all_the_same() -> None:
    body = """
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
        hello(); begin(); signal.pause()
    """
    assert run(body, silence_s=0.2).end == "hang"


def test_closing_the_pipe_without_ending_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopgauge.harness.worker_process.EXIT_GRACE_S", 0.2)
    assert run("hello(); begin(); os.close(results); signal.pause()").end == "hang"


def test_hanging_after_goodbye_is_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopgauge.harness.worker_process.EXIT_GRACE_S", 0.2)
    assert run("hello(); send(t='bye'); os.close(results); signal.pause()").end == "done"


def test_a_child_of_the_worker_is_killed_with_it() -> None:
    """The child also keeps the pipe open: the worker's death has to be noticed without its end."""
    body = """
        hello()
        child = os.fork()
        if child == 0: signal.pause()
        send(t="begin", arm=str(child), benchmark="", phase="slot")
        os._exit(5)
    """
    outcome = run(body)
    assert outcome.end == "crash"
    assert outcome.last is not None
    wait_until_gone(int(outcome.last.arm))


@pytest.mark.parametrize("line", ["hello", '{"t":"novel"}', '{"t":"calibrated","n":"many"}', "[]"])
def test_nonsense_is_a_protocol_error(line: str) -> None:
    outcome = run(
        f"hello(); begin(); os.write(results, {line!r}.encode() + b'\\n'); signal.pause()"
    )
    assert outcome.end == "protocol"
    wait_until_gone(outcome.pid)


def test_what_the_listener_rejects_is_one_too() -> None:
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + "hello(); signal.pause()"]

    def reject(message: AnyMessage) -> None:
        raise ProtocolError("not asked for")

    outcome = run_worker(Launch(command, {}, dict(os.environ), 60.0), reject)
    assert (outcome.end, "not asked for" in outcome.reason) == ("protocol", True)


def test_an_exception_of_the_listener_kills_the_worker_and_passes() -> None:
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + "hello(); signal.pause()"]
    pids: list[int] = []

    def full(message: AnyMessage) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_worker(Launch(command, {}, dict(os.environ), 60.0), full, pids.append)
    wait_until_gone(pids[0])


def test_pinning() -> None:
    cpu = min(os.sched_getaffinity(0))
    body = f"""
        assert os.sched_getaffinity(0) == {{{cpu}}}
        hello(); send(t="bye")
    """
    assert run(body, cpus=[cpu]).end == "done"


def test_an_interruption_right_after_the_start_leaves_no_worker_behind() -> None:
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + "hello(); signal.pause()"]
    pids: list[int] = []

    def started(pid: int) -> None:
        pids.append(pid)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_worker(Launch(command, {}, dict(os.environ), 60.0), lambda m: None, started)
    wait_until_gone(pids[0])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def wait_until_gone(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 30)[0]
    finally:
        os.close(handle)
