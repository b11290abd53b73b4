"""Colours and marker shapes of every plot.

A drawing names a *role*, never a colour. Inside the page a role becomes a CSS custom property, so
that one drawing serves light, dark and print; in a file it becomes the light colour. The colours
of the arms start with Okabe and Ito's eight (https://jfly.uni-koeln.de/color/), which stay apart
under every common colour blindness; the shape differs too, so colour is never the only cue.
"""

from __future__ import annotations

from dataclasses import dataclass

INK = "ink"
MUTED = "muted"
GRID = "grid"
BAND = "band"
STRIPE = "stripe"
SURFACE = "surface"
LEAD = "leadbg"  # behind the fastest, and whoever is not separated from it

LIGHT = {
    INK: "#1b1f24",
    MUTED: "#59636e",
    GRID: "#d5dae0",
    BAND: "#dfe4ea",
    STRIPE: "#f4f6f8",
    SURFACE: "#ffffff",
    LEAD: "#e3effb",
}
DARK = {
    INK: "#e8ebef",
    MUTED: "#a3adb8",
    GRID: "#363d46",
    BAND: "#333b45",
    STRIPE: "#1d2228",
    SURFACE: "#15191e",
    LEAD: "#17314b",
}

# Of pages only: no plot draws with these.
PAGE_LIGHT = {
    "good": "#116b3a",
    "bad": "#a33a00",
    "goodbg": "#e6f4ea",
    "badbg": "#fdeee2",
    "link": "#0a5bb5",
}
PAGE_DARK = {
    "good": "#5fd48f",
    "bad": "#ffab73",
    "goodbg": "#14301f",
    "badbg": "#3a2413",
    "link": "#7dbbff",
}

ARM_LIGHT = (
    "#0069b4",
    "#c94f00",
    "#00875f",
    "#b85a92",
    "#8a6d00",
    "#5b3fb5",
    "#2b93c7",
    "#8f1d4f",
    "#5d7c1f",
    "#d17d00",
    "#00808a",
    "#7d5a48",
)
ARM_DARK = (
    "#5ab4ff",
    "#ff8f4a",
    "#3ad6a4",
    "#f29bd0",
    "#e3c64b",
    "#b3a0ff",
    "#8fdcff",
    "#ff8fb3",
    "#b9d86a",
    "#ffc266",
    "#5fdce3",
    "#d3b09c",
)

# Matplotlib's codes; all have an area, so each can be filled or hollow.
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p", "<", ">", "h", "d", "*")
REFERENCE_MARKER = "o"

# An arm role is "arm0", "arm1", ...; these stand for the roles while matplotlib draws.
_SENTINEL = "#01{kind:02x}{index:02x}"
_FIXED = (INK, MUTED, GRID, BAND, STRIPE, SURFACE, LEAD)


@dataclass(frozen=True)
class Mark:
    """How one arm looks in every plot of a report."""

    role: str
    marker: str


def marks(arms: list[str], reference: str) -> dict[str, Mark]:
    """One look per arm, in the order given; the reference is drawn in grey, as the others' base."""
    look = {reference: Mark(MUTED, REFERENCE_MARKER)}
    others = [arm for arm in arms if arm != reference]
    for index, arm in enumerate(others):
        look[arm] = Mark(f"arm{index % len(ARM_LIGHT)}", MARKERS[index % len(MARKERS)])
    return look


def sentinel(role: str) -> str:
    """The colour that stands for `role` in SVG that will live in the page."""
    if role.startswith("arm"):
        return _SENTINEL.format(kind=1, index=int(role[3:]))
    return _SENTINEL.format(kind=0, index=_FIXED.index(role))


def role_of(colour: str) -> str | None:
    """The role behind a sentinel colour, None for any other colour."""
    kind, index = colour[3:5], int(colour[5:7], 16)
    if colour[1:3] != "01" or kind not in ("00", "01"):
        return None
    if kind == "01":
        return f"arm{index}"
    return _FIXED[index] if index < len(_FIXED) else None


def light(role: str) -> str:
    """The real colour of `role` on white, for bitmaps."""
    return ARM_LIGHT[int(role[3:])] if role.startswith("arm") else LIGHT[role]


def css_variables(dark: bool) -> str:
    """The custom properties a page or a stand-alone SVG defines for its plots."""
    fixed, arms = (DARK, ARM_DARK) if dark else (LIGHT, ARM_LIGHT)
    pairs = [*fixed.items(), *((f"arm{i}", colour) for i, colour in enumerate(arms))]
    return "".join(f"--{role}:{colour};" for role, colour in pairs)


def page_variables(dark: bool) -> str:
    """`css_variables`, and those of the pages around the plots."""
    more = PAGE_DARK if dark else PAGE_LIGHT
    return css_variables(dark) + "".join(f"--{name}:{colour};" for name, colour in more.items())
