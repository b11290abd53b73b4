"""The front page of `bench validate`: what is kept, what to do next, and the way to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loopgauge.conformance.next_steps import Step
from loopgauge.conformance.profiles import FULL
from loopgauge.conformance.summary import LoopSummary, Summary
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.pages import environment, write

CONFORMANCE = "conformance"  # the folder beside the page with every case
MEASUREMENT = "measurement.html"


def render_validation(
    summary: Summary, loop: LoopSummary, steps: Sequence[Step], not_measured: str, folder: Path
) -> Path:
    """Writes `folder`/index.html and returns it; the other pages are somebody else's.
    `not_measured`: why there is no measurement, "" if there is one. Raises OSError."""
    page = environment(file_name=file_name).get_template("validation.html.j2")
    text = page.render(
        summary=summary,
        subject=loop,
        steps=steps,
        verdict=verdict(summary, loop),
        measured=not not_measured,
        not_measured=not_measured,
    )
    return write(text, folder / "index.html")


def verdict(summary: Summary, loop: LoopSummary) -> str:
    """One sentence."""
    kept = [s.profile for s in loop.profiles if s.state == "conforms" and s.profile != FULL]
    full = next((s for s in loop.profiles if s.profile == FULL), None)
    python = ".".join(summary.python.split(".")[:2])
    if full is not None and full.state == "conforms":
        return f"conforms to every profile on Python {python}"
    failing = f"{full.must_failing} of {full.must} MUST cases fail" if full and full.must else ""
    if kept:
        return f"conforms to {', '.join(kept)} on Python {python}; {failing}"
    return f"conforms to no profile on Python {python} yet; {failing}".rstrip("; ")
