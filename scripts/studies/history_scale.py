"""How long `bench history` takes with many stored runs, the start of the interpreter included.

    scripts/dev study history_scale --runs 100000 --out FOLDER

Makes a store of simulated runs (4 kinds of machine, 10 benchmarks, 3 loops; ratios and costs with
noise and a step now and then) through the same calls as `bench history import`, then starts each
command in a process of its own, REPEAT times. A store that is in FOLDER already is not made again.
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
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from loopgauge.harness.history.model import Entry, MachineKind, SeriesKey, StoredRun
from loopgauge.harness.history.sqlite import open_history

MACHINES = 4
BENCHMARKS = 10
LOOPS = {"epoll": 0.2, "uvloop": 0.5, "asyncio": 1.0}  # cost in units of asyncio's
COMMANDS = {
    "history": [],
    "history BENCHMARK --last 100": ["work3", "--last", "100"],
    "history --machine all": ["--machine", "all"],
    "history machines": ["machines"],
    "history steps": ["steps"],
}
AT_ONCE = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("history-scale"))
    arguments = parser.parse_args()
    store = arguments.out.resolve() / f"history-{arguments.runs}.sqlite"
    if not store.exists():
        make(store, arguments.runs, arguments.seed)
    print(f"{arguments.runs:,} runs, {store.stat().st_size / 1e6:,.0f} MB")
    for name, words in COMMANDS.items():
        taken = [seconds(store, words) for _ in range(arguments.repeat)]
        walls, cpus = zip(*taken, strict=True)
        print(
            f"{name:32} median {statistics.median(walls):.2f} s, worst {max(walls):.2f} s;"
            f" CPU {statistics.median(cpus):.2f} s; load {os.getloadavg()[0]:.1f}"
        )
        figures = {"command": name, "runs": arguments.runs, "wall_s": walls, "cpu_s": cpus}
        print(json.dumps(figures), flush=True)


def make(store: Path, runs: int, seed: int) -> None:
    """Under another name until it is whole."""
    unfinished = store.with_suffix(".unfinished")
    begin = time.monotonic()
    history = open_history(unfinished, create=True)
    done = 0
    while done < runs:
        count = min(AT_ONCE, runs - done)
        history.add(simulated(done, count, seed))
        done += count
        print(f"\r{done:,} of {runs:,} runs", end="", flush=True, file=sys.stderr)
    history.close()
    unfinished.rename(store)
    print(f"\nmade in {time.monotonic() - begin:.0f} s")


def simulated(first: int, count: int, seed: int) -> Iterator[StoredRun]:
    generator = np.random.default_rng([seed, first])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for number in range(first, first + count):
        created = (start + timedelta(minutes=30 * number)).isoformat().replace("+00:00", "Z")
        yield StoredRun(
            run=f"simulated-{number}",
            name=f"{number}.jsonl",
            created=created,
            content=str(number),
            size=1,
            entries=[*entries(number, generator)],
        )


def entries(number: int, generator: np.random.Generator) -> Iterator[Entry]:
    machine = MachineKind(
        cpu_model=f"Simulated CPU {number % MACHINES}",
        kernel="6.1",
        python="3.14.0",
        build_kind="pgo+lto",
    )
    level = 1 + 0.03 * (number // 997 % 3)  # a step every thousand runs or so
    noise = np.exp(generator.normal(0, 0.005, (BENCHMARKS, len(LOOPS))))
    for i in range(BENCHMARKS):
        for j, (loop, factor) in enumerate(LOOPS.items()):
            ratio = factor * float(noise[i, j]) * (level if loop == "epoll" else 1)
            for metric, value in (("ratio", ratio), ("cost", 1000 * ratio)):
                if (metric, loop) == ("ratio", "asyncio"):
                    continue
                yield Entry(
                    series=SeriesKey(
                        benchmark=f"simulated.work{i}",
                        loop=loop,
                        metric=metric,
                        against="asyncio" if metric == "ratio" else "",
                        unit="ns/op" if metric == "cost" else "",
                        machine=machine,
                    ),
                    arm=loop,
                    value=value,
                    low=value * 0.99,
                    high=value * 1.01,
                    processes=12,
                    version=f"1.{number // 1000}",
                )


def seconds(store: Path, words: list[str]) -> tuple[float, float]:
    """Elapsed time, which counts, and CPU time, which other load on the machine leaves alone."""
    command = [sys.executable, "-m", "loopgauge.harness.cli", "history"]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*command, *words, "--store", store], stdout=subprocess.PIPE, check=True)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
