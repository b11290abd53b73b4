"""Tables, plots and pages, made of result files only.

What is named here is imported when it is first used: pages of a store need none of the plots, and
Matplotlib alone takes half a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopgauge.reports.exports.bencher import bencher_text
    from loopgauge.reports.exports.csv import csv_text, write_csv
    from loopgauge.reports.exports.github_action import github_action_text
    from loopgauge.reports.exports.images import write_images
    from loopgauge.reports.exports.markdown import markdown
    from loopgauge.reports.run.html import render

PLACES = {
    "bencher_text": "exports.bencher",
    "csv_text": "exports.csv",
    "github_action_text": "exports.github_action",
    "markdown": "exports.markdown",
    "render": "run.html",
    "write_csv": "exports.csv",
    "write_images": "exports.images",
}

__all__ = [
    "bencher_text",
    "csv_text",
    "github_action_text",
    "markdown",
    "render",
    "write_csv",
    "write_images",
]


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
