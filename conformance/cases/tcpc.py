"""TCPC: what create_connection returns, and in which order things happen."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.peers import (
    in_thread,
    listener,
    receive_all,
    socket_pair,
    tls_server_side,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import ended, serving
from loopgauge.conformance.kit.sockets import has_ipv6
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

HOSTS = {"numeric": "127.0.0.1", "name": "localhost", "ipv6": "::1"}


@case("TCPC-001.sock", variants=STREAMS, expected="(transport, the factory's protocol)")
def returns_a_pair(t: Trial, kind: str) -> None:
    """A connected socket is handed to create_connection, over TCP, a Unix socket and TLS."""

    async def main() -> None:
        protocol = Recorder(t.loop)
        made = await link(t, kind, lambda: protocol)
        t.true("the protocol is what the factory returned", made.protocol is protocol)
        t.true("connection_made got this transport", protocol.transport is made.transport)
        if not isinstance(made.transport, asyncio.Transport):
            t.non_strict("the transport is no subclass of asyncio.Transport")
        await made.close()

    t.run(main())


@case("TCPC-001.hosts", variants=tuple(HOSTS), expected="a connection that carries data both ways")
def connects_to_hosts(t: Trial, host: str) -> None:
    """create_connection is given a numeric address, a name and an IPv6 address."""
    if host == "ipv6" and not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    listening = listener("tcp6" if host == "ipv6" else "tcp", t.directory)
    protocol = Recorder(t.loop)

    async def main() -> None:
        port = listening.getsockname()[1]
        transport, got = await t.loop.create_connection(lambda: protocol, HOSTS[host], port)
        t.true("the protocol is what the factory returned", got is protocol)
        peer, _ = await in_thread(listening.accept)
        peer.settimeout(5)
        peer.sendall(b"question")
        t.equal("what the protocol received", await protocol.received(8), b"question")
        transport.write(b"answer")
        t.equal("what the peer read", await in_thread(peer.recv, 100), b"answer")
        transport.close()
        await protocol.lost
        peer.close()

    with listening:
        t.run(main())


@case(
    "TCPC-002.order",
    variants=("host", "sock"),
    expected="connected, factory without arguments, connection_made, the coroutine returns",
)
def order_of_steps(t: Trial, kind: str) -> None:
    """A factory that looks whether the connection is there already, and a protocol."""
    listening = listener("tcp", t.directory)

    class Seen(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            t.event("connection_made")
            super().connection_made(transport)

    def factory(*arguments: object, **keywords: object) -> Seen:
        listening.settimeout(0)
        try:
            peers.append(listening.accept()[0])
        except BlockingIOError:
            t.event("not connected")
        t.event(f"factory with {len(arguments) + len(keywords)} arguments")
        return Seen(t.loop)

    async def main() -> None:
        host, port = listening.getsockname()
        if kind == "host":
            _, protocol = await t.loop.create_connection(factory, host, port)
        else:
            ours = socket.create_connection((host, port))
            _, protocol = await t.loop.create_connection(factory, sock=ours)
        t.event("returned")
        await ended(protocol)

    peers: list[socket.socket] = []
    with listening:
        t.run(main())
    for peer in peers:
        peer.close()
    t.saw("factory with 0 arguments", "connection_made", "returned")


@case(
    "TCPC-003.once",
    variants=STREAMS,
    expected="once, in the loop's thread, while it runs",
)
def made_once(t: Trial, kind: str) -> None:
    """A protocol notes how connection_made is called."""
    same_turn: list[str] = []

    class Seen(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            t.event("connection_made")
            if same_turn:
                t.non_strict("it is called in the turn of the factory, not scheduled")
            t.equal("the thread", threading.get_ident(), main_thread)
            t.true("the running loop is this one", asyncio.get_running_loop() is t.loop)
            super().connection_made(transport)

    def factory() -> Seen:
        same_turn.append("factory")
        t.loop.call_soon(same_turn.clear)
        return Seen(t.loop)

    async def main() -> None:
        made = await link(t, kind, factory)
        made.peer.sendall(b"data")
        await made.protocol.received(4)
        await made.close()

    main_thread = threading.get_ident()
    t.run(main())
    t.saw("connection_made")


@case(
    "TCPC-010.closes", variants=("tcp", "unix"), expected="the socket is closed; the peer sees it"
)
def owns_the_socket(t: Trial, kind: str) -> None:
    """A blocking socket is handed to create_connection, whose transport is then closed."""
    ours, peer = socket_pair(kind, t.directory)
    ours.setblocking(True)
    protocol = Recorder(t.loop)

    async def main() -> None:
        transport, _ = await t.loop.create_connection(lambda: protocol, sock=ours)
        number = transport.get_extra_info("socket").fileno()
        t.equal("its descriptor blocks", os.get_blocking(number), False)
        transport.close()
        await protocol.lost
        t.equal("what the peer reads", await in_thread(receive_all, peer), b"")

    with peer:
        t.run(main())
    t.spin()
    t.equal("the descriptor of the socket", ours.fileno(), -1)


@case("TCPC-018.client", variants=("host", "sock", "tls"), expected="it is on")
def no_delay(t: Trial, kind: str) -> None:
    """TCP_NODELAY is read from the transports of create_connection: to a host, over a given TCP
    socket, and with TLS."""

    async def main() -> None:
        with listener("tcp", t.directory) as listening:
            address = listening.getsockname()
            options: dict[str, Any] = {"host": address[0], "port": address[1]}
            if kind == "sock":
                tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
                tcp.connect(address)
                options = {"sock": tcp}
            if kind == "tls":
                options |= {"ssl": client_context(), "server_hostname": HOSTNAME}
            task = asyncio.ensure_future(
                t.loop.create_connection(lambda: Recorder(t.loop), **options)
            )
            peer, _ = await in_thread(listening.accept)
            if kind == "tls":
                peer = await in_thread(tls_server_side, peer, server_context(t.directory))
            transport, protocol = await task
            t.equal("TCP_NODELAY is on", is_undelayed(transport), True)
            await ended(protocol)
            peer.close()

    t.run(main())


@case("TCPC-018.server", expected="it is on")
def no_delay_server(t: Trial) -> None:
    """TCP_NODELAY is read from the transport of a connection that a server accepted."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
            with socket.create_connection(server.sockets[0].getsockname()):
                await protocol.made
                t.equal("TCP_NODELAY is on", is_undelayed(protocol.transport), True)
                await ended(protocol)

    t.run(main())


def is_undelayed(transport: asyncio.BaseTransport | None) -> bool:
    assert transport is not None
    sock = transport.get_extra_info("socket")
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@case(
    "TCPC-022.names",
    variants=STREAMS,
    expected="the socket, its address and the peer's; None or the given default for the unknown",
)
def extra_info(t: Trial, kind: str) -> None:
    """get_extra_info is asked for 'socket', 'sockname', 'peername' and an unknown name."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(t.loop))
        info = made.transport.get_extra_info
        t.true("there is a socket", info("socket") is not None)
        t.equal("sockname", info("sockname"), made.peer.getpeername())
        t.equal("peername", info("peername"), made.peer.getsockname())
        t.equal("an unknown name", info("no such thing"), None)
        t.equal("an unknown name with a default", info("no such thing", "default"), "default")
        t.equal("a known name with a default", info("peername", 1), made.peer.getsockname())
        await made.close()

    t.run(main())


@case("TCPC-022.after-close", expected="the addresses are still there")
def extra_info_after_close(t: Trial) -> None:
    """The peer has reset the connection; connection_lost asks for the addresses, as those who
    log them do."""
    seen: list[Any] = []

    class Asking(Recorder):
        def connection_lost(self, exc: Exception | None) -> None:
            assert self.transport is not None
            seen.append(self.transport.get_extra_info("peername"))
            super().connection_lost(exc)

    async def main() -> None:
        made = await link(t, "tcp", lambda: Asking(t.loop))
        wanted = made.peer.getsockname()
        made.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        made.peer.close()
        await made.protocol.lost
        t.equal("peername in connection_lost", seen, [wanted])

    t.run(main())


@case(
    "TCPC-023.like-a-socket",
    variants=STREAMS,
    expected="options, number, addresses and kind are there; what would take data away is not",
)
def transport_socket(t: Trial, kind: str) -> None:
    """get_extra_info('socket') is used as libraries use it."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(t.loop))
        sock = made.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        value = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        t.equal("an option after it was set", bool(value), True)
        t.true("fileno() is a descriptor", sock.fileno() > 2)
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        t.equal("the family", sock.family, family)
        t.equal("the type", sock.type, socket.SOCK_STREAM)
        t.equal("its address", sock.getsockname(), made.peer.getpeername())
        t.equal("the peer's", sock.getpeername(), made.peer.getsockname())
        taking = [name for name in ("recv", "send", "close", "accept") if hasattr(sock, name)]
        if taking:
            t.non_strict(f"it also has {', '.join(taking)}")
        await made.close()

    t.run(main())


@case(
    "TCPC-024.data-waits",
    variants=("tcp", "unix"),
    expected="connection_made comes first, and data_received not within it",
)
def data_is_there_already(t: Trial, kind: str) -> None:
    """The peer has sent data before its socket is handed to create_connection."""
    ours, peer = socket_pair(kind, t.directory)
    peer.sendall(b"early")

    class Seen(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            t.event("connection_made")
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            t.event("data_received")
            super().data_received(data)

    async def main() -> None:
        _, protocol = await t.loop.create_connection(lambda: Seen(t.loop), sock=ours)
        t.equal("what is received", await protocol.received(5), b"early")
        await ended(protocol)

    with peer:
        t.run(main())
    t.saw("connection_made", "data_received")
