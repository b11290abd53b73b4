"""What a worker accepts as a plan, and how it words failures."""

from __future__ import annotations

import errno
import os

import msgspec
import pytest

from loopgauge.harness.worker import faults
from loopgauge.harness.worker.main import parse
from loopgauge.harness.worker.plan import AnyMessage, Bye, Plan, PlanError, Samples, decode_plan

MINIMAL = {"schema": 1, "process": 0, "seed": 1, "design": "probe", "arms": [], "jobs": []}


class Unwanted(Exception):
    pass


def test_a_minimal_plan_has_defaults() -> None:
    plan = decode_plan(msgspec.json.encode(MINIMAL), Plan)
    assert (plan.hang_timeout, plan.gc, plan.path) == (20.0, "freeze", [])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "schema 2"),
        ({"design": "other"}, "design"),
        ({"jobs": [{"benchmark": "x"}]}, "scenario"),
        ({"gc": "sometimes"}, "gc"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(PlanError, match=complaint):
        decode_plan(msgspec.json.encode({**MINIMAL, **change}), Plan)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]"])
def test_what_is_no_plan_is_refused(text: bytes) -> None:
    with pytest.raises(PlanError):
        decode_plan(text, Plan)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--plan-fd", "3"], ["--plan-fd", "3", "--results-fd", "x"], ["--help"]],
)
def test_a_bad_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(PlanError):
        parse(arguments)


def test_messages_survive_the_pipe() -> None:
    samples = Samples(
        benchmark="b",
        arm="a",
        n=[1],
        block=[0],
        slot=[2],
        wall_ns=[3],
        process_ns=[4],
        thread_ns=[5],
        value=None,
        nivcsw=[0],
    )
    decoder = msgspec.json.Decoder(AnyMessage)
    for message in (samples, Bye()):
        assert decoder.decode(msgspec.json.encode(message)) == message


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (NotImplementedError(), "unsupported"),
        (Unwanted(), "invalid"),
        (ValueError(), "error"),
        (ExceptionGroup("g", [NotImplementedError(), NotImplementedError()]), "unsupported"),
        (ExceptionGroup("g", [NotImplementedError(), ValueError()]), "error"),
        (ExceptionGroup("g", [ExceptionGroup("h", [Unwanted()]), ValueError()]), "invalid"),
        (SystemExit(1), "error"),
    ],
)
def test_verdicts(error: BaseException, verdict: str) -> None:
    assert faults.verdict(error, (Unwanted,)) == verdict


def test_a_reason_is_one_line() -> None:
    assert faults.reason(ValueError("first\nsecond")) == "ValueError: first"
    assert len(faults.reason(ValueError("x" * 10_000))) == faults.REASON_LIMIT


def test_a_reason_without_words_says_where() -> None:
    def connect_pipe() -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError) as caught:
        connect_pipe()
    assert faults.reason(caught.value) == "NotImplementedError in connect_pipe"
    assert faults.reason(ValueError()) == "ValueError"


def test_a_report_holds_the_end_of_a_long_traceback() -> None:
    text = faults.report(ValueError("x" * 100_000 + " the end"))
    assert len(text) == faults.TRACEBACK_LIMIT
    assert text.endswith("the end\n")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "Too many open files: raise the limit with `ulimit -n`"),
        (errno.EADDRNOTAVAIL, "Cannot assign requested address: local ports have run out"),
        (errno.EAFNOSUPPORT, "this kernel does not have that kind of address"),
        (errno.ENOSYS, "this kernel is too old, or a container forbids the call"),
    ],
)
def test_what_the_system_has_no_more_of_is_no_loops_fault(number: int, words: str) -> None:
    error = OSError(number, os.strerror(number))
    for raised in (error, ExceptionGroup("in a task group", [error])):
        assert faults.verdict(raised, (Unwanted,)) == "lacking"
        assert words in faults.reason(raised)


def test_other_errors_of_the_system_are_errors() -> None:
    assert faults.verdict(ConnectionResetError(errno.ECONNRESET, "reset"), (Unwanted,)) == "error"
