"""PIPE: read pipes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.kit.pipes import ENDS, is_open, read_end, terminal, write_all
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


@case(
    "PIPE-001.events",
    variants=ENDS,
    expected="connection_made, data_received with all bytes in order, eof_received, and "
    "connection_lost(None), each once",
)
def events(t: Trial, kind: str) -> None:
    """A read pipe is connected; the writer writes twice and closes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        _, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        os.write(writing, b"one")
        await protocol.received(3)
        os.write(writing, b"two")
        os.close(writing)
        await protocol.lost
        for call in protocol.calls:
            t.event(call)
        t.equal("the data", bytes(protocol.data), b"onetwo")
        t.equal("the argument of connection_lost", protocol.error, None)

    t.run(main())
    t.saw("connection_made", "data_received", "eof_received", "connection_lost")


@case(
    "PIPE-001.at-once",
    variants=ENDS,
    expected="the events of an empty stream",
)
def closed_before(t: Trial, kind: str) -> None:
    """The writer has closed without a byte before the read pipe is connected."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        os.close(writing)
        _, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        await protocol.lost
        for call in protocol.calls:
            t.event(call)
        t.equal("the argument of connection_lost", protocol.error, None)

    t.run(main())
    t.saw("connection_made", "eof_received", "connection_lost")


@case(
    "PIPE-001.result",
    variants=ENDS,
    expected="a transport for reading and the protocol of the factory, after connection_made with "
    "this transport; 'pipe' is the file object",
)
def result(t: Trial, kind: str) -> None:
    """What connect_read_pipe() returns is looked at."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: list[Recorder] = []

        def factory() -> Recorder:
            made.append(Recorder(loop))
            return made[-1]

        pipe, writing = read_end(kind)
        transport, protocol = await loop.connect_read_pipe(factory, pipe)
        t.equal("calls of the factory", len(made), 1)
        t.true("the protocol is the factory's", protocol is made[0])
        if not isinstance(transport, asyncio.ReadTransport):
            t.non_strict("the transport is no instance of asyncio.ReadTransport")
        t.equal("callbacks so far", protocol.calls, ["connection_made"])
        t.true("connection_made had the transport", protocol.transport is transport)
        t.true("'pipe' is the file object", transport.get_extra_info("pipe") is pipe)
        t.true("get_protocol() is the protocol", transport.get_protocol() is protocol)
        t.equal("is_closing()", transport.is_closing(), False)
        transport.close()
        t.equal("is_closing() after close()", transport.is_closing(), True)
        await protocol.lost
        t.equal("callbacks in the end", protocol.calls, ["connection_made", "connection_lost"])
        t.equal("the argument of connection_lost", protocol.error, None)
        os.close(writing)

    t.run(main())


@case("PIPE-001.large", variants=ENDS, expected="every byte comes, in order")
def large(t: Trial, kind: str) -> None:
    """A thread writes 1 MB into the pipe and closes it."""

    def write() -> None:
        write_all(writing, pattern)
        os.close(writing)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        await asyncio.gather(in_thread(write), protocol.lost)
        t.equal("how many bytes came", len(protocol.data), len(pattern))
        t.true("they are the same", bytes(protocol.data) == pattern)

    pattern = b"".join(number.to_bytes(4, "big") for number in range(250_000))
    pipe, writing = read_end(kind)
    t.run(main())


@case(
    "PIPE-001.stream-reader",
    variants=ENDS,
    expected="lines are read as they come, then the end",
)
def stream_reader(t: Trial, kind: str) -> None:
    """A StreamReader reads from a pipe, as programs do with their standard input."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        os.write(writing, b"first\nsec")
        t.equal("the first line", await reader.readline(), b"first\n")
        os.write(writing, b"ond\n")
        os.close(writing)
        t.equal("the second line", await reader.readline(), b"second\n")
        t.equal("the rest", await reader.read(), b"")
        transport.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    t.run(main())


@case(
    "PIPE-004.read-terminal",
    expected="the bytes arrive; once the slave is closed connection_lost is called, with None or "
    "an OSError",
)
def read_terminal(t: Trial) -> None:
    """The loop reads the master of a pseudo terminal, to whose slave the case writes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        master, slave = terminal()
        pipe = os.fdopen(master, "rb", 0)
        _, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        os.write(slave, b"1")
        await protocol.received(1)
        os.write(slave, b"2345")
        t.equal("the data", await protocol.received(5), b"12345")
        os.close(slave)
        await protocol.lost
        t.true("the last callback", protocol.calls[-1] == "connection_lost", "connection_lost")
        error = protocol.error
        t.true("its argument is None or an OSError", error is None or isinstance(error, OSError))

    t.run(main())


@case(
    "PIPE-006.read",
    variants=ENDS,
    expected="non-blocking; still open after close(), until connection_lost was called; then the "
    "file object and its descriptor are closed",
)
def ownership(t: Trial, kind: str) -> None:
    """A blocking file object is given to connect_read_pipe(), and the transport is closed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        fd = pipe.fileno()
        t.equal("blocking before", os.get_blocking(fd), True)
        transport, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        t.equal("blocking while connected", os.get_blocking(fd), False)
        transport.close()
        await protocol.lost
        await asyncio.sleep(0)
        t.equal("the descriptor is open after connection_lost", is_open(fd), False)
        t.equal("fileno() of the file object", file_number(pipe), -1)
        os.close(writing)

    t.run(main())


def file_number(pipe: Any) -> int:
    """-1 for a closed file or socket."""
    try:
        number: int = pipe.fileno()
    except ValueError:
        return -1
    return number


@case(
    "PIPE-007.read",
    leaves=("warnings",),
    expected="one ResourceWarning that says 'unclosed', and the descriptor is closed",
)
def unclosed(t: Trial) -> None:
    """The last reference to a read pipe transport that is not closed is dropped, after the loop
    was closed."""
    pipe, writing = read_end("pipe")
    fd = pipe.fileno()
    made: list[Any] = [t.run(t.loop.connect_read_pipe(asyncio.Protocol, pipe))]
    del pipe
    t.loop.close()
    made.clear()
    t.close()
    t.collect()
    told = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    about = [text for text in told if "unclosed" in text and "<socket.socket" not in text]
    t.equal("warnings that say 'unclosed', but for sockets", len(about), 1)
    t.equal("the descriptor is open", is_open(fd), False)
    os.close(writing)


@case(
    "PIPE-008.pause",
    variants=ENDS,
    expected="nothing is delivered while reading is paused, all of it afterwards",
)
def pause(t: Trial, kind: str) -> None:
    """Reading is paused, the peer writes, 20 turns go by, and reading is resumed. Pausing twice and
    resuming twice is the same as doing it once."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        transport, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        os.write(writing, b"before")
        await protocol.received(6)
        transport.pause_reading()
        transport.pause_reading()
        os.write(writing, b"during")
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("what came while paused", bytes(protocol.data), b"before")
        transport.resume_reading()
        transport.resume_reading()
        t.equal("what came after", await protocol.received(12), b"beforeduring")
        os.close(writing)
        await protocol.lost

    t.run(main())


@case(
    "PIPE-008.pause-at-end",
    variants=ENDS,
    expected="the end is not reported while reading is paused, but afterwards",
)
def pause_at_end(t: Trial, kind: str) -> None:
    """Reading is paused, the peer closes, 20 turns go by, and reading is resumed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, writing = read_end(kind)
        transport, protocol = await loop.connect_read_pipe(lambda: Recorder(loop), pipe)
        transport.pause_reading()
        os.close(writing)
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("callbacks while paused", protocol.calls, ["connection_made"])
        transport.resume_reading()
        await protocol.lost
        t.equal("the last but one", protocol.calls[-2], "eof_received")

    t.run(main())
