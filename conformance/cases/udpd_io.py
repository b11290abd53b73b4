"""UDPD: sending and receiving datagrams."""

from __future__ import annotations

import array
import asyncio
import socket

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.complaints import Complaints
from loopgauge.conformance.kit.datagrams import (
    DATAGRAMS,
    DatagramRecorder,
    datagram_socket,
    end,
    endpoint,
)
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.trial import Trial


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


def receive(peer: socket.socket, count: int) -> list[bytes]:
    """Blocks until `count` datagrams have come."""
    return [peer.recv(100_000) for _ in range(count)]


@case(
    "UDPD-002.received",
    variants=DATAGRAMS,
    expected="one datagram_received(data, addr) for each datagram, in order, with bytes",
)
def received(t: Trial, kind: str) -> None:
    """The peer sends 40 datagrams of different sizes before the loop looks."""
    words = [b"%d" % number * (1 + number * 40) for number in range(40)]

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            peer.setblocking(False)  # nothing is lost: the queues of the kernel are longer
            for start in range(0, 40, 8):
                for word in words[start : start + 8]:
                    peer.sendto(word, transport.get_extra_info("sockname"))
                await protocol.received(start + 8)
            t.equal("the datagrams", [data for data, _ in protocol.arrived], words)
            senders = {addr for _, addr in protocol.arrived}
            t.equal("the senders", senders, {peer.getsockname()})
            types = {type(data).__name__ for data, _ in protocol.arrived}
            t.equal("types", types, {"bytes"})
            wanted = ["connection_made"] + ["datagram_received"] * 40
            t.equal("the callbacks", protocol.calls, wanted)
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-002.sent",
    variants=DATAGRAMS,
    expected="each sendto() arrives as one datagram, in order",
)
def sent(t: Trial, kind: str) -> None:
    """Eight datagrams of different sizes and kinds of buffers are sent in one callback."""
    words: list[bytes | bytearray | memoryview] = [b"a" * size for size in (1, 5, 1000, 9000, 2)]
    words += [bytearray(b"bytearray"), memoryview(b"memoryview"), memoryview(b"a part")[2:]]

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            for word in words:
                transport.sendto(word, peer.getsockname())
            arrived = await in_thread(receive, peer, len(words))
            t.equal("the datagrams", arrived, [bytes(word) for word in words])
            await end(transport, protocol)

    t.run(main())


@case("UDPD-002.large", expected="a datagram of 60 000 bytes goes both ways in one piece")
def large(t: Trial) -> None:
    """60 000 bytes, which is nearly the most that UDP takes."""

    async def main() -> None:
        with datagram_socket("udp", t.directory) as peer:
            transport, protocol = await endpoint(t, "udp")
            data = bytes(range(250)) * 240
            transport.sendto(data, peer.getsockname())
            t.true("it arrived", (await in_thread(receive, peer, 1)) == [data])
            peer.sendto(data, transport.get_extra_info("sockname"))
            t.true("it came back", (await protocol.received(1)) == [data])
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-002.empty-received",
    variants=DATAGRAMS,
    expected="datagram_received(b'', addr); the endpoint goes on",
)
def empty_received(t: Trial, kind: str) -> None:
    """The peer sends an empty datagram, and another one."""

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            for word in (b"", b"after"):
                peer.sendto(word, transport.get_extra_info("sockname"))
            t.equal("the datagrams", await protocol.received(2), [b"", b"after"])
            t.equal("is_closing()", transport.is_closing(), False)
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-002.pause",
    variants=("udp",),
    expected="no datagram after close() in datagram_received()",
)
def closed_in_callback(t: Trial, kind: str) -> None:
    """Five datagrams wait; the protocol closes the transport at the first."""

    class Closes(DatagramRecorder):
        def datagram_received(self, data: bytes, addr: object) -> None:
            super().datagram_received(data, addr)
            assert self.transport is not None
            self.transport.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours = datagram_socket(kind, t.directory)
        with datagram_socket(kind, t.directory) as peer:
            for _ in range(5):
                peer.sendto(b"x", ours.getsockname())
            _, protocol = await loop.create_datagram_endpoint(Closes, sock=ours)
            await protocol.lost
            await turns(5)
            wanted = ["connection_made", "datagram_received", "connection_lost"]
            t.equal("the callbacks", protocol.calls, wanted)

    t.run(main())


@case(
    "UDPD-003.connected",
    variants=("udp", "udp6"),
    expected="no address, None, or the peer's own: sent. Another one: ValueError",
)
def address_when_connected(t: Trial, kind: str) -> None:
    """sendto() on an endpoint that was made with remote_addr."""

    async def main() -> None:
        try:
            peer, other = datagram_socket(kind, t.directory), datagram_socket(kind, t.directory)
        except OSError as error:
            t.not_applicable(f"no IPv6 here: {error}")
        loop = asyncio.get_running_loop()
        name = peer.getsockname()
        with peer, other:
            transport, protocol = await loop.create_datagram_endpoint(
                DatagramRecorder, remote_addr=name[:2]
            )
            transport.sendto(b"none")
            transport.sendto(b"None", None)
            transport.sendto(b"own", name)
            with t.raises(ValueError, what="sendto() to another address"):
                transport.sendto(b"other", other.getsockname())
            t.equal("arrived", await in_thread(receive, peer, 3), [b"none", b"None", b"own"])
            t.equal("errors", protocol.errors, [])
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-003.no-address",
    expected="not sent: error_received(OSError), or an exception; the endpoint goes on",
)
def no_address(t: Trial) -> None:
    """sendto() without address on an endpoint that is not connected."""

    async def main() -> None:
        complaints = Complaints(asyncio.get_running_loop())
        with datagram_socket("udp", t.directory) as peer:
            transport, protocol = await endpoint(t, "udp")
            raised = ""
            try:
                transport.sendto(b"nowhere")
            except Exception as error:
                raised = type(error).__name__
            await turns(5)
            told = [type(error).__name__ for error in protocol.errors] + complaints.names()
            t.note("told", told or raised)
            t.true("somebody is told", told or raised)
            if not transport.is_closing():
                transport.sendto(b"after", peer.getsockname())
                t.equal("the next one", await in_thread(receive, peer, 1), [b"after"])
            complaints.clear()
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-004.sent",
    variants=DATAGRAMS,
    expected="an empty datagram arrives",
)
def empty_sent(t: Trial, kind: str) -> None:
    """sendto(b"") between two others."""

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            for word in (b"one", b"", b"two"):
                transport.sendto(word, peer.getsockname())
            arrived = await in_thread(receive, peer, 3)
            t.equal("the datagrams", arrived, [b"one", b"", b"two"])
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-004.connected",
    variants=DATAGRAMS,
    expected="an empty datagram arrives",
)
def empty_sent_connected(t: Trial, kind: str) -> None:
    """sendto(b"") on a connected endpoint, then another datagram."""

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind, peer)
            transport.sendto(b"")
            transport.sendto(b"two")
            t.equal("the datagrams", await in_thread(receive, peer, 2), [b"", b"two"])
            await end(transport, protocol)

    t.run(main())


async def refused(t: Trial) -> tuple[asyncio.DatagramTransport, DatagramRecorder, tuple[str, int]]:
    """An endpoint connected to a port where nobody listens."""
    gone = datagram_socket("udp", t.directory)
    name = gone.getsockname()
    gone.close()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(DatagramRecorder, remote_addr=name)
    return transport, protocol, name


@case(
    "UDPD-005.refused",
    expected="error_received(ConnectionRefusedError); not closed, and datagrams go on",
)
def connection_refused(t: Trial) -> None:
    """A datagram is sent to a port where nobody listens; then somebody does."""

    async def main() -> None:
        transport, protocol, name = await refused(t)
        transport.sendto(b"nobody")
        await protocol.failed()
        t.equal("type", type(protocol.errors[0]).__name__, "ConnectionRefusedError")
        t.equal("is_closing()", transport.is_closing(), False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as now:
            now.bind(name)
            now.settimeout(5)
            transport.sendto(b"somebody")
            t.equal("what arrives then", await in_thread(receive, now, 1), [b"somebody"])
        t.equal("the callbacks", protocol.calls[:2], ["connection_made", "error_received"])
        t.equal("connection_lost() was called", "connection_lost" in protocol.calls, False)
        await end(transport, protocol)
        t.equal("the argument of connection_lost()", protocol.error, None)

    t.run(main())


@case(
    "UDPD-005.while-sending",
    expected="error_received() each time, and sendto() never raises",
)
def refused_while_sending(t: Trial) -> None:
    """Datagrams are sent to a port where nobody listens, one after each error, three times."""

    async def main() -> None:
        transport, protocol, _ = await refused(t)
        for number in range(1, 4):
            transport.sendto(b"nobody")
            await protocol.failed(number)
        kinds = {type(error).__name__ for error in protocol.errors}
        t.equal("types", kinds, {"ConnectionRefusedError"})
        t.equal("is_closing()", transport.is_closing(), False)
        await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-012.types",
    variants=DATAGRAMS,
    expected="TypeError for each, and the endpoint goes on",
)
def other_types(t: Trial, kind: str) -> None:
    """sendto() of a text, a number, None, a list and an array."""

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            for wrong in ("text", 5, None, [b"x"], array.array("B", b"x")):
                with t.raises(TypeError, what=f"sendto() of a {type(wrong).__name__}"):
                    transport.sendto(wrong, peer.getsockname())  # type: ignore[arg-type]
            transport.sendto(b"after", peer.getsockname())
            t.equal("what arrives", await in_thread(receive, peer, 1), [b"after"])
            await end(transport, protocol)

    t.run(main())
