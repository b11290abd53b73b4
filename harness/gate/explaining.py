"""Where the time of the benchmarks that changed goes, on both sides.

Nothing is decided by it, so it comes after the result, and what it cannot do is a remark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from loopgauge.harness import explanation
from loopgauge.harness.explained import Explanation
from loopgauge.harness.gate.model import Decision, GateHeader, Verdict
from loopgauge.harness.gate.subject import BASE, HEAD
from loopgauge.harness.packed import content
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.subject import Subject

FILE = "explanation.jsonl"
SCHEMA = 1
KIND = "explanation"
MOST = 3  # benchmarks: each takes half a minute, and the first tells most of what there is to tell
FUNCTIONS = 300  # of each side; less than a thousandth of it is not kept in any case
CHANGED: tuple[Verdict, ...] = ("REGRESSED", "EXPECTED", "IMPROVED")  # which first


def changed(decisions: Sequence[Decision], header: GateHeader) -> list[str]:
    """The benchmarks that are worth it, the largest change for the worse first. A project's tests
    run inside of pytest, which no tool can be started under."""
    found = [
        one for one in decisions if one.verdict in CHANGED and one.subject in header.benchmarks
    ]
    found.sort(key=lambda one: (CHANGED.index(one.verdict), -abs(one.change or 0.0)))
    return [*dict.fromkeys(one.subject for one in found)][:MOST]


def explain(
    subject: Subject, names: Sequence[str], path: Path, listener: Callable[[Progress], None]
) -> None:
    """Appends to the file at `path` what it does not have yet. Raises a HarnessError, and
    KeyboardInterrupt with what is finished in the file."""
    found, problem = read(path)
    if problem:  # a last line that a kill cut must not spoil the next one
        path.write_bytes(b"".join(map(line_of, found)))
    known = {one.benchmark.id for one in found}
    benchmarks = [one for one in subject.benchmarks if one.id in names and one.id not in known]
    benchmarks.sort(key=lambda one: names.index(one.id))
    sides = [arm for side in (BASE, HEAD) for arm in subject.arms if arm.label == side]
    request = RunRequest(command=["bench", "gate"])
    for benchmark in benchmarks:
        tracker = Tracker(listener, explanation.expected_s(len(sides)))
        made = explanation.explain_arms(subject, benchmark, sides, request, tracker, FUNCTIONS)
        with path.open("ab") as file:
            file.write(line_of(made))


def line_of(found: Explanation) -> bytes:
    envelope = {"record": KIND, "schema": SCHEMA, "kind": KIND}
    return msgspec.json.encode({**envelope, **msgspec.to_builtins(found)}) + b"\n"


def read(path: Path) -> tuple[list[Explanation], str]:
    """What is whole, and what is wrong with the rest (mostly "")."""
    if not path.is_file():
        return [], ""
    found: list[Explanation] = []
    for number, line in enumerate(content(path).splitlines(), 1):
        try:
            found.append(msgspec.json.decode(line, type=Explanation))
        except msgspec.DecodeError as error:
            return found, f"{path}, line {number} cannot be read ({error})"
    return found, ""
