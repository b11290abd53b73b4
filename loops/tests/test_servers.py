"""Server: every method of the running version, and what it does to connections."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any

import pytest
from loop_testing.compare import on_both, outcome

#: Server.close_clients() and abort_clients(), and wait_closed() that waits for connections.
HAS_CLIENTS = hasattr(asyncio.base_events.Server, "close_clients")


class Echo(asyncio.Protocol):
    made: list[Any]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        type(self).made.append(transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def echo() -> type[Echo]:
    return type("Echo", (Echo,), {"made": []})


async def echoed(server: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that is known to be accepted."""
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    return reader, writer


def test_what_a_server_says_of_itself() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            server = await loop.create_server(echo(), "127.0.0.1", 0, start_serving=False)
            said = [server.is_serving(), len(server.sockets), server.get_loop() is loop]
            await server.start_serving()
            await server.start_serving()
            said += [server.is_serving(), type(server.sockets), type(server.sockets[0])]
            server.close()
            server.close()
            said += [server.is_serving(), server.sockets]
            await server.wait_closed()
            await server.wait_closed()
            try:
                await server.start_serving()
            except Exception as error:
                said.append(type(error))
            return said

        return loop.run_until_complete(run())

    assert on_both(scenario)[:4] == [False, 1, True, True]


def test_async_with_closes() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            async with await loop.create_server(echo(), "127.0.0.1", 0) as server:
                serving = server.is_serving()
            return serving, server.is_serving()

        return loop.run_until_complete(run())

    assert on_both(scenario) == (True, False)


def test_serve_forever() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            server = await loop.create_server(echo(), "127.0.0.1", 0, start_serving=False)
            serving = loop.create_task(server.serve_forever())
            await asyncio.sleep(0)
            _, writer = await echoed(server)
            writer.close()
            await writer.wait_closed()
            again = await outcome_of(server.serve_forever())
            serving.cancel()
            ended = await outcome_of(serving)
            return again, ended, server.is_serving(), await outcome_of(server.serve_forever())

        return loop.run_until_complete(run())

    assert on_both(scenario)[1:3] == (asyncio.CancelledError, False)


async def outcome_of(awaitable: Any) -> Any:
    try:
        return await awaitable
    except BaseException as error:
        return type(error)


def test_connections_outlive_close() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            server = await loop.create_server(echo(), "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            reader, writer = await echoed(server)
            server.close()
            refused = await outcome_of(asyncio.open_connection(*address))
            writer.write(b"still there")
            answer = await reader.readexactly(11)
            writer.close()
            await writer.wait_closed()
            await server.wait_closed()
            return refused, answer

        return loop.run_until_complete(run())

    assert on_both(scenario) == (ConnectionRefusedError, b"still there")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="wait_closed() does not wait on 3.11")
def test_wait_closed_waits_for_the_last_connection() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            server = await loop.create_server(echo(), "127.0.0.1", 0)
            _, writer = await echoed(server)
            server.close()
            waiting = loop.create_task(server.wait_closed())
            for _ in range(20):
                await asyncio.sleep(0)
            early = waiting.done()
            writer.close()
            await writer.wait_closed()
            await waiting
            return early

        return loop.run_until_complete(run())

    assert on_both(scenario) is False


@pytest.mark.skipif(not HAS_CLIENTS, reason="new in 3.13")
@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
def test_clients_can_be_sent_away(method: str) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            factory = echo()
            server = await loop.create_server(factory, "127.0.0.1", 0)
            connections = [await echoed(server) for _ in range(3)]
            server.close()
            getattr(server, method)()
            closing = [transport.is_closing() for transport in factory.made]
            rest = [await outcome_of(reader.read()) for reader, _ in connections]
            for _, writer in connections:
                writer.close()
                await outcome_of(writer.wait_closed())
            await server.wait_closed()
            getattr(server, method)()
            return closing, rest

        return loop.run_until_complete(run())

    assert on_both(scenario)[0] == [True] * 3


def test_client_that_reset_before_it_was_accepted() -> None:
    """The connection is made and lost, or never made; others are served."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            server = await loop.create_server(echo(), "127.0.0.1", 0)
            client = socket.create_connection(server.sockets[0].getsockname())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            _, writer = await echoed(server)
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()
            return "served"

        told: list[Any] = []
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        return loop.run_until_complete(run()), told

    assert on_both(scenario) == ("served", [])


@pytest.mark.parametrize("error", [ValueError, OSError])
def test_factory_that_raises(error: type[BaseException]) -> None:
    """The handler is told what stock tells it, the client is gone, the next one is served."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        told: list[Any] = []

        def tell(_loop: Any, context: dict[str, Any]) -> None:
            told.append((sorted(context), type(context.get("exception")), context["message"]))

        loop.set_exception_handler(tell)
        working = echo()
        calls: list[int] = []

        def factory() -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise error("by the factory")
            return working()

        async def run() -> Any:
            server = await loop.create_server(factory, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            got = await reader.read()
            writer.close()
            _, second = await echoed(server)
            second.close()
            await second.wait_closed()
            server.close()
            await server.wait_closed()
            return got

        return loop.run_until_complete(run()), told

    on_both(scenario)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_factory_that_ends_the_program(error: type[BaseException]) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        def factory() -> Any:
            raise error

        loop.set_exception_handler(lambda *_: None)
        server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
        with socket.create_connection(server.sockets[0].getsockname()):
            left = outcome(loop.run_forever)
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        return left

    assert on_both(scenario) is error


def test_extra_info() -> None:
    """The same keys with the same kinds of values on both ends."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            factory = echo()
            server = await loop.create_server(factory, "127.0.0.1", 0)
            _, writer = await echoed(server)
            ends = [writer.transport, factory.made[0]]
            keys = ("socket", "sockname", "peername", "sslcontext", "compression", "pipe", "no")
            kinds = [[type(end.get_extra_info(key)) for key in keys] for end in ends]
            crossed = ends[0].get_extra_info("sockname") == ends[1].get_extra_info("peername")
            writer.close()
            await writer.wait_closed()
            kept = [type(end.get_extra_info("peername")) for end in ends]
            server.close()
            await server.wait_closed()
            return kinds, crossed, kept

        return loop.run_until_complete(run())

    assert on_both(scenario)[1] is True


@pytest.mark.parametrize("when", ["made", "data"])
def test_pause_reading_is_honoured(when: str) -> None:
    """Nothing arrives between pause_reading() in a callback and resume_reading()."""

    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        events: list[Any] = []

        class Pausing(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport
                events.append("made")
                if when == "made":
                    transport.pause_reading()

            def data_received(self, data: bytes) -> None:
                events.append(data)
                if when == "data" and len(events) == 2:
                    self.transport.pause_reading()

        left, right = socket.socketpair()

        async def run() -> None:
            right.send(b"one")
            transport, _ = await loop.create_connection(Pausing, sock=left)
            for _ in range(20):
                await asyncio.sleep(0)
            right.send(b"two")
            for _ in range(20):
                await asyncio.sleep(0)
            events.append(transport.is_reading())
            transport.resume_reading()
            for _ in range(20):
                await asyncio.sleep(0)
            events.append(transport.is_reading())
            transport.abort()
            await asyncio.sleep(0)

        loop.run_until_complete(run())
        right.close()
        return events

    events = on_both(scenario)
    expected = {
        "made": ["made", False, b"onetwo", True],
        "data": ["made", b"one", False, b"two", True],
    }
    assert events == expected[when]


def test_closed_server_of_a_closed_loop() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        server = loop.run_until_complete(loop.create_server(echo(), "127.0.0.1", 0))
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()
        return outcome(server.close), server.is_serving(), outcome(lambda: server.sockets)

    assert on_both(scenario)[1] is False


def test_the_socket_of_an_accepted_connection() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> Any:
        async def run() -> Any:
            kind = echo()
            server = await loop.create_server(kind, "127.0.0.1", 0)
            _, writer = await echoed(server)
            sock = kind.made[0].get_extra_info("socket")
            said = (sock.family, sock.type, sock.proto)
            writer.close()
            server.close()
            return said

        return loop.run_until_complete(run())

    assert on_both(scenario)[2] == socket.IPPROTO_TCP


def test_a_factory_that_closes_the_server_ends_the_batch(
    loop: asyncio.AbstractEventLoop,
) -> None:
    made: list[asyncio.Protocol] = []
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))

    async def run() -> None:
        heard = loop.create_future()

        def factory() -> asyncio.Protocol:
            server.close()
            made.append(asyncio.Protocol())
            loop.call_soon(heard.set_result, None)
            return made[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0, start_serving=False)
        address = server.sockets[0].getsockname()
        listening: Any = server.sockets[0]
        listening._sock.listen()  # so that three wait when the loop begins to accept
        clients = [socket.create_connection(address) for _ in range(3)]
        await server.start_serving()
        await heard
        for client in clients:
            client.close()

    loop.run_until_complete(run())
    assert len(made) == 1
    assert reported == []


def test_a_transport_that_cannot_be_made_is_none_of_the_server(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def run() -> None:
        made = loop.create_future()

        def factory() -> Any:
            loop.call_soon(made.set_result, None)
            return object()  # without connection_made()

        server = await loop.create_server(factory, "127.0.0.1", 0)
        client = socket.create_connection(server.sockets[0].getsockname())
        await made
        server.close()
        await asyncio.wait_for(server.wait_closed(), 10)
        client.close()

    loop.run_until_complete(run())
