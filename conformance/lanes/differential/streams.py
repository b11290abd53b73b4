"""Conversations of two ends through StreamReader and StreamWriter.

Compared is what every read returned or raised; in how many pieces bytes travel is left open. What a
read finds after the other end has aborted is only "the end": it depends on the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

LIMIT = 1000
SIZES = (1, 2, 100, 999, 1000, 1001, 5000, 70_000, 400_000)
READS = ("readexactly", "read", "line", "until")

#: Seconds in which the end of a conversation must be reached, and in which paused bytes must not.
PATIENCE, PAUSED = 5.0, 0.003


def programs() -> Any:
    """Steps [kind, end, sizes, how]; `end` 0 is the client. The last step ends the conversation."""
    from hypothesis import strategies as st

    sizes = st.lists(st.sampled_from(SIZES), min_size=1, max_size=4)
    end = st.integers(0, 1)
    send = st.tuples(st.sampled_from(("write", "writelines")), end, sizes, st.sampled_from(READS))
    other = st.tuples(st.sampled_from(("cancel", "pause", "limit", "eof")), end, sizes, st.just(""))
    step = st.one_of(send, send, other).map(list)
    last = st.tuples(st.sampled_from(("close", "short", "abort")), end, sizes, st.just(""))
    return st.tuples(st.lists(step, max_size=6), last.map(list)).map(lambda two: [*two[0], two[1]])


def trace_over(family: str) -> Any:
    def trace(factory: LoopFactory, program: list[Any]) -> Any:
        loop = factory()
        seen: list[Any] = []
        try:
            loop.run_until_complete(asyncio.wait_for(_hold(family, program, seen), PATIENCE))
        except TimeoutError:
            seen.append("nothing moves any more")
        finally:
            loop.close()
        return {f"step {number}": what for number, what in enumerate(seen)}

    return trace


class _End:
    """Sends bytes that never repeat within reach, and knows what the other end must get."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.sent = 0
        self.over = False

    def bytes(self, size: int) -> bytes:
        start, self.sent = self.sent, self.sent + size
        return b"".join(b"%07d|" % n for n in range(start // 8, (start + size) // 8 + 1))[
            start % 8 : start % 8 + size
        ]


async def _hold(family: str, program: list[Any], seen: list[Any]) -> None:
    async with _connected(family) as ends:
        for kind, end, sizes, how in program:
            mine, other = ends[end], ends[1 - end]
            if mine.over:
                continue
            step = globals()[f"_{kind}"]
            seen.append([kind, end, await step(mine, other, sizes, how)])
        for end in ends:
            end.writer.close()
        for end in ends:
            with contextlib.suppress(OSError):
                await end.writer.wait_closed()


@contextlib.asynccontextmanager
async def _connected(family: str) -> AsyncIterator[list[_End]]:
    accepted: asyncio.Future[_End] = asyncio.get_running_loop().create_future()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(_End(reader, writer))

    with tempfile.TemporaryDirectory(prefix="lg-") as folder:
        path = Path(folder, "socket")
        if family == "unix":
            server = await asyncio.start_unix_server(accept, path, limit=LIMIT)
            client = _End(*await asyncio.open_unix_connection(path, limit=LIMIT))
        else:
            server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=LIMIT)
            address = server.sockets[0].getsockname()
            client = _End(*await asyncio.open_connection(*address[:2], limit=LIMIT))
        try:
            yield [client, await accepted]
        finally:
            server.close()


async def _write(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    pieces = [mine.bytes(size) for size in sizes]

    def write() -> None:
        for piece in pieces:
            mine.writer.write(piece)

    return await _send(mine, other, pieces, how, write)


async def _writelines(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    pieces = [mine.bytes(size) for size in sizes]
    return await _send(mine, other, pieces, how, lambda: mine.writer.writelines(pieces))


async def _send(mine: _End, other: _End, pieces: list[bytes], how: str, write: Any) -> Any:
    """All that was written is read, in one of several ways, while the writer drains."""
    whole = b"".join(pieces)
    if how in ("line", "until"):
        return await _send_line(mine, other, whole[: LIMIT // 2], how)
    write()
    draining = asyncio.ensure_future(mine.writer.drain())
    got = b""
    while len(got) < len(whole):
        left = len(whole) - len(got)
        more = await (other.reader.read(left) if how == "read" else other.reader.readexactly(left))
        if not more:
            break
        got += more
    await draining
    return [len(got), got == whole]


async def _send_line(mine: _End, other: _End, text: bytes, how: str) -> Any:
    mine.writer.write(text + b"\n")
    await mine.writer.drain()
    got = await (other.reader.readline() if how == "line" else other.reader.readuntil(b"\n"))
    return [len(got), got == text + b"\n"]


async def _cancel(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """A cancelled read loses nothing of what comes afterwards."""
    reading = asyncio.ensure_future(mine.reader.read(10))
    await asyncio.sleep(0)
    reading.cancel()
    return await _outcome(reading)


async def _pause(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """Nothing is read while the transport of the other end is paused, and all afterwards."""
    whole = mine.bytes(min(sizes[0], LIMIT))
    other.writer.transport.pause_reading()  # type: ignore[attr-defined]
    mine.writer.write(whole)
    first = await _outcome(asyncio.wait_for(other.reader.readexactly(1), PAUSED))
    other.writer.transport.resume_reading()  # type: ignore[attr-defined]
    got = await other.reader.readexactly(len(whole))
    return [first, got == whole]


async def _limit(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """A separator that does not come within the limit; the bytes can be read otherwise."""
    whole = mine.bytes(3 * LIMIT)
    mine.writer.write(whole)
    first = await _outcome(other.reader.readuntil(b"\n"))
    return [first, await other.reader.readexactly(len(whole)) == whole]


async def _eof(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """The other end reads the end, and can still send."""
    mine.over = True
    mine.writer.write_eof()
    return [await _outcome(other.reader.read()), other.reader.at_eof()]


async def _close(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """Everything that was written arrives before the end."""
    whole = mine.bytes(sum(sizes))
    mine.writer.write(whole)
    mine.writer.close()
    got = await other.reader.read()
    return [len(got), got == whole, other.reader.at_eof()]


async def _short(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    """The other end wants more than comes."""
    whole = mine.bytes(sum(sizes))
    mine.writer.write(whole)
    mine.writer.close()
    try:
        await other.reader.readexactly(len(whole) + 1)
    except asyncio.IncompleteReadError as error:
        return ["incomplete", len(error.partial), error.partial == whole, error.expected]
    return "nothing was raised"


async def _abort(mine: _End, other: _End, sizes: list[int], how: str) -> Any:
    mine.writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await other.reader.read()
    return "the end"


async def _outcome(awaitable: Any) -> Any:
    try:
        return (await awaitable).decode()
    except (Exception, asyncio.CancelledError) as error:
        return type(error).__name__


TCP = Family("streams-tcp", programs, trace_over("tcp"), 120)
UNIX = Family("streams-unix", programs, trace_over("unix"), 120)


@program(
    "differential:streams",
    expected="every read returns or raises what it does on stock asyncio",
    variants=("tcp", "unix"),
    leaves=("logs", "warnings"),
    seconds=SECONDS,
)
def streams(t: Trial, variant: str) -> None:
    """Generated conversations: writes, reads of every kind, cancellations, pauses and ends."""
    compare(t, TCP if variant == "tcp" else UNIX)
