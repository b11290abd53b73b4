"""What a site is made of: the result files below some paths, told apart by their first line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.xz")
MARKER = "loopgauge-site.json"  # what a site of ours has at its top


@dataclass
class Sources:
    """Each file once. A run may turn out to be none when it is read."""

    runs: list[Path] = field(default_factory=list)
    conformance: list[Path] = field(default_factory=list)
    gates: list[Path] = field(default_factory=list)  # their folders

    @property
    def paths(self) -> list[Path]:
        return [*self.runs, *self.conformance, *self.gates]


def find(paths: Sequence[Path]) -> Sources:
    """Everything below `paths`, by name; also what was named and is not there."""
    found = Sources()
    names: dict[str, list[Path]] = {}
    for path in {path.resolve(): path for path in _candidates(paths)}.values():
        if path.is_dir():
            found.gates.append(path)
            continue
        kind, run = _look(path)
        if kind == "conformance":
            found.conformance.append(path)
        elif kind == "nothing" and path not in paths:
            continue
        else:
            found.runs.append(path)
            names.setdefault(run or str(path), []).append(path)
    kept = {same[0] if len(same) == 1 else max(same, key=_size) for same in names.values()}
    found.runs = [path for path in found.runs if path in kept]
    return found


def _candidates(paths: Iterable[Path]) -> Iterator[Path]:
    from loopgauge.harness.gate.store import FILE

    for path in paths:
        if not path.is_dir():
            yield path.parent if path.name == FILE else path
            continue
        sites = {found.parent for found in path.rglob(MARKER)}
        gates = {found.parent for found in path.rglob(FILE)}
        files = {file for ending in ENDINGS for file in path.rglob(f"*{ending}")}
        for place in sorted(gates | files):
            if place.parent not in gates and not sites.intersection(place.parents):
                yield place


def _look(path: Path) -> tuple[str, str]:
    """The kind of result, and the name that a run has given itself; "" where it has none. "nothing"
    is what a run leaves that ended as it began: an empty file."""
    import msgspec

    from loopgauge.harness.packed import first_line

    line = first_line(path)
    if not line and path.is_file() and not path.stat().st_size:
        return "nothing", ""
    try:
        envelope = msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "run", ""  # and whoever reads it says what is wrong with it
    return str(envelope.get("kind", "run")), str(envelope.get("run", ""))


def _size(path: Path) -> int:
    """Of the same run in several files, one of them packed, or an older copy of one that was
    resumed, the one that says most is taken. 0 where there is nothing to read."""
    from loopgauge.harness.packed import content

    try:
        return len(content(path))
    except OSError:
        return 0
