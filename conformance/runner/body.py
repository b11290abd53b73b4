"""Runs the body of one case in this process, and judges what was seen.

The order matters: the loop is made, used and closed once before anything is counted, because some
libraries keep descriptors or threads per process (libuv: a pipe); leaks are looked for after the
loops of the case were closed and garbage was collected.
"""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from loopgauge.conformance.case import Case
from loopgauge.conformance.model import Evidence, Kind
from loopgauge.conformance.runner import resources
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.warmup import Leak, leak_of_one_loop, warm_up
from loopgauge.conformance.trial import LoopFactory, NotApplicable, Trial, watching
from loopgauge.loops.registry import LoopError, load_factory
from loopgauge.loops.spec import LoopSpec

Passing = type[BaseException] | tuple[()]

#: Longest text of one piece of evidence; a page is to be read by people.
LONGEST = 20_000


def perform(
    case: Case,
    target: Target,
    directory: Path,
    twice: bool = False,
    passing: Passing = (),
) -> Outcome:
    """The outcome of `case` on a loop of `target`; what is left of the process afterwards is
    nobody's business, so give it one of its own. `passing`: what is not judged but passed on."""
    started = time.monotonic()
    foreign = resources.held().fds
    try:
        factory = make_factory(target)
    except LoopError as error:
        return Outcome(verdict="ERROR", reason=str(error))
    problem = warm_up(factory)
    if problem is not None:
        return problem
    own = leak_of_one_loop(factory)
    if twice:
        first = directory / "first"  # a socket's file there would be in the way of the second
        first.mkdir()
        _once(case, Trial(factory, target.factory, target.arguments, first), passing)
    before = resources.held()
    trial = Trial(factory, target.factory, target.arguments, directory)
    outcome = _once(case, trial, passing)
    if outcome.verdict in ("PASS", "NON_STRICT"):
        outcome = _judge_leaks(outcome, case, trial, before, foreign, own)
    outcome.duration_s = time.monotonic() - started
    return outcome


def make_factory(target: Target) -> LoopFactory:
    """Imports the backend. Raises LoopError."""
    spec = LoopSpec(name=target.name, factory=target.factory, arguments=target.arguments)
    made = load_factory(spec)
    return (lambda: made(*target.arguments)) if target.arguments else made


def _once(case: Case, trial: Trial, passing: Passing) -> Outcome:
    """The body, with its loops closed and its garbage collected afterwards."""
    with watching(trial):
        outcome = _judged(trial, lambda: case.run(trial), passing)
        pending = _pending_tasks(trial)
        closing = _judged(trial, trial.close, passing)
        done = ("PASS", "NON_STRICT")
        if outcome.verdict in done and closing.verdict not in done:
            outcome = closing
            outcome.reason = f"while the loop was closed: {outcome.reason}"
        gc.collect()
    seen = outcome.evidence
    seen.observations = [_shortened(row) for row in trial.observations]
    seen.events = [event[:500] for event in trial.events[:1000]]
    seen.notes = {name: value[:2000] for name, value in trial.notes.items()}
    seen.logs = [f"{record.levelname}: {record.getMessage()}"[:2000] for record in trial.logs[:50]]
    seen.resources = [f"task: {line}" for line in pending]
    return outcome


def _judged(trial: Trial, step: Callable[[], None], passing: Passing) -> Outcome:
    try:
        step()
    except NotApplicable as error:
        return Outcome(verdict="NOT_APPLICABLE", reason=str(error))
    except AssertionError as error:
        if isinstance(error.__cause__, passing):  # in a step that wants another exception
            raise error.__cause__ from None
        return _failed("FAIL", str(error) or "an assertion of the case failed", error)
    except NotImplementedError as error:
        outcome = _failed("UNIMPLEMENTED", f"NotImplementedError: {error}".rstrip(": "), error)
        outcome.evidence.missing = _innermost_method(error)
        return outcome
    except AttributeError as error:
        name = missing_method(error)
        if not name:
            return _failed("ERROR", _told(error), error)
        outcome = _failed("UNIMPLEMENTED", f"the loop has no {name}()", error)
        outcome.evidence.missing = name
        return outcome
    except BaseException as error:  # also what is meant to end a program
        if isinstance(error, passing):
            raise
        return _failed("ERROR", _told(error), error)
    if trial.non_strict_reasons:
        return Outcome(verdict="NON_STRICT", reason="; ".join(trial.non_strict_reasons))
    return Outcome(verdict="PASS")


def _failed(verdict: Kind, reason: str, error: BaseException) -> Outcome:
    return Outcome(
        verdict=verdict, reason=_line(reason), evidence=Evidence(traceback=_traceback(error))
    )


def missing_method(error: AttributeError) -> str:
    """The name, if it is one of the loop's interface that this loop does not have."""
    name, owner = error.name or "", error.obj
    public = name in vars(asyncio.AbstractEventLoop) and not name.startswith("_")
    is_a_loop = hasattr(owner, "run_until_complete") or hasattr(owner, "create_task")
    return name if public and is_a_loop else ""


def _innermost_method(error: BaseException) -> str:
    """The method of the interface in which NotImplementedError was raised."""
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    named = [name for name in frames if name in vars(asyncio.AbstractEventLoop)]
    return named[-1] if named else ""


def _judge_leaks(
    outcome: Outcome,
    case: Case,
    trial: Trial,
    before: resources.Holdings,
    foreign: dict[int, str],
    own: Leak,
) -> Outcome:
    """`before`: what was held before the body; `foreign`: the descriptors that were there before
    the loop's module was imported; `own`: what any loop leaves behind, which is for the cases
    about closing to judge and says nothing about this one."""
    found: dict[str, list[str]] = dict(resources.left_behind(before))
    found["fds"] = own.fds_beyond(found.get("fds", []), trial.made)
    found["foreign"] = resources.closed(foreign)
    found["tasks"] = outcome.evidence.resources
    found["warnings"] = own.warnings_beyond(resources.unclosed(trial.warnings))
    found["unraisable"] = [f"unraisable {line}" for line in trial.unraisable]
    found["logs"] = [f"logged: {line}" for line in trial.log_messages()]
    lines = [line for kind, rows in found.items() if kind not in case.leaves for line in rows]
    outcome.evidence.resources = [line[:500] for line in lines]
    if lines:
        outcome.verdict = "LEAK"
        outcome.reason = _line("; ".join(lines))
    elif case.rule.level == "INFO":
        outcome.verdict = "INFO"
        outcome.reason = _line("; ".join(f"{name}: {text}" for name, text in trial.notes.items()))
    return outcome


def _pending_tasks(trial: Trial) -> list[str]:
    """Of loops that the body left open."""
    return [
        f"{task.get_name()} is still pending"
        for loop in trial.open_loops()
        for task in asyncio.all_tasks(loop)
    ]


def _told(error: BaseException) -> str:
    return _line(f"{type(error).__name__}: {error}".rstrip(": "))


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-LONGEST:]


def _shortened(row: tuple[str, str, str]) -> tuple[str, str, str]:
    what, wanted, observed = (text if len(text) <= 2000 else text[:2000] + "..." for text in row)
    return what, wanted, observed
