"""The pages of a store of many hosts' runs: which loop for what, does it hold everywhere, and where
not. A store keeps summaries: there are no reports of runs, and nothing of conformance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from loopgauge.harness.history.fleet_model import Days, StoredLoop, Summary
from loopgauge.reports import wording
from loopgauge.reports.pages import environment, write
from loopgauge.reports.site import stored_words as words

ODD_SHOWN = 5


@dataclass
class Stored:
    title: str
    summary: Summary
    days: list[Days] = field(default_factory=list)

    @property
    def loops(self) -> list[str]:
        return sorted({one.loop for one in self.summary.loops})


def pages_of_store() -> Environment:
    return environment("run", "site", wording=wording, words=words, odd_shown=ODD_SHOWN)


def loop_page(
    contents: Stored,
    loop: str,
    made: Environment,
    *,
    root: str | None = None,
    badges: Sequence[str] = (),
) -> str:
    """The page of one loop, which says nothing of the others: made alone, or for a site."""
    found = sorted(contents.summary.of(loop), key=lambda one: (not one.main, -one.hosts))
    return made.get_template("site/stored-loop.html.j2").render(
        contents=contents, loop=loop, versions=found, root=root, badges=badges
    )


def write_loop_page(contents: Stored, loop: str, out: Path) -> Path:
    """As a page by itself, with style and script inside. Raises OSError."""
    return write(loop_page(contents, loop, pages_of_store()), out)


def main_loops(summary: Summary) -> list[StoredLoop]:
    return [one for one in summary.loops if one.main]


@dataclass(frozen=True)
class Drawn:
    title: str
    key: str
    python: str
    hosts: Mapping[str, int]  # how many, by day
    plot: Markup
