"""Moves folders to the end of the import path. Copied into a side's environment and run there
before anything else, so it needs no more than the standard library."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def put_behind(folders: Sequence[str]) -> None:
    """What PYTHONPATH names goes behind, too: a checkout on it would take the place of the build
    that is to be measured."""
    words = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    given = [os.path.abspath(word) for word in words if word]  # noqa: PTH100  as site.py does
    late = list(dict.fromkeys([*folders, *(p for p in given if p in sys.path)]))
    sys.path[:] = [entry for entry in sys.path if entry not in late] + late
