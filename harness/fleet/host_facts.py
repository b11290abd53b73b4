"""What a host tells of itself; asked by fleet.py through an agent of the host."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

import loopgauge.harness
from loopgauge.harness import environment, interpreter
from loopgauge.harness.fleet import machine_lock
from loopgauge.harness.fleet.hosts import HostFacts
from loopgauge.harness.model import Interpreter

ROOMS = ("conformance", "harness", "loops", "scenarios")
# What a wheel leaves out of these rooms, and what is written while they run.
NOT_SHIPPED = frozenset({"tests", "results", "mutants", "fuzz", "__pycache__"})


def tell(payload: bytes) -> bytes:
    """HostFacts as JSON. `utc_offset_s` is for the command to say."""
    return msgspec.json.encode(
        HostFacts(
            machine=environment.machine(),
            interpreter=msgspec.convert(interpreter.describe(), Interpreter),
            boot_id=machine_lock.boot_id(),
            source=source_hash(),
            cpus=sorted(os.sched_getaffinity(0)),
            free_bytes=shutil.disk_usage(tempfile.gettempdir()).free,
            lock_refused=lock_refused(),
        )
    )


def lock_refused() -> str:
    """Why this process cannot take the lock of its machine; "" if it can."""
    try:
        machine_lock.probe()
    except OSError as error:
        return f"{machine_lock.path()}: {error.strerror}"
    return ""


@functools.cache
def source_hash() -> str:
    """Of what measures and asks, whatever Python it runs on: two hosts whose sources differ may
    mean different things by one name. A checkout and its wheel have the same."""
    root = Path(loopgauge.harness.__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted(file for room in ROOMS for file in _shipped(root / room)):
        digest.update(f"{file.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _shipped(folder: Path) -> list[Path]:
    """Its programs and rules. The rooms of a development tree are symbolic links."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_SHIPPED]
        found += [Path(parent) / name for name in files if name.endswith((".py", ".toml"))]
    return found
