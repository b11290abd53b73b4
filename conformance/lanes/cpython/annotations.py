"""Why a test of CPython is not asked of every loop: `annotations.toml`, read and matched."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


Table = Mapping[str, Sequence[Annotation]]


def read() -> Table:
    table: dict[str, list[Annotation]] = {}
    for entry in tomllib.loads(FILE.read_text(encoding="utf-8"))["annotation"]:
        annotation = Annotation(**entry)
        table.setdefault(annotation.test, []).append(annotation)
    return table


def excuse(test: str, table: Table, foreign: bool) -> str:
    """Why `test` says nothing about a loop in this Python, "" where it must pass.

    `foreign`: the loop is no subclass of asyncio's own. Such a subclass has promised the private
    attributes and is asked nearly everything.
    """
    whole_class = test.rpartition(".")[0] + ".*"
    for annotation in (*table.get(test, ()), *table.get(whole_class, ())):
        if annotation.binds() and (annotation.skip == "always" or foreign):
            return _told(annotation)
    return ""


def white_box_reason(test: str, table: Table) -> str:
    """Why a correct loop may fail `test` in this Python, "" where none may."""
    return excuse(test, table, foreign=True)


def _told(annotation: Annotation) -> str:
    touched = f" (touches {annotation.touches})" if annotation.touches else ""
    return annotation.reason + touched


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
