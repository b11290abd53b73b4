"""Fills the table of what the gate has found in docs/gate.md from the studies' committed figures.

python scripts/gate_table.py            # after a study's figures.jsonl went into FIGURES
python scripts/gate_table.py --check    # exit 1 when the page would change
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gate.md"
FIGURES = ROOT / "scripts" / "studies" / "gate_figures.jsonl"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
SECTION = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)

Figures = Mapping[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if outdated")
    arguments = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    wanted = with_table(text, FIGURES.read_text(encoding="utf-8").splitlines())
    if wanted == text:
        return 0
    if arguments.check:
        print(
            f"error: {PAGE.name} is not what {FIGURES.name} says; run {__file__}", file=sys.stderr
        )
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


def with_table(page: str, lines: list[str]) -> str:
    if SECTION.search(page) is None:
        raise ValueError(f"the page has no section between {BEGIN} and {END}")
    rows = [row(json.loads(line)) for line in lines]
    table = "\n".join(["| study | circumstances | seen |", "|---|---|---|", *rows])
    return SECTION.sub(lambda match: f"{BEGIN}\n{table}\n{END}", page)


def row(figures: Figures) -> str:
    title, seen = WORDS[figures["study"]](figures)
    return f"| {title} | {figures.get('circumstances', '')} | {seen} |"


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def false_alarms(figures: Figures) -> tuple[str, str]:
    seen = figures["verdicts"]
    told = ", ".join(f"{count} {verdict}" for verdict, count in seen.items())
    wrong = seen.get("REGRESSED", 0) + seen.get("IMPROVED", 0)
    return (
        f"`gate_false_alarms`, identical code, {counted(figures['gates'], 'gate')}",
        f"{figures['decisions']} decisions, {wrong or 'none'} called changed: {told}",
    )


def power(figures: Figures) -> tuple[str, str]:
    return (
        f"`gate_power --percent {figures['percent']:g}`, {counted(figures['gates'], 'gate')}",
        f"{figures['found']} of {figures['decisions']} found; "
        f"a gate's timing took {figures['longest_s']:.0f} s at most",
    )


def counts(figures: Figures) -> tuple[str, str]:
    return (
        f"`gate_counts`, {figures['benchmark']}, +{figures['percent']:g} % of the instructions",
        f"{figures['verdict']}, {figures['change']:+.2%}",
    )


def builds(figures: Figures) -> tuple[str, str]:
    changes, off = figures["changes"], figures["off"]
    called = ", ".join(f"{count} {verdict}" for verdict, count in figures["verdicts"].items())
    return (
        f"`gate_builds`, {figures['benchmark']}, the list of free handles switched off",
        f"{called}; {sum(changes) / len(changes):+.1%}, each gate within "
        f"{max(map(abs, off)):.1%} of the mean of the others",
    )


WORDS: Mapping[str, Callable[[Figures], tuple[str, str]]] = {
    "gate_false_alarms": false_alarms,
    "gate_power": power,
    "gate_counts": counts,
    "gate_builds": builds,
}

if __name__ == "__main__":
    sys.exit(main())
