"""Fills the field's results into README.md and docs/field.md, from the published result files.

    python scripts/field_page.py            # makes every section anew
    python scripts/field_page.py --check    # exit 1 when a page would change

A section begins with <!-- field:NAME --> and ends with <!-- field:end -->; the names are those of
SECTIONS. New files are published by publish_run.py and publish_verdicts.py.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from loopgauge.conformance import store
from loopgauge.conformance import summary as conformance
from loopgauge.harness.errors import HarnessError
from loopgauge.harness.store import read_run
from loopgauge.harness.summary import RunSummary, summarise
from loopgauge.harness.verdicts import Verdicts, verdicts_in
from loopgauge.reports.exports import field
from loopgauge.reports.exports.promises import promises

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "reports" / "results"
RUN = RESULTS / "3.14-quick-field.jsonl.xz"
VERDICTS = RESULTS / "3.14-conformance.jsonl.xz"
PAGES = ("README.md", "docs/field.md")
SECTION = re.compile(r"(<!-- field:(?!end)([\w.]+) -->\n)(.*?)(<!-- field:end -->)", re.DOTALL)

Sections = Mapping[str, Callable[[], str]]


def main() -> int:
    arguments = parse()
    outdated = []
    for page in arguments.pages or [ROOT / name for name in PAGES]:
        try:
            text = page.read_text(encoding="utf-8")
            wanted = with_sections(text, SECTIONS)
        except (OSError, ValueError, HarnessError, store.UnreadableResult) as error:
            print(f"error: {page.name}: {error}", file=sys.stderr)
            return 2
        if wanted != text:
            outdated.append(page.name)
            if not arguments.check:
                page.write_text(wanted, encoding="utf-8")
    if outdated and arguments.check:
        print(
            f"error: {', '.join(outdated)} does not say what the published results say; "
            "run python scripts/field_page.py",
            file=sys.stderr,
        )
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if outdated")
    parser.add_argument("pages", nargs="*", type=Path, help=f"default: {', '.join(PAGES)}")
    return parser.parse_args()


def with_sections(text: str, sections: Sections) -> str:
    """The page with each of its sections made anew. Raises ValueError for a page without one, and
    for a name that nobody makes."""
    if SECTION.search(text) is None:
        raise ValueError("no section between <!-- field:NAME --> and <!-- field:end -->")

    def made(found: re.Match[str]) -> str:
        if found[2] not in sections:
            raise ValueError(f"no section is called {found[2]!r}; there are {', '.join(sections)}")
        return f"{found[1]}\n{sections[found[2]]()}\n\n{found[4]}"

    return SECTION.sub(made, text)


@cache
def run() -> RunSummary:
    verdicts = Verdicts()
    for verdict in verdicts_in(VERDICTS):
        verdicts.add(verdict)
    return summarise(read_run(RUN), verdicts=verdicts)


def kept() -> str:
    return promises(conformance.summarise(store.read(VERDICTS)))


def summary() -> str:
    return "\n\n".join([field.circumstances(run()), field.families(run()), field.legend(run())])


SECTIONS: Sections = {
    "summary": summary,
    "waits": lambda: field.waits(run()),
    "promises": kept,
    "absences": lambda: field.absences(run()),
    "noise": lambda: field.noise(run()),
    "throughput": lambda: field.benchmarks(run(), "throughput"),
    "timer": lambda: field.benchmarks(run(), "timer"),
    "io": lambda: field.benchmarks(run(), "io"),
    "signal": lambda: field.benchmarks(run(), "signal"),
    "memory": lambda: field.memory(run()),
    "natives": lambda: field.natives(run()),
}

if __name__ == "__main__":
    sys.exit(main())
