"""Why a test of CPython is not asked of every loop: `annotations.toml`, read and matched."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loop_testing import target

FILE = Path(__file__).with_name("annotations.toml")


@dataclass(frozen=True)
class Annotation:
    """One entry of the file; its header explains the fields."""

    test: str
    reason: str
    touches: str = ""
    skip: str = "foreign"
    since: str = "3.11"
    until: str = "3.99"

    def binds(self, version: tuple[int, int] = sys.version_info[:2]) -> bool:
        return _version(self.since) <= version <= _version(self.until)


def read() -> dict[str, list[Annotation]]:
    table: dict[str, list[Annotation]] = {}
    for entry in tomllib.loads(FILE.read_text())["annotation"]:
        annotation = Annotation(**entry)
        table.setdefault(annotation.test, []).append(annotation)
    return table


def skip_reason(test: str, table: dict[str, list[Annotation]]) -> str | None:
    """Why `test` is left out on the loop under test in this Python, None where it must pass."""
    for annotation in table.get(test, []):
        if annotation.binds() and (annotation.skip == "always" or not _keeps_private_names()):
            return _told(annotation)
    return None


def white_box_reason(test: str, table: dict[str, list[Annotation]]) -> str | None:
    """Why a correct loop may fail `test` in this Python, None where none may."""
    for annotation in table.get(test, []):
        if annotation.binds():
            return _told(annotation)
    return None


def _told(annotation: Annotation) -> str:
    touched = f" (touches {annotation.touches})" if annotation.touches else ""
    return annotation.reason + touched


@cache
def _keeps_private_names() -> bool:
    """A subclass of asyncio's own loop has promised the private attributes: it is asked."""
    loop = target.target_factory()()
    loop.close()
    return isinstance(loop, asyncio.SelectorEventLoop)


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
