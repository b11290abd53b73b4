"""What all pages share: the templates, their style and script, and how a page gets onto the disk.

A page is *whole* (one file, with style and scripts inside) or one of a folder whose pages share
`style.css` and `page.js`. Both extend `layout.html.j2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loopgauge.harness.whole_file import write as write_whole
from loopgauge.reports.conformance.texts import oneline, printable
from loopgauge.reports.plots import theme

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("tools", "view", "tables", "filters", "copy", "keys")  # of every page, in this order


def environment(*styles: str, **more: Any) -> Environment:
    """`styles`: of the kind of page, beside what every page has. `more`: what templates call."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # `root`: the way to the folder with style.css and page.js, "" being the page's own folder;
    # None makes a whole page.
    made.filters.update(printable=printable, oneline=oneline)
    made.globals.update(
        root=None, style=Markup(stylesheet(*styles)), script=Markup(script()), **more
    )
    return made


def stylesheet(*more: str) -> str:
    """The style of every page, and that of the kinds of pages named in `more`."""
    light, dark = theme.page_variables(dark=False), theme.page_variables(dark=True)
    colours = (
        f":root{{{light}}}\n"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    )
    return colours + "\n".join(_texts("styles", ".css", ("page", *more)))


def script(*more: str) -> str:
    """The script of every page, and those named in `more`: in the head, where the first part
    chooses the colours; the others wait for the page, share one scope, and keep in the address
    what `view` (view.js) is told."""
    first, *others = _texts("scripts", ".js", ("page", *SCRIPTS, *more))
    waiting = "\n".join([*others, "view.begin();"])
    return f'{first}\naddEventListener("DOMContentLoaded", () => {{\n{waiting}\n}});'


def _texts(folder: str, ending: str, names: Sequence[str]) -> list[str]:
    return [(TEMPLATES / folder / f"{name}{ending}").read_text("utf-8") for name in names]


def write(text: str, out: Path) -> Path:
    """Writes a page to `out` (folders are made), whole or not at all, and returns it. Raises
    OSError."""
    write_whole(out, text)
    return out
