"""What a protocol keeps of what it was given costs its own size, whatever it was read into."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tracemalloc
from collections.abc import Iterator

import pytest
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


class Sender:
    """The other end of a keeper's connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.keeper = Keeper()
        ours, self.peer = socket.socketpair()
        self.peer.setblocking(False)
        self.transport, _ = loop.run_until_complete(
            loop.create_connection(lambda: self.keeper, sock=ours)
        )

    def deliver(self, data: bytes, keeping: bool) -> None:
        self.keeper.keeping = keeping
        rest = memoryview(data)
        wanted = self.keeper.received + len(data)
        while self.keeper.received < wanted:
            with contextlib.suppress(BlockingIOError):
                rest = rest[self.peer.send(rest) :] if rest else rest
            run_once(self.loop)

    def close(self) -> None:
        self.transport.abort()
        run_once(self.loop)
        self.peer.close()


@pytest.fixture
def sender(loop: asyncio.AbstractEventLoop) -> Iterator[Sender]:
    made = Sender(loop)
    yield made
    made.close()


def test_kept_pieces_do_not_pin_the_room_they_were_read_into(sender: Sender) -> None:
    sender.deliver(bytes(BULK), keeping=False)
    tracemalloc.start()
    try:
        for i in range(PIECES):
            sender.deliver(bytes([i]) * PIECE, keeping=True)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    pieces = b"".join(sender.keeper.pieces)
    assert pieces == b"".join(bytes([i]) * PIECE for i in range(PIECES))
    assert used < PIECES * PIECE + SLACK


def test_a_short_piece_kept_between_large_ones_does_not_either(sender: Sender) -> None:
    sender.deliver(bytes(BULK), keeping=False)
    tracemalloc.start()
    try:
        for i in range(PIECES):
            sender.deliver(bytes(BULK), keeping=False)
            sender.deliver(bytes([i]) * 100, keeping=True)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sender.keeper.pieces == [bytes([i]) * 100 for i in range(PIECES)]
    assert used < SLACK
