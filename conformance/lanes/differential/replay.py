"""Runs a kept program on a loop and on stock asyncio, and prints what each saw.

python -m loopgauge.conformance.lanes.differential.replay PROGRAM.json [module:factory]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
from pathlib import Path

from loopgauge.conformance.lanes.differential.engine import Family
from loopgauge.conformance.lanes.differential.lane import HERE, MODULES
from loopgauge.conformance.runner.body import make_factory
from loopgauge.conformance.runner.messages import Target


def families() -> dict[str, Family]:
    modules = [importlib.import_module(HERE + module) for module in MODULES]
    found = [value for m in modules for value in vars(m).values() if isinstance(value, Family)]
    return {family.name: family for family in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("factory", nargs="?", default="loopgauge.loops.epoll:new_event_loop")
    options = parser.parse_args()
    document = json.loads(options.program.read_text(encoding="utf-8"))
    family = families()[document["family"]]
    print(f"{family.name}: {json.dumps(document['program'])}")
    target = Target(name=options.factory, factory=options.factory)
    for name, factory in (
        ("asyncio", asyncio.SelectorEventLoop),
        (options.factory, make_factory(target)),
    ):
        print(f"\n{name}:", flush=True)
        seen = family.trace(factory, document["program"])
        print(json.dumps(seen, indent=1), flush=True)


if __name__ == "__main__":
    main()
