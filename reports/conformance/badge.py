"""A badge for the README of a loop: which profiles it keeps, on which Python."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from loopgauge.conformance.profiles import FULL
from loopgauge.conformance.summary import LoopSummary
from loopgauge.reports.conformance.texts import printable

#: shields.io's names for its colours, and the colours: white text on them can be read.
COLOURS = {"green": "#1f7a3a", "orange": "#a85b00", "red": "#b3261e", "lightgrey": "#6b6f76"}
LABEL_COLOUR = "#3d4450"
HEIGHT, PADDING, FONT = 20, 7, 11


@dataclass(frozen=True)
class Badge:
    """`label` is what is asked for, `message` the answer; `colour` one of COLOURS."""

    label: str
    message: str
    colour: str


def badge(loop: LoopSummary, python: str) -> Badge:
    """What a run says about one loop."""
    label = f"asyncio {'.'.join(python.split('.')[:2])}"
    standings = [one for one in loop.profiles if one.profile != FULL]
    full = next((one for one in loop.profiles if one.profile == FULL), None)
    kept = [one.profile for one in standings if one.state == "conforms"]
    if not loop.available or full is None or full.state == "not asked":
        return Badge(label, "not asked", "lightgrey")
    if full.state == "fails":
        failing = f"{full.must_failing} MUST fail"
        words = f"{' '.join(kept)}: conforms, {failing}" if kept else failing
        return Badge(label, words, "orange" if kept else "red")
    if full.state == "not decided":
        return Badge(label, "not decided", "lightgrey")
    whole = len(kept) == len(standings)
    return Badge(label, f"{FULL if whole else ' '.join(kept)}: conforms", "green")


def write_badge(loop: LoopSummary, python: str, out: Path) -> list[Path]:
    """Writes the SVG to `out` and, beside it, the JSON that shields.io's endpoint badge reads;
    folders are made. Returns both. Raises OSError."""
    return write(badge(loop, python), out)


def write(made: Badge, out: Path) -> list[Path]:
    """As `write_badge` does."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".json")
    out.write_text(svg(made), encoding="utf-8")
    beside.write_text(endpoint(made), encoding="utf-8")
    return [out, beside]


def endpoint(made: Badge) -> str:
    document = {
        "schemaVersion": 1,
        "label": made.label,
        "message": made.message,
        "color": made.colour,
    }
    return json.dumps(document, indent=2) + "\n"


def svg(made: Badge) -> str:
    """Text lengths are set, so that the badge is as wide wherever the font differs."""
    left, right = (_width(text) for text in (made.label, made.message))
    whole = left + right
    title = escape(printable(f"{made.label}: {made.message}"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{whole}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{LABEL_COLOUR}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{COLOURS[made.colour]}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-size="{FONT}" '
        f'font-family="Verdana,DejaVu Sans,Geneva,sans-serif">'
        f"{_text(made.label, 0, left)}{_text(made.message, left, right)}</g></svg>\n"
    )


def _text(words: str, start: int, width: int) -> str:
    middle, length = start + width / 2, width - 2 * PADDING
    return (
        f'<text x="{middle:g}" y="14" textLength="{length}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(printable(words))}</text>"
    )


def _width(words: str) -> int:
    """About that of Verdana, 11 px."""
    narrow, wide = set("iIjl.,:;'|! ()[]ftr"), set("mwMWOQ")
    widths = (4.4 if c in narrow else 9.4 if c in wide else 6.9 for c in words)
    return round(sum(widths)) + 2 * PADDING
