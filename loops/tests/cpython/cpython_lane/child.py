"""The process in which tests of CPython run: `python -m cpython_lane.child`.

`--list` prints the tests of a tier, `--forgotten` the classes that the catalogue does not know;
otherwise the ids come as JSON on stdin and one JSON line per
event goes to the inherited descriptor `--results-fd`. Standard output and error are the tests'.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import unittest
from dataclasses import asdict
from typing import IO, Any

from cpython_lane import compose


class Reporter(unittest.TestResult):
    """Sends `start` and `done` per test, so that a crash names the test it happened in."""

    def __init__(self, results: IO[str], names: dict[int, str], hang_after: float) -> None:
        super().__init__()
        self._results = results
        self._names = names
        self._hang_after = hang_after
        self._outcome = "passed"
        self._detail: list[str] = []

    def send(self, **event: object) -> None:
        self._results.write(json.dumps(event) + "\n")
        self._results.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome, self._detail = "passed", []
        self.send(event="start", id=self._names[id(test)])
        faulthandler.dump_traceback_later(self._hang_after, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        self.send(
            event="done",
            id=self._names[id(test)],
            outcome=self._outcome,
            detail="\n".join(self._detail),
        )
        super().stopTest(test)

    def _record(self, outcome: str, detail: str) -> None:
        self._outcome = outcome
        self._detail.append(detail)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        if id(test) in self._names:
            self._record("failed", self.errors[-1][1])
        else:  # setUpClass, tearDownClass, setUpModule: no test is running
            self.send(event="class", outcome="failed", detail=self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._record("failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._record("failed", f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if id(test) in self._names:
            if self._outcome != "failed":
                self._record("skipped", reason)
        else:
            self.send(event="class", outcome="skipped", detail=reason)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._record("failed", "unexpected success")


def list_tests(tier: str) -> None:
    print(json.dumps([asdict(test) for test, _ in compose.tests_of(tier)]))


def run_tests(tier: str, wanted: list[str], results: IO[str], hang_after: float) -> None:
    compose.prepare(tier)
    suite = unittest.TestSuite()
    names = {}
    for lane_test, composed in compose.tests_of(tier):
        if lane_test.id in wanted:
            case = composed(lane_test.method)
            names[id(case)] = lane_test.id
            suite.addTest(case)
            # TestSuite drops its tests as it goes; an id must not be used twice.
            suite._removeTestAtIndex = lambda index: None  # type: ignore[attr-defined]
    reporter = Reporter(results, names, hang_after)
    suite.run(reporter)
    reporter.send(event="end", made=compose.made)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier")
    parser.add_argument("--forgotten", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--results-fd", type=int)
    parser.add_argument("--hang-after", type=float, default=60.0)
    options = parser.parse_args()
    if options.forgotten:
        print(json.dumps(compose.forgotten()))
        return
    if options.list:
        list_tests(options.tier)
        return
    # A shell that started us in the background has made SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    with os.fdopen(options.results_fd, "w") as results:
        run_tests(options.tier, json.load(sys.stdin), results, options.hang_after)


if __name__ == "__main__":
    main()
