"""Start of scripts/dev, which runs this folder as a program."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from devtools.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
