"""What only a side's own interpreter can tell. Run by path, with the standard library alone: the
loopgauge over there may be another one, or not be importable before the side is whole.

    python -P inside.py  <  {"path": [...], "module": "m", "targets": ["m:f", ...]}

answers {"file": "...", "content": "...", "prefix": "...", "targets": {"m:f": true}}.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def found(module: str) -> tuple[str, str]:
    """Where the top package of a module is, and sha256 of its files. "" where there is none."""
    package = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return "", ""
    if spec is None:
        return "", ""
    folders = list(spec.submodule_search_locations or [])
    digest = hashlib.sha256()
    for path in sorted(files(folders)) if folders else [Path(spec.origin or os.devnull)]:
        digest.update(path.name.encode() + b"\0")
        with contextlib.suppress(OSError):  # built in, or gone meanwhile
            digest.update(path.read_bytes())
    return folders[0] if folders else str(spec.origin), digest.hexdigest()


def files(folders: list[str]) -> list[Path]:
    """A development tree is made of links to folders, so these are followed."""
    return [
        Path(folder) / name
        for top in folders
        for folder, _, names in os.walk(top, followlinks=True)
        if Path(folder).name != "__pycache__"
        for name in names
    ]


def has(target: str) -> bool:
    """Whether there is such an attribute. A module that fails while it is imported is there: that
    is something to be measured and reported, not something that was removed."""
    module, _, attribute = target.partition(":")
    try:
        if importlib.util.find_spec(module) is None:
            return False
        thing: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        return not (module == missing or module.startswith(f"{missing}."))
    except BaseException:
        return True
    for part in attribute.split("."):
        if not hasattr(thing, part):
            return False
        thing = getattr(thing, part)
    return True


def main() -> None:
    question = json.load(sys.stdin)
    sys.path.extend(question["path"])
    answer = os.dup(1)
    os.dup2(2, 1)  # what an imported module prints is no answer
    file, content = found(question["module"]) if question["module"] else ("", "")
    targets = {target: has(target) for target in question["targets"]}
    told = {"file": file, "content": content, "prefix": sys.prefix, "targets": targets}
    os.write(answer, json.dumps(told).encode())
    # Threads and exit handlers of what was imported are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
