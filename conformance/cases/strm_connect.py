"""STRM: opening streams and serving them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    receive_all,
    receive_exactly,
    socket_pair,
)
from loopgauge.conformance.kit.streams import closed
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

Answer = Any  # a client_connected_cb


async def serve(t: Trial, kind: str, answer: Answer) -> tuple[asyncio.Server, dict[str, Any]]:
    """A stream server, and what `connect` needs to reach it."""
    if kind == "unix":
        path = str(t.directory / "server")
        return await asyncio.start_unix_server(answer, path), {"path": path}
    context = server_context(t.directory) if kind == "tls" else None
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    client: dict[str, Any] = {"host": host, "port": port}
    if kind == "tls":
        client.update(ssl=client_context(), server_hostname=HOSTNAME)
    return server, client


async def connect(where: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    opening = asyncio.open_unix_connection if "path" in where else asyncio.open_connection
    return await opening(**where)


async def end(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


@case(
    "STRM-001.round-trip",
    seconds=5.0,
    variants=STREAMS,
    expected="each side reads what the other wrote, then the end of the stream",
)
def round_trip(t: Trial, kind: str) -> None:
    """A stream server's coroutine sends every line back in capitals; a stream client of the same
    loop sends two lines and ends (over TLS: closes after the answers)."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        t.event("the server saw the end")
        await closed(writer)
        served.set_result(None)

    async def main() -> None:
        server, where = await serve(t, kind, answer)
        reader, writer = await connect(where)
        writer.writelines([b"one\n", b"two\n"])
        t.equal("the first line", await reader.readline(), b"ONE\n")
        t.equal("the second line", await reader.readline(), b"TWO\n")
        if writer.can_write_eof():
            writer.write_eof()
            t.equal("the rest", await reader.read(), b"")
        await closed(writer)
        await served
        await end(server)

    served: asyncio.Future[None] = t.loop.create_future()
    t.run(main())
    t.saw("the server saw the end")


@case(
    "STRM-001.half-closed",
    seconds=5.0,
    variants=("tcp", "unix"),
    expected="the server reads everything, and the client its answer after it has ended its side",
)
def half_closed(t: Trial, kind: str) -> None:
    """A client writes, ends its writing side with write_eof(), and still reads the answer, which
    the server writes after it has read up to the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(b"%d bytes" % len(data))
        await closed(writer)
        served.set_result(None)

    async def main() -> None:
        server, where = await serve(t, kind, answer)
        reader, writer = await connect(where)
        writer.write(b"x" * 100_000)
        writer.write_eof()
        t.equal("the answer", await reader.read(), b"100000 bytes")
        await closed(writer)
        await served
        await end(server)

    served: asyncio.Future[None] = t.loop.create_future()
    t.run(main())


@case(
    "STRM-001.plain-function",
    variants=STREAMS,
    expected="the function is called with a StreamReader and a StreamWriter, and nothing is logged",
)
def plain_function(t: Trial, kind: str) -> None:
    """A server's callback is an ordinary function instead of a coroutine; it keeps the writer."""

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        t.true("the first argument is a StreamReader", isinstance(reader, asyncio.StreamReader))
        t.true("the second argument is a StreamWriter", isinstance(writer, asyncio.StreamWriter))
        writer.write(b"hello")
        accepted.set_result((reader, writer))

    async def main() -> None:
        server, where = await serve(t, kind, connected)
        reader, writer = await connect(where)
        t.equal("what the client reads", await reader.readexactly(5), b"hello")
        _reader, other = await accepted
        await closed(writer)
        await closed(other)
        await end(server)

    accepted: asyncio.Future[Any] = t.loop.create_future()
    t.run(main())
    t.equal("what was logged", t.log_messages(), [])


@case(
    "STRM-001.large",
    variants=STREAMS,
    expected="every byte comes back, in order",
)
def large(t: Trial, kind: str) -> None:
    """400 kB of a pattern that shows any lost, repeated or moved byte go to an echo server of the
    same loop in pieces of uneven size, and come back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = len(pattern)
        while left:
            data = await reader.read(10_000)
            left -= len(data)
            writer.write(data)
            await writer.drain()
        await closed(writer)
        served.set_result(None)

    async def send(writer: asyncio.StreamWriter) -> None:
        view, size = memoryview(pattern), 1
        while view:
            writer.write(view[:size])
            view, size = view[size:], size * 3 % 50_021
            await writer.drain()

    async def main() -> None:
        server, where = await serve(t, kind, answer)
        reader, writer = await connect(where)
        sending = asyncio.ensure_future(send(writer))
        back = await reader.readexactly(len(pattern))
        await sending
        t.equal("the number of bytes", len(back), len(pattern))
        t.true("the bytes are the same", back == pattern)
        await closed(writer)
        await served
        await end(server)

    pattern = b"".join(number.to_bytes(4, "big") for number in range(100_000))
    served: asyncio.Future[None] = t.loop.create_future()
    t.run(main())


@case(
    "STRM-001.sock",
    variants=("tcp", "unix"),
    expected="the streams work over the socket that was given",
)
def given_socket(t: Trial, kind: str) -> None:
    """open_connection() or open_unix_connection() is given a connected socket (`sock=`)."""

    async def main() -> None:
        ours, peer = socket_pair(kind, t.directory)
        number = ours.fileno()
        opening = asyncio.open_unix_connection if kind == "unix" else asyncio.open_connection
        reader, writer = await opening(sock=ours)
        used = writer.get_extra_info("socket").fileno()
        t.equal("the descriptor is that of the socket", used, number)
        peer.sendall(b"ping")
        t.equal("what the stream reads", await reader.readexactly(4), b"ping")
        writer.write(b"pong")
        t.equal("what the peer reads", await in_thread(receive_exactly, peer, 4), b"pong")
        await closed(writer)
        t.equal("what the peer reads at the end", await in_thread(receive_all, peer), b"")
        peer.close()

    t.run(main())


@case(
    "STRM-001.refused",
    variants=("tcp", "unix"),
    expected="ConnectionRefusedError (TCP) or FileNotFoundError (Unix), and nothing left open",
)
def refused(t: Trial, kind: str) -> None:
    """Streams are opened to an address where nobody listens."""

    async def main() -> None:
        if kind == "unix":
            with t.raises(FileNotFoundError, what="open_unix_connection"):
                await asyncio.open_unix_connection(str(t.directory / "nobody"))
            return
        ours, peer = socket_pair("tcp", t.directory)
        port = ours.getsockname()[1]  # taken by a connected socket, so nobody listens there
        with t.raises(ConnectionRefusedError, what="open_connection"):
            await asyncio.open_connection("127.0.0.1", port)
        ours.close()
        peer.close()

    t.run(main())


@case(
    "STRM-001.unix-path",
    variants=("str", "bytes", "path"),
    expected="the connection is made",
)
def unix_path(t: Trial, kind: str) -> None:
    """A Unix stream server is reached by its path, given as str, bytes or pathlib.Path."""

    async def main() -> None:
        path = t.directory / "server"
        given: Any = {"str": str(path), "bytes": os.fsencode(path), "path": Path(path)}[kind]
        server = await asyncio.start_unix_server(answer, str(path))
        reader, writer = await asyncio.open_unix_connection(given)
        t.equal("what the client reads", await reader.read(), b"here")
        await closed(writer)
        await end(server)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        await closed(writer)

    t.run(main())


@case(
    "STRM-009.raises",
    expected="one call of the exception handler with that exception and a message, and the "
    "connection is closed",
)
def callback_raises(t: Trial) -> None:
    """A stream server's coroutine raises; the peer then reads up to the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"before")
        raise ZeroDivisionError("by the case")

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        peer = dial(server.sockets[0].getsockname())
        t.equal("what the peer reads", await in_thread(receive_all, peer), b"before")
        peer.close()
        await end(server)

    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda loop, context: contexts.append(context))
    t.run(main())
    t.spin(2)
    found = [type(context.get("exception")).__name__ for context in contexts]
    t.equal("exceptions the handler was called with", found, ["ZeroDivisionError"])
    t.true("the context has a message", contexts[0].get("message"))


@case(
    "STRM-009.cancelled",
    since="3.13",
    expected="the connection is closed, and the exception handler is not called",
)
def callback_cancelled(t: Trial) -> None:
    """The task that runs a stream server's coroutine is cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        task.cancel()
        await reader.read()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        peer = dial(server.sockets[0].getsockname())
        t.equal("what the peer reads", await in_thread(receive_all, peer), b"")
        peer.close()
        await end(server)

    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda loop, context: contexts.append(context))
    t.run(main())
    t.spin(2)
    t.equal("calls of the exception handler", contexts, [])
