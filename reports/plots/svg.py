"""Makes matplotlib's SVG fit for a page: small, themed by CSS, described in words.

Matplotlib writes a stand-alone XML document with fixed colours, generic ids that collide when two
plots share a page, and six decimals per coordinate.
"""

from __future__ import annotations

import re
from html import escape

from loopgauge.reports.plots import theme

MARGIN = 12  # around a plot in a file of its own; a page has margins already

_STYLE_SHEET = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_ROOT = re.compile(r"<svg[^>]*>")
_VIEW_BOX = re.compile(r'viewBox="([^"]*)"')
_COLOUR = re.compile(r"#01[0-9a-f]{4}\b")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_GROUP_ID = re.compile(r'<g id="[^"]*">')
_MARKER_ID = re.compile(r'(id="|href="#)(m[0-9a-f]{10})"')
_FONT = re.compile(r"font: ((?:bold |700 )?)([\d.]+)px [^;\"]*|font-size: ([\d.]+)px")
_FONT_FAMILY = re.compile(r"font-family: [^;\"]*; ?")
_NO_ROTATION = re.compile(r' transform="rotate\(-?0 [^"]*\)"')
_DOTS = re.compile(r'<g>((?:<use [^>]*style="([^"]*)"/>)(?:<use [^>]*style="\2"/>)*)</g>')
_STYLE = re.compile(r'style="[^"]*"')
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BLANKS = re.compile(r">\s+<")
_BREAKS = re.compile(r"\s*\n\s*")


def for_page(document: str, key: str, title: str, description: str) -> str:
    """An <svg> element to put inside HTML. `key` must differ for every plot of the page."""
    body = _clean(document)
    body = _short_ids(body, key)
    body = body.replace("xlink:href", "href")
    root = (
        f'<svg viewBox="{_view_box(document)}" role="img" aria-labelledby="{key}t {key}d">'
        f'<title id="{key}t">{escape(title)}</title><desc id="{key}d">{escape(description)}</desc>'
    )
    return _ROOT.sub(lambda _: root, body, count=1)


def for_file(document: str, title: str, description: str) -> str:
    """A stand-alone SVG file that follows the reader's light or dark setting."""
    width, height = (float(size) + 2 * MARGIN for size in _view_box(document).split()[2:])
    box = f"{-MARGIN} {-MARGIN} {width:g} {height:g}"
    style = (
        f"svg{{{theme.css_variables(dark=False)}font-family:system-ui,sans-serif}}"
        f"@media (prefers-color-scheme:dark){{svg{{{theme.css_variables(dark=True)}}}}}"
    )
    root = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}" height="{height:g}" viewBox="{box}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc><style>{style}</style>"
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%" '
        'style="fill:var(--surface)"/>'
    )
    return _ROOT.sub(lambda _: root, _clean(document), count=1)


def _short_ids(text: str, key: str) -> str:
    """Marker ids as key plus a number: they stand at every point of a plot."""
    numbers: dict[str, int] = {}

    def short(match: re.Match[str]) -> str:
        return f'{match[1]}{key}.{numbers.setdefault(match[2], len(numbers))}"'

    return _MARKER_ID.sub(short, text)


def _view_box(document: str) -> str:
    found = _VIEW_BOX.search(document)
    assert found, "matplotlib wrote an SVG without a viewBox"
    return found[1]


def _clean(document: str) -> str:
    text = document[document.index("<svg") :]
    text = _STYLE_SHEET.sub("", text)
    text = _COMMENT.sub("", text)
    text = _GROUP_ID.sub("<g>", text)
    text = _LONG_NUMBER.sub(r"\1", text)
    text = _COLOUR.sub(_variable, text)
    text = _FONT.sub(_short_font, text)
    text = _FONT_FAMILY.sub("", text)
    text = _NO_ROTATION.sub("", text)
    text = _BREAKS.sub(" ", _BLANKS.sub("><", text))
    text = _STYLE.sub(lambda match: match[0].replace(": ", ":").replace("; ", ";"), text)
    return _DOTS.sub(_style_once, text).strip()


def _variable(match: re.Match[str]) -> str:
    role = theme.role_of(match[0])
    return f"var(--{role})" if role else match[0]


def _short_font(match: re.Match[str]) -> str:
    weight = ";font-weight:600" if match[1] else ""
    return f"font-size:{match[2] or match[3]}px{weight}"


def _style_once(match: re.Match[str]) -> str:
    """A row of equal markers carries its style on the group instead of on every marker."""
    dots = match[1].replace(f' style="{match[2]}"', "")
    return f'<g style="{match[2]}">{dots}</g>'
