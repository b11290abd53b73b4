"""How a loop fares with CPython's own tests, class by class: `scripts/dev cpython --loop uvloop`.

Every test runs in a process of its own, the white-box ones too: they are counted apart, because a
correct loop may fail them (`annotations.toml` says why each). Exit status 1 where another failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from loop_testing import target

from cpython_lane import annotations, parent
from cpython_lane.catalogue import TIERS, LaneClass
from loopgauge.loops import registry


@dataclass(frozen=True)
class Result:
    """One test. `white_box` is the reason why a correct loop may fail it, "" where none may."""

    tier: str
    group: str
    test: str
    outcome: str  # passed, failed, crashed, hung, skipped (by CPython itself)
    white_box: str
    detail: str


@dataclass
class Row:
    """One class. `unused`: no test of it made a loop of the target, so it says nothing about it."""

    name: str
    passed: int = 0
    failed: int = 0
    white_box_passed: int = 0
    white_box_failed: int = 0
    skipped: int = 0
    unused: bool = False

    def add(self, result: Result) -> None:
        if result.outcome == "skipped":
            self.skipped += 1
        elif result.outcome == "passed":
            self.passed += not result.white_box
            self.white_box_passed += bool(result.white_box)
        else:
            self.failed += not result.white_box
            self.white_box_failed += bool(result.white_box)

    def cells(self) -> list[str]:
        numbers = (
            self.passed,
            self.failed,
            self.white_box_passed,
            self.white_box_failed,
            self.skipped,
        )
        return [self.name, *(str(number or "") for number in numbers)]


HEADINGS = ["class", "passed", "failed", "white-box passed", "white-box failed", "skipped"]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.loop:
        os.environ[target.VARIABLE] = registry.resolve(options.loop).factory
    parent.HANG_AFTER = options.hang_after
    results: list[Result] = []
    rows: list[Row] = []
    for tier in options.tier or sorted(TIERS):
        for found, row in _run(tier, options.only, options.jobs):
            results += found
            rows.append(row)
            print(f"{row.name}: {row.passed} passed, {row.failed} failed", file=sys.stderr)
    if options.json:
        print(json.dumps(_document(results, rows), indent=1))
    else:
        _print(rows, results)
    return 1 if any(row.failed or row.unused for row in rows) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/dev cpython",
        description="CPython's own tests on a loop, each in a process of its own.",
    )
    parser.add_argument("--loop", help="a name of `bench list loops`, or module:factory")
    parser.add_argument("--tier", action="append", choices=sorted(TIERS))
    parser.add_argument("--only", default="", help="only tests whose name contains this")
    parser.add_argument("--json", action="store_true", help="every test with its outcome")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once; default 2")
    parser.add_argument(
        "--hang-after", type=float, default=60.0, metavar="SECONDS", help="default 60"
    )
    return parser.parse_args(arguments)


def _run(tier: str, only: str, jobs: int) -> Iterable[tuple[list[Result], Row]]:
    """Class by class, as they finish."""
    listed = [test for test in parent.list_tests(tier) if only in test.id]
    reasons = annotations.read()
    lane = parent.Lane(tier, listed, isolate=True, jobs=jobs)
    try:
        for entry in TIERS[tier]:
            tests = [test.id for test in listed if test.group == entry.name]
            if tests:
                yield _of_class(tier, entry, tests, lane, reasons)
    finally:
        lane.close()


def _of_class(
    tier: str,
    entry: LaneClass,
    tests: list[str],
    lane: parent.Lane,
    reasons: dict[str, list[annotations.Annotation]],
) -> tuple[list[Result], Row]:
    row = Row(entry.name)
    results = []
    for test in tests:
        ended = lane.outcome(test)
        reason = annotations.white_box_reason(test, reasons) or ""
        results.append(Result(tier, entry.name, test, ended.outcome, reason, ended.detail))
        row.add(results[-1])
    ran = row.passed + row.white_box_passed
    row.unused = entry.loops and ran > 0 and lane.loops_made(tests) == 0
    return results, row


def _total(rows: Iterable[Row]) -> Row:
    total = Row("together")
    for row in rows:
        total.passed += row.passed
        total.failed += row.failed
        total.white_box_passed += row.white_box_passed
        total.white_box_failed += row.white_box_failed
        total.skipped += row.skipped
    return total


def _document(results: list[Result], rows: list[Row]) -> dict[str, object]:
    return {
        "loop": target.target_name(),
        "python": platform.python_version(),
        "together": asdict(_total(rows)),
        "classes": [asdict(row) for row in rows],
        "tests": [asdict(result) for result in results],
    }


def _print(rows: list[Row], results: list[Result]) -> None:
    table = [HEADINGS, *(row.cells() for row in rows), _total(rows).cells()]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    print(f"{target.target_name()} on Python {platform.python_version()}\n")
    for line in table:
        first, *numbers = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *numbers]).rstrip())
    for row in rows:
        if row.unused:
            print(f"\n{row.name}: never made a loop of the target; it says nothing about it")
    for result in results:
        if result.outcome not in ("passed", "skipped"):
            why = f" ({result.white_box})" if result.white_box else ""
            last = (result.detail.strip().splitlines() or [""])[-1]
            print(f"\n{result.outcome}: {result.test}{why}\n  {last}")


if __name__ == "__main__":
    sys.exit(main())
