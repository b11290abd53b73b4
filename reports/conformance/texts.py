"""Texts from a result file, made fit to be shown: they come from loops that may say anything."""

from __future__ import annotations

import re

#: What XML 1.0 has no way to write, and what moves a terminal's cursor or the reading direction.
_UNFIT = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def printable(text: str) -> str:
    """`text` with every control character written as an escape, such as \\x1b."""
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def oneline(text: str) -> str:
    """All of `text` in one line."""
    return printable(" ".join(text.split()))


#: One frame of a traceback or of faulthandler's stack, with the source lines below it.
_FRAME = re.compile(r'^  File "([^"]*)".*\n?(?:^    .*\n?)*', re.MULTILINE)
_RUNNER = re.compile(r"loopgauge/conformance/(runner/|case\.py$)|^<frozen runpy>$")
#: Up to the part of a path that says which file it is, wherever it is installed.
_INSTALLED = re.compile(r"^.*/(?:site-packages/|lib/python3\.\d+/|(?=loopgauge/))")


def without_runner(text: str) -> str:
    """A traceback or stack without the frames of the suite's runner, which are in every one, and
    without the folders of the machine it was made on."""

    def shown(frame: re.Match[str]) -> str:
        path = frame[1]
        if _RUNNER.search(path):
            return ""
        return frame[0].replace(f'"{path}"', f'"{_INSTALLED.sub("", path)}"', 1)

    return _FRAME.sub(shown, text)
