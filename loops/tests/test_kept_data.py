"""What a protocol keeps of what it was given costs its own size, whatever it was read into."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tracemalloc

from loop_testing.compare import run_once

BULK = 1 << 20  # bytes, to make the transport read in large pieces
PIECE = 40_000  # bytes: enough for the large room to be kept
PIECES = 100
SLACK = 1 << 20  # bytes: the read buffer, one piece that was not expected to be kept


class Keeper(asyncio.Protocol):
    def __init__(self) -> None:
        self.keeping = False
        self.received = 0
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.keeping:
            self.pieces.append(data)


def test_kept_pieces_do_not_pin_the_room_they_were_read_into(loop) -> None:
    ours, peer = socket.socketpair()
    peer.setblocking(False)
    keeper = Keeper()

    def deliver(data: bytes) -> None:
        rest = memoryview(data)
        wanted = keeper.received + len(data)
        while keeper.received < wanted:
            with contextlib.suppress(BlockingIOError):
                rest = rest[peer.send(rest) :] if rest else rest
            run_once(loop)

    transport, _ = loop.run_until_complete(loop.create_connection(lambda: keeper, sock=ours))
    deliver(bytes(BULK))
    tracemalloc.start()
    try:
        keeper.keeping = True
        for i in range(PIECES):
            deliver(bytes([i]) * PIECE)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert b"".join(keeper.pieces) == b"".join(bytes([i]) * PIECE for i in range(PIECES))
    assert used < PIECES * PIECE + SLACK
    transport.abort()
    run_once(loop)
    peer.close()
