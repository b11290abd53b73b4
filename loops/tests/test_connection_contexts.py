"""In which context a protocol's callbacks run: what the running version of asyncio promises.

Up to 3.14 that of whoever happened to add the reader; from 3.15 on, a copy of the context in which
the server was made or the connection opened. Compared with stock, callback by callback.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
from typing import Any

import pytest
from loop_testing import certificates
from loop_testing.compare import on_both

place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")

Seen = list[tuple[str, str, str]]


class Noting(asyncio.Protocol):
    """Notes for each callback in which context it ran, and leaves a mark in it for the next."""

    def __init__(self, name: str, seen: Seen, lost: asyncio.Future[None]) -> None:
        self.name, self.seen, self.lost = name, seen, lost

    def note(self, what: str) -> None:
        self.seen.append((self.name, what, place.get()))
        place.set(f"{self.name} {what}")

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.note("data")
        if self.name == "server":
            self.transport.set_write_buffer_limits(0)
            self.transport.write(bytes(4 << 20))

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")
        self.transport.close()

    def eof_received(self) -> None:
        self.note("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self.note("lost")
        if not self.lost.done():
            self.lost.set_result(None)


class Client(Noting):
    """Reads a lot, of which only the first piece is noted."""

    def data_received(self, data: bytes) -> None:
        if not any(event[:2] == (self.name, "data") for event in self.seen):
            self.note("data")


async def converse(family: int, tls: bool) -> Seen:
    """Every callback of both ends, each set up in a context of its own."""
    loop = asyncio.get_running_loop()
    seen: Seen = []
    lost = [loop.create_future(), loop.create_future()]
    listener = socket.socket(family)
    listener.bind("" if family == socket.AF_UNIX else ("127.0.0.1", 0))
    client = socket.socket(family)

    async def serve() -> asyncio.AbstractServer:
        place.set("serving")
        return await loop.create_server(
            lambda: Noting("server", seen, lost[0]),
            sock=listener,
            ssl=certificates.server_context() if tls else None,
        )

    async def connect() -> None:
        place.set("connecting")
        transport, _ = await loop.create_connection(
            lambda: Client("client", seen, lost[1]),
            sock=client,
            ssl=certificates.client_context() if tls else None,
            server_hostname=certificates.HOSTNAME if tls else None,
        )
        transport.write(b"x")

    server = await asyncio.create_task(serve())
    client.setblocking(False)
    await loop.sock_connect(client, listener.getsockname())
    await asyncio.create_task(connect())
    await asyncio.gather(*lost)
    server.close()
    await server.wait_closed()
    return sorted(seen)


@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
def test_same_contexts(kind: str) -> None:
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    seen = on_both(lambda loop: loop.run_until_complete(converse(family, kind == "tls")))
    assert {event[1] for event in seen if event[0] == "server"} >= {"made", "data", "lost"}


def test_two_connections_of_a_server() -> None:
    """What one connection sets is not what the other one reads."""

    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        seen: list[str] = []

        class Setting(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                seen.append(place.get())
                place.set(data.decode())
                self.transport.write(data)

        async def run() -> list[str]:
            server = await loop.create_server(Setting, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            clients = [await asyncio.open_connection(*address) for _ in range(2)]
            for word in (b"first", b"second"):
                for reader, writer in clients:
                    writer.write(word)
                    assert await reader.readexactly(len(word)) == word
            for _, writer in clients:
                writer.close()
                await writer.wait_closed()
            server.close()
            await server.wait_closed()
            return seen

        return loop.run_until_complete(run())

    on_both(scenario)
