"""Where output goes. Results go to stdout, progress and messages to stderr."""

from __future__ import annotations

import os
import sys

from rich.console import Console

# Without a terminal there is no width to respect: a log file gets the whole table.
PIPE_WIDTH = 120


def stdout_console() -> Console:
    """Rich itself honours NO_COLOR, COLUMNS and TERM=dumb."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return plain_words(width=None if has_width else PIPE_WIDTH)


def stderr_console() -> Console:
    return plain_words(stderr=True)


class PlainConsole(Console):
    def on_broken_pipe(self) -> None:
        """Rich would exit with 1, which here means "regression"."""
        raise BrokenPipeError


def plain_words(*, width: int | None = None, stderr: bool = False) -> Console:
    """No markup: `gather[n=10]` and `app:fire:main` are names, neither a style nor an emoji."""
    return PlainConsole(width=width, stderr=stderr, markup=False, emoji=False, highlight=False)


def live_display_wanted() -> bool:
    """A moving bar only for eyes: not in a pipe, not on a CI server (which may fake a terminal)."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
