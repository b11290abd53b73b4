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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from loopgauge.conformance.lanes.cpython import parent
from loopgauge.conformance.lanes.cpython.annotations import Table, read, white_box_reason
from loopgauge.conformance.lanes.cpython.catalogue import TIERS
from loopgauge.conformance.lanes.cpython.messages import Ending, Listed
from loopgauge.conformance.runner.messages import Target
from loopgauge.loops import registry


@dataclass(frozen=True)
class Result:
    """One test. `white_box` is the reason why a correct loop may fail it, "" where none may."""

    tier: str
    group: str
    test: str
    outcome: Ending
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
    spec = registry.resolve(options.loop)
    target = Target(name=spec.name, factory=spec.factory, arguments=spec.arguments)
    results: list[Result] = []
    rows: list[Row] = []
    for found, row in _run(target, options):
        results += found
        rows.append(row)
        print(f"{row.name}: {row.passed} passed, {row.failed} failed", file=sys.stderr)
    if options.json:
        print(json.dumps(_document(target, results, rows), indent=1))
    else:
        _print(target, rows, results)
    return 1 if any(row.failed or row.unused for row in rows) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/dev cpython",
        description="CPython's own tests on a loop, each in a process of its own.",
    )
    parser.add_argument(
        "--loop", default="epoll", help="a name of `bench list loops`, or module:factory"
    )
    parser.add_argument("--tier", action="append", choices=sorted(TIERS))
    parser.add_argument("--only", default="", help="only tests whose name contains this")
    parser.add_argument("--json", action="store_true", help="every test with its outcome")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once; default 2")
    parser.add_argument(
        "--hang-after", type=float, default=60.0, metavar="SECONDS", help="default 60"
    )
    return parser.parse_args(arguments)


def _run(target: Target, options: argparse.Namespace) -> Iterator[tuple[list[Result], Row]]:
    """Class by class, in the order of the catalogue, as they finish."""
    tiers = options.tier or sorted(TIERS)
    listed = [t for t in parent.list_tests() if t.tier in tiers and options.only in t.id]
    run = parent.Run(
        target,
        listed,
        isolate=True,
        jobs=options.jobs,
        environment=os.environ,
        patience=options.hang_after,
    )
    reasons = read()
    try:
        for group in dict.fromkeys(test.group for test in listed):
            yield _of_class([test for test in listed if test.group == group], run, reasons)
    finally:
        run.close()


def _of_class(tests: list[Listed], run: parent.Run, reasons: Table) -> tuple[list[Result], Row]:
    row = Row(tests[0].group)
    results = []
    for test in tests:
        ended = run.outcome(test.id)
        reason = white_box_reason(test.id, reasons)
        found = Result(test.tier, test.group, test.id, ended.ending, reason, ended.detail)
        results.append(found)
        row.add(found)
    ran = row.passed + row.white_box_passed
    made = run.loops_made([test.id for test in tests])
    row.unused = tests[0].loops and ran > 0 and made == 0
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


def _document(target: Target, results: list[Result], rows: list[Row]) -> dict[str, object]:
    return {
        "loop": target.factory,
        "python": platform.python_version(),
        "together": asdict(_total(rows)),
        "classes": [asdict(row) for row in rows],
        "tests": [asdict(result) for result in results],
    }


def _print(target: Target, rows: list[Row], results: list[Result]) -> None:
    table = [HEADINGS, *(row.cells() for row in rows), _total(rows).cells()]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    print(f"{target.factory} on Python {platform.python_version()}\n")
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
