"""CPython's own asyncio tests as questions: those of the running Python, imported, never copied."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache

from loopgauge.conformance.lanes import Done, LaneMissing, Question, keep_nothing, no_luggage
from loopgauge.conformance.lanes.cpython import parent
from loopgauge.conformance.lanes.cpython.annotations import excuse, read
from loopgauge.conformance.lanes.cpython.messages import Ending, Listed
from loopgauge.conformance.model import Evidence, Kind
from loopgauge.conformance.runner.body import LONGEST
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.patience import EXCUSED_TEST_S, TEST_S
from loopgauge.conformance.runner.pool import Pool

PREFIX = "cpython:"

keep, luggage = keep_nothing, no_luggage

VERDICTS: dict[Ending, Kind] = {
    "passed": "PASS",
    "failed": "FAIL",
    "error": "ERROR",
    "unimplemented": "UNIMPLEMENTED",
    "skipped": "NOT_APPLICABLE",
    "crashed": "CRASH",
    "hung": "HANG",
}


def questions(python: tuple[int, ...]) -> list[Question]:
    return [_question(test) for test in _listed()]


@cache
def _listed() -> tuple[Listed, ...]:
    try:
        return tuple(parent.list_tests())
    except LookupError as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise LaneMissing(
            f"CPython's test package is not usable here ({error}); Debian has it in"
            f" libpython{version}-testsuite, Fedora in python3-test, python.org and pyenv builds"
            " bring it along"
        ) from error


def _question(test: Listed) -> Question:
    return Question(
        id=PREFIX + test.id,
        description=f"CPython's test {test.method} of {test.id.rpartition('.')[0]}.",
        expected="The test passes, as on asyncio's own loop.",
        group=test.group,
    )


def answer(questions: Sequence[Question], target: Target, pool: Pool, done: Done) -> None:
    """A process per class. What a correct loop may fail is asked apart, where it can do no harm to
    the rest, and is never more than INFO."""
    asked = {question.id.removeprefix(PREFIX): question for question in questions}
    tests = [test for test in _listed() if test.id in asked]
    table = read()
    probe = parent.probe(target, pool.environment)
    if probe.problem is not None:
        for question in questions:
            done(question, _outcome(probe.problem, ""))
        return
    excuses = {test.id: excuse(test.id, table, probe.foreign) for test in tests}
    judged = [test for test in tests if not excuses[test.id]]
    excused = [test for test in tests if excuses[test.id]]
    hangs = pool.hangs["cpython", target.name]
    for part, patience in ((judged, TEST_S), (excused, EXCUSED_TEST_S)):
        run = parent.Run(
            target,
            part,
            isolate=part is excused,
            jobs=pool.jobs,
            environment=pool.environment,
            patience=patience,
            impatient=True,
            hangs=hangs if part is judged else 0,
        )
        try:
            for batch in run.batches():
                unused = _unused(batch, run)
                for test, ended in batch.items():
                    done(asked[test], unused or _outcome(ended, excuses[test]))
        finally:
            run.close()


def _unused(batch: Mapping[str, parent.Outcome], run: parent.Run) -> Outcome | None:
    """A whole class that passed without ever having made the loop says nothing about it."""
    endings = {ended.ending for ended in batch.values()}
    groups = {test.group for test in _listed() if test.id in batch}
    whole = [test for test in _listed() if test.group in groups]
    if (
        len(batch) < len(whole)
        or "passed" not in endings
        or endings & {"crashed", "hung"}
        or not whole[0].loops
        or run.loops_made([*batch])
    ):
        return None
    return Outcome(verdict="HARNESS", reason=f"{whole[0].group} made no loop of the target")


def _outcome(ended: parent.Outcome, excused: str) -> Outcome:
    evidence = Evidence(traceback=ended.detail[-LONGEST:])
    if ended.ending in ("crashed", "hung"):
        evidence = Evidence(stack=ended.detail[-LONGEST:])
    if excused:
        evidence.notes["result"] = ended.ending
        return Outcome(verdict="INFO", reason=excused, duration_s=ended.seconds, evidence=evidence)
    return Outcome(
        verdict=VERDICTS[ended.ending],
        reason=_reason(ended),
        duration_s=ended.seconds,
        evidence=evidence,
    )


def _reason(ended: parent.Outcome) -> str:
    """One line: of a traceback the last that is not indented, else the first."""
    lines = ended.detail.strip().splitlines()
    if ended.ending == "skipped":
        return f"skipped by CPython: {' '.join(lines)}"
    if ended.ending in ("crashed", "hung"):
        return lines[0][:500] if lines else ""
    errors = [line for line in lines if line[:1] not in ("", " ") and ": " in line]
    return (errors or lines or [""])[-1][:500]
