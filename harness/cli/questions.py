"""From the words of the command line to what a conformance run asks of whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.model import Header, Lane, Subject
    from loopgauge.conformance.runner.messages import Target
    from loopgauge.conformance.session import Request
    from loopgauge.loops.spec import LoopSpec


def chosen_lanes(names: Sequence[str]) -> list[Lane]:
    from loopgauge.conformance import lanes

    return [lane for lane in lanes.MODULES if lane in (names or ("rules",)) or "all" in names]


def key_values(variables: Sequence[str]) -> dict[str, str]:
    for text in variables:
        if text.find("=") < 1:
            raise click.UsageError(f"--env wants KEY=VALUE, not {text!r}.")
    return dict(text.split("=", 1) for text in variables)


def make_request(
    what: Sequence[str], loops: Sequence[str], lanes: Sequence[Lane], *, with_stock: bool = True
) -> Request:
    """With every loop resolved, stock asyncio first. Raises UnknownLoop, Problem."""
    from loopgauge.conformance import session
    from loopgauge.loops.registry import known_loops, resolve

    names = [*known_loops()] if "all" in loops else [*loops]
    if with_stock or session.STOCK in names:
        names = [session.STOCK, *names]
    header = new_header(lanes, what)
    targets = []
    for spec in map(resolve, dict.fromkeys(names)):
        subject, target = subject_of(spec)
        header.subjects.append(subject)
        targets.append(target)
    refuse_unknown(what, lanes)
    return session.Request(header=header, targets=targets, selection=[*what])


def expect(request: Request, own: Mapping[str, Path], *, begin: bool = False) -> None:
    """Takes what is known about a loop from the user's file, and reads every file once before
    anything is asked. Raises Problem, also for a file that is not there, unless it is to `begin`;
    ExpectationError."""
    from loopgauge.conformance import expectations

    for path in own.values():
        if not path.exists() and not begin:
            raise Problem(
                ExitCode.USAGE,
                f"{path} does not exist",
                "`bench conformance --update-expectations` begins it",
            )
    request.expectations.update(own)
    for subject in request.header.subjects:
        expectations.read(own.get(subject.loop) or expectations.path_of(subject.loop))


def subject_of(spec: LoopSpec) -> tuple[Subject, Target]:
    """Who is asked, and how it is made."""
    from loopgauge.conformance.model import Subject
    from loopgauge.conformance.runner.messages import Target
    from loopgauge.harness.interpreter import extensions_hash
    from loopgauge.harness.verdicts import OWN
    from loopgauge.loops.registry import availability

    found = availability(spec)
    subject = Subject(
        loop=spec.name,
        factory=spec.factory,
        version=found.version,
        build_hash=extensions_hash() if spec.distribution == OWN else "",
        available=found.ok,
        reason=found.reason,
    )
    return subject, Target(name=spec.name, factory=spec.factory, arguments=spec.arguments)


def refuse_unknown(what: Sequence[str], lanes: Sequence[Lane]) -> None:
    from loopgauge.conformance import session

    try:
        session.chosen(what, lanes)
    except session.UnknownCases as error:
        raise Problem(
            ExitCode.USAGE,
            f"no area, rule or case is called {error.pattern!r}",
            did_you_mean(error.pattern, error.known) or "`bench list rules` shows all",
        ) from error


def refuse_nobody(request: Request) -> None:
    """Where no loop that was asked for is here, there is nothing to say."""
    from loopgauge.conformance import session

    subjects = request.header.subjects
    asked = [s for s in subjects if s.loop != session.STOCK] or subjects
    if not any(subject.available for subject in asked):
        reasons = "; ".join(f"{subject.loop}: {subject.reason}" for subject in asked)
        raise Problem(ExitCode.NOTHING_MEASURED, f"no loop can be asked here: {reasons}")


def last_failed(
    what: Sequence[str], loops: Sequence[str], lanes: Sequence[str]
) -> tuple[list[str], frozenset[str] | None, list[Lane]]:
    """The loops of the newest result (or `loops`), every case of `what` with which one of them was
    not content, and the lanes of these (or `lanes`). Raises Problem where there is no result, or
    where nothing failed."""
    from loopgauge.conformance import session, store
    from loopgauge.conformance.model import GOOD
    from loopgauge.conformance.session import STOCK

    paths = store.stored()
    if not paths:
        raise Problem(
            ExitCode.USAGE,
            f"there is no result in {store.FOLDER} yet",
            "`bench conformance` makes one",
        )
    results = store.read(paths[-1])
    names = [*loops] or [s.loop for s in results.header.subjects if s.loop != STOCK] or [STOCK]
    failed = {
        verdict.case: verdict.lane
        for verdict in results.verdicts
        if verdict.loop in names and (verdict.verdict not in GOOD or verdict.status != "expected")
    }
    wanted = chosen_lanes(lanes or [*failed.values()])
    refuse_unknown(what, wanted)
    there = {q.id for found in session.chosen(what, wanted).values() for q in found}
    only = frozenset(failed) & there
    if not only:
        raise Problem(ExitCode.USAGE, f"nothing failed in {paths[-1]} for {', '.join(names)}")
    return names, only, wanted


def new_header(lanes: Sequence[Lane], what: Sequence[str]) -> Header:
    import platform
    from datetime import UTC, datetime
    from importlib.metadata import PackageNotFoundError, version

    from loopgauge.conformance.model import Header
    from loopgauge.conformance.session import build_kind

    try:
        suite = version("loopgauge")
    except PackageNotFoundError:
        suite = ""
    return Header(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        implementation=platform.python_implementation().lower(),
        build=build_kind(),
        machine=platform.machine(),
        kernel=platform.release(),
        suite=suite,
        lanes=[*lanes],
        selection=[*what],
    )
