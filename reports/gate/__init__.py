"""What is made of a gate's result: a comment for a pull request, JUnit XML, annotations."""

from __future__ import annotations

from loopgauge.reports.gate.annotate import workflow_commands
from loopgauge.reports.gate.junit import write_junit
from loopgauge.reports.gate.markdown import markdown

__all__ = ["markdown", "workflow_commands", "write_junit"]
