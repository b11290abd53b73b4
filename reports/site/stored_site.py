"""The whole site of a store: the first page, a page per loop, trends and badges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from loopgauge.harness.history.fleet_model import (
    HOSTS_OF_DAYS,
    Days,
    Over,
    StoredLoop,
    python_number,
)
from loopgauge.reports.conformance.badge import Badge
from loopgauge.reports.conformance.badge import write as write_badge
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.pages import script, stylesheet, write
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.trend import trend_plot
from loopgauge.reports.site import stored_words as words
from loopgauge.reports.site.contents import loop_page as address
from loopgauge.reports.site.overview import REFERENCE
from loopgauge.reports.site.stored import Drawn, Stored, loop_page, main_loops, pages_of_store
from loopgauge.reports.site.trends import MOST, Trend, TrendPoint


@dataclass(frozen=True)
class Day:
    """Stands for a run in a trend."""

    day: str

    @property
    def name(self) -> str:
        return self.day

    @property
    def created(self) -> str:
        return self.day


def render_stored(contents: Stored, out: Path) -> Path:
    """Writes into the folder `out` and returns the first page. Raises OSError."""
    made = pages_of_store()
    made.globals.update(loop_page=address, file_name=file_name)
    write(stylesheet("run", "site"), out / "style.css")
    write(script("site"), out / "page.js")
    badges = write_badges(contents, out / "badges")
    for loop in contents.loops:
        names = [badges[loop]] if loop in badges else []
        text = loop_page(contents, loop, made, root="../", badges=names)
        write(text, out / address(loop))
    drawn = [*trends(contents)]
    for name, more in (("trends", {"drawn": drawn}), ("index", {"badges": badges})):
        text = made.get_template(f"site/stored-{name}.html.j2").render(
            contents=contents,
            root="",
            loops=main_loops(contents.summary),
            trends=drawn,
            most_hosts=HOSTS_OF_DAYS,
            entries=[*search_entries(contents)],
            **more,
        )
        page = write(text, out / f"{name}.html")
    return page


def search_entries(contents: Stored) -> Iterator[tuple[str, str, str, str]]:
    """As search.py has them: loops, and the benchmarks of each."""
    for loop in contents.loops:
        yield "loop", loop, "", address(loop)
    for one in main_loops(contents.summary):
        for number, line in enumerate(one.benchmarks):
            yield "benchmark", line.name, one.loop, f"{address(one.loop)}#b{number}"


def write_badges(contents: Stored, folder: Path) -> dict[str, str]:
    """Of each loop LOOP-speed.svg, by loop; of the Python with the most hosts. Raises OSError."""
    found = {}
    for one in main_loops(contents.summary):
        made = badge(one)
        if made is not None:
            found[one.loop] = f"{file_name(one.loop)}-speed.svg"
            write_badge(made, folder / found[one.loop])
    return found


def badge(loop: StoredLoop) -> Badge | None:
    """In how many families it is faster than stock asyncio over hosts, and whether hosts differ."""
    hosts: dict[str, int] = {}
    for line in loop.families:
        for python, over in line.pythons.items():
            hosts[python] = max(hosts.get(python, 0), over.counts.hosts)
    if not any(hosts.values()):
        return None
    python = max(hosts, key=lambda name: (hosts[name], python_number(name)))
    found = [line.pythons[python] for line in loop.families if python in line.pythons]
    overs = [over for over in found if over.known]
    faster = sum(over.verdict == "faster" for over in overs)
    slower = sum(over.verdict == "slower" for over in overs)
    said = f"faster at {faster} of {len(overs)}"
    if slower:
        said += f", slower at {slower}"
    if any(over.counts.both_ways for over in overs):
        said += ", hosts differ"
    colour = "green" if faster and not slower else "orange" if faster else "lightgrey"
    label = f"speed, asyncio {python}, {words.count(hosts[python], 'host')}"
    return Badge(label, said, "red" if slower and not faster else colour)


def trends(contents: Stored) -> Iterator[Drawn]:
    """By Python and family: the loops' figures over the hosts of each day."""
    looks = theme.marks([REFERENCE, *(x for x in contents.loops if x != REFERENCE)], REFERENCE)
    grouped: dict[tuple[str, str, str], list[Days]] = {}
    for one in contents.days:
        grouped.setdefault((one.python, one.family, one.kind), []).append(one)
    by_python = sorted(grouped.items(), key=lambda one: python_number(one[0][0]), reverse=True)
    for number, ((python, _, _), lines) in enumerate(by_python):
        days = sorted({day for line in lines for day in line.days})[-MOST:]
        title = words.family_title(lines[0].family, lines[0].kind)
        trend = Trend(None, lines[0].family, title, REFERENCE, (), [*map(Day, days)], each="day")
        for line in lines:
            trend.lines[line.loop] = {day: _point(line.days[day]) for day in days
                                      if day in line.days}  # fmt: skip
        hosts = {day: max(line.days[day].counts.hosts for line in lines if day in line.days)
                 for day in days}  # fmt: skip
        plot = trend_plot(trend, looks, theme.sentinel)
        yield Drawn(title, f"t{number}", python, hosts, Markup(plot.page_svg(f"t{number}s")))


def _point(over: Over) -> TrendPoint:
    low, high = (over.low, over.high) if over.bounded else (None, None)
    unclear = over.verdict not in ("faster", "slower")
    return TrendPoint(over.estimate, low, high, "", unclear=unclear)
