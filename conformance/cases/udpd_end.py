"""UDPD: flow control of datagrams, and the end of an endpoint."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.datagrams import (
    DATAGRAMS,
    DatagramRecorder,
    datagram_socket,
    end,
    endpoint,
    set_small_buffers,
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


async def full(t: Trial) -> tuple[Any, DatagramRecorder, socket.socket, int]:
    """A Unix endpoint whose peer does not read, with more to send than the kernel takes, and how
    many datagrams of 1000 bytes were sent. A UDP socket never gets there: it loses datagrams."""
    peer = datagram_socket("unix", t.directory)
    made, protocol = await endpoint(t, "unix", peer)
    transport: Any = made
    set_small_buffers(transport.get_extra_info("socket"))
    transport.set_write_buffer_limits(high=5000, low=1000)
    count = 0
    while "pause_writing" not in protocol.calls and count < 10_000:
        transport.sendto(b"%04d" % count + bytes(996))
        count += 1
    return transport, protocol, peer, count


@case(
    "UDPD-010.close-flushes",
    expected="every datagram arrives; then connection_lost(None), once",
)
def close_flushes(t: Trial) -> None:
    """Datagrams wait because the peer does not read; the transport is closed; the peer reads."""

    async def main() -> None:
        transport, protocol, peer, count = await full(t)
        with peer:
            transport.close()
            t.equal("is_closing()", transport.is_closing(), True)
            await turns(5)
            t.equal("connection_lost() before", protocol.lost.done(), False)
            arrived = await in_thread(receive, peer, count)
            numbers = [int(data[:4]) for data in arrived]
            t.true("all arrived, in order", numbers == list(range(count)))
            await protocol.lost
            t.equal("the argument of connection_lost()", protocol.error, None)
            await turns(5)
            t.equal("calls", protocol.calls.count("connection_lost"), 1)

    t.run(main())


@case(
    "UDPD-010.abort-drops",
    expected="connection_lost(None) at once; what waited is not sent",
)
def abort_drops(t: Trial) -> None:
    """Datagrams wait because the peer does not read; the transport is aborted; the peer reads."""

    async def main() -> None:
        transport, protocol, peer, count = await full(t)
        with peer:
            transport.abort()
            await protocol.lost
            t.equal("the argument of connection_lost()", protocol.error, None)
            t.equal("calls", protocol.calls.count("connection_lost"), 1)
            peer.setblocking(False)
            arrived = 0
            try:
                while True:
                    peer.recv(2000)
                    arrived += 1
            except BlockingIOError:
                pass
            t.true("fewer arrived than were sent", arrived < count)

    t.run(main())


@case(
    "UDPD-010.twice",
    variants=DATAGRAMS,
    expected="connection_lost(None) once, later than close(); the descriptor is closed",
)
def close_twice(t: Trial, kind: str) -> None:
    """close() and abort() are called twice each, and once after the end."""

    async def main() -> None:
        transport, protocol = await endpoint(t, kind)
        sock = transport.get_extra_info("socket")
        t.equal("is_closing() before", transport.is_closing(), False)
        for finish in (transport.close, transport.abort) * 2:
            finish()
        t.equal("is_closing() after", transport.is_closing(), True)
        t.equal("the callbacks so far", protocol.calls, ["connection_made"])
        await protocol.lost
        transport.close()
        await turns(5)
        t.equal("the callbacks", protocol.calls, ["connection_made", "connection_lost"])
        t.equal("the argument of connection_lost()", protocol.error, None)
        t.equal("fileno() of the socket", sock.fileno(), -1)

    t.run(main())


@case(
    "UDPD-010.small",
    variants=DATAGRAMS,
    expected="the datagram arrives",
)
def close_after_sendto(t: Trial, kind: str) -> None:
    """In one callback a datagram is sent and the transport closed."""

    async def main() -> None:
        with datagram_socket(kind, t.directory) as peer:
            transport, protocol = await endpoint(t, kind)
            transport.sendto(b"last words", peer.getsockname())
            transport.close()
            t.equal("what arrives", await in_thread(receive, peer, 1), [b"last words"])
            await protocol.lost

    t.run(main())


@case(
    "UDPD-011.pairs",
    expected="pause_writing above the high-water mark, once; resume_writing when the peer has read",
)
def flow_control(t: Trial) -> None:
    """Datagrams are sent to a peer that does not read, until paused, then five more; it reads."""

    async def main() -> None:
        transport, protocol, peer, count = await full(t)
        with peer:
            for _ in range(5):
                transport.sendto(bytes(1000))
            t.equal("calls", protocol.calls, ["connection_made", "pause_writing"])
            size = transport.get_write_buffer_size()
            t.between("size of the write buffer", size, 5001, 5000 + 7 * 1100)
            await in_thread(receive, peer, count + 5)
            while len(protocol.calls) < 3:  # HANG, if it never comes
                await asyncio.sleep(0.001)
            t.equal("the next call", protocol.calls[2:], ["resume_writing"])
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-011.drained",
    expected="the size is 0 again when all is sent, and the next round pauses and resumes as well",
)
def drained(t: Trial) -> None:
    """Three times datagrams are sent until paused, and read by the peer."""

    async def main() -> None:
        transport, protocol, peer, count = await full(t)
        with peer:
            for round in range(1, 4):
                await in_thread(receive, peer, count)
                for _ in range(2000):
                    if protocol.calls.count("resume_writing") == round:
                        break
                    await asyncio.sleep(0.001)
                t.equal("size when all is sent", transport.get_write_buffer_size(), 0)
                count = 0
                while protocol.calls.count("pause_writing") == round and count < 10_000:
                    transport.sendto(bytes(1000))
                    count += 1
            flow = [name for name in protocol.calls if name.endswith("_writing")]
            t.equal("calls", flow, ["pause_writing", "resume_writing"] * 3 + ["pause_writing"])
            await in_thread(receive, peer, count)
            await end(transport, protocol)

    t.run(main())


@case(
    "UDPD-011.changed-later",
    expected="what waits is a copy: the peer reads what the bytearray held at sendto()",
)
def changed_later(t: Trial) -> None:
    """The kernel takes no more; a bytearray is sent, which has to wait, and changed."""

    async def main() -> None:
        transport, protocol, peer, count = await full(t)
        with peer:
            data = bytearray(b"good")
            transport.sendto(data)
            data[:] = b"evil"
            arrived = await in_thread(receive, peer, count + 1)
            t.equal("the last datagram", arrived[-1], b"good")
            await end(transport, protocol)

    t.run(main())
