"""What each exit code of `bench` means; the same in every command, and written into results.
`INTERNAL` is BSD's EX_SOFTWARE, so that a bug of ours is never taken for a verdict."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOTHING_MEASURED = 4
    CONFORMANCE = 5
    LEFT_OUT = 6
    UNREADABLE = 7
    ENVIRONMENT = 8
    INTERNAL = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


# Where several apply, the first of these is the command's.
PRECEDENCE = (
    ExitCode.USAGE,
    ExitCode.ENVIRONMENT,
    ExitCode.UNREADABLE,
    ExitCode.NOTHING_MEASURED,
    ExitCode.CONFORMANCE,
    ExitCode.REGRESSION,
    ExitCode.INCONCLUSIVE,
    ExitCode.LEFT_OUT,
)


def first(codes: Collection[ExitCode]) -> ExitCode:
    return next((code for code in PRECEDENCE if code in codes), ExitCode.OK)
