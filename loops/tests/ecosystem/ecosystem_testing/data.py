"""Ten mebibytes that are nowhere alike, so that a lost or swapped piece is noticed."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator

SIZE = 10 * 1024 * 1024
CHUNK = 64 * 1024


@functools.cache
def payload() -> bytes:
    return random.Random(20).randbytes(SIZE)


def chunks() -> Iterator[bytes]:
    """The payload in pieces of 64 KiB."""
    whole = memoryview(payload())
    for start in range(0, SIZE, CHUNK):
        yield bytes(whole[start : start + CHUNK])


@functools.cache
def digest() -> str:
    return hashlib.sha256(payload()).hexdigest()
