"""Writes the pages of a site, except those of single runs and gates, which are reports by
themselves. The pages share `style.css` and `page.js`, and open from the disk as from a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from loopgauge.reports import wording
from loopgauge.reports.conformance.matrix import Matrix, file_name, matrix_of
from loopgauge.reports.conformance.site import Scripts, no_scripts, render_site
from loopgauge.reports.conformance.texts import printable
from loopgauge.reports.links import Links
from loopgauge.reports.pages import environment, script, stylesheet, write
from loopgauge.reports.plots import families, theme
from loopgauge.reports.plots.trend import trend_plot
from loopgauge.reports.site.badges import write_badges
from loopgauge.reports.site.contents import Contents, loop_page
from loopgauge.reports.site.loops import loop_pages
from loopgauge.reports.site.overview import REFERENCE, Section, sections, title_of
from loopgauge.reports.site.search import search_entries
from loopgauge.reports.site.trends import FamilyTrend, Trend, trends


def render(contents: Contents, out: Path, scripts: Scripts = no_scripts) -> Path:
    """Writes into the folder `out`, beside the reports of the runs, and returns the first page.
    Raises OSError."""
    matrix = matrix_of(contents.results) if contents.results else None
    if matrix is not None:
        render_site(
            contents.results,
            out / "conformance",
            scripts,
            runs=[run.summary for run in contents.runs],
            pages={run.summary.path: f"../{run.page}" for run in contents.runs},
            links=Links(
                home=("../index.html", contents.title),
                loops={loop: f"../{loop_page(loop)}" for loop in contents.loops()},
            ),
        )
    return Pages(contents, out, matrix).write()


@dataclass
class Drawn:
    """A trend with its picture; `key` is its place in the page."""

    trend: Trend
    key: str
    plot: Markup


class Pages:
    def __init__(self, contents: Contents, out: Path, matrix: Matrix | None) -> None:
        self.contents, self.out, self.matrix = contents, out, matrix
        self.sections = sections(contents)
        self.trends, self.alone = trends(contents)
        self.looks = theme.marks(contents.loops(), REFERENCE)
        self.environment = page_environment()

    def write(self) -> Path:
        write(stylesheet("run", "site"), self.out / "style.css")
        write(script("site"), self.out / "page.js")
        badges = write_badges(self.contents, self.sections, self.out / "badges")
        for page in loop_pages(self.contents, self.sections, self.matrix):
            self.page("loop", loop_page(page.loop), page=page, badges=badges.get(page.loop, []))
        self.page("trends", "trends.html", drawn=self.family_plots(), alone=self.alone)
        for one in self.trends:
            if one.benchmarks:
                self.page("trend", one.page, one=one, drawn=self.plots(one.benchmarks))
        return self.page(
            "index",
            "index.html",
            entries=search_entries(self.contents, self.matrix),
            badges=badges,
            charts={
                one.anchor: self.charts(one, number) for number, one in enumerate(self.sections)
            },
        )

    def page(self, template: str, file: str, **context: object) -> Path:
        text = self.environment.get_template(f"site/{template}.html.j2").render(
            contents=self.contents,
            sections=self.sections,
            matrix=self.matrix,
            trends=self.trends,
            root="../" * file.count("/"),
            **context,
        )
        return write(text, self.out / file)

    def charts(self, section: Section, number: int) -> dict[str, Markup]:
        """Of the run that most columns are about: wide for a desk, narrow for a phone."""
        if not section.headline or section.charted is None:
            return {}
        summary = section.charted.parts[section.machine]
        looks = theme.marks([arm.arm for arm in summary.families[0].arms], summary.reference)
        drawn = {}
        for name, layout in (("wide", families.WIDE), ("narrow", families.NARROW)):
            chart = families.chart(summary, summary.families, looks, layout, theme.sentinel)
            drawn[name] = Markup(chart.page_svg(f"m{number}{name[0]}"))
        return drawn

    def family_plots(self) -> list[tuple[FamilyTrend, Drawn]]:
        drawn = self.plots([one.trend for one in self.trends])
        return [*zip(self.trends, drawn, strict=True)]

    def plots(self, found: Sequence[Trend]) -> list[Drawn]:
        return [
            Drawn(one, f"t{number}", Markup(self.plot(one, f"t{number}")))
            for number, one in enumerate(found)
        ]

    def plot(self, trend: Trend, key: str) -> str:
        return trend_plot(trend, self.looks, theme.sentinel).page_svg(f"{key}s")


def page_environment() -> Environment:
    made = environment(wording=wording, loop_page=loop_page, title_of=title_of, file_name=file_name)
    made.filters["printable"] = printable
    made.filters["oneline"] = lambda text: printable(" ".join(text.split()))
    return made
