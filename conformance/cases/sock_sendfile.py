"""SOCK: sock_sendfile."""

from __future__ import annotations

import asyncio
import io
import socket
from pathlib import Path

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread, receive_all, socket_pair
from loopgauge.conformance.kit.sockets import SOCKETS
from loopgauge.conformance.trial import Trial

DATA = bytes(range(251)) * 1200  # 300 kB, more than a socket takes at once


async def send_file(
    t: Trial, kind: str, file: object, *range_: int | None, **options: bool
) -> tuple[int, bytes]:
    """What sock_sendfile returned, and what the peer read until the connection was closed."""
    ours, peer = socket_pair(kind, t.directory)
    with ours, peer:
        reading = asyncio.ensure_future(in_thread(receive_all, peer))
        try:
            count = await t.loop.sock_sendfile(ours, file, *range_, **options)  # type: ignore
        finally:
            ours.shutdown(socket.SHUT_WR)
            arrived = await reading
    return count, arrived


def written(t: Trial, data: bytes = DATA) -> Path:
    path = t.directory / "file"
    path.write_bytes(data)
    return path


@case(
    "SOCK-021.file",
    variants=SOCKETS,
    expected="the number of bytes; all of them arrive; the file's position is its end",
)
def whole_file(t: Trial, kind: str) -> None:
    """sock_sendfile sends a file of 300 kB."""
    with written(t).open("rb") as file:
        count, arrived = t.run(send_file(t, kind, file))
        t.equal("what the call returned", count, len(DATA))
        t.true("the peer read the file", arrived == DATA)
        t.equal("the file's position", file.tell(), len(DATA))


@case(
    "SOCK-021.file-like",
    expected="the number of bytes; all of them arrive; the position is the end",
)
def file_in_memory(t: Trial) -> None:
    """sock_sendfile sends a BytesIO, which has no descriptor."""
    file = io.BytesIO(DATA)
    count, arrived = t.run(send_file(t, "tcp", file))
    t.equal("what the call returned", count, len(DATA))
    t.true("the peer read the file", arrived == DATA)
    t.equal("the file's position", file.tell(), len(DATA))


@case(
    "SOCK-021.broken",
    expected="an OSError of a broken connection; the file's position is moved past what was sent",
)
def connection_breaks(t: Trial) -> None:
    """The peer resets the connection while sock_sendfile waits for room."""
    ours, peer = socket_pair("tcp", t.directory)
    path = t.directory / "large"
    with path.open("wb") as large:
        large.truncate(50_000_000)

    def read_some() -> None:
        peer.recv(65536)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()

    async def main() -> None:
        reading = asyncio.ensure_future(in_thread(read_some))
        with path.open("rb") as file:
            with t.raises(ConnectionResetError, BrokenPipeError):
                await t.loop.sock_sendfile(ours, file)
            t.between("the file's position", file.tell(), 1, 49_999_999)
        await reading

    with ours, peer:
        t.run(main())


@case(
    "SOCK-022.range",
    variants=("file", "file-like"),
    expected="the bytes from offset on, at most count; the position is behind them",
)
def part_of_a_file(t: Trial, kind: str) -> None:
    """sock_sendfile sends the bytes from 1000 on, 2000 of them, then all from 299000 on; the
    position that the file had before does not matter."""
    path = written(t)
    for offset, count in ((1000, 2000), (299_000, None)):
        wanted = DATA[offset:][:count]
        with path.open("rb") if kind == "file" else io.BytesIO(DATA) as file:
            file.seek(17)
            sent, arrived = t.run(send_file(t, "tcp", file, offset, count))
            t.equal(f"what the call returned for {offset}, {count}", sent, len(wanted))
            t.true(f"the peer read the part {offset}, {count}", arrived == wanted)
            t.equal("the file's position", file.tell(), offset + len(wanted))


@case("SOCK-022.beyond-the-end", expected="what there is is sent, and its number returned")
def more_than_there_is(t: Trial) -> None:
    """sock_sendfile is asked for 5000 bytes where 1200 are left, and then behind the end."""
    with written(t).open("rb") as file:
        sent = t.run(send_file(t, "tcp", file, 300_000, 5000))
        t.equal("near the end", sent, (1200, DATA[300_000:]))
        t.equal("behind the end", t.run(send_file(t, "tcp", file, 400_000)), (0, b""))


@case(
    "SOCK-022.position-ignored",
    variants=("file", "file-like"),
    expected="the whole file: sending starts at offset, which is 0, not at the position",
)
def position_is_ignored(t: Trial, kind: str) -> None:
    """sock_sendfile is called without an offset on a file whose position is in the middle."""
    path = written(t)
    with path.open("rb") if kind == "file" else io.BytesIO(DATA) as file:
        file.seek(1000)
        sent, arrived = t.run(send_file(t, "tcp", file))
        t.equal("what the call returned", sent, len(DATA))
        t.true("the peer read the file", arrived == DATA)


@case("SOCK-023.empty", variants=("file", "file-like"), expected="0; nothing arrives; position 0")
def empty_file(t: Trial, kind: str) -> None:
    """sock_sendfile sends an empty file."""
    path = written(t, b"")
    with path.open("rb") if kind == "file" else io.BytesIO() as file:
        t.equal("the result, and what arrived", t.run(send_file(t, "tcp", file)), (0, b""))
        t.equal("the file's position", file.tell(), 0)


@case("SOCK-024.mixed", variants=SOCKETS, expected="before, the file, after: in this order")
def between_other_data(t: Trial, kind: str) -> None:
    """sock_sendall, sock_sendfile and sock_sendall are awaited one after the other."""
    ours, peer = socket_pair(kind, t.directory)
    before, after = b"before" * 20_000, b"after" * 20_000

    async def main() -> None:
        reading = asyncio.ensure_future(in_thread(receive_all, peer))
        with written(t).open("rb") as file:
            await t.loop.sock_sendall(ours, before)
            t.equal("the file's length", await t.loop.sock_sendfile(ours, file), len(DATA))
            await t.loop.sock_sendall(ours, after)
        ours.shutdown(socket.SHUT_WR)
        t.true("all arrived in order", await reading == before + DATA + after)

    with ours, peer:
        t.run(main())


@case(
    "SOCK-025.numbers",
    variants=("count-zero", "count-negative", "count-float", "offset-negative", "offset-float"),
    expected="ValueError for what is out of range, TypeError for no int; nothing is sent",
)
def wrong_numbers(t: Trial, kind: str) -> None:
    """sock_sendfile is given an offset or a count that makes no sense."""
    name, _, problem = kind.partition("-")
    value = {"zero": 0, "negative": -1, "float": 1.0}[problem]
    ours, peer = socket_pair("tcp", t.directory)
    with ours, peer, written(t).open("rb") as file:
        with t.raises(TypeError if problem == "float" else ValueError):
            t.run(t.loop.sock_sendfile(ours, file, **{name: value}))  # type: ignore[arg-type]
        t.equal("the file's position", file.tell(), 0)
        ours.close()
        t.equal("what the peer read", peer.recv(100), b"")


@case("SOCK-025.text-file", expected="ValueError; nothing is sent")
def text_file(t: Trial) -> None:
    """sock_sendfile is given a file that was opened as text."""
    ours, peer = socket_pair("tcp", t.directory)
    with ours, peer, written(t, b"text").open(encoding="ascii") as file:
        with t.raises(ValueError):
            t.run(t.loop.sock_sendfile(ours, file))  # type: ignore[arg-type]
        ours.close()
        t.equal("what the peer read", peer.recv(100), b"")


@case("SOCK-025.datagram", expected="ValueError")
def datagram_socket(t: Trial) -> None:
    """sock_sendfile is given a UDP socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, written(t).open("rb") as file:
        ours.setblocking(False)
        with t.raises(ValueError):
            t.run(t.loop.sock_sendfile(ours, file))


@case(
    "SOCK-026.no-fallback",
    expected="asyncio.SendfileNotAvailableError; nothing was sent and the file was not read",
)
def no_fallback(t: Trial) -> None:
    """sock_sendfile(fallback=False) is given a BytesIO, which the system call cannot send."""
    file = io.BytesIO(DATA)
    with t.raises(asyncio.SendfileNotAvailableError):
        t.run(send_file(t, "tcp", file, fallback=False))
    t.equal("the file's position", file.tell(), 0)


@case("SOCK-026.native", expected="the number of bytes: a regular file needs no fallback")
def native(t: Trial) -> None:
    """sock_sendfile(fallback=False) sends a regular file over TCP."""
    with written(t).open("rb") as file:
        count, arrived = t.run(send_file(t, "tcp", file, fallback=False))
        t.equal("what the call returned", count, len(DATA))
        t.true("the peer read the file", arrived == DATA)
