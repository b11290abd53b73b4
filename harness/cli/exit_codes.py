"""What each exit code means; the same in every command. `INTERNAL` is BSD's EX_SOFTWARE, so that a
bug of ours is never taken for a verdict."""

from __future__ import annotations

from enum import IntEnum

HELP = """\b
Exit codes:
  0    everything that was asked for was measured
  2    usage: an option or a name is wrong
  4    nothing was measured
  6    finished, but something asked for was left out
  7    a result file cannot be read
  8    environment: build, disk, result store
  70   a bug in bench
  130  interrupted (Ctrl-C); 143 terminated
"""


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
