"""The words of tables and reports with their meanings, from where those take them."""

from __future__ import annotations

from docsite.markdown import code, prose, table
from loopgauge.reports import wording
from loopgauge.reports.conformance.symbols import LOOKS
from loopgauge.reports.gate.words import MEANING


def statuses() -> str:
    """What a loop's place in a benchmark can hold instead of a figure."""
    rows = [[wording.STATUS[key], prose(text)] for key, text in wording.STATUS_MEANING.items()]
    return table(["word", "means"], rows)


def verdicts() -> str:
    rows = [[wording.VERDICT[key], prose(text)] for key, text in wording.VERDICT_MEANING.items()]
    return table(["word", "means"], rows)


def families() -> str:
    rows = [
        [code(name), prose(wording.FAMILY[name]), prose(text)]
        for name, text in wording.FAMILY_MEANING.items()
    ]
    return table(["family", "in reports", "such as"], rows)


def gate_verdicts() -> str:
    return table(["word", "means"], [[word, prose(text)] for word, text in MEANING.items()])


def conformance_verdicts() -> str:
    rows = [
        [prose(look.symbol), prose(kind), prose(look.word), prose(look.meaning)]
        for kind, look in LOOKS.items()
    ]
    return table(["sign", "verdict", "in the matrix", "means"], rows)
