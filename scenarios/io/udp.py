"""Datagrams go to a server and come back."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import Connected, Server
from loopgauge.scenarios.model import Param


class DatagramEcho(Connected, asyncio.DatagramProtocol):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class DatagramServer(Server):
    def __init__(self) -> None:
        super().__init__(None)

    async def start(self) -> str:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: DatagramEcho(self.connections), local_addr=("127.0.0.1", 0)
        )
        # Its own name, asked of the socket: not every loop has "sockname" for datagrams.
        name = transport.get_extra_info("socket").getsockname()
        return "{}:{}".format(*name[:2])

    async def stop(self) -> None:
        for transport in list(self.connections.transports):
            transport.close()
        await self.connections.end()


class UdpEcho(Served):
    """A datagram that is lost is an error: on the loopback only a full socket buffer loses one, and
    no more datagrams are under way than fit it."""

    id = "io.udp_echo"
    summary = "clients send a datagram and wait for it to come back"
    unit = "datagram"
    rules = ("UDPD-001", "UDPD-002")
    requires = frozenset({"udp", "fd"})
    params = (
        Param("size", int, 512, (1, 64, 512, 1400), "bytes of a datagram"),
        Param("connections", int, 32, (1, 32), "clients, each waits for its answer"),
    )
    quick = ({}, {"size": 64}, {"size": 1400})
    full = (*quick, {"connections": 1})
    has_floor = True
    floor_kind = "udp"
    size: int
    connections: int

    @property
    def grain(self) -> int:
        return self.connections

    def make_server(self) -> Server:
        return DatagramServer()

    def clients(self) -> dict[str, Any]:
        return {"kind": "udp", "connections": self.connections, "size": self.size}
