"""SOCK: sending on a socket of the user's own."""

from __future__ import annotations

import asyncio
import socket

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import (
    in_thread,
    receive_all,
    receive_exactly,
    reset,
    socket_pair,
)
from loopgauge.conformance.kit.sockets import (
    SOCKETS,
    begun,
    datagram_pair,
    fill,
    full_datagram_pair,
    still_watched,
)
from loopgauge.conformance.trial import Trial


@case("SOCK-007.udp", expected="the number of bytes; the peer gets one datagram from this socket")
def send_to(t: Trial) -> None:
    """sock_sendto sends bytes, a bytearray and a memoryview to a UDP socket."""
    ours, peer = datagram_pair()

    async def main() -> None:
        for data in (b"bytes", bytearray(b"array"), memoryview(b"mview")):
            sent = await t.loop.sock_sendto(ours, data, peer.getsockname())
            t.equal("what the call returned", sent, 5)
            got = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", got, (bytes(data), ours.getsockname()))

    with ours, peer:
        t.run(main())


@case("SOCK-007.empty", expected="0, and an empty datagram arrives")
def send_nothing_to(t: Trial) -> None:
    """sock_sendto sends an empty datagram."""
    ours, peer = datagram_pair()
    with ours, peer:
        sent = t.run(t.loop.sock_sendto(ours, b"", peer.getsockname()))
        t.equal("what the call returned", sent, 0)
        t.equal("what the peer got", peer.recvfrom(100), (b"", ours.getsockname()))


@case("SOCK-007.waits", expected="the call waits until there is room, then the datagram is sent")
def send_to_full(t: Trial) -> None:
    """The queue of a Unix datagram socket is full; the peer reads while sock_sendto waits."""
    ours, peer = full_datagram_pair(t.directory)

    async def main() -> None:
        task = await begun(t.loop.sock_sendto(ours, b"last", peer.getsockname()))
        t.equal("it is done while the queue is full", task.done(), False)
        first = peer.recv(2000)
        t.equal("what the call returned", await task, 4)
        t.equal("what is still watched", still_watched(t.loop, ours), [])
        while first != b"last":
            first = peer.recv(2000)
        t.equal("the last datagram", first, b"last")

    with ours, peer:
        t.run(main())


@case("SOCK-007.error", expected="OSError; the socket can send afterwards")
def send_to_too_large(t: Trial) -> None:
    """sock_sendto is given more than a UDP datagram can hold."""
    ours, peer = datagram_pair()
    with ours, peer:
        with t.raises(OSError):
            t.run(t.loop.sock_sendto(ours, bytes(70000), peer.getsockname()))
        t.run(t.loop.sock_sendto(ours, b"small", peer.getsockname()))
        t.equal("what the peer got", peer.recv(100), b"small")


@case("SOCK-008.kinds", variants=SOCKETS, expected="None, and all of it arrives in order")
def send_all_kinds(t: Trial, kind: str) -> None:
    """sock_sendall is given bytes, a bytearray and a part of a memoryview."""
    ours, peer = socket_pair(kind, t.directory)

    async def main() -> None:
        for data in (b"one", bytearray(b"two"), memoryview(b".three.")[1:-1]):
            result: object = await t.loop.sock_sendall(ours, data)  # type: ignore[func-returns-value]
            t.equal("what the call returned", result, None)
        t.equal("what the peer read", await in_thread(receive_exactly, peer, 11), b"onetwothree")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-008.full",
    variants=("bytes", "bytearray", "memoryview"),
    expected="the call waits until the peer reads, then sends everything and returns None",
)
def send_all_into_full(t: Trial, kind: str) -> None:
    """The socket is full when sock_sendall is called; the peer reads afterwards."""
    ours, peer = socket_pair("unix", t.directory)
    pattern = bytes(range(250)) * 400
    data: bytes | bytearray | memoryview = pattern
    if kind != "bytes":
        data = bytearray(pattern) if kind == "bytearray" else memoryview(pattern)

    async def main() -> None:
        before = fill(ours)
        task = await begun(t.loop.sock_sendall(ours, data))
        t.equal("it is done while the socket is full", task.done(), False)
        arrived = await in_thread(receive_exactly, peer, before + len(pattern))
        result: object = await task  # type: ignore[func-returns-value]
        t.equal("what the call returned", result, None)
        t.true("all of it arrived as it was sent", arrived[before:] == pattern)
        t.equal("what is still watched", still_watched(t.loop, ours), [])

    with ours, peer:
        t.run(main())


@case("SOCK-008.error", variants=("there", "later"), expected="an OSError of a broken connection")
def send_all_after_reset(t: Trial, when: str) -> None:
    """The peer resets the connection before sock_sendall is called, or closes while it waits."""
    ours, peer = socket_pair("tcp" if when == "there" else "unix", t.directory)

    async def main() -> None:
        if when == "there":
            reset(peer)
        else:
            fill(ours)
        task = await begun(t.loop.sock_sendall(ours, bytes(1_000_000)))
        peer.close()
        with t.raises(ConnectionResetError, BrokenPipeError):
            await task

    with ours, peer:
        t.run(main())


@case(
    "SOCK-009.slow-peer",
    variants=SOCKETS,
    expected="every byte once and in order",
)
def send_all_to_slow_peer(t: Trial, kind: str) -> None:
    """sock_sendall sends 3 MB through small buffers to a peer that reads in odd pieces."""
    ours, peer = socket_pair(kind, t.directory)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    data = b"".join(number.to_bytes(4, "big") for number in range(750_000))

    async def main() -> None:
        reading = asyncio.ensure_future(in_thread(read_in_odd_pieces, peer))
        await t.loop.sock_sendall(ours, data)
        ours.close()
        arrived = await reading
        t.equal("how much arrived", len(arrived), len(data))
        t.true("all of it is as it was sent", arrived == data)

    with ours, peer:
        t.run(main())


def read_in_odd_pieces(peer: socket.socket) -> bytes:
    data = bytearray()
    size = 1
    while piece := peer.recv(size):
        data += piece
        size = size % 30011 + 1733
    return bytes(data)


@case("SOCK-009.two-calls", expected="the first call's data, then the second's")
def send_all_twice(t: Trial) -> None:
    """Two sock_sendall calls of 1 MB each are awaited one after the other; the peer reads all."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        reading = asyncio.ensure_future(in_thread(receive_all, peer))
        await t.loop.sock_sendall(ours, b"a" * 1_000_000)
        await t.loop.sock_sendall(ours, b"b" * 1_000_000)
        ours.close()
        t.true("both arrived in order", await reading == b"a" * 1_000_000 + b"b" * 1_000_000)

    with ours, peer:
        t.run(main())


@case("SOCK-010.empty", expected="the call returns without waiting for anybody")
def send_nothing(t: Trial) -> None:
    """sock_sendall(b'') is called on a socket with room."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        task = await begun(t.loop.sock_sendall(ours, b""))
        t.equal("it is done after three turns", task.done(), True)
        await task
        ours.close()
        t.equal("what the peer read", await in_thread(receive_all, peer), b"")

    with ours, peer:
        t.run(main())
