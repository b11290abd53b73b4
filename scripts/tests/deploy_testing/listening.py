"""On which addresses a process listens, as the kernel says in /proc/net/tcp and tcp6."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import psutil

LISTEN = "0A"  # include/net/tcp_states.h


def listening(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Address and port of every TCP socket that takes connections."""
    sockets = {inode for process in processes for inode in _inodes(process.pid)}
    return {place for inode, place in _places() if inode in sockets}


def beyond_loopback(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    return {place for place in listening(processes) if not _is_loopback(place[0])}


def _is_loopback(address: str) -> bool:
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def _inodes(pid: int) -> Iterator[str]:
    with suppress(FileNotFoundError):  # the process has ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
                if found is not None:
                    yield found[1]


def _places() -> Iterator[tuple[str, tuple[str, int]]]:
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTEN:
                address, port = local.split(":")
                yield inode, (_address(address), int(port, 16))


def _address(words: str) -> str:
    """The kernel prints 32-bit words in its own byte order."""
    packed = b"".join(
        struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8)
    )
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))
