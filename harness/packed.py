"""Result files as bytes, also where they were packed with gzip or xz to be published or attached.

What a file is packed with says its content, not its name: names are changed on the way.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from pathlib import Path

GZIP = b"\x1f\x8b"
XZ = b"\xfd7zXZ\x00"
ENDINGS = (".gz", ".xz")


def content(path: Path) -> bytes:
    """What was packed, or the file itself. Raises OSError, also where the packing is damaged."""
    data = path.read_bytes()
    try:
        return unpacked(data)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise OSError(0, f"cannot be unpacked: {error}", str(path)) from error


def unpacked(data: bytes) -> bytes:
    if data.startswith(GZIP):
        return gzip.decompress(data)
    if data.startswith(XZ):
        return lzma.decompress(data)
    return data


def is_packed(path: Path) -> bool:
    """Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(XZ)).startswith((GZIP, XZ))


def there(path: Path) -> Path:
    """The file, or what it was packed into where only that is there: a folder may be published
    with its files packed one by one."""
    if not path.exists():
        for ending in ENDINGS:
            packed = path.with_name(path.name + ending)
            if packed.is_file():
                return packed
    return path


def first_line(path: Path) -> bytes:
    """Without reading all of a plain file, which may be long; empty where there is none to read."""
    try:
        if is_packed(path):
            return content(path).partition(b"\n")[0]
        with path.open("rb") as file:
            return file.readline()
    except OSError:
        return b""


def stem(path: Path) -> str:
    """The name without what says how it is written: `3.14-x` of `3.14-x.jsonl.xz`."""
    name = without_packing(path.name)
    for ending in (".jsonl", ".json"):
        name = name.removesuffix(ending) or name
    return name


def without_packing(name: str) -> str:
    """`gate.jsonl` of `gate.jsonl.xz`."""
    for ending in ENDINGS:
        name = name.removesuffix(ending) or name
    return name
