"""What a site is made of: the result files below some paths, told apart by their first line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.xz")
MARKER = "loopgauge-site.json"  # what a site of ours has at its top
REGISTERS = ("fleet", "fleet-gate")  # beside what their hosts have measured


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
        elif kind in REGISTERS or (kind == "nothing" and path not in paths):
            continue
        else:
            found.runs.append(path)
            names.setdefault(run or str(path), []).append(path)
    copies = {copy for same in names.values() if len(same) > 1 for copy in _copies(same)}
    found.runs = [path for path in found.runs if path not in copies]
    return found


def _candidates(paths: Iterable[Path]) -> Iterator[Path]:
    from loopgauge.harness.gate.store import FILE
    from loopgauge.harness.packed import without_packing

    for path in paths:
        if path.is_file() and _look(path)[0] in REGISTERS:
            yield from _candidates([path.parent])
            continue
        if not path.is_dir():
            yield path.parent if without_packing(path.name) == FILE else path
            continue
        sites = {found.parent for found in path.rglob(MARKER)}
        inside = [file for file in path.rglob("*.jsonl*") if not file.is_dir()]
        gates = {file.parent for file in inside if without_packing(file.name) == FILE}
        files = {file for file in inside if file.name.endswith(ENDINGS)}
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


def _copies(paths: Sequence[Path]) -> Iterator[Path]:
    """Of files with the run of one name those that say nothing but what another does: it is packed,
    or an older copy of it, since run files are only appended to."""
    from loopgauge.harness.packed import content

    kept: list[bytes] = []
    texts: dict[Path, bytes] = {}
    for path in paths:
        with suppress(OSError):  # whoever reads it says why it cannot be read
            texts[path] = content(path)
    for path, text in sorted(texts.items(), key=lambda item: -len(item[1])):
        whole_lines = text[: text.rfind(b"\n") + 1]
        if any(other.startswith(whole_lines) for other in kept):
            yield path
        else:
            kept.append(text)
