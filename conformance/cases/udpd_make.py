"""UDPD: create_datagram_endpoint: addresses, sockets and options."""

from __future__ import annotations

import asyncio
import socket

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.datagrams import DatagramRecorder, datagram_socket, end
from loopgauge.conformance.kit.peers import fresh_path, in_thread
from loopgauge.conformance.trial import Trial


async def made_with(
    t: Trial, **options: object
) -> tuple[asyncio.DatagramTransport, DatagramRecorder]:
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(DatagramRecorder, **options)  # type: ignore[arg-type]


@case(
    "UDPD-001.local",
    expected="(transport, protocol): bound to the address, and connection_made was called",
)
def local_address(t: Trial) -> None:
    """An endpoint is made with local_addr, positional, and a peer sends to it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(DatagramRecorder, ("127.0.0.1", 0))
        t.true("a pair is returned", isinstance(made, tuple) and len(made) == 2)
        transport, protocol = made
        t.true("with a transport that can send datagrams", callable(transport.sendto))
        t.equal("the callbacks so far", protocol.calls, ["connection_made"])
        t.true("it was given the transport", protocol.transport is transport)
        name = transport.get_extra_info("sockname")
        t.equal("sockname", name[0], "127.0.0.1")
        t.equal("peername", transport.get_extra_info("peername"), None)
        with datagram_socket("udp", t.directory) as peer:
            peer.sendto(b"hello", name)
            await protocol.received(1)
            t.equal("what arrived", protocol.arrived, [(b"hello", peer.getsockname())])
        await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-001.remote",
    expected="connected: sendto() without address reaches the peer, and only the peer is heard",
)
def remote_address(t: Trial) -> None:
    """An endpoint is made with remote_addr; the peer answers, and a stranger sends too."""

    async def main() -> None:
        with (
            datagram_socket("udp", t.directory) as peer,
            datagram_socket("udp", t.directory) as other,
        ):
            transport, protocol = await made_with(t, remote_addr=peer.getsockname())
            t.equal("peername", transport.get_extra_info("peername"), peer.getsockname())
            transport.sendto(b"ping")
            data, ours = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"ping")
            t.equal("from", ours, transport.get_extra_info("sockname"))
            other.sendto(b"stranger", ours)
            peer.sendto(b"pong", ours)
            await protocol.received(1)
            t.equal("what arrived", protocol.arrived, [(b"pong", peer.getsockname())])
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-001.both",
    expected="bound to the local and connected to the remote address",
)
def both_addresses(t: Trial) -> None:
    """An endpoint is made with local_addr and remote_addr."""

    async def main() -> None:
        with datagram_socket("udp", t.directory) as peer:
            transport, protocol = await made_with(
                t, local_addr=("127.0.0.1", 0), remote_addr=peer.getsockname()
            )
            transport.sendto(b"ping")
            data, ours = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"ping")
            t.equal("from", ours, transport.get_extra_info("sockname"))
            await end(transport, protocol)

    t.run(main())


@case("UDPD-001.names", expected="the name is resolved")
def named_address(t: Trial) -> None:
    """An endpoint is made with local_addr ("localhost", 0) and family AF_INET."""

    async def main() -> None:
        transport, protocol = await made_with(t, local_addr=("localhost", 0), family=socket.AF_INET)
        t.equal("sockname", transport.get_extra_info("sockname")[0], "127.0.0.1")
        await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-001.in-use",
    expected="OSError, and nothing is left open",
)
def address_in_use(t: Trial) -> None:
    """local_addr is an address that another socket has."""

    async def main() -> None:
        taken = datagram_socket("udp", t.directory)
        with t.raises(OSError, what="create_datagram_endpoint()"):
            await made_with(t, local_addr=taken.getsockname())
        taken.close()

    t.run(main())


@case("UDPD-009.wrong-address", expected="TypeError or ValueError")
def wrong_address(t: Trial) -> None:
    """local_addr is a text, or a triple, without family AF_UNIX."""

    async def main() -> None:
        for wrong in ("127.0.0.1", ("127.0.0.1", 0, 0)):
            with t.raises(TypeError, ValueError, what=f"local_addr={wrong!r}"):
                await made_with(t, local_addr=wrong)

    t.run(main())


@case("UDPD-006.used", expected="the endpoint sends from just that socket")
def own_socket(t: Trial) -> None:
    """sock= is a bound socket, blocking before."""

    async def main() -> None:
        ours = datagram_socket("udp", t.directory)
        name = ours.getsockname()
        transport, protocol = await made_with(t, sock=ours)
        t.equal("sockname", transport.get_extra_info("sockname"), name)
        with datagram_socket("udp", t.directory) as peer:
            transport.sendto(b"ping", peer.getsockname())
            data, source = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"ping")
            t.equal("from", source, name)
        await end(transport, protocol)

    t.run(main())


@case("UDPD-006.others", expected="ValueError for each; the socket stays open and the caller's")
def socket_and_others(t: Trial) -> None:
    """sock= together with each other argument."""
    others = {
        "local_addr": ("127.0.0.1", 0),
        "remote_addr": ("127.0.0.1", 9),
        "family": socket.AF_INET,
        "proto": socket.IPPROTO_UDP,
        "flags": socket.AI_PASSIVE,
        "reuse_port": True,
        "allow_broadcast": True,
    }

    async def main() -> None:
        with datagram_socket("udp", t.directory) as ours:
            for name, value in others.items():
                with t.raises(ValueError, what=f"sock= with {name}="):
                    await made_with(t, sock=ours, **{name: value})
            t.true("the socket is open", ours.fileno() >= 0)

    t.run(main())


@case("UDPD-006.stream", expected="ValueError; the socket stays open and the caller's")
def stream_socket(t: Trial) -> None:
    """sock= is a stream socket."""

    async def main() -> None:
        with socket.socket() as stream:
            with t.raises(ValueError, what="a stream socket"):
                await made_with(t, sock=stream)
            t.true("the socket is open", stream.fileno() >= 0)

    t.run(main())


def option(transport: asyncio.DatagramTransport, name: int) -> int:
    sock = transport.get_extra_info("socket")
    return int(sock.getsockopt(socket.SOL_SOCKET, name))


@case(
    "UDPD-007.broadcast",
    expected="SO_BROADCAST is set with allow_broadcast=True alone",
)
def allow_broadcast(t: Trial) -> None:
    """Endpoints with allow_broadcast=True, False, and without."""

    async def main() -> None:
        for value, wanted in ((True, 1), (False, 0), (None, 0)):
            transport, protocol = await made_with(
                t, local_addr=("127.0.0.1", 0), allow_broadcast=value
            )
            seen = option(transport, socket.SO_BROADCAST)
            t.equal(f"SO_BROADCAST with {value}", seen, wanted)
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-007.reuse-port",
    expected="SO_REUSEPORT is set with reuse_port=True: two endpoints share an address",
)
def reuse_port(t: Trial) -> None:
    """Two endpoints with reuse_port=True are bound to one address; one without it is refused."""

    async def main() -> None:
        first, one = await made_with(t, local_addr=("127.0.0.1", 0), reuse_port=True)
        t.equal("SO_REUSEPORT", option(first, socket.SO_REUSEPORT), 1)
        t.equal("SO_REUSEADDR", option(first, socket.SO_REUSEADDR), 0)
        name = first.get_extra_info("sockname")
        second, two = await made_with(t, local_addr=name, reuse_port=True)
        t.equal("sockname of the second", second.get_extra_info("sockname"), name)
        with t.raises(OSError, what="a third one without reuse_port"):
            await made_with(t, local_addr=name)
        await end(first, one)
        await end(second, two)

    t.run(main())


@case("UDPD-008.path", expected="datagrams go both ways between paths")
def unix_paths(t: Trial) -> None:
    """Endpoints with family=AF_UNIX are made with local_addr and remote_addr, which are paths."""

    async def main() -> None:
        path, other = fresh_path(t.directory), str(t.directory / "other")
        server, serving = await made_with(t, local_addr=path, family=socket.AF_UNIX)
        client, asking = await made_with(
            t, local_addr=other, remote_addr=path, family=socket.AF_UNIX
        )
        client.sendto(b"ping")
        t.equal("what the server gets", await serving.received(1), [b"ping"])
        t.equal("from", serving.arrived[0][1], other)
        server.sendto(b"pong", other)
        t.equal("what the client gets", await asking.received(1), [b"pong"])
        t.equal("from", asking.arrived[0][1], path)
        await end(server, serving)
        await end(client, asking)

    t.run(main())


@case("UDPD-008.stale", expected="the stale socket file is replaced")
def stale_path(t: Trial) -> None:
    """local_addr is the path of a socket that is closed; its file is still there."""

    async def main() -> None:
        with datagram_socket("unix", t.directory) as stale:
            path = stale.getsockname()
        transport, protocol = await made_with(t, local_addr=path, family=socket.AF_UNIX)
        t.equal("sockname", transport.get_extra_info("sockname"), path)
        await end(transport, protocol)

    t.run(main())


@case("UDPD-008.wrong-address", expected="TypeError")
def wrong_unix_address(t: Trial) -> None:
    """With family=AF_UNIX, local_addr is a pair."""

    async def main() -> None:
        with t.raises(TypeError, what="a pair as Unix address"):
            await made_with(t, local_addr=("127.0.0.1", 0), family=socket.AF_UNIX)

    t.run(main())


@case("UDPD-009.nothing", expected="ValueError")
def no_family(t: Trial) -> None:
    """create_datagram_endpoint() is called without addresses and family."""

    async def main() -> None:
        with t.raises(ValueError, what="no address and no family"):
            await made_with(t)

    t.run(main())


@case("UDPD-009.family-alone", expected="an endpoint that is not bound, and can send")
def family_alone(t: Trial) -> None:
    """create_datagram_endpoint() is called with family=AF_INET alone."""

    async def main() -> None:
        transport, protocol = await made_with(t, family=socket.AF_INET)
        with datagram_socket("udp", t.directory) as peer:
            transport.sendto(b"ping", peer.getsockname())
            data, _ = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"ping")
        await end(transport, protocol)

    t.run(main())


@case("UDPD-009.families-differ", expected="ValueError")
def families_differ(t: Trial) -> None:
    """local_addr is an IPv4 address, remote_addr an IPv6 one."""

    async def main() -> None:
        with t.raises(ValueError, what="IPv4 and IPv6"):
            await made_with(t, local_addr=("127.0.0.1", 0), remote_addr=("::1", 9))

    t.run(main())


@case(
    "UDPD-013.refused",
    expected="an exception: the argument is gone, for reasons of security",
)
def reuse_address(t: Trial) -> None:
    """reuse_address=True is passed."""

    async def main() -> None:
        with t.raises(TypeError, ValueError, what="reuse_address=True"):
            await made_with(t, local_addr=("127.0.0.1", 0), reuse_address=True)

    t.run(main())


@case("UDPD-014.loopback", expected="addresses are 4-tuples on both sides")
def ipv6(t: Trial) -> None:
    """An endpoint on ::1 gets a datagram and answers to the address it came from."""

    async def main() -> None:
        try:
            peer = datagram_socket("udp6", t.directory)
        except OSError as error:
            t.not_applicable(f"no IPv6 here: {error}")
        with peer:
            transport, protocol = await made_with(t, local_addr=("::1", 0))
            name = transport.get_extra_info("sockname")
            t.equal("sockname has", len(name), 4)
            peer.sendto(b"ping", name)
            await protocol.received(1)
            t.equal("what arrived", protocol.arrived, [(b"ping", peer.getsockname())])
            transport.sendto(b"pong", protocol.arrived[0][1])
            data, source = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"pong")
            t.equal("from", source, name)
            await end(transport, protocol)

    t.run(main())


@case("UDPD-014.connected", expected="peername is the 4-tuple of the peer")
def ipv6_connected(t: Trial) -> None:
    """An endpoint is made with remote_addr ("::1", port)."""

    async def main() -> None:
        try:
            peer = datagram_socket("udp6", t.directory)
        except OSError as error:
            t.not_applicable(f"no IPv6 here: {error}")
        with peer:
            transport, protocol = await made_with(t, remote_addr=peer.getsockname()[:2])
            t.equal("peername", transport.get_extra_info("peername"), peer.getsockname())
            transport.sendto(b"ping")
            data, _ = await in_thread(peer.recvfrom, 100)
            t.equal("what the peer got", data, b"ping")
            await end(transport, protocol)

    t.run(main())
