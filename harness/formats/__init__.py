"""Result files of other tools: read as if they were runs of ours, and written of runs of ours.

What a format has no place for is left out and named; nothing is made up. One file a format.
"""

from __future__ import annotations

from loopgauge.harness.formats.reading import read_any, read_any_whole, read_foreign

__all__ = ["read_any", "read_any_whole", "read_foreign"]
