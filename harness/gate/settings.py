"""`[tool.loopgauge.gate]` of a project's pyproject.toml, checked.

Whoever writes a margin wants it to be used: a key that does not exist, or a value that cannot be
meant, is an error with the file's name in it, and never a default in silence.
"""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness.errors import BadSettings
from loopgauge.harness.gate.model import Expected, Settings

FILE = "pyproject.toml"
TABLE = "tool.loopgauge"
GATE = f"{TABLE}.gate"
OURS = ("loop", "gate")

# What a build command may have in braces, besides a shell's own ${NAME}.
PLACEHOLDERS = ("python", "source")
IN_BRACES = re.compile(r"(?<!\$)\{(\w+)\}")


def read_settings(project: Path) -> Settings:
    """Defaults where the file or the table is missing. `loop` of `[tool.loopgauge]` holds for the
    gate, too, which may have one of its own. Raises BadSettings."""
    path = project / FILE
    ours = _table(_table(_read(path), "tool", path, "tool"), "loopgauge", path, TABLE)
    gate = _table(ours, "gate", path, GATE)
    for name in ours:  # other commands may keep their own here; a misspelt one of ours is none
        if name not in OURS and (near := difflib.get_close_matches(name, OURS, n=1, cutoff=0.7)):
            raise BadSettings(
                f"{path}, [{TABLE}]: there is no {name!r}", f"Did you mean {near[0]!r}?"
            )
    if "loop" in ours:
        gate.setdefault("loop", ours["loop"])
    settings = _convert(gate, path)
    for problem in _problems(settings):
        raise BadSettings(f"{path}, [{GATE}]: {problem}")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is no TOML: {error}") from error
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from error


def _table(inside: dict[str, Any], key: str, path: Path, name: str) -> dict[str, Any]:
    found = inside.get(key, {})
    if not isinstance(found, dict):
        raise BadSettings(f"{path}: {name} is {found!r}", f"Make it a table: [{name}]")
    return dict(found)


def _convert(gate: dict[str, Any], path: Path) -> Settings:
    _refuse_unknown(gate, Settings, f"{path}, [{GATE}]")
    expected = gate.get("expected", [])
    if isinstance(expected, list):
        entries = [dict(entry) if isinstance(entry, dict) else entry for entry in expected]
        for number, entry in enumerate(entries, 1):
            if isinstance(entry, dict):
                _refuse_unknown(entry, Expected, f"{path}, [[{GATE}.expected]], entry {number}")
                # TOML has dates of its own; a date with a time is one more wrong type.
                if type(entry.get("expires")) is datetime.date:
                    entry["expires"] = entry["expires"].isoformat()
        gate = {**gate, "expected": entries}
    try:
        return msgspec.convert(gate, Settings)
    except msgspec.ValidationError as error:
        # "Expected `float`, got `str` - at `$.margin`"
        what, _, where = str(error).partition(" - at ")
        key = where.strip("`").removeprefix("$").lstrip(".") or GATE
        raise BadSettings(f"{path}, [{GATE}]: {key}: {what.replace('`', '')}") from error


def _refuse_unknown(given: Iterable[str], struct: type[msgspec.Struct], where: str) -> None:
    known = struct.__struct_fields__
    for name in given:
        if name not in known:
            near = " or ".join(map(repr, difflib.get_close_matches(name, known, n=3, cutoff=0.5)))
            cure = f"Did you mean {near}?" if near else f"There are: {', '.join(known)}"
            raise BadSettings(f"{where}: there is no key {name!r}", cure)


def _problems(settings: Settings) -> Iterable[str]:
    shares = {"margin": settings.margin, "instructions_margin": settings.instructions_margin}
    shares |= {f"margins.{glob!r}": margin for glob, margin in settings.margins.items()}
    for key, share in shares.items():
        if not 0 < share < 1:
            yield f"{key} is {share:g}, and has to lie between 0 and 1 (0.01 is 1 %)"
    if not 0 < settings.minutes < float("inf"):
        yield f"minutes is {settings.minutes:g}, and has to be above 0"
    for name in IN_BRACES.findall(settings.build):
        if name not in PLACEHOLDERS:
            yield f"build has {{{name}}}; what is filled in is {{python}} and {{source}}"
    for number, change in enumerate(settings.expected, 1):
        yield from (f"expected, entry {number}: {problem}" for problem in _of_expected(change))


def _of_expected(change: Expected) -> Iterable[str]:
    for key in ("benchmark", "reason"):
        if not getattr(change, key).strip():
            yield f"{key} is empty"
    try:
        datetime.date.fromisoformat(change.expires)
    except ValueError:
        yield f"expires is {change.expires!r}, and has to be a day such as 2027-01-31"
    if change.at_most is not None and not 0 < change.at_most < float("inf"):
        yield f"at_most is {change.at_most:g}, and has to be above 0 (0.05 is 5 %)"
