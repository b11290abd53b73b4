"""SOCK: receiving on a socket of the user's own."""

from __future__ import annotations

import array
import asyncio
import socket
import ssl

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread, socket_pair
from loopgauge.conformance.kit.sockets import (
    RECEIVERS,
    SOCKETS,
    begun,
    datagram_pair,
    full_datagram_pair,
    receive,
    still_watched,
)
from loopgauge.conformance.kit.tls import client_context
from loopgauge.conformance.trial import Trial

WHEN = ("there", "later")  # the data comes before the call, or while it waits


@case(
    "SOCK-001.debug-receive",
    variants=RECEIVERS,
    expected="ValueError, and the data is still in the socket",
)
def blocking_receive(t: Trial, how: str) -> None:
    """In debug mode, receiving is asked of a blocking socket that has data."""
    ours, peer = datagram_pair()
    ours.setblocking(True)
    t.loop.set_debug(True)
    with ours, peer:
        peer.sendto(b"kept", ours.getsockname())
        with t.raises(ValueError):
            t.run(receive(ours, how))
        ours.setblocking(False)
        t.equal("what is received afterwards", ours.recv(10), b"kept")


@case(
    "SOCK-001.debug-send",
    variants=("sendall", "sendto", "sendfile"),
    expected="ValueError, and nothing was sent",
)
def blocking_send(t: Trial, how: str) -> None:
    """In debug mode, sending is asked of a blocking socket."""
    ours, peer = socket_pair("tcp", t.directory)
    ours.setblocking(True)
    t.loop.set_debug(True)
    path = t.directory / "file"
    path.write_bytes(b"from a file")
    with ours, peer, path.open("rb") as file:
        with t.raises(ValueError):
            if how == "sendall":
                t.run(t.loop.sock_sendall(ours, b"data"))
            elif how == "sendto":
                t.run(t.loop.sock_sendto(ours, b"data", peer.getsockname()))
            else:
                t.run(t.loop.sock_sendfile(ours, file))
        ours.close()
        t.equal("what the peer read", peer.recv(100), b"")


@case(
    "SOCK-001.debug-connect",
    expected="ValueError, and the socket is not connected",
)
def blocking_connect(t: Trial) -> None:
    """In debug mode, sock_connect is given a blocking socket."""
    t.loop.set_debug(True)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as ours:
        with t.raises(ValueError):
            t.run(t.loop.sock_connect(ours, listening.getsockname()))
        with t.raises(OSError, what="asking for the peer's address raises"):
            ours.getpeername()


@case("SOCK-001.debug-accept", expected="ValueError, and the client is still in the queue")
def blocking_accept(t: Trial) -> None:
    """In debug mode, sock_accept is given a blocking socket for which a client waits."""
    t.loop.set_debug(True)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        with t.raises(ValueError):
            t.run(t.loop.sock_accept(listening))
        listening.setblocking(False)
        conn, address = listening.accept()
        conn.close()
        t.equal("who is accepted afterwards", address, client.getsockname())


@case(
    "SOCK-002.kinds",
    variants=("recv", "recv_into", "sendall", "connect", "accept", "sendfile"),
    expected="TypeError",
)
def tls_socket(t: Trial, how: str) -> None:
    """An ssl.SSLSocket is given to a sock_* coroutine: it would mix plain data into TLS."""
    with socket.socket() as plain:
        plain.setblocking(False)
        wrapped = client_context().wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False
        )
    path = t.directory / "file"
    path.write_bytes(b"from a file")
    with wrapped, path.open("rb") as file, t.raises(TypeError):
        t.run(use(t, how, wrapped, file))


async def use(t: Trial, how: str, sock: ssl.SSLSocket, file: object) -> None:
    if how in RECEIVERS:
        await receive(sock, how)
    elif how == "sendall":
        await t.loop.sock_sendall(sock, b"data")
    elif how == "connect":
        await t.loop.sock_connect(sock, ("127.0.0.1", 9))
    elif how == "accept":
        await t.loop.sock_accept(sock)
    else:
        await t.loop.sock_sendfile(sock, file)  # type: ignore[arg-type]


@case("SOCK-003.there", variants=SOCKETS, expected="the first 4 bytes, then the other 2")
def receive_what_is_there(t: Trial, kind: str) -> None:
    """Six bytes are in the socket; sock_recv asks for 4, then for 100."""
    ours, peer = socket_pair(kind, t.directory)

    async def main() -> None:
        peer.sendall(b"abcdef")
        first = await t.loop.sock_recv(ours, 4)
        t.true("the data is bytes", type(first) is bytes)
        t.equal("what the first call returned", first, b"abcd")
        t.equal("what the second call returned", await t.loop.sock_recv(ours, 100), b"ef")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-003.later",
    variants=SOCKETS,
    expected="the call waits while the loop goes on, and returns at most the 4 bytes asked for",
)
def receive_what_comes(t: Trial, kind: str) -> None:
    """sock_recv waits on an empty socket; six bytes come in later."""
    ours, peer = socket_pair(kind, t.directory)

    async def main() -> None:
        task = await begun(t.loop.sock_recv(ours, 4))
        t.equal("it is done while the socket is empty", task.done(), False)
        peer.sendall(b"abcdef")
        t.equal("what the call returned", await task, b"abcd")
        t.equal("what is left", await t.loop.sock_recv(ours, 100), b"ef")
        t.equal("what is still watched", still_watched(t.loop, ours), [])

    with ours, peer:
        t.run(main())


@case("SOCK-003.eof", variants=WHEN, expected="b'', each time it is asked")
def receive_at_the_end(t: Trial, when: str) -> None:
    """The peer closes, before sock_recv is called or while it waits."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        if when == "there":
            peer.close()
        task = await begun(t.loop.sock_recv(ours, 10))
        peer.close()
        t.equal("what the call returned", await task, b"")
        t.equal("what another call returned", await t.loop.sock_recv(ours, 10), b"")

    with ours, peer:
        t.run(main())


@case("SOCK-003.error", variants=WHEN, expected="ConnectionResetError in the awaiting coroutine")
def receive_after_reset(t: Trial, when: str) -> None:
    """The peer resets the connection, before sock_recv is called or while it waits."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if when == "there":
            peer.close()
        task = await begun(t.loop.sock_recv(ours, 10))
        peer.close()
        with t.raises(ConnectionResetError):
            await task

    with ours, peer:
        t.run(main())


@case(
    "SOCK-004.kinds",
    variants=("bytearray", "memoryview", "slice", "array"),
    expected="3, and the buffer starts with the data; the rest is unchanged",
)
def receive_into_kinds(t: Trial, kind: str) -> None:
    """sock_recv_into fills a bytearray, a memoryview, a part of one, an array."""
    ours, peer = socket_pair("tcp", t.directory)
    store = array.array("B", b"......") if kind == "array" else bytearray(b"......")
    target: bytearray | memoryview | array.array[int] = store
    if kind in ("memoryview", "slice"):
        target = memoryview(store)[2:] if kind == "slice" else memoryview(store)

    async def main() -> None:
        peer.sendall(b"abc")
        t.equal("what the call returned", await t.loop.sock_recv_into(ours, target), 3)

    with ours, peer:
        t.run(main())
    wanted = b"..abc." if kind == "slice" else b"abc..."
    t.equal("the whole buffer", bytes(store), wanted)


@case("SOCK-004.later", variants=SOCKETS, expected="the bytes that fit, the rest at the next call")
def receive_into_later(t: Trial, kind: str) -> None:
    """sock_recv_into waits with a buffer of 4; then six bytes come in."""
    ours, peer = socket_pair(kind, t.directory)
    buffer = bytearray(4)

    async def main() -> None:
        task = await begun(t.loop.sock_recv_into(ours, buffer))
        t.equal("it is done while the socket is empty", task.done(), False)
        peer.sendall(b"abcdef")
        t.equal("what the call returned", await task, 4)
        t.equal("the buffer", bytes(buffer), b"abcd")
        t.equal("what the next call returned", await t.loop.sock_recv_into(ours, buffer), 2)
        t.equal("the buffer", bytes(buffer), b"efcd")

    with ours, peer:
        t.run(main())


@case("SOCK-004.eof", variants=WHEN, expected="0, and the buffer is unchanged")
def receive_into_eof(t: Trial, when: str) -> None:
    """The peer closes, before sock_recv_into is called or while it waits."""
    ours, peer = socket_pair("tcp", t.directory)
    buffer = bytearray(b"....")

    async def main() -> None:
        if when == "there":
            peer.close()
        task = await begun(t.loop.sock_recv_into(ours, buffer))
        peer.close()
        t.equal("what the call returned", await task, 0)
        t.equal("the buffer", bytes(buffer), b"....")

    with ours, peer:
        t.run(main())


@case("SOCK-005.udp", variants=WHEN, expected="(data, address of the sender), one datagram a call")
def receive_from(t: Trial, when: str) -> None:
    """Two UDP datagrams come in, before sock_recvfrom is called or while it waits."""
    ours, peer = datagram_pair()

    async def main() -> None:
        if when == "there":
            peer.sendto(b"first", ours.getsockname())
        task = await begun(t.loop.sock_recvfrom(ours, 100))
        if when == "later":
            t.equal("it is done while the socket is empty", task.done(), False)
            peer.sendto(b"first", ours.getsockname())
        t.equal("the first result", await task, (b"first", peer.getsockname()))
        peer.sendto(b"second", ours.getsockname())
        second = await t.loop.sock_recvfrom(ours, 3)
        t.equal("the second result, cut to 3 bytes", second, (b"sec", peer.getsockname()))

    with ours, peer:
        t.run(main())


@case("SOCK-005.unix", expected="(data, path of the sender)")
def receive_from_unix(t: Trial) -> None:
    """A datagram comes over a Unix socket while sock_recvfrom waits."""
    full, ours = full_datagram_pair(t.directory)
    full.close()
    ours.setblocking(False)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.bind(str(t.directory / "sender"))

    async def main() -> None:
        await empty(ours)
        task = await begun(t.loop.sock_recvfrom(ours, 100))
        peer.sendto(b"data", ours.getsockname())
        t.equal("the result", await task, (b"data", peer.getsockname()))

    with ours, peer:
        t.run(main())


async def empty(sock: socket.socket) -> None:
    try:
        while True:
            sock.recv(1024)
    except BlockingIOError:
        pass


@case("SOCK-006.udp", variants=WHEN, expected="(4, address of the sender); the buffer has the data")
def receive_from_into(t: Trial, when: str) -> None:
    """A UDP datagram comes in, before sock_recvfrom_into is called or while it waits."""
    ours, peer = datagram_pair()
    buffer = bytearray(b"......")

    async def main() -> None:
        if when == "there":
            peer.sendto(b"data", ours.getsockname())
        task = await begun(t.loop.sock_recvfrom_into(ours, buffer))
        if when == "later":
            t.equal("it is done while the socket is empty", task.done(), False)
            peer.sendto(b"data", ours.getsockname())
        t.equal("the result", await task, (4, peer.getsockname()))
        t.equal("the buffer", bytes(buffer), b"data..")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-006.nbytes",
    variants=WHEN,
    expected="at most nbytes with nbytes=2, the whole buffer with nbytes=0",
)
def receive_from_into_part(t: Trial, when: str) -> None:
    """sock_recvfrom_into with nbytes=2, then with nbytes=0, gets a datagram of 6 bytes each."""
    ours, peer = datagram_pair()

    async def main() -> None:
        for nbytes, wanted in ((2, b"ab...."), (0, b"abcdef")):
            buffer = bytearray(b"......")
            if when == "there":
                peer.sendto(b"abcdef", ours.getsockname())
            task = await begun(t.loop.sock_recvfrom_into(ours, buffer, nbytes))
            if when == "later":
                peer.sendto(b"abcdef", ours.getsockname())
            count, _ = await task
            t.equal(f"the count with nbytes={nbytes}", count, nbytes or 6)
            t.equal(f"the buffer with nbytes={nbytes}", bytes(buffer), wanted)

    with ours, peer:
        t.run(main())


@case("SOCK-006.too-much", expected="ValueError, and the datagram is still there")
def receive_from_into_too_much(t: Trial) -> None:
    """sock_recvfrom_into is asked for more bytes than the buffer has room for."""
    ours, peer = datagram_pair()
    buffer = bytearray(6)

    async def main() -> None:
        peer.sendto(b"abcdef", ours.getsockname())
        with t.raises(ValueError):
            await t.loop.sock_recvfrom_into(ours, buffer, 7)
        t.equal("the next result", (await t.loop.sock_recvfrom_into(ours, buffer))[0], 6)

    with ours, peer:
        t.run(main())


@case(
    "SOCK-018.both-ways",
    variants=SOCKETS,
    expected="what one task sends arrives while another waits for data, and both finish",
)
def both_ways(t: Trial, kind: str) -> None:
    """One task waits in sock_recv; another sends 4 MB through the same socket; the peer reads
    all of it before it answers."""
    ours, peer = socket_pair(kind, t.directory)
    data = bytes(range(256)) * 16384

    def peer_side() -> bytes:
        got = bytearray()
        while len(got) < len(data):
            got += peer.recv(65536)
        peer.sendall(b"answer")
        return bytes(got)

    async def main() -> None:
        reading = await begun(t.loop.sock_recv(ours, 100))
        other = asyncio.ensure_future(in_thread(peer_side))
        await t.loop.sock_sendall(ours, data)
        t.true("the peer got what was sent", await other == data)
        t.equal("what the waiting task received", await reading, b"answer")
        t.equal("what is still watched", still_watched(t.loop, ours), [])

    with ours, peer:
        t.run(main())
