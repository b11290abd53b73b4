"""The commands that pages show: lines of ```sh fences, and `bench ...` in the text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`((?:scripts/)?(?:bench|dev|test) [^`]+)`(?!`)")
MARK = re.compile(r"<!-- not run: (.+?) -->\s*\Z")
OURS = ("bench", "scripts/bench")


@dataclass(frozen=True)
class Shown:
    page: str
    words: tuple[str, ...]
    why_not: str = ""  # why nobody runs it, where its page says so

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def is_bench(self) -> bool:
        return self.words[0] in OURS


def pages() -> list[Path]:
    top = [ROOT / "README.md", ROOT / "ARCHITECTURE.md"]
    return [*top, *sorted((ROOT / "docs").glob("*.md"))]


def commands(text: str, page: str) -> Iterator[Shown]:
    """Of all ```sh fences. A comment `<!-- not run: WHY -->` before a fence is about all of it."""
    for fence in FENCE.finditer(text):
        if fence[1] == "sh":
            mark = MARK.search(text[: fence.start()])
            for words in simple_commands(fence[2]):
                yield Shown(page, words, mark[1] if mark else "")


def simple_commands(script: str) -> Iterator[tuple[str, ...]]:
    """One for each side of a pipe or `&&`, without redirections and settings in front."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "&&"]:
            if set(word) <= set("|&;"):
                if words:
                    yield without_redirection(words)
                words = []
            else:
                words.append(word)


def without_redirection(words: list[str]) -> tuple[str, ...]:
    kept = words[: next((i for i, word in enumerate(words) if set(word) <= set("<>")), len(words))]
    while kept and re.fullmatch(r"[A-Z_]+=.*", kept[0]):
        kept = kept[1:]
    return tuple(kept)


def inline_commands(text: str, page: str) -> Iterator[Shown]:
    """With something behind the command's name, or it is only a name. `...` leaves words out."""
    for found in INLINE.finditer(FENCE.sub("", text)):
        words = tuple(word for word in shlex.split(found[1]) if word != "...")
        if len(words) > 2:
            yield Shown(page, words)


def hidden_commands(text: str) -> list[str]:
    """Lines that look like commands, outside of ```sh fences: nobody would try them."""
    hidden = [
        line
        for fence in FENCE.finditer(text)
        if fence[1] not in ("sh", "toml", "yaml")
        for line in fence[2].splitlines()
        if re.match(r"((scripts/)?bench|scripts/\w+|pytest|pip) ", line)
    ]
    return hidden + re.findall(r"^    (?:(?:scripts/)?bench|scripts/\w+|pytest) .*$", text, re.M)
