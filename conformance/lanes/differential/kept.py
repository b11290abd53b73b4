"""Programs that once made a difference, by family: they are tried first the next time."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

FOLDER = Path(".bench") / "conformance" / "programs"

#: The newest of a family that are tried again.
MOST = 20


def keep(family: str, program: Any) -> Path:
    """Stores `program` under its hash, once."""
    text = json.dumps({"family": family, "program": program}, indent=1)
    path = FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return path


def programs(family: str) -> list[Any]:
    """The newest first; what cannot be read is left out."""
    return [program for _, program in _newest()[family][:MOST]]


def files() -> dict[str, str]:
    """What `programs` reads, by path, the oldest first: for another folder, or another machine."""
    found = [path for newest in _newest().values() for path, _ in newest[:MOST]]
    return {str(path): path.read_text(encoding="utf-8") for path in sorted(found, key=_age)[::-1]}


def _newest() -> dict[str, list[tuple[Path, Any]]]:
    """By family, the newest first; what cannot be read is left out."""
    found: dict[str, list[tuple[Path, Any]]] = defaultdict(list)
    for path in sorted(FOLDER.glob("*.json"), key=_age):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and "program" in document:
            found[str(document.get("family"))].append((path, document["program"]))
    return found


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # removed in between
        return 0.0
