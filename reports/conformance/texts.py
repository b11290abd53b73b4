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
