"""Programs that once made a difference, by family: they are tried first the next time."""

from __future__ import annotations

import hashlib
import json
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
    found = []
    for path in sorted(FOLDER.glob("*.json"), key=_age):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and document.get("family") == family:
            found.append(document.get("program"))
    return found[:MOST]


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # removed in between
        return 0.0
