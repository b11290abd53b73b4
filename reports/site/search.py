"""What the search box knows: loops, families, benchmarks and rules, with their pages."""

from __future__ import annotations

from collections.abc import Iterator

from loopgauge.reports.conformance.matrix import Matrix
from loopgauge.reports.conformance.texts import printable
from loopgauge.reports.run.detail import anchors
from loopgauge.reports.site.contents import Contents, loop_page

Entry = tuple[str, str, str, str]  # kind, name, more words, address from the site's first page


def search_entries(contents: Contents, matrix: Matrix | None) -> list[Entry]:
    """In the order in which equally good finds are shown."""
    loops = [("loop", loop, "", loop_page(loop)) for loop in contents.loops()]
    return [*loops, *_benchmarks(contents), *(_rules(matrix) if matrix else ())]


def _benchmarks(contents: Contents) -> Iterator[Entry]:
    """In the newest run that has them."""
    found: dict[str, Entry] = {}
    for run in contents.runs:
        for benchmark, anchor in zip(
            run.summary.benchmarks, anchors(run.summary, "r1"), strict=True
        ):
            address = f"{run.page}#{anchor}"
            found[benchmark.id] = ("benchmark", benchmark.id, benchmark.summary, address)
    return iter(found.values())


def _rules(matrix: Matrix) -> Iterator[Entry]:
    for section in matrix.sections:
        for row in section.rules:
            if row.rule is not None:
                address = f"conformance/rule/{row.id}.html"
                yield ("rule", row.id, printable(f"{row.level} {row.text}"), address)
