"""Messages that a server has to find in the stream, and answers in several pieces."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.io.echo import CONNECTIONS, TcpEcho
from loopgauge.scenarios.io.served import Served, ServedProtocol
from loopgauge.scenarios.io.servers import (
    Connected,
    Connections,
    ProtocolServer,
    Server,
    StreamServer,
)
from loopgauge.scenarios.model import Param


class UnixEcho(TcpEcho):
    """The same work as io.tcp_echo[transport=unix], under a name of its own."""

    id = "io.unix_echo"
    summary = "clients on a Unix socket send a message and wait for it to come back"
    params = tuple(param for param in TcpEcho.params if param.name != "transport")
    quick = ({},)
    full = (
        {},
        {"api": "buffered"},
        {"api": "streams"},
        {"api": "sock"},
        {"size": 64},
        {"size": 65_536},
        {"connections": 1},
    )
    transport = "unix"


class AnswerEach(Connected, asyncio.Protocol):
    """Takes messages of `size` bytes out of the stream and answers each by a write of its own."""

    def __init__(self, connections: Connections, size: int) -> None:
        super().__init__(connections)
        self._size = size
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        size, write = self._size, self.transport.write
        if self._rest:
            data = self._rest + data
        end = len(data) - len(data) % size
        for start in range(0, end, size):
            write(data[start : start + size])
        self._rest = data[end:]


class TcpPipelined(Served):
    """A client does not wait for an answer before it sends the next message, as those of data bases
    and HTTP/1.1 pipelines do. A loop that sends every write by itself pays a system call for each
    message; the floor answers what it reads in one."""

    id = "io.tcp_pipelined"
    summary = "clients keep several messages under way on one connection"
    unit = "message"
    rules = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001", "TRAN-004")
    params = (
        Param("depth", int, 16, (1, 4, 16, 64), "messages of a connection that are under way"),
        Param("size", int, 256, (1, 64, 256, 1024), "bytes of a message"),
        Param("connections", int, 8, (1, 8, 32, 100), "clients"),
        Param("api", str, "protocol", ("protocol", "streams"), "how the server is written"),
    )
    full = (
        {},
        {"depth": 1},
        {"depth": 4},
        {"depth": 64},
        {"size": 1024},
        {"connections": 1},
        {"api": "streams"},
    )
    has_floor = True
    depth: int
    size: int
    connections: int
    api: str

    @property
    def grain(self) -> int:
        return self.connections * self.depth

    def make_server(self) -> Server:
        if self.api == "streams":
            return StreamServer(None, exchange=self._exchange)
        return ProtocolServer(lambda connections: AnswerEach(connections, self.size), None)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": "tcp",
            "pattern": "echo",
            "connections": self.connections,
            "size": self.size,
            "depth": self.depth,
        }

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(await reader.readexactly(self.size))
                await writer.drain()
        except asyncio.IncompleteReadError:
            return  # the client has gone


class TcpReadline(Served):
    id = "io.tcp_readline"
    summary = "clients send a line and wait for it to come back; the server awaits readline()"
    unit = "line"
    rules = ("SRVR-001", "PROT-004", "TRAN-004", "STRM-001", "STRM-002", "STRM-004")
    # The callback is a coroutine function; the clients do not end one side alone.
    aside = ("STRM-001.plain-function-*", "STRM-001.half-closed-*")
    params = (
        Param("size", int, 64, (2, 64, 1024), "bytes of a line, its end included"),
        CONNECTIONS,
        Param("depth", int, 1, (1, 16), "lines of a connection that are under way"),
    )
    full = ({}, {"size": 1024}, {"depth": 16}, {"connections": 1})
    has_floor = True
    size: int
    connections: int
    depth: int

    @property
    def grain(self) -> int:
        return self.connections * self.depth

    def make_server(self) -> Server:
        return StreamServer(None, exchange=answer_lines)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": "tcp",
            "pattern": "lines",
            "connections": self.connections,
            "size": self.size,
            "depth": self.depth,
        }


async def answer_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


class PiecewiseEcho(Connected, asyncio.Protocol):
    """Answers with a list of pieces, as a server does that keeps headers and bodies apart."""

    def __init__(self, connections: Connections, pieces: int, size: int) -> None:
        super().__init__(connections)
        self._step = -(-size // pieces)

    def data_received(self, data: bytes) -> None:
        step = self._step
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        self.transport.writelines(pieces)


class Writelines(ServedProtocol):
    """A loop may join the pieces, hand the kernel a vector, or send one by one."""

    id = "io.writelines"
    summary = "the answer is written as a list of pieces, by one writelines()"
    unit = "message"
    rules = ("SRVR-001", "PROT-004", "TRAN-004", "TRAN-005", "TRAN-006")
    params = (
        Param("pieces", int, 4, (1, 2, 4, 16), "of an answer"),
        Param("size", int, 1024, (64, 1024, 65_536), "bytes of an answer"),
        CONNECTIONS,
    )
    full = ({}, {"pieces": 1}, {"pieces": 16}, {"size": 65_536})
    has_floor = True
    pieces: int
    size: int
    connections: int

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return PiecewiseEcho(connections, self.pieces, self.size)
