"""What the exit codes mean, for `--help`."""

from __future__ import annotations

from loopgauge.harness.exit_codes import ExitCode as ExitCode  # where the commands look for it

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
