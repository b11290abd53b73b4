"""TRAN: what a transport tells of itself, what it keeps alive, and that it does not grow."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import socket
import ssl
import weakref
import zlib

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import SIDES, STREAMS, link
from loopgauge.conformance.kit.peers import in_thread, read_away
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial

PLAIN = ("tcp", "unix", "served")


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def turns(count: int) -> None:
    """Lets the loop go round, so that what it still has to do is done."""
    for _ in range(count):
        await asyncio.sleep(0)


@case("TRAN-009.when", variants=STREAMS, expected="recorded: at once, or when the callback returns")
def when_it_is_sent(t: Trial, kind: str) -> None:
    """A callback writes five bytes and looks, before it returns, whether the peer has got them."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.transport.write(b"12345")
        at_once, _, _ = select.select([made.peer], [], [], 0)
        t.note("a small write is sent", "at once" if at_once else "later")
        made.transport.write(bytes(100_000))
        at_once, _, _ = select.select([made.peer], [], [], 0)
        t.note("a large write is sent", "at once" if at_once else "later")
        await made.close()

    t.run(main())


@case(
    "TRAN-025.socket",
    variants=SIDES,
    expected="an object with the methods of a socket that only look: fileno, family, getsockname",
)
def extra_socket(t: Trial, kind: str) -> None:
    """get_extra_info("socket") is used."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        sock = made.transport.get_extra_info("socket")
        t.true("there is a socket", sock is not None)
        t.true("fileno() is open", os.fstat(sock.fileno()) is not None)
        wanted = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        t.equal("family", sock.family, wanted)
        t.equal("type", sock.type & socket.SOCK_STREAM, socket.SOCK_STREAM)
        t.equal("getsockname()", sock.getsockname(), made.peer.getpeername())
        t.equal("getpeername()", sock.getpeername(), made.peer.getsockname())
        t.equal("SO_ERROR", sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        await made.close()

    t.run(main())


@case(
    "TRAN-025.names",
    variants=SIDES,
    expected="the addresses of this side and of the peer, also after the end",
)
def extra_names(t: Trial, kind: str) -> None:
    """get_extra_info("sockname") and ("peername"), before and after the end."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        ours, peers = made.peer.getpeername(), made.peer.getsockname()
        t.equal("sockname", made.transport.get_extra_info("sockname"), ours)
        t.equal("peername", made.transport.get_extra_info("peername"), peers)
        await made.close()
        if kind in PLAIN:
            t.equal("sockname after the end", made.transport.get_extra_info("sockname"), ours)
            t.equal("peername after the end", made.transport.get_extra_info("peername"), peers)

    t.run(main())


@case(
    "TRAN-025.default",
    variants=SIDES,
    expected="the default for what there is not: None, or as given",
)
def extra_default(t: Trial, kind: str) -> None:
    """get_extra_info() is asked for unknown names, and with a default for a known one."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        info = made.transport.get_extra_info
        t.equal("unknown", info("no such thing"), None)
        t.equal("unknown, default 5", info("no such thing", 5), 5)
        t.equal("unknown, default=7 by name", info("no such thing", default=7), 7)
        t.true("known, with a default", info("socket", 5) not in (5, None))
        if kind in PLAIN:
            t.equal("sslcontext without TLS", info("sslcontext", "none"), "none")
            t.equal("pipe, on a socket", info("pipe"), None)
        await made.close()

    t.run(main())


@case(
    "TRAN-025.tls",
    variants=("tls", "served-tls"),
    expected="sslcontext, ssl_object, cipher, peercert and compression, as the TLS object has them",
)
def extra_tls(t: Trial, kind: str) -> None:
    """get_extra_info() is asked for what there is with TLS alone."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        info = made.transport.get_extra_info
        t.true("sslcontext is an SSLContext", isinstance(info("sslcontext"), ssl.SSLContext))
        tls = info("ssl_object")
        t.true("ssl_object has a version", tls is not None and tls.version() is not None)
        t.equal("cipher", info("cipher"), tls.cipher())
        t.equal("peercert", info("peercert"), tls.getpeercert())
        t.equal("there is a certificate of the server", bool(info("peercert")), kind == "tls")
        t.equal("compression", info("compression", "default"), None)
        await made.close()

    t.run(main())


@case(
    "TRAN-026.loop-closed",
    variants=STREAMS,
    leaves=("warnings", "unraisable"),
    expected="a ResourceWarning, and the descriptor is closed",
)
def unclosed_transport(t: Trial, kind: str) -> None:
    """The loop is closed while a transport is open; the transport is dropped."""

    async def main() -> tuple[socket.socket, int]:
        made = await link(t, kind, Quiet)
        return made.peer, made.transport.get_extra_info("socket").fileno()

    peer, fd = t.run(main())
    t.true("the descriptor is open", is_open(fd))
    t.loop.close()
    t.collect()
    warned = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    t.true("there was a ResourceWarning", warned)
    t.equal("the descriptor is open", is_open(fd), False)
    peer.close()


class Quiet(asyncio.Protocol):
    """Keeps nothing."""


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@case(
    "TRAN-034.protocol",
    variants=SIDES,
    expected="the protocol is gone, although the transport is kept",
)
def protocol_is_released(t: Trial, kind: str) -> None:
    """After connection_lost() the protocol is dropped and the transport kept."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        transport = made.transport
        made.transport.close()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        await made.close()
        watched = weakref.ref(made.protocol)
        made.protocol.transport = None
        del made
        await turns(5)
        gc.collect()
        t.equal("the protocol", watched(), None)
        t.equal("is_closing() of the transport", transport.is_closing(), True)

    t.run(main())


@case(
    "TRAN-027.transport",
    variants=SIDES,
    expected="transport and protocol are freed; nothing in the loop keeps them",
)
def transport_is_released(t: Trial, kind: str) -> None:
    """A connection is aborted, and after connection_lost() the case drops its own references to
    transport and protocol, while the loop runs on."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        await made.close()
        protocol = weakref.ref(made.protocol)
        try:
            transport = weakref.ref(made.transport)
        except TypeError:
            t.not_applicable("this loop's transports cannot be watched: no weak references")
        del made
        await turns(5)
        gc.collect()
        t.equal("the protocol", protocol(), None)
        t.equal("the transport", transport(), None)

    t.run(main())


@case(
    "TRAN-028.states",
    variants=SIDES,
    expected="a text in every state; stock's says when a transport is closing or closed",
)
def repr_in_every_state(t: Trial, kind: str) -> None:
    """repr() of a transport: open, closing, after the end."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        texts = [repr(made.transport)]
        made.transport.close()
        texts.append(repr(made.transport))
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        texts.append(repr(made.transport))
        await made.close()
        for name, text in zip(("open", "closing", "closed"), texts, strict=True):
            t.true(f"there is a text when {name}", isinstance(text, str) and text)
            t.note(name, text)
        if kind in PLAIN and texts[0] == texts[2]:
            t.non_strict("the text does not say whether the transport is closed")

    t.run(main())


class Sums(asyncio.Protocol):
    """Adds up what it gets, and keeps none of it."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.count += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


PIECES = 256  # of 64 KiB: 16 MiB


def piece(number: int) -> bytes:
    return number.to_bytes(2, "big") * 32768


def sum_of_pieces() -> int:
    total = 0
    for number in range(PIECES):
        total = zlib.crc32(piece(number), total)
    return total


@case(
    "TRAN-029.received",
    variants=STREAMS,
    expected="every byte arrives, in order",
)
def much_is_received(t: Trial, kind: str) -> None:
    """The peer sends 16 MiB; the protocol keeps a checksum alone."""

    def send(peer: object) -> None:
        for number in range(PIECES):
            peer.sendall(piece(number))  # type: ignore[attr-defined]

    async def main() -> None:
        made = await link(t, kind, Sums)
        await in_thread(send, made.peer)
        while made.protocol.count < PIECES * 65536:
            await asyncio.sleep(0.001)
        t.equal("checksum", made.protocol.sum, sum_of_pieces())
        await made.close()

    t.run(main())


class Flow(Recorder):
    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.may_write = asyncio.Event()
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()


@case(
    "TRAN-029.sent",
    variants=STREAMS,
    expected="every byte arrives in order; never much more than the high-water mark waits",
)
def much_is_sent(t: Trial, kind: str) -> None:
    """16 MiB are written in pieces of 64 KiB, one whenever writing is not paused."""

    def read(peer: object) -> int:
        total = 0
        left = PIECES * 65536
        while left and (data := peer.recv(65536)):  # type: ignore[attr-defined]
            left -= len(data)
            total = zlib.crc32(data, total)
        return total

    async def main() -> None:
        made = await link(t, kind, Flow)
        _, high = made.transport.get_write_buffer_limits()
        reading = asyncio.ensure_future(in_thread(read, made.peer))
        most = 0
        for number in range(PIECES):
            await made.protocol.may_write.wait()
            made.transport.write(piece(number))
            most = max(most, made.transport.get_write_buffer_size())
        t.equal("checksum of what the peer read", await reading, sum_of_pieces())
        t.between("most bytes that waited", most, 0, high + (1 << 20))
        await made.close()

    t.run(main())
