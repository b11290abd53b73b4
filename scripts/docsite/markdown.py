"""Words of the code as Markdown: nothing in them may be taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def prose(text: str) -> str:
    """Plain text, in which only `code` is markup."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(piece if piece.startswith("`") else _escaped(piece) for piece in pieces)


def code(text: str) -> str:
    """A code span, also in a table: a pipe would end its cell."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
    return f"<code>{_markup_as_text(escaped)}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    lines = [" | ".join(row).replace("\n", " ") for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def _escaped(text: str) -> str:
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _markup_as_text(entities).replace("|", "&#124;")


def _markup_as_text(text: str) -> str:
    return re.sub(r"([\\*_\[\]~^])", r"\\\1", text)
