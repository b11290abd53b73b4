"""Other work that comes and goes: `with coming_and_going(seed):` keeps it up meanwhile.

    python other_load.py SEED

Pauses and pieces of work follow each other, 1 to 20 seconds each, drawn from the seed: one or two
processes that calculate, move memory about, or make system calls. Each piece ends by itself, and
all of them when whoever started them is gone.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def calculate() -> None:
    sum(number * number for number in range(20_000))


def move_memory() -> None:
    bytearray(8 << 20)[::-1].count(1)


def make_system_calls() -> None:
    for _ in range(2_000):
        Path("/").stat()


KINDS = {"calculate": calculate, "memory": move_memory, "calls": make_system_calls}


@contextmanager
def coming_and_going(seed: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-P", Path(__file__).resolve(), str(seed)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def come_and_go(seed: int) -> None:
    drawn, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:
        time.sleep(drawn.uniform(1, 20))
        seconds = drawn.uniform(1, 20)
        works = [
            subprocess.Popen([sys.executable, "-P", __file__, kind, str(seconds)])
            for kind in drawn.choices([*KINDS], k=drawn.choice((1, 1, 2)))
        ]
        for work in works:
            work.wait()


def work(kind: str, seconds: float) -> None:
    end, parent = time.monotonic() + seconds, os.getppid()
    while time.monotonic() < end and os.getppid() == parent:
        KINDS[kind]()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(sys.argv[1], float(sys.argv[2]))
    else:
        come_and_go(int(sys.argv[1]))
