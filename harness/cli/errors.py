"""The one place where an error becomes a line with cause and cure, and an exit code.

The rooms raise their own exceptions and know nothing of exit codes; commands let them pass.
"""

from __future__ import annotations

import difflib
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from loopgauge.harness.cli.exit_codes import ExitCode


class Problem(Exception):
    """Something the user can cure. `cause` and `cure` make one line on stderr."""

    def __init__(self, code: ExitCode, cause: str, cure: str = "") -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause
        self.cure = cure

    def line(self) -> str:
        return "error: " + " ".join(sentence(part) for part in (self.cause, self.cure) if part)


def sentence(text: str) -> str:
    return text if text.endswith((".", "?", ".)", "?)")) else f"{text}."


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP. A KeyboardInterrupt, so that whoever tidies up after Ctrl-C does it
    here too; the exit code tells them apart."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Within it, SIGTERM and a vanished terminal raise Terminated in the main thread."""

    def terminate(signum: int, frame: FrameType | None) -> None:
        raise Terminated(signum)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, terminate) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def as_exit_code(ctx: click.Context) -> Iterator[None]:
    """Ends the command with the code and the line of whatever error leaves the block."""
    try:
        yield
    except click.exceptions.Exit:
        raise
    except click.ClickException:
        raise
    except Terminated as error:
        ctx.exit(128 + error.signum)
    except (KeyboardInterrupt, click.Abort):
        ctx.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        silence_stdout()
        ctx.exit(ExitCode.CLOSED_PIPE)
    except Exception as error:
        problem = explain(error)
        if problem is None:
            traceback.print_exception(error)
            problem = Problem(
                ExitCode.INTERNAL, "this is a bug in bench", "Report it with the lines above"
            )
        click.echo(problem.line(), err=True)
        ctx.exit(problem.code)


def explain(error: Exception) -> Problem | None:
    """The problem a known error stands for; None for a bug."""
    if isinstance(error, Problem):
        return error
    from loopgauge.harness.errors import HarnessError

    if isinstance(error, HarnessError):
        return Problem(harness_code(error), error.cause, error.cure)
    if isinstance(error, known("loopgauge.scenarios.registry", "UnknownScenario")):
        return Problem(ExitCode.USAGE, str(error))
    if isinstance(error, known("loopgauge.loops.registry", "UnknownLoop")):
        return Problem(ExitCode.USAGE, str(error))
    if isinstance(error, known("loopgauge.loops.registry", "LoopError")):
        return Problem(ExitCode.NOTHING_MEASURED, str(error))
    if isinstance(error, known("loopgauge.conformance.expectations", "ExpectationError")):
        return Problem(ExitCode.USAGE, str(error))
    if isinstance(error, known("loopgauge.conformance.store", "UnreadableResult")):
        return Problem(ExitCode.UNREADABLE, error.cause, error.cure)
    if isinstance(error, known("loopgauge.conformance.store", "ResultTaken")):
        return Problem(ExitCode.USAGE, error.cause, error.cure)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Problem(ExitCode.ENVIRONMENT, f"{where}{error.strerror or error}")
    return None


def known(module: str, name: str) -> Any:
    """An error class of a room, for isinstance. A room that was never imported raised nothing, and
    is not imported now: what is being explained may be that it cannot be."""
    return getattr(sys.modules.get(module), name, ())


def harness_code(error: Exception) -> ExitCode:
    from loopgauge.harness import errors as harness

    if isinstance(error, harness.RunFileError):
        return ExitCode.UNREADABLE
    mistaken = harness.PlaceTaken | harness.BadSettings | harness.UnknownSide
    if isinstance(error, mistaken | harness.BadWheel | harness.BadPlace | harness.BadStore):
        return ExitCode.USAGE
    # A run that cannot be taken up again is design.md's "baseline missing or incompatible".
    if isinstance(error, harness.NothingToMeasure | harness.ResumeMismatch | harness.NoHost):
        return ExitCode.NOTHING_MEASURED
    return ExitCode.ENVIRONMENT


def silence_stdout() -> None:
    """The reader of our pipe is gone (`bench list | head`): keep the interpreter from failing a
    second time when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    names = map(repr, difflib.get_close_matches(name, {*candidates}, n=3, cutoff=0.5))
    question = " or ".join(names)
    return f"Did you mean {question}?" if question else ""
