"""Tables, plots and pages, made of result files only."""

from __future__ import annotations

from loopgauge.reports.exports.bencher import bencher_text
from loopgauge.reports.exports.csv import csv_text, write_csv
from loopgauge.reports.exports.github_action import github_action_text
from loopgauge.reports.exports.images import write_images
from loopgauge.reports.exports.markdown import markdown
from loopgauge.reports.run.html import render

__all__ = [
    "bencher_text",
    "csv_text",
    "github_action_text",
    "markdown",
    "render",
    "write_csv",
    "write_images",
]
