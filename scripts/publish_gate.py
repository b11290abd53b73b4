"""Puts the files of a gate among the published results, reports/results/NAME/*.jsonl.xz.

    python scripts/publish_gate.py .bench/gates/20261101T120000Z-abc123 gate-slowed

`bench report` and `bench site` show the folder as it is.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

from publish_run import RESULTS, without_paths

from loopgauge.harness.packed import content, there, without_packing


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("gate", type=Path, help="its folder")
    parser.add_argument("name", help="of the published folder")
    arguments = parser.parse_args()
    if not there(arguments.gate / "gate.jsonl").is_file():
        parser.error(f"{arguments.gate} is no gate: it holds no gate.jsonl")
    out = RESULTS / arguments.name
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(arguments.gate.glob("*.jsonl*")):
        records = map(json.loads, content(path).splitlines())
        published = "".join(f"{json.dumps(without_paths(record))}\n" for record in records)
        packed = out / f"{without_packing(path.name)}.xz"
        packed.write_bytes(lzma.compress(published.encode(), preset=9))
        print(f"{packed.name}: {packed.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
