"""Cells of a CSV file that no spreadsheet program takes for a formula."""

from __future__ import annotations

# What a formula may begin with, also in full width (OWASP, CSV Injection).
BEGINS = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(words: str) -> str:
    """With an apostrophe before what would be calculated: names of loops and benchmarks, and what
    an exception said, are written by others. For numbers there is no need. A carriage return would
    begin a row of its own: before Python 3.13 the csv module does not quote it."""
    words = words.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{words}" if words.startswith(BEGINS) else words
