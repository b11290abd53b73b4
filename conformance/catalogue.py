"""The rules as data: what asyncio promises, since which Python, and where that is written.

One TOML file per area in `rules/`. An id is never reused; a case belongs to one rule.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

RULES = Path(__file__).with_name("rules")

Level = Literal["MUST", "SHOULD", "MAY", "INFO"]
Profile = Literal["Core", "Net", "TLS", "Process"]
PROFILES: tuple[Profile, ...] = get_args(Profile)  # "Full" is all of them together


class CatalogueError(ValueError):
    """A rule file says something that makes no sense; the message names file and rule."""


@dataclass(frozen=True)
class Rule:
    """One promise.

    level: MUST = documented, or asked by a CPython test through public API; SHOULD = only what
        CPython's code does, or popular libraries rely on; MAY = permitted; INFO = recorded only.
    since: first Python for which it binds, "3.11" or "3.12.1".
    source: where the promise is written (`docs X`: entry X of the asyncio documentation; `T:` a
        test of CPython; `S:` CPython's source; `eco` what named libraries rely on).
    rationale: what breaks for users where a loop does not keep it; one line.
    observed: what was seen on loops when the rule was written; "" if nothing special.
    untested: why no case can test it from outside; "" where cases do.
    changed: how it differs from the first catalogue and why ("" if it does not): corrections
        are kept, so that nobody repeats the mistake.
    """

    id: str
    level: Level
    since: str
    text: str
    source: str
    rationale: str
    observed: str = ""
    untested: str = ""
    changed: str = ""

    @property
    def area(self) -> str:
        return self.id.partition("-")[0]


@dataclass(frozen=True)
class Area:
    """Rules about one part of the interface; `profile` is the promise they belong to."""

    id: str
    title: str
    profile: Profile
    rules: tuple[Rule, ...]


@cache
def areas() -> dict[str, Area]:
    """All areas by id, in reading order. Raises CatalogueError."""
    found = [_area(path) for path in sorted(RULES.glob("*.toml"))]
    return {area.id: area for area in sorted(found, key=_reading_order)}


@cache
def rules() -> dict[str, Rule]:
    """All rules by id. Raises CatalogueError."""
    return {rule.id: rule for area in areas().values() for rule in area.rules}


#: From the loop itself outwards to what is built on it; an area that is not named comes last.
_ORDER = [
    "SURF",
    "LIFE",
    "SOON",
    "TIME",
    "HNDL",
    "TASK",
    "AGEN",
    "EXEC",
    "FDRW",
    "SOCK",
    "DNS",
    "TCPC",
    "UNIX",
    "SRVR",
    "CACC",
    "PROT",
    "BUFP",
    "TRAN",
    "UDPD",
    "TLSS",
    "SNDF",
    "PIPE",
    "PROC",
    "SIGN",
    "EXCH",
    "RUNR",
    "STRM",
    "THRD",
    "LEAK",
]


def _reading_order(area: Area) -> tuple[int, str]:
    return (_ORDER.index(area.id) if area.id in _ORDER else len(_ORDER)), area.id


def _area(path: Path) -> Area:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    made = tuple(_rule(path, entry) for entry in document["rule"])
    area = Area(document["area"], document["title"], document["profile"], made)
    strangers = [rule.id for rule in made if rule.area != area.id]
    ids = [rule.id for rule in made]
    if strangers or len(set(ids)) != len(ids) or area.profile not in PROFILES:
        raise CatalogueError(f"{path.name}: foreign or repeated ids, or an unknown profile")
    return area


def _rule(path: Path, entry: dict[str, Any]) -> Rule:
    try:
        rule = Rule(**entry)
    except TypeError as error:
        raise CatalogueError(f"{path.name}: {entry.get('id', '?')}: {error}") from error
    if rule.level not in get_args(Level):
        raise CatalogueError(f"{path.name}: {rule.id}: unknown level {rule.level!r}")
    return rule
