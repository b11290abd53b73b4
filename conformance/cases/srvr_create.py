"""SRVR: what create_server makes of its arguments."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import dial, in_thread
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import client_of, ended, serving
from loopgauge.conformance.kit.sockets import has_ipv6
from loopgauge.conformance.kit.tls import server_context
from loopgauge.conformance.trial import Trial


async def closed(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


async def addresses(t: Trial, **options: Any) -> list[Any]:
    """Where a server that is made with `options` listens."""
    server = await t.loop.create_server(asyncio.Protocol, **options)
    found = [sock.getsockname() for sock in server.sockets]
    await closed(server)
    return found


async def option(t: Trial, level: int, name: int, **more: Any) -> bool:
    """Whether a socket option is on at the listening socket of a server; `more`: its arguments."""
    options: dict[str, Any] = {"host": "127.0.0.1", "port": 0, **more}
    server = await t.loop.create_server(asyncio.Protocol, **options)
    value = server.sockets[0].getsockopt(level, name)
    await closed(server)
    return bool(value)


@case("SRVR-001.clients", variants=STREAMS, expected="a protocol for each, and each gets its data")
def factory_per_connection(t: Trial, kind: str) -> None:
    """Three clients connect to a server and send different data; each gets an answer."""
    protocols: list[Recorder] = []

    def factory(*arguments: object) -> Recorder:
        t.event(f"factory with {len(arguments)} arguments")
        protocols.append(Recorder(t.loop))
        return protocols[-1]

    async def main() -> None:
        async with serving(t.loop, factory, kind, t.directory) as server:
            for name in (b"one", b"two", b"six"):
                client = await client_of(server, kind)
                await in_thread(client.sendall, name)
                while not (protocols and protocols[-1].data):
                    await asyncio.sleep(0.001)
                protocol = protocols[-1]
                t.equal("what its protocol received", await protocol.received(3), name)
                assert protocol.transport is not None
                protocol.transport.write(b"answer")
                t.equal("what the client received", await in_thread(client.recv, 100), b"answer")
                await ended(protocol)
                client.close()
                protocols.clear()

    t.run(main())
    t.saw(*["factory with 0 arguments"] * 3)


@case("SRVR-002.all", variants=("none", "empty"), expected="the wildcard address of each family")
def all_interfaces(t: Trial, host: str) -> None:
    """create_server is given None or '' as the host."""
    passive = socket.getaddrinfo(None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = t.run(addresses(t, host=None if host == "none" else "", port=0))
    wanted = sorted(info[4][0] for info in passive)
    t.equal("the hosts it listens on", sorted(address[0] for address in found), wanted)


@case("SRVR-003.hosts", variants=("list", "tuple"), expected="each of them has a socket")
def several_hosts(t: Trial, kind: str) -> None:
    """create_server is given a sequence of two hosts."""
    hosts = ["127.0.0.1", "127.0.0.2"]
    found = t.run(addresses(t, host=hosts if kind == "list" else tuple(hosts), port=0))
    t.equal("the hosts it listens on", sorted(address[0] for address in found), hosts)


@case("SRVR-003.duplicates", expected="one socket")
def duplicate_hosts(t: Trial) -> None:
    """create_server is given a list that has the same host twice."""
    found = t.run(addresses(t, host=["127.0.0.1", "127.0.0.1"], port=0))
    t.equal("the hosts it listens on", [address[0] for address in found], ["127.0.0.1"])


@case("SRVR-003.serves", expected="clients of both addresses are served")
def several_hosts_serve(t: Trial) -> None:
    """A client connects to each of the two hosts of a server."""

    async def main() -> None:
        protocols = [Recorder(t.loop), Recorder(t.loop)]
        spare = protocols.copy()
        server = await t.loop.create_server(lambda: spare.pop(0), ["127.0.0.1", "127.0.0.2"], 0)
        clients = [dial(sock.getsockname()) for sock in server.sockets]
        for protocol in protocols:
            await protocol.made
            await ended(protocol)
        t.equal("protocols that were not used", len(spare), 0)
        for client in clients:
            client.close()
        await closed(server)

    t.run(main())


@case("SRVR-004.free", expected="a port that is not 0, where a client gets through")
def free_port(t: Trial) -> None:
    """create_server is given port 0."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        server = await t.loop.create_server(lambda: protocol, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        t.true("the port is not 0", port)
        client = dial((host, port))
        await protocol.made
        await ended(protocol)
        client.close()
        await closed(server)

    t.run(main())


@case(
    "SRVR-005.in-use",
    variants=("one", "second"),
    expected="OSError with EADDRINUSE, and no socket is left",
)
def address_in_use(t: Trial, kind: str) -> None:
    """create_server is given an address where another socket listens, alone or as the second of
    two hosts."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        host, port = other.getsockname()
        hosts = host if kind == "one" else ["127.0.0.2", host]
        with t.raises(OSError) as caught:
            t.run(t.loop.create_server(asyncio.Protocol, hosts, port))
        t.equal("the error number", getattr(caught[0], "errno", None), errno.EADDRINUSE)
        if str(port) not in str(caught[0]):
            t.non_strict("the text does not name the address")
        if kind == "second":
            with socket.create_server(("127.0.0.2", port)):
                t.true("the first host is free again", True)


@case("SRVR-006.same-port", expected="both listen, and a client of each gets to its own server")
def dual_stack(t: Trial) -> None:
    """Two servers listen on one port: one on all IPv4 addresses, one on all IPv6 addresses."""
    if not has_ipv6():
        t.not_applicable("this machine has no IPv6")

    async def main() -> None:
        four, six = Recorder(t.loop), Recorder(t.loop)
        first = await t.loop.create_server(lambda: four, "0.0.0.0", 0)
        port = first.sockets[0].getsockname()[1]
        second = await t.loop.create_server(lambda: six, "::", port)
        for host, protocol in (("127.0.0.1", four), ("::1", six)):
            client = dial((host, port))
            await protocol.made
            assert protocol.transport is not None
            peer = protocol.transport.get_extra_info("peername")
            t.equal(f"the client's address at the server of {host}", peer[0], host)
            await ended(protocol)
            client.close()
        await closed(first)
        await closed(second)

    t.run(main())


@case("SRVR-006.only-six", expected="IPV6_V6ONLY is on")
def only_six(t: Trial) -> None:
    """The IPV6_V6ONLY option is read from a server on ::1."""
    if not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    found = t.run(option(t, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host="::1"))
    t.equal("IPV6_V6ONLY is on", found, True)


@case("SRVR-007.option", variants=("on", "off", "default"), expected="as asked; off by default")
def reuse_port(t: Trial, kind: str) -> None:
    """SO_REUSEPORT is read from servers with reuse_port=True, False and without it."""
    options = {} if kind == "default" else {"reuse_port": kind == "on"}
    found = t.run(option(t, socket.SOL_SOCKET, socket.SO_REUSEPORT, **options))
    t.equal("SO_REUSEPORT is on", found, kind == "on")


@case("SRVR-007.two-servers", expected="both listen on the port")
def two_servers_on_a_port(t: Trial) -> None:
    """Two servers with reuse_port=True are given the same port."""

    async def main() -> None:
        make = t.loop.create_server
        first = await make(asyncio.Protocol, "127.0.0.1", 0, reuse_port=True)
        port = first.sockets[0].getsockname()[1]
        second = await make(asyncio.Protocol, "127.0.0.1", port, reuse_port=True)
        t.equal("the port of the second", second.sockets[0].getsockname()[1], port)
        await closed(first)
        await closed(second)

    t.run(main())


@case("SRVR-008.option", variants=("on", "off", "default"), expected="as asked; on by default")
def reuse_address(t: Trial, kind: str) -> None:
    """SO_REUSEADDR is read from servers with reuse_address=True, False and without it."""
    options = {} if kind == "default" else {"reuse_address": kind == "on"}
    found = t.run(option(t, socket.SOL_SOCKET, socket.SO_REUSEADDR, **options))
    t.equal("SO_REUSEADDR is on", found, kind != "off")


@case("SRVR-009.option", variants=("on", "off", "default"), expected="as asked for; off by default")
def keep_alive(t: Trial, kind: str) -> None:
    """A server is made with keep_alive=True, False, or without a word about it, and SO_KEEPALIVE is
    read from its socket."""
    options = {} if kind == "default" else {"keep_alive": kind == "on"}
    found = t.run(option(t, socket.SOL_SOCKET, socket.SO_KEEPALIVE, **options))
    t.equal("SO_KEEPALIVE is on", found, kind == "on")


@case("SRVR-009.accepted", expected="it is on at the accepted connection too")
def keep_alive_accepted(t: Trial) -> None:
    """SO_KEEPALIVE is read from a connection to a server with keep_alive=True."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        options = {"keep_alive": True}
        async with serving(t.loop, lambda: protocol, "tcp", t.directory, **options) as server:
            client = await client_of(server, "tcp")
            await protocol.made
            assert protocol.transport is not None
            sock = protocol.transport.get_extra_info("socket")
            value = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            t.equal("SO_KEEPALIVE is on", bool(value), True)
            await ended(protocol)
            client.close()

    t.run(main())


@case("SRVR-010.used", expected="the server listens on it, and closes it")
def given_socket(t: Trial) -> None:
    """create_server is given a bound socket."""
    protocol = Recorder(t.loop)
    ours = socket.socket()
    ours.bind(("127.0.0.1", 0))
    address = ours.getsockname()

    async def main() -> None:
        server = await t.loop.create_server(lambda: protocol, sock=ours)
        t.equal("where it listens", server.sockets[0].getsockname(), address)
        client = dial(address)
        await protocol.made
        await ended(protocol)
        client.close()
        await closed(server)

    t.run(main())
    t.spin()
    t.equal("the descriptor of the socket", ours.fileno(), -1)


@case(
    "SRVR-010.refused",
    variants=("host", "port", "datagram", "nothing"),
    expected="ValueError; a given socket stays open",
)
def contradictions(t: Trial, kind: str) -> None:
    """create_server is given a socket and also a host or a port, a datagram socket, or nothing."""
    of = socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
    options: dict[str, Any] = {}
    if kind in ("host", "port"):
        options[kind] = "127.0.0.1" if kind == "host" else 0
    with socket.socket(socket.AF_INET, of) as ours:
        ours.bind(("127.0.0.1", 0))
        if kind != "nothing":
            options["sock"] = ours
        with t.raises(ValueError):
            t.run(t.loop.create_server(asyncio.Protocol, **options))
        t.true("the socket is still open", ours.fileno() >= 0)


@case("SRVR-011.bool", variants=("tcp", "unix"), expected="TypeError")
def ssl_bool(t: Trial, kind: str) -> None:
    """A server is made with ssl=True, which names no certificate."""
    yes: Any = True
    with t.raises(TypeError):
        if kind == "tcp":
            t.run(t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=yes))
        else:
            path = str(t.directory / "server")
            t.run(t.loop.create_unix_server(asyncio.Protocol, path, ssl=yes))


@case(
    "SRVR-023.copy",
    expected="a copy: what is done to it does not reach the server; its members are socket-like",
)
def sockets_is_a_copy(t: Trial) -> None:
    """server.sockets is read twice, and the first result is emptied where that is possible."""

    async def main() -> None:
        server = await t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        first: Any = server.sockets
        sock = first[0]
        t.equal("the family", sock.family, socket.AF_INET)
        t.equal("the type", sock.type, socket.SOCK_STREAM)
        t.true("fileno() is a descriptor", sock.fileno() > 2)
        if isinstance(first, list):
            first.clear()
            t.non_strict("it is a list")
        t.equal("sockets when it is read again", len(server.sockets), 1)
        if hasattr(sock, "accept"):
            t.non_strict("its members have accept()")
        await closed(server)

    t.run(main())


@case(
    "SRVR-024.unix",
    variants=("2", "5"),
    expected="backlog connections and one more get in while the loop stands still, and no others",
)
def backlog(t: Trial, length: str) -> None:
    """Clients connect to a Unix server with a short backlog while the loop does not run."""

    async def main() -> None:
        options = {"backlog": int(length)}
        async with serving(t.loop, Ending, "unix", t.directory, **options) as server:
            path = server.sockets[0].getsockname()
            clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
            count = 0
            for client in clients:
                client.setblocking(False)
                try:
                    client.connect(path)
                except BlockingIOError:
                    continue
                count += 1
            t.between("clients that got in", count, int(length), int(length) + 1)
            for client in clients:
                client.close()
            while Ending.count < count:
                await asyncio.sleep(0.001)

    Ending.count = 0
    t.run(main())


class Ending(asyncio.Protocol):
    """Counts connections that have ended."""

    count = 0

    def connection_lost(self, exc: Exception | None) -> None:
        Ending.count += 1


@case("SRVR-024.tcp", variants=("7", "default"), expected="the backlog asked for, or 100")
def tcp_backlog(t: Trial, length: str) -> None:
    """The kernel is asked for the backlog of a TCP server's socket."""
    wanted = 100 if length == "default" else int(length)

    async def main() -> None:
        options: dict[str, Any] = {} if length == "default" else {"backlog": wanted}
        server = await t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0, **options)
        info = server.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        t.equal("the backlog", struct.unpack_from("I", info, 28)[0], wanted)
        await closed(server)

    t.run(main())


@case(
    "SRVR-029.timeouts",
    variants=("ssl_handshake_timeout", "ssl_shutdown_timeout"),
    expected="ValueError without ssl; a server with it",
)
def tls_timeouts(t: Trial, name: str) -> None:
    """create_server is given a time limit of TLS without ssl, and with it."""
    options: dict[str, Any] = {"host": "127.0.0.1", "port": 0, name: 1.0}
    with t.raises(ValueError):
        t.run(t.loop.create_server(asyncio.Protocol, **options))

    async def main() -> None:
        options["ssl"] = server_context(t.directory)
        server = await t.loop.create_server(asyncio.Protocol, **options)
        t.equal("it serves", server.is_serving(), True)
        await closed(server)

    t.run(main())
