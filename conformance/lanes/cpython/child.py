"""The process in which tests of CPython run: `python -m loopgauge.conformance.lanes.cpython.child`.

`--list` prints the tests, `--forgotten` the classes that the catalogue does not know, `--foreign`
whether the `Target` that follows is none of asyncio's own; otherwise an `Order` comes on stdin and
one event per line goes to the inherited descriptor `--results-fd`. Standard output and error
are the tests'.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
import time
import unittest
from typing import IO, Any

import msgspec

from loopgauge.conformance.lanes.cpython import compose
from loopgauge.conformance.lanes.cpython.catalogue import TIERS
from loopgauge.conformance.lanes.cpython.messages import (
    Done,
    End,
    Ending,
    Event,
    OfClass,
    Order,
    Start,
)
from loopgauge.conformance.runner.body import make_factory, missing_method
from loopgauge.conformance.runner.messages import Target


class Reporter(unittest.TestResult):
    """Sends `Start` and `Done` per test, so that a crash names the test it happened in."""

    def __init__(self, results: IO[bytes], names: dict[int, str], patience: float) -> None:
        super().__init__()
        self._results = results
        self._names = names
        self._patience = patience
        self._ending: Ending = "passed"
        self._detail: list[str] = []
        self._started = 0.0
        self._pid = os.getpid()

    def send(self, event: Event) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # the loop, or a test on it, has forked; this is the copy
        self._results.write(msgspec.json.encode(event) + b"\n")
        self._results.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._ending, self._detail = "passed", []
        self._started = time.monotonic()
        self.send(Start(self._names[id(test)]))
        faulthandler.dump_traceback_later(self._patience, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        seconds = time.monotonic() - self._started
        detail = "\n".join(self._detail)
        self.send(Done(self._names[id(test)], self._ending, detail, seconds))
        super().stopTest(test)

    def _record(self, ending: Ending, detail: str) -> None:
        self._ending = ending
        self._detail.append(detail)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        if id(test) in self._names:
            self._record(_ending(err), self.errors[-1][1])
        else:
            self.send(OfClass(_ending(err), self.errors[-1][1]))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._record("failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            details = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._record(_ending(err), f"{subtest}\n{details[-1][1]}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if id(test) in self._names:
            if self._ending == "passed":
                self._record("skipped", reason)
        else:
            self.send(OfClass("skipped", reason))

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._record("failed", "unexpected success")


def _ending(err: Any) -> Ending:
    kind, error, _ = err
    if issubclass(kind, AssertionError):
        return "failed"
    lacking = isinstance(error, AttributeError) and missing_method(error)
    return "unimplemented" if lacking or issubclass(kind, NotImplementedError) else "error"


def run_tests(order: Order, results: IO[bytes]) -> None:
    compose.prepare(order.tier)
    wanted = set(order.tests)
    suite = unittest.TestSuite()
    names = {}
    for listed, composed in compose.tests_of(order.tier):
        if listed.id in wanted:
            case = composed(listed.method)
            names[id(case)] = listed.id
            suite.addTest(case)
            # TestSuite drops its tests as it goes; an id must not be used twice.
            suite._removeTestAtIndex = lambda index: None  # type: ignore[attr-defined]
    reporter = Reporter(results, names, order.patience)
    suite.run(reporter)
    reporter.send(End(compose.made))


def is_foreign(target: Target) -> bool:
    """A subclass of asyncio's own loop has promised the private attributes; others have not."""
    loop = make_factory(target)()
    with contextlib.suppress(Exception):  # a loop without a close() is asked all the same
        loop.close()
    return not isinstance(loop, asyncio.SelectorEventLoop)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--forgotten", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--foreign")
    parser.add_argument("--results-fd", type=int)
    options = parser.parse_args()
    if options.forgotten:
        print(msgspec.json.encode(compose.forgotten()).decode())
    elif options.list:
        listed = [test for tier in TIERS for test, _ in compose.tests_of(tier)]
        print(msgspec.json.encode(listed).decode())
    elif options.foreign:
        target = msgspec.json.decode(options.foreign, type=Target)
        print(msgspec.json.encode(is_foreign(target)).decode())
    else:
        _serve(options.results_fd)


def _serve(results_fd: int) -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    # A shell that started us in the background has made SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    faulthandler.dump_traceback_later(order.patience, exit=True)
    compose.factory = make_factory(order.target)
    with os.fdopen(results_fd, "wb") as results:
        run_tests(order, results)


if __name__ == "__main__":
    main()
