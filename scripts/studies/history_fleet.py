"""How long `bench history` takes with the run files of a large fleet.

    scripts/dev study history_fleet --hosts 1000 --store postgresql://me@server/empty --out FOLDER

Writes simulated run files (100 benchmarks, 3 arms, 30 processes each; 1 000 hosts are 5 GB),
imports them as a user would, then starts each command REPEAT times. Wall seconds count; CPU
seconds, of the command and of the processes it starts but not of the database, are what other load
on the machine leaves alone. Memory is that of the largest of them. Files that are in FOLDER already
are kept, and a store that has them all is not filled again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import simulated_fleet

COMMANDS = {
    "history": ["history"],
    "history BENCHMARK --last 100": ["history", "work3", "--last", "100"],
    "history machines": ["history", "machines"],
    "history steps": ["history", "steps"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--benchmarks", type=int, default=100)
    parser.add_argument("--processes", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", help="default: an SQLite file in FOLDER")
    parser.add_argument("--out", type=Path, default=Path("history-fleet"))
    arguments = parser.parse_args()
    files = simulated_fleet.write(
        arguments.out.resolve() / "hosts",
        arguments.hosts,
        arguments.benchmarks,
        arguments.processes,
        arguments.seed,
    )
    size = sum(path.stat().st_size for path in files.iterdir())
    print(f"{arguments.hosts:,} run files, {size / 1e9:.1f} GB")
    store = arguments.store or str(arguments.out.resolve() / "history.sqlite")
    os.environ["LOOPGAUGE_STORE"] = store
    measure("history init", ["history", "init"], 1)
    measure("history import", ["history", "import", str(files)], 1)
    for name, words in COMMANDS.items():
        measure(name, words, arguments.repeat)


def measure(name: str, words: list[str], repeat: int) -> None:
    taken = [seconds(words) for _ in range(repeat)]
    walls, cpus = zip(*taken, strict=True)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{name:30} median {statistics.median(walls):.2f} s, worst {max(walls):.2f} s;"
        f" CPU {statistics.median(cpus):.2f} s; {largest:.0f} MiB; load {os.getloadavg()[0]:.1f}"
    )
    print(json.dumps({"command": name, "wall_s": walls, "cpu_s": cpus, "mib": largest}), flush=True)


def seconds(words: list[str]) -> tuple[float, float]:
    """Elapsed, and of the CPU."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "loopgauge.harness.cli", *words]
    subprocess.run(command, stdout=subprocess.PIPE, check=True)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
