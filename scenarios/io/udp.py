"""Datagrams go to a server and come back, or only go there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import Connected, Connections, Server
from loopgauge.scenarios.model import BadParam, Param, require


class DatagramEcho(Connected, asyncio.DatagramProtocol):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class DatagramServer(Server):
    def __init__(self, factory: Callable[[Connections], asyncio.DatagramProtocol]) -> None:
        super().__init__(None)
        self._factory = factory

    async def start(self) -> str:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self._factory(self.connections), local_addr=("127.0.0.1", 0)
        )
        # Its own name, asked of the socket: not every loop has "sockname" for datagrams.
        name = transport.get_extra_info("socket").getsockname()
        return "{}:{}".format(*name[:2])

    async def stop(self) -> None:
        for transport in list(self.connections.transports):
            transport.close()
        await self.connections.end()


# The endpoint is bound to a numeric address, and answers whoever sent.
ASIDE = ("UDPD-001.both", "UDPD-001.names", "UDPD-001.remote")


class UdpEcho(Served):
    """A datagram that is lost is an error: on the loopback only a full socket buffer loses one, and
    no more datagrams are under way than fit it."""

    id = "io.udp_echo"
    summary = "clients send a datagram and wait for it to come back"
    unit = "datagram"
    rules = ("UDPD-001", "UDPD-002")
    carriers = ("udp",)
    aside = ASIDE
    requires = frozenset({"udp", "fd"})
    params = (
        Param("size", int, 512, (1, 64, 512, 1400), "bytes of a datagram"),
        Param("connections", int, 32, (1, 32), "clients, each waits for its answer"),
    )
    full = ({}, {"size": 64}, {"size": 1400}, {"connections": 1})
    has_floor = True
    has_native = True
    floor_kind = "udp"
    size: int
    connections: int

    @property
    def grain(self) -> int:
        return self.connections

    def make_server(self) -> Server:
        return DatagramServer(DatagramEcho)

    def clients(self) -> dict[str, Any]:
        return {"kind": "udp", "connections": self.connections, "size": self.size}


class DatagramSink(Connected, asyncio.DatagramProtocol):
    """Counts, and says how many when it is asked (harness/load/protocol.py, flood). The number of
    every datagram is looked at; its content in those that ask, one of sixteen."""

    def __init__(self, connections: Connections, content: bytes) -> None:
        super().__init__(connections)
        self.received = 0
        self.wrong = 0
        self._content = content

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.wrong += data[1] != self.received & 0xFF
        self.received += 1
        if data[0]:
            self.wrong += data[2:] != self._content
            self.transport.sendto(self.received.to_bytes(8, "big"), addr)


class UdpFlood(Served):
    """The generator sends as fast as the loop receives: what the loop answers for, once for sixteen
    datagrams, tells it to go on, so that no more are under way than the socket holds, and one that
    the loop loses is an error."""

    id = "io.udp_flood"
    summary = "datagrams come as fast as they are received"
    unit = "datagram"
    rules = ("UDPD-001", "UDPD-002")
    carriers = ("udp",)
    aside = ASIDE
    requires = frozenset({"udp", "fd"})
    params = (Param("size", int, 512, (2, 64, 512, 1400), "bytes of a datagram, at most 1472"),)
    full = ({}, {"size": 64}, {"size": 1400})
    has_floor = True
    floor_kind = "flood"
    size: int

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        if self.size > LARGEST:
            raise BadParam(f"size is {self.size}; it must be at most {LARGEST}, one packet")

    @property
    def grain(self) -> int:
        return 64  # what is under way at once

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        if native is None:
            raise NotImplementedError("this scenario needs loopgauge._bench")
        self._content: bytes = native.load_pattern(self.size)[2:]
        self._sink: DatagramSink | None = None
        super().prepare(loop, native)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        done = super().perform(loop, n)
        wrong = self._sink.wrong if self._sink is not None else 0
        require(wrong == 0, f"{wrong} datagrams were not the next, or had wrong bytes")
        return done

    def make_server(self) -> Server:
        return DatagramServer(self._make)

    def clients(self) -> dict[str, Any]:
        return {"kind": "udp", "pattern": "flood", "connections": 1, "size": self.size}

    def _make(self, connections: Connections) -> asyncio.DatagramProtocol:
        self._sink = DatagramSink(connections, self._content)
        return self._sink


LARGEST = 1472  # bytes: one packet of an Ethernet, and what the generator sends at most
