"""SRVR: waiting for clients, sending them away, and accepting many."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import PEER_SECONDS, dial, in_thread, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import client_of, ended, sees_the_end, serving
from loopgauge.conformance.kit.sockets import begun
from loopgauge.conformance.trial import Trial


@case("SRVR-018.open-client", variants=STREAMS, expected="it waits until the connection has ended")
def waits_for_client(t: Trial, kind: str) -> None:
    """wait_closed() is awaited on a closed server that still has a connection."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, kind, t.directory) as server:
            client = await client_of(server, kind)
            await protocol.made
            server.close()
            waiting = await begun(server.wait_closed())
            await asyncio.sleep(0.02)
            t.equal("it is done while the connection is open", waiting.done(), False)
            await ended(protocol)
            await waiting
            t.equal("the protocol's last call", protocol.calls[-1], "connection_lost")
            client.close()

    t.run(main())


@case("SRVR-018.two-clients", expected="it waits until the last one has ended")
def waits_for_last_client(t: Trial) -> None:
    """wait_closed() is awaited on a closed server that has two connections."""
    protocols = [Recorder(t.loop), Recorder(t.loop)]
    spare = protocols.copy()

    async def main() -> None:
        async with serving(t.loop, lambda: spare.pop(0), "tcp", t.directory) as server:
            clients = [await client_of(server, "tcp") for _ in protocols]
            for protocol in protocols:
                await protocol.made
            server.close()
            waiting = await begun(server.wait_closed())
            await ended(protocols[0])
            await asyncio.sleep(0.02)
            t.equal("it is done while one is open", waiting.done(), False)
            await ended(protocols[1])
            await waiting
            for client in clients:
                client.close()

    t.run(main())


@case("SRVR-018.not-closed", expected="it waits until close() is called")
def waits_for_close(t: Trial) -> None:
    """wait_closed() is awaited, twice, on a server that nobody has closed yet."""

    async def main() -> None:
        server = await t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        waiting = [await begun(server.wait_closed()) for _ in "12"]
        await asyncio.sleep(0.02)
        t.equal("done before close()", [task.done() for task in waiting], [False, False])
        server.close()
        await asyncio.wait(waiting, timeout=3)
        t.equal("done after close()", [task.done() for task in waiting], [True, True])
        await asyncio.wait_for(server.wait_closed(), 3)

    t.run(main())


@case("SRVR-018.client-went-first", expected="it still waits for close()")
def waits_after_client(t: Trial) -> None:
    """wait_closed() is awaited on an open server, whose only connection then ends."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
            client = await client_of(server, "tcp")
            await protocol.made
            waiting = await begun(server.wait_closed())
            await ended(protocol)
            client.close()
            await asyncio.sleep(0.02)
            t.equal("it is done before close()", waiting.done(), False)
            server.close()
            await asyncio.wait([waiting], timeout=3)
            t.equal("it is done after close()", waiting.done(), True)

    t.run(main())


async def with_pending_data(t: Trial, how: str) -> tuple[Recorder, bytes]:
    """What a client reads of 4 MB that were written to it when its server was told to send its
    clients away with the method `how`."""
    protocol = Recorder(t.loop)
    data = b"x" * 4_000_000
    async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
        client = await client_of(server, "tcp")
        await protocol.made
        assert protocol.transport is not None
        protocol.transport.write(data)
        getattr(server, how)()
        t.equal("the transport is closing", protocol.transport.is_closing(), True)
        t.equal("connection_lost was called at once", "connection_lost" in protocol.calls, False)
        reading = asyncio.ensure_future(in_thread(read_to_the_end, client))
        await protocol.lost
        arrived = await reading
        client.close()
    return protocol, arrived


def read_to_the_end(peer: socket.socket) -> bytes:
    data = bytearray()
    try:
        while piece := peer.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


@case("SRVR-019.close", expected="what was written still arrives; connection_lost(None)")
def close_clients(t: Trial) -> None:
    """close_clients() is called while much data waits for a client."""
    protocol, arrived = t.run(with_pending_data(t, "close_clients"))
    t.equal("how much arrived", len(arrived), 4_000_000)
    t.equal("the error of connection_lost", protocol.error, None)


@case("SRVR-019.abort", expected="what waits is thrown away; connection_lost(None)")
def abort_clients(t: Trial) -> None:
    """abort_clients() is called while more data than the kernel takes waits for a client."""
    protocol, arrived = t.run(with_pending_data(t, "abort_clients"))
    t.true("less than all arrived", len(arrived) < 4_000_000)
    t.equal("the error of connection_lost", protocol.error, None)


@case(
    "SRVR-019.all",
    variants=tuple(f"{kind}-{how}" for kind in STREAMS for how in ("close", "abort")),
    expected="each client sees the end, wait_closed() ends, the client of another server stays",
)
def all_clients(t: Trial, kind: str) -> None:
    """close_clients() or abort_clients() is called, after close(), on a server with two clients,
    while another server has one too."""
    kind, _, how = kind.partition("-")
    protocols = [Recorder(t.loop), Recorder(t.loop)]
    spare = protocols.copy()
    stranger = Recorder(t.loop)

    async def main() -> None:
        async with (
            serving(t.loop, lambda: stranger, "tcp", t.directory) as other,
            serving(t.loop, lambda: spare.pop(0), kind, t.directory) as server,
        ):
            bystander = await client_of(other, "tcp")
            clients = [await client_of(server, kind) for _ in protocols]
            for protocol in (*protocols, stranger):
                await protocol.made
            server.close()
            getattr(server, f"{how}_clients")()
            for client in clients:
                if kind == "tls":
                    await in_thread(read_to_the_end, client)
                else:
                    t.equal("a client sees the end", await sees_the_end(client), True)
                client.close()
            await server.wait_closed()
            for protocol in protocols:
                t.equal("its protocol's calls", protocol.calls[-1], "connection_lost")
            t.equal("the other server's", stranger.calls, ["connection_made"])
            await ended(stranger)
            bystander.close()

    t.run(main())


@case("SRVR-019.none", variants=("close", "abort"), expected="nothing; the server goes on")
def no_clients(t: Trial, how: str) -> None:
    """close_clients() or abort_clients() is called on a server without clients; one comes
    afterwards."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
            getattr(server, f"{how}_clients")()
            client = await client_of(server, "tcp")
            await protocol.made
            t.equal("the protocol's calls", protocol.calls, ["connection_made"])
            await ended(protocol)
            client.close()

    t.run(main())


@case(
    "SRVR-025.out-of-descriptors",
    expected="the error is reported a few times at most, and the client is accepted later",
    leaves=("logs",),
)
def out_of_descriptors(t: Trial) -> None:
    """A client waits while the process has no descriptor left; then there are some again."""
    protocol = Recorder(t.loop)
    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _, context: contexts.append(context))

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, "tcp", t.directory, backlog=1) as server:
            client = dial(server.sockets[0].getsockname())
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
            taken = take_all_descriptors()
            await asyncio.sleep(0.3)
            for fd in taken:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            t.equal("it was accepted without a descriptor", protocol.made.done(), False)
            t.between("reports within 0.3 s", len(contexts), 1, 5)
            await asyncio.wait_for(protocol.made, 5)
            await ended(protocol)
            client.close()

    t.run(main())


def take_all_descriptors() -> list[int]:
    taken: list[int] = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


@case("SRVR-026.burst", variants=("tcp", "unix"), expected="each client gets a protocol")
def burst(t: Trial, kind: str) -> None:
    """Forty clients connect while the loop stands still, with a backlog of 50."""
    made: list[asyncio.BaseTransport] = []
    lost: list[object] = []

    class Counting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(self)

    async def main() -> None:
        async with serving(t.loop, Counting, kind, t.directory, backlog=50) as server:
            address = server.sockets[0].getsockname()
            clients = [dial(address) for _ in range(40)]
            while len(made) < 40:
                await asyncio.sleep(0.001)
            t.equal("how many different transports", len(set(map(id, made))), 40)
            for client in clients:
                client.close()
            while len(lost) < 40:
                await asyncio.sleep(0.001)

    t.run(main())
    t.equal("how many connections ended", len(lost), 40)


@case(
    "SRVR-026.stress", variants=("tcp", "unix"), expected="each of 200 clients gets its bytes back"
)
def stress(t: Trial, kind: str) -> None:
    """A thread makes 200 connections one after the other, sends a number over each, and then
    reads the answers; the backlog of the Unix server is 5, so that clients wait for room."""
    lost: list[object] = []

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(self)

    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET

    def clients(address: Any) -> int:
        made = [socket.socket(family) for _ in range(200)]
        for client in made:
            client.connect(address)  # without a time limit: with one it does not wait for room
            client.settimeout(PEER_SECONDS)
        for number, client in enumerate(made):
            client.sendall(b"%03d" % number)
        right = sum(receive_exactly(c, 3) == b"%03d" % n for n, c in enumerate(made))
        for client in made:
            client.close()
        return right

    async def main() -> None:
        options = {"backlog": 5} if kind == "unix" else {}
        async with serving(t.loop, Echo, kind, t.directory, **options) as server:
            right = await in_thread(clients, server.sockets[0].getsockname())
            t.equal("clients that got their bytes back", right, 200)
            while len(lost) < 200:
                await asyncio.sleep(0.001)

    t.run(main())


@case(
    "SRVR-028.raises",
    variants=("plain", "debug"),
    expected="the client sees the end, the next client is served; in debug mode one report",
)
def factory_raises(t: Trial, mode: str) -> None:
    """The protocol factory raises for the first client and not for the second."""
    protocol = Recorder(t.loop)
    reported: list[bool] = []  # and not the exceptions, whose frames keep the connection open
    t.loop.set_exception_handler(
        lambda _, context: reported.append(isinstance(context.get("exception"), LookupError))
    )
    t.loop.set_debug(mode == "debug")

    def factory() -> Recorder:
        if not t.events:
            t.event("raised")
            raise LookupError("no protocol")
        return protocol

    async def main() -> None:
        async with serving(t.loop, factory, "tcp", t.directory) as server:
            first = await client_of(server, "tcp")
            if mode == "debug":
                while not reported:
                    await asyncio.sleep(0.001)
                t.collect()  # the report is part of a cycle that holds the connection
            t.equal("the first client sees the end", await sees_the_end(first), True)
            first.close()
            second = await client_of(server, "tcp")
            await protocol.made
            await ended(protocol)
            second.close()
        if mode == "debug":
            t.equal("what was reported", reported, [True])
        elif reported:
            t.non_strict("it is reported without debug mode too")

    t.run(main())
