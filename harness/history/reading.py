"""From paths to runs: files, gates, and folders of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from loopgauge.harness.errors import HarnessError, NotARunFile
from loopgauge.harness.fleet.folder import FILE as FLEET_FILE
from loopgauge.harness.formats import read_any
from loopgauge.harness.gate.store import FILE as GATE_FILE
from loopgauge.harness.gate.store import read_gate
from loopgauge.harness.history.entries import stored_run
from loopgauge.harness.history.model import Content, History, StoredRun
from loopgauge.harness.packed import ENDINGS, content, first_line, stem, there, without_packing
from loopgauge.harness.store import read_run

# Of a gate. What is counted again belongs to one decision, and the promises are no figures.
GATE_RUNS = ("counts.jsonl", "timing.jsonl", "confirmation.jsonl")
NO_FIGURES = (
    "conformance",
    "gate",
    "explanation",
    "fleet",
    "fleet-gate",
)  # kinds of files beside the runs


def sources(paths: Iterable[Path]) -> Iterator[Path]:
    """Run files and folders of gates below `paths`, by name; a path that is no folder as it is, but
    a file that only lists others stands for its folder."""
    for path in paths:
        name = without_packing(path.name)
        if path.is_dir():
            yield from _below(path)
        elif name == GATE_FILE:
            yield path.parent
        elif name == FLEET_FILE:
            yield from _below(path.parent)
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    gates = {found.parent for found in files_called(GATE_FILE, folder)}
    files = {file for file in files_called("*.jsonl", folder) if is_run(file, gates)}
    yield from sorted(gates | files)


def files_called(name: str, folder: Path) -> Iterator[Path]:
    """Plain and packed; a folder may have any name."""
    for ending in ("", *ENDINGS):
        yield from (found for found in folder.rglob(name + ending) if not found.is_dir())


def is_run(file: Path, gates: set[Path]) -> bool:
    """Whether a file that nobody named is one to import: results of the conformance suite and
    empty files, which a run leaves that was ended as it began, lie beside the runs."""
    if file.parent in gates or not file.stat().st_size:
        return False
    try:
        return bool(msgspec.json.decode(first_line(file)).get("kind") not in NO_FIGURES)
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return True  # and whoever reads it says what is wrong


def read(source: Path, commit: str = "") -> list[StoredRun]:
    """One run of a file, several of a gate. Raises the errors of harness.store, also of a file that
    is cut: what cannot be read would be missing from the figures without a word."""
    if there(source / GATE_FILE).exists():
        return read_gate_runs(source)
    run, data = read_any(source), content(source)
    name = ""
    if run.header.imported:  # other tools' files have no name but the file's, such as out.json
        name = f"{run.header.run}-{hashlib.sha256(data).hexdigest()[:8]}"
    return [stored_run(run, data, name=name, commit=commit)]


def known(source: Path, history: History) -> bool:
    """Whether all that there is to read is stored: found out without judging it again, which
    takes a hundred times as long."""
    if not there(source / GATE_FILE).exists():
        return _is_stored(source, history, name="")
    try:
        name = read_gate(source).header.gate
    except HarnessError:
        return False  # reading it says why
    files = _gate_files(source)
    return bool(files) and all(_is_stored(one, history, f"{name}/{stem(one)}") for one in files)


def _is_stored(file: Path, history: History, name: str) -> bool:
    try:
        run = name or msgspec.json.decode(first_line(file)).get("run")
        stored = history.content(run) if isinstance(run, str) else None
        return stored is not None and stored.sha256 == hashlib.sha256(content(file)).hexdigest()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return False


def _gate_files(folder: Path) -> list[Path]:
    files = (there(folder / name) for name in GATE_RUNS)
    return [file for file in files if file.exists()]


def read_gate_runs(folder: Path) -> list[StoredRun]:
    gate = read_gate(folder)
    sides = {
        "base": gate.header.base,
        "head": gate.header.head,
        "base~aa": gate.header.base,
    }
    files = _gate_files(folder)
    if not files:
        raise NotARunFile(f"{folder} is a gate that has measured nothing yet")
    return [
        stored_run(
            read_run(file),
            content(file),
            name=f"{gate.header.gate}/{stem(file)}",
            sides=sides,
        )
        for file in files
    ]


def continued(run: StoredRun, source: Path, history: History) -> StoredRun:
    """`run`, which says so if it begins with what is stored under its name."""
    stored = history.content(run.run)
    if stored is None or stored.sha256 == run.content or stored.size >= run.size:
        return run
    file = there(source / run.name) if source.is_dir() else source
    return msgspec.structs.replace(run, replaces=stored.sha256) if begins(file, stored) else run


def begins(file: Path, stored: Content) -> bool:
    return hashlib.sha256(content(file)[: stored.size]).hexdigest() == stored.sha256
