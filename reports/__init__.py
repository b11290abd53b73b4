"""Tables, plots and pages, made of result files only."""

from __future__ import annotations

from loopgauge.reports.html import render

__all__ = ["render"]
