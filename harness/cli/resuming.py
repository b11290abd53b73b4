"""From the result of a conformance run that was interrupted to the request that goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.model import Header
    from loopgauge.conformance.session import Request
    from loopgauge.conformance.store import Results

AFRESH = "Start a new run; what was found stays readable"


def interrupted(name: str) -> Results:
    """The result called `name`, to be gone on with. Raises Problem, UnreadableResult."""
    from loopgauge.conformance import store
    from loopgauge.harness.cli.runs import find_kept, shown

    path = find_kept(
        name, "conformance result", store.stored, f"{store.FOLDER}/",
        "Make one with `bench conformance`, or give the path of a result",
    )  # fmt: skip
    found = store.read(path)
    if path.suffix in (".gz", ".xz"):
        raise Problem(ExitCode.USAGE, f"{shown(path)} is packed", "Unpack it first")
    if found.end is not None and found.end.complete:
        raise Problem(
            ExitCode.USAGE,
            f"{shown(path)} is complete: every question has its verdict",
            f"See it with `bench report {shown(path)}`",
        )
    return found


def request(earlier: Results) -> Request:
    """What was asked, of whom. Raises ResumeMismatch where something has changed since."""
    from loopgauge.conformance import session
    from loopgauge.harness.cli.questions import new_header, subject_of
    from loopgauge.loops.registry import resolve

    header = earlier.header
    now = new_header(header.lanes, header.selection)
    now.subjects, targets = [], []
    for subject in header.subjects:
        found, target = subject_of(resolve(subject.loop))
        now.subjects.append(found)
        targets.append(target)
    refuse_changes(header, now)
    return session.Request(header=header, targets=targets, selection=[*header.selection])


def refuse_changes(before: Header, now: Header) -> None:
    """Verdicts of one file are about one Python, one suite and one build of each loop."""
    from loopgauge.harness.errors import ResumeMismatch

    differences = [
        f"{what} ({then or '?'} then, {today or '?'} now)"
        for what, then, today in (
            ("Python", before.python, now.python),
            ("its build", before.build, now.build),
            ("loopgauge", before.suite, now.suite),
            ("the architecture", before.machine, now.machine),
        )
        if then != today
    ]
    for then, today in zip(before.subjects, now.subjects, strict=True):
        if then.available != today.available or then.version != today.version:
            differences.append(
                f"{then.loop} ({_state(then.available, then.version)} then, "
                f"{_state(today.available, today.version)} now)"
            )
        elif (then.build_hash, then.factory) != (today.build_hash, today.factory):
            differences.append(f"the build of {then.loop}")
    if differences:
        raise ResumeMismatch(
            f"the run cannot go on, since something changed: {', '.join(differences)}", AFRESH
        )


def _state(available: bool, version: str) -> str:
    return (version or "?") if available else "not available"
