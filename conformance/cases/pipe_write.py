"""PIPE: write pipes, and what is no pipe."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.kit.pipes import (
    ENDS,
    is_open,
    read_up_to,
    terminal,
    write_all,
    write_end,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

#: More than a pipe or a socket pair takes while nobody reads.
PLENTY = 2_000_000


@case(
    "PIPE-002.kinds",
    variants=ENDS,
    expected="all bytes arrive in the order of the calls, then the end of the stream",
)
def kinds_of_data(t: Trial, kind: str) -> None:
    """bytes, a bytearray, a memoryview and a list of them are written, and the transport is
    closed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(b"one")
        transport.write(bytearray(b"two"))
        transport.write(memoryview(b"three"))
        transport.writelines([b"four", b"five"])
        transport.write(b"")
        transport.close()
        arrived = await in_thread(read_up_to, reading, 1000)
        t.equal("what the peer reads", arrived, b"onetwothreefourfive")
        await protocol.lost
        t.equal("the argument of connection_lost", protocol.error, None)
        os.close(reading)

    t.run(main())


@case(
    "PIPE-002.result",
    variants=ENDS,
    expected="a transport for writing and the protocol of the factory, after connection_made with "
    "this transport; 'pipe' is the file object",
)
def result(t: Trial, kind: str) -> None:
    """What connect_write_pipe() returns is looked at."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        if not isinstance(transport, asyncio.WriteTransport):
            t.non_strict("the transport is no instance of asyncio.WriteTransport")
        t.equal("callbacks so far", protocol.calls, ["connection_made"])
        t.true("connection_made had the transport", protocol.transport is transport)
        t.true("'pipe' is the file object", transport.get_extra_info("pipe") is pipe)
        t.equal("get_write_buffer_size()", transport.get_write_buffer_size(), 0)
        t.equal("is_closing()", transport.is_closing(), False)
        transport.close()
        t.equal("is_closing() after close()", transport.is_closing(), True)
        await protocol.lost
        t.equal("callbacks in the end", protocol.calls, ["connection_made", "connection_lost"])
        os.close(reading)

    t.run(main())


@case(
    "PIPE-002.flow",
    variants=ENDS,
    expected="pause_writing once while the peer does not read, resume_writing once it does; every "
    "byte arrives although the transport was closed before",
)
def flow(t: Trial, kind: str) -> None:
    """2 MB are written at once to a peer that does not read; after some turns it reads, and the
    transport is closed meanwhile."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(pattern[:1_000_000])
        transport.write(pattern[1_000_000:])
        for _ in range(10):
            await asyncio.sleep(0)
        t.equal("callbacks so far", protocol.calls, ["connection_made", "pause_writing"])
        waiting = transport.get_write_buffer_size()
        t.between("bytes that wait", waiting, 1_000_000, PLENTY)
        work = asyncio.ensure_future(in_thread(read_up_to, reading, PLENTY))
        while "resume_writing" not in protocol.calls:
            await asyncio.sleep(0.001)
        transport.write(b"last")
        transport.close()
        t.true("the bytes are the same", await work == pattern)
        t.equal("and the last", await in_thread(read_up_to, reading, 100), b"last")
        await protocol.lost
        t.equal(
            "all callbacks",
            protocol.calls,
            ["connection_made", "pause_writing", "resume_writing", "connection_lost"],
        )
        os.close(reading)

    pattern = b"".join(number.to_bytes(4, "big") for number in range(PLENTY // 4))
    t.run(main())


@case(
    "PIPE-002.abort",
    variants=ENDS,
    expected="connection_lost(None) without a peer that reads; what waited is thrown away",
)
def abort(t: Trial, kind: str) -> None:
    """2 MB wait to be written when the transport is aborted."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(bytes(PLENTY))
        transport.abort()
        t.equal("connection_lost within abort()", "connection_lost" in protocol.calls, False)
        await protocol.lost
        t.equal("the argument of connection_lost", protocol.error, None)
        await asyncio.sleep(0)
        arrived = await in_thread(read_up_to, reading, PLENTY)
        t.true("fewer bytes arrived than were written", len(arrived) < PLENTY)
        os.close(reading)

    t.run(main())


@case(
    "PIPE-003.idle",
    variants=ENDS,
    expected="connection_lost is called, though nothing is written",
)
def reader_closes(t: Trial, kind: str) -> None:
    """A byte is written and read; then the reader closes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(b"1")
        t.equal("what is read", await in_thread(read_up_to, reading, 1), b"1")
        os.close(reading)
        await protocol.lost
        t.equal("the last callback", protocol.calls[-1], "connection_lost")
        t.equal("is_closing()", transport.is_closing(), True)
        if protocol.calls != ["connection_made", "connection_lost"]:
            t.non_strict(f"callbacks of a write pipe: {', '.join(protocol.calls)}")

    t.run(main())


@case(
    "PIPE-003.waiting",
    variants=ENDS,
    expected="connection_lost with a BrokenPipeError or ConnectionResetError; nothing is logged",
)
def reader_closes_early(t: Trial, kind: str) -> None:
    """The reader closes while 2 MB wait to be written."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(bytes(PLENTY))
        os.close(reading)
        await protocol.lost
        t.true(
            "the argument of connection_lost",
            isinstance(protocol.error, BrokenPipeError | ConnectionResetError),
            "BrokenPipeError or ConnectionResetError",
        )

    t.run(main())


@case("PIPE-004.write-terminal", expected="the bytes arrive at the master")
def write_terminal(t: Trial) -> None:
    """The loop writes to the slave of a pseudo terminal, from whose master the case reads."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        master, slave = terminal()
        pipe = os.fdopen(slave, "wb", 0)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(b"1")
        t.equal("the first byte", await in_thread(read_up_to, master, 1), b"1")
        transport.write(b"2345")
        t.equal("the others", await in_thread(read_up_to, master, 4), b"2345")
        t.equal("callbacks so far", protocol.calls, ["connection_made"])
        transport.close()
        await protocol.lost
        t.equal("the argument of connection_lost", protocol.error, None)
        os.close(master)

    t.run(main())


@case(
    "PIPE-004.both-ways",
    seconds=5.0,
    expected="both directions work side by side, and closing one leaves the other",
)
def both_ways(t: Trial) -> None:
    """The slave of a pseudo terminal is connected for reading and, by a second descriptor, for
    writing, as a program does with its standard input and output."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        master, slave = terminal()
        reads = os.fdopen(slave, "rb", 0)
        writes = os.fdopen(os.dup(slave), "wb", 0)
        reader, incoming = await loop.connect_read_pipe(lambda: Recorder(loop), reads)
        writer, outgoing = await loop.connect_write_pipe(lambda: Recorder(loop), writes)
        writer.write(b"out")
        t.equal("what the master reads", await in_thread(read_up_to, master, 3), b"out")
        os.write(master, b"in")
        t.equal("what the loop reads", await incoming.received(2), b"in")
        writer.close()
        await outgoing.lost
        os.write(master, b"more")
        t.equal("and after the writer's end", await incoming.received(6), b"inmore")
        reader.close()
        await incoming.lost
        os.close(master)

    t.run(main())


@case(
    "PIPE-005.file",
    variants=("read", "write"),
    expected="ValueError; the protocol hears nothing",
)
def regular_file(t: Trial, kind: str) -> None:
    """A regular file is given to connect_read_pipe() or connect_write_pipe()."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: list[Recorder] = []

        def factory() -> Recorder:
            made.append(Recorder(loop))
            return made[-1]

        connect: Any = loop.connect_read_pipe if kind == "read" else loop.connect_write_pipe
        with (t.directory / "file").open("w+b", 0) as file:
            with t.raises(ValueError):
                await connect(factory, file)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        t.equal("callbacks", [call for protocol in made for call in protocol.calls], [])

    t.run(main())


@case(
    "PIPE-006.write",
    variants=ENDS,
    expected="non-blocking while connected; closed after connection_lost",
)
def ownership(t: Trial, kind: str) -> None:
    """A blocking file object is given to connect_write_pipe(), and the transport is closed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        fd = pipe.fileno()
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        t.equal("blocking while connected", os.get_blocking(fd), False)
        transport.close()
        await protocol.lost
        await asyncio.sleep(0)
        t.equal("the descriptor is open after connection_lost", is_open(fd), False)
        t.equal("what the peer reads", await in_thread(read_up_to, reading, 1), b"")
        os.close(reading)

    t.run(main())


@case(
    "PIPE-007.write",
    leaves=("warnings",),
    expected="one ResourceWarning that says 'unclosed', and the descriptor is closed",
)
def unclosed(t: Trial) -> None:
    """The last reference to a write pipe transport that is not closed is dropped, after the loop
    was closed."""
    pipe, reading = write_end("pipe")
    fd = pipe.fileno()
    made: list[Any] = [t.run(t.loop.connect_write_pipe(asyncio.Protocol, pipe))]
    del pipe
    t.loop.close()
    made.clear()
    t.close()
    t.collect()
    told = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    about = [text for text in told if "unclosed" in text and "<socket.socket" not in text]
    t.equal("warnings that say 'unclosed', but for sockets", len(about), 1)
    t.equal("the descriptor is open", is_open(fd), False)
    os.close(reading)


@case(
    "PIPE-009.eof",
    variants=ENDS,
    expected="can_write_eof() is True; the peer reads everything and then the end; then "
    "connection_lost(None) is called",
)
def write_eof(t: Trial, kind: str) -> None:
    """300 kB are written, then write_eof() is called; the peer reads up to the end and closes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end(kind)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        t.equal("can_write_eof()", transport.can_write_eof(), True)
        transport.write(bytes(300_000))
        transport.write_eof()
        arrived = await in_thread(read_up_to, reading, 400_000)
        t.equal("bytes that the peer read up to the end", len(arrived), 300_000)
        os.close(reading)
        await protocol.lost
        t.equal("the argument of connection_lost", protocol.error, None)

    t.run(main())


@case(
    "PIPE-009.read-after",
    expected="another writer of the same pipe goes on: only this descriptor is closed",
)
def eof_of_one_writer(t: Trial) -> None:
    """A pipe has two writers, the loop's transport and a duplicate of its descriptor; write_eof()
    is called on the transport, and the duplicate writes on."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pipe, reading = write_end("pipe")
        other = os.dup(pipe.fileno())
        os.set_blocking(other, True)
        transport, protocol = await loop.connect_write_pipe(lambda: Recorder(loop), pipe)
        transport.write(b"first ")
        transport.write_eof()
        await protocol.lost
        write_all(other, b"second")
        os.close(other)
        arrived = await in_thread(read_up_to, reading, 100)
        t.equal("what the peer reads", arrived, b"first second")
        os.close(reading)

    t.run(main())
