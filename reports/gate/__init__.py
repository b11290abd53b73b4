"""What is made of a gate's result: a page, a comment for a pull request, JUnit XML, annotations."""

from __future__ import annotations

from loopgauge.reports.gate.annotate import workflow_commands
from loopgauge.reports.gate.junit import write_junit
from loopgauge.reports.gate.markdown import markdown
from loopgauge.reports.gate.page import render_gate

__all__ = ["markdown", "render_gate", "workflow_commands", "write_junit"]
