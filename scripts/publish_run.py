"""Puts a run file among the published ones, reports/results/NAME.jsonl.xz, without local paths.

    python scripts/publish_run.py .bench/runs/20261101T120000Z-abc123.jsonl 3.14-all

Samples, seed, schedule and environment stay as they were recorded. Absolute paths (the checkout,
the interpreter, where the run was written) say nothing to a reader: of each, the last part is kept.

What a benchmark depends on (`rules`, `irrelevant`) becomes what its scenario says today: that is
how a run is judged, not what was measured. A published run can be published anew for it:

    python scripts/publish_run.py reports/results/3.14-all.jsonl.xz 3.14-all
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
from pathlib import Path
from typing import Any

from loopgauge.harness.interpreter import HOME
from loopgauge.harness.packed import content
from loopgauge.scenarios import registry

RESULTS = Path(__file__).resolve().parent.parent / "reports" / "results"
# An absolute path: neither a part of a word ("reader/writer/closer") nor of an address. An abstract
# socket's name begins with a zero, which is written out.
_PATH = re.compile(r"(?:(?<![\w.)>:/])|(?<=\\x00))(?:/[^/\s'\"=]+){2,}/?")
# What the interpreter was configured with: older runs have home folders in it.
_KEPT = {"config_args"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", help="file name without ending")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"{arguments.name}.jsonl.xz"
    records = [json.loads(line) for line in content(arguments.run).splitlines()]
    if not any(record["record"] == "end" for record in records):
        parser.error(f"{arguments.run} is not finished; go on with bench run --resume")
    published = "".join(
        json.dumps(without_paths(judged_as_today(record))) + "\n" for record in records
    )
    out.write_bytes(lzma.compress(published.encode(), preset=9))
    print(f"{out.name}: {len(records)} records, {out.stat().st_size:,} bytes")


def judged_as_today(record: dict[str, Any]) -> dict[str, Any]:
    """The record, where it is the header with today's dependencies of its benchmarks. What is no
    scenario of today (an application's own coroutine, one that was renamed) stays as it was."""
    if record["record"] != "header":
        return record
    known = registry.all_scenarios()
    benchmarks = []
    for benchmark in record["benchmarks"]:
        scenario = known.get(benchmark["scenario"])
        today = {}
        if scenario is not None:
            made = scenario(**benchmark.get("params", {}))
            today = {"rules": [*made.rules], "irrelevant": made.irrelevant}
        benchmarks.append({**benchmark, **today})
    return {**record, "benchmarks": benchmarks}


def without_paths(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: without_paths(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(item, key) for item in value]
    if not isinstance(value, str):
        return value
    if key in _KEPT:
        return HOME.sub("~", value)
    return _PATH.sub(lambda match: match[0].rstrip("/").rsplit("/", 1)[-1], value)


if __name__ == "__main__":
    main()
