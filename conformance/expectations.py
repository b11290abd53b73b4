"""What is known about a loop: which cases it does not pass, in which versions, and why.

One TOML file per backend in `expectations/`, a table `[[expect]]` per known fault. A verdict that
no file explains is unexpected; a fault that is gone is "fixed", and fails the run until the file
says so.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from packaging.specifiers import SpecifierSet

from loopgauge.conformance.model import GOOD, Kind, Status, Verdict

FOLDER = Path(__file__).with_name("expectations")


class ExpectationError(ValueError):
    """An expectation file cannot be understood; the message names it and the entry."""


@dataclass(frozen=True)
class Expectation:
    """One known deviation.

    case: id of a case or a glob over ids ("SOCK-021.*"), in the rules lane; in other lanes
        "lane:id".
    verdict: what is expected, one or several.
    reason: one line for people. issue: a link, "" if there is none.
    python, version: specifiers (">=3.12,<3.14") of the Pythons and of the loop's versions that
        have the fault; "" is all.
    strict: whether a pass is called "fixed"; False where it comes and goes.
    """

    case: str
    verdict: frozenset[Kind]
    reason: str
    issue: str = ""
    python: str = ""
    version: str = ""
    strict: bool = True

    def binds(self, case: str, python: str, version: str) -> bool:
        return (
            fnmatchcase(case, self.case)
            and _within(python, self.python)
            and (not version or _within(version, self.version))
        )

    def explains(self, tries: Collection[Kind]) -> bool:
        """Whether repeats that differ are no news: all are expected, or pass where that may be."""
        known = self.verdict if self.strict else self.verdict | GOOD
        return bool(tries) and known.issuperset(tries)


@dataclass
class Expectations:
    """Of one backend, in the order of its file: the first entry that matches a case binds."""

    entries: Sequence[Expectation] = field(default_factory=list)

    def judge(
        self, case: str, verdict: Kind, python: str, version: str, tries: Collection[Kind] = ()
    ) -> Judgement:
        """`tries`: what the repeats of a FLAKY case gave; it is known where each of them is."""
        for entry in self.entries:
            if not entry.binds(case, python, version):
                continue
            if verdict in entry.verdict or (verdict == "FLAKY" and entry.explains(tries)):
                return Judgement("expected", entry.reason, entry.issue)
            if verdict == "NOT_APPLICABLE":
                break
            if verdict in GOOD:
                gone: Status = "fixed" if entry.strict else "expected"
                return Judgement(gone, entry.reason, entry.issue)
            return Judgement("unexpected", entry.reason, entry.issue)
        return Judgement("expected" if verdict in GOOD else "unexpected")


@dataclass(frozen=True)
class Judgement:
    status: Status
    reason: str = ""
    issue: str = ""


def path_of(loop: str) -> Path:
    """The suite's own file about a registered loop; it may not exist."""
    return FOLDER / f"{loop}.toml"


def read(path: Path) -> Expectations:
    """What is known; nothing, where there is no file. Raises ExpectationError."""
    if not path.exists():
        return Expectations()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExpectationError(f"{path}: {error}") from error
    rows = document.pop("expect", [])
    if document or not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ExpectationError(f"{path}: there is something else in it than [[expect]] tables")
    return Expectations([_entry(path, row) for row in rows])


def _entry(path: Path, row: dict[str, Any]) -> Expectation:
    """Every mistake is told here: in a run it would end what was half done, and a verdict that no
    loop can get would silently explain nothing."""
    wanted = row.get("verdict", [])
    try:
        unknown = row.keys() - {field.name for field in fields(Expectation)}
        if unknown:
            raise ValueError(f"nothing is called {', '.join(sorted(unknown))} there")
        entry = msgspec.convert(
            {**row, "verdict": [wanted] if isinstance(wanted, str) else wanted}, Expectation
        )
        SpecifierSet(entry.python)
        SpecifierSet(entry.version)
        if not entry.verdict:
            raise ValueError("no verdict is expected there")
    except ValueError as error:  # msgspec.ValidationError and InvalidSpecifier are such
        raise ExpectationError(f"{path}: {row.get('case', '?')}: {error}") from error
    return entry


def _within(version: str, specifier: str) -> bool:
    return not specifier or SpecifierSet(specifier).contains(version, prereleases=True)


def update(path: Path, verdicts: Sequence[Verdict]) -> list[str]:
    """Makes the file say what was seen: entries are added for what was unexpected, and those of
    one case that is fixed are removed. HARNESS says nothing about the loop and is left alone.
    Returns a line for people per change. Comments and the order of the file are kept. A reason
    that only repeats the observation is to be replaced by somebody who knows why."""
    import tomlkit

    known = [*read(path).entries]
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    document = tomlkit.parse(text)
    if not document.get("expect"):
        document["expect"] = tomlkit.aot()
    entries = document["expect"]
    if not isinstance(entries, tomlkit.items.AoT):
        raise ExpectationError(f"{path}: write its entries as [[expect]] tables")
    lines = []
    changed = False
    for verdict in verdicts:
        if verdict.status == "expected" or verdict.verdict == "HARNESS":
            continue
        place = _place(known, verdict)
        alone = place < len(known) and known[place].case == verdict.case
        if alone:
            del entries[place], known[place]
        if verdict.status == "unexpected":
            made = _written(verdict)
            if place < len(known):
                made.add(tomlkit.nl())
            # Before the entry for several cases that it is an exception of: the first one binds.
            entries.insert(place, made)
            known.insert(place, _entry(path, made.unwrap()))
            lines.append(f"added {verdict.case}: {verdict.verdict}")
        elif alone:
            lines.append(f"removed {verdict.case}: {verdict.verdict}")
        else:
            lines.append(f"{verdict.case} is fixed, but its entry is about more: change it by hand")
        changed |= alone or verdict.status == "unexpected"
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return lines


def _place(known: Sequence[Expectation], verdict: Verdict) -> int:
    """Where the entry stands that binds this verdict; the end, if there is none."""
    for number, entry in enumerate(known):
        if entry.binds(verdict.case, verdict.python, verdict.version):
            return number
    return len(known)


def _written(verdict: Verdict) -> Any:
    import tomlkit

    release = ".".join(verdict.python.split(".")[:2])
    table = tomlkit.table()
    table.add("case", verdict.case)
    table.add("verdict", verdict.verdict)
    table.add("python", f"=={release}.*")
    table.add("reason", verdict.reason[:200])
    return table
