"""What tests call on hosts: the workers of `fleet_testing` have this folder on their PYTHONPATH."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def echo(payload: bytes) -> bytes:
    return payload


def whoami(payload: bytes) -> bytes:
    """Process ids of the agent and of the Dask worker that started it."""
    return json.dumps({"agent": os.getpid(), "worker": os.getppid()}).encode()


def fail(payload: bytes) -> bytes:
    raise ValueError(payload.decode())


def chatter(payload: bytes) -> bytes:
    print("words on stdout")
    os.write(1, b"more words")
    return str(sys.stdin.read()).encode()


def append_line(payload: bytes) -> bytes:
    """Tells when it begins: a line in the file that the payload names."""
    with Path(payload.decode()).open("a") as file:
        file.write(f"{os.getpid()} {os.getppid()}\n")
    return b"done"


def wait_for(payload: bytes) -> bytes:
    """Says that it has begun, with a child of its own, and ends when a file is there."""
    folder = Path(payload.decode())
    child = subprocess.Popen(["sleep", "600"])
    told = folder / f"began-{os.getpid()}"
    told.with_suffix(".part").write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
    told.with_suffix(".part").rename(told)
    while not (folder / "go").exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    return b"went"


def die_once(payload: bytes) -> bytes:
    """Kills its agent the first time."""
    died = Path(payload.decode())
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return b"lives"


def die(payload: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def overlap(payload: bytes) -> bytes:
    """How many others were at it at the same time: each has a file while it is."""
    folder = Path(payload.decode())
    mine = folder / str(os.getpid())
    mine.touch()
    most = 0
    for _ in range(10):
        most = max(most, len(list(folder.iterdir())))
        time.sleep(0.005)
    mine.unlink()
    return str(most).encode()


def signals(payload: bytes) -> bytes:
    """What a call finds of signals that its worker ignored or blocked."""
    return json.dumps(
        {
            "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
            "variables": sorted(name for name in os.environ if name.startswith("MALLOC_")),
        }
    ).encode()


def version_of(payload: bytes) -> bytes:
    """Of a module that the agent can import."""
    return str(importlib.import_module(payload.decode()).VERSION).encode()
