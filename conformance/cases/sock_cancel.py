"""SOCK: sock_* coroutines that are cancelled, or whose socket somebody else uses."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Coroutine
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import link
from loopgauge.conformance.kit.peers import (
    in_thread,
    listener,
    receive_exactly,
    socket_pair,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.sockets import (
    RECEIVERS,
    Unanswered,
    begun,
    datagram_pair,
    fill,
    full_datagram_pair,
    receive,
    still_watched,
)
from loopgauge.conformance.trial import Trial


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


async def cancelled(t: Trial, coroutine: Coroutine[Any, Any, object], sock: socket.socket) -> None:
    """Cancels it while it waits, and judges that this ends it and leaves no watcher."""
    task = await begun(coroutine)
    t.equal("it is done before it is cancelled", task.done(), False)
    task.cancel()
    with t.raises(asyncio.CancelledError, what="awaiting the cancelled call raises"):
        await task
    t.equal("what is still watched", still_watched(t.loop, sock), [])


@case(
    "SOCK-014.receive",
    variants=RECEIVERS,
    expected="CancelledError, nothing is watched, and the next call gets the next data",
)
def cancel_receive(t: Trial, how: str) -> None:
    """A receiving coroutine is cancelled while the socket is empty; then data comes in."""
    ours, peer = datagram_pair()

    async def main() -> None:
        await cancelled(t, receive(ours, how), ours)
        peer.sendto(b"after", ours.getsockname())
        t.equal("what the next call received", await receive(ours, how), b"after")

    with ours, peer:
        t.run(main())


@case("SOCK-014.accept", expected="CancelledError, nothing is watched, the next client is accepted")
def cancel_accept(t: Trial) -> None:
    """sock_accept is cancelled while nobody has connected; then a client connects."""

    async def main() -> None:
        await cancelled(t, t.loop.sock_accept(listening), listening)
        client.connect(listening.getsockname())
        conn, address = await t.loop.sock_accept(listening)
        conn.close()
        t.equal("who is accepted", address, client.getsockname())

    with listener("tcp", t.directory) as listening, socket.socket() as client:
        listening.setblocking(False)
        t.run(main())


@case(
    "SOCK-014.sendall",
    expected="CancelledError, nothing is watched and nothing more of it is sent",
)
def cancel_send(t: Trial) -> None:
    """sock_sendall is cancelled while the socket is full; then the peer reads all there is, and
    the next sock_sendall sends something else."""
    ours, peer = socket_pair("unix", t.directory)

    async def main() -> None:
        before = fill(ours)
        await cancelled(t, t.loop.sock_sendall(ours, b"x" * 100_000), ours)
        peer_data = await in_thread(receive_exactly, peer, before)
        t.equal("bytes of the cancelled call that arrived", peer_data.count(b"x"), 0)
        await t.loop.sock_sendall(ours, b"after")
        t.equal("what arrives next", await in_thread(receive_exactly, peer, 5), b"after")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-014.sendto", expected="CancelledError, nothing is watched, and the datagram is not sent"
)
def cancel_send_to(t: Trial) -> None:
    """sock_sendto is cancelled while the receiver's queue is full; then the receiver reads all."""
    ours, peer = full_datagram_pair(t.directory)

    async def main() -> None:
        await cancelled(t, t.loop.sock_sendto(ours, b"cancelled", peer.getsockname()), ours)
        peer.setblocking(False)
        seen = []
        try:
            while True:
                seen.append(peer.recv(2000))
        except BlockingIOError:
            pass
        t.equal("the cancelled datagram arrived", b"cancelled" in seen, False)
        t.equal(
            "what the next call returned",
            await t.loop.sock_sendto(ours, b"after", peer.getsockname()),
            5,
        )
        t.equal("what arrives next", peer.recv(100), b"after")

    with ours, peer:
        t.run(main())


@case("SOCK-014.connect", expected="CancelledError, nothing is watched, the socket can be closed")
def cancel_connect(t: Trial) -> None:
    """sock_connect is cancelled while the listener does not answer."""
    target = Unanswered(t.directory)

    async def main() -> None:
        with socket.socket() as ours:
            ours.setblocking(False)
            await cancelled(t, t.loop.sock_connect(ours, target.address), ours)

    t.run(main())
    target.close()


@case("SOCK-014.sendfile", expected="CancelledError, nothing is watched, nothing more is sent")
def cancel_sendfile(t: Trial) -> None:
    """sock_sendfile is cancelled while the socket is full; then the peer reads all there is."""
    ours, peer = socket_pair("unix", t.directory)
    path = t.directory / "file"
    path.write_bytes(b"x" * 100_000)

    async def main() -> None:
        before = fill(ours)
        with path.open("rb") as file:
            await cancelled(t, t.loop.sock_sendfile(ours, file), ours)
        await in_thread(receive_exactly, peer, before)
        await t.loop.sock_sendall(ours, b"after")
        t.equal("what arrives next", await in_thread(receive_exactly, peer, 5), b"after")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-014.descriptor-reused",
    expected="the callback of the new socket runs for its own data alone",
)
def descriptor_reused(t: Trial) -> None:
    """sock_recv is cancelled and its socket closed; a new socket with the same descriptor number
    is watched with add_reader."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        number = ours.fileno()
        task = await begun(t.loop.sock_recv(ours, 10))
        task.cancel()
        with t.raises(asyncio.CancelledError, what="awaiting the cancelled call raises"):
            await task
        other, sender = socket.socketpair()
        os.dup2(other.fileno(), number)  # closes the old socket
        t.loop.add_reader(number, lambda: t.event(os.read(number, 10).decode()))
        sender.send(b"mine")
        while not t.events:
            await asyncio.sleep(0)
        t.saw("mine")
        t.loop.remove_reader(number)
        other.close()
        sender.close()

    with ours, peer:
        t.run(main())


@case(
    "SOCK-015.receive",
    variants=("recv", "recv_into"),
    expected="cancelled, and the next call receives the data: it was not taken out of the socket",
)
def data_and_cancel(t: Trial, how: str) -> None:
    """Data comes in for a waiting call, and the call is cancelled before the loop runs again."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        task = await begun(receive(ours, how))
        peer.sendall(b"kept")
        select.select([ours], [], [])
        task.cancel()
        with t.raises(asyncio.CancelledError, what="awaiting the cancelled call raises"):
            await task
        t.equal("what the next call received", await receive(ours, how), b"kept")
        t.equal("what is still watched", still_watched(t.loop, ours), [])

    with ours, peer:
        t.run(main())


@case(
    "SOCK-015.same-turn",
    variants=("recv", "recv_into"),
    expected="either the call returns the data, or it is cancelled and the next call does",
)
def data_and_cancel_in_a_turn(t: Trial, how: str) -> None:
    """Data comes in for a waiting call; a callback that is due in the same turn cancels it."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        for delay in range(4):  # the turns between the data and the cancellation
            task = await begun(receive(ours, how))
            peer.sendall(b"kept")
            select.select([ours], [], [])
            t.loop.call_soon(task.cancel)
            for _ in range(delay):
                await asyncio.sleep(0)
            try:
                received = await task
            except asyncio.CancelledError:
                t.true("the cancelled call left the data in the socket", readable(ours))
                received = await receive(ours, how)
            t.equal(f"what was received, with {delay} turns between", received, b"kept")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-015.accept",
    expected="cancelled without an error, and the next call accepts the client",
)
def client_and_cancel(t: Trial) -> None:
    """A client connects while sock_accept waits, and in the next turn the call is cancelled,
    before it has run."""

    async def main() -> None:
        task = await begun(t.loop.sock_accept(listening))
        client.connect(listening.getsockname())
        select.select([listening], [], [])
        t.loop.call_soon(task.cancel)
        for _ in range(2):
            await asyncio.sleep(0)
        try:
            conn, address = await task
        except asyncio.CancelledError:
            t.true("the cancelled call left the client in the queue", readable(listening))
            conn, address = await t.loop.sock_accept(listening)
        conn.close()
        t.equal("who is accepted", address, client.getsockname())
        t.equal("errors that were logged", t.log_messages(), [])

    with listener("tcp", t.directory) as listening, socket.socket() as client:
        listening.setblocking(False)
        t.run(main())


@case("SOCK-015.send", expected="nothing of the cancelled call arrives behind the other data")
def room_and_cancel(t: Trial) -> None:
    """The peer makes room for a waiting sock_sendall, which is cancelled before the loop runs
    again; then something else is sent."""
    ours, peer = socket_pair("unix", t.directory)

    async def main() -> None:
        before = fill(ours)
        task = await begun(t.loop.sock_sendall(ours, b"x"))
        t.equal("it is done while the socket is full", task.done(), False)
        receive_exactly(peer, before)
        task.cancel()
        with t.raises(asyncio.CancelledError, what="awaiting the cancelled call raises"):
            await task
        await t.loop.sock_sendall(ours, b"after")
        t.equal("what arrives next", peer.recv(100), b"after")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-016.again",
    variants=RECEIVERS,
    expected="the waiting call gets the data once; the one after it the next data",
)
def receive_after_cancel(t: Trial, how: str) -> None:
    """A receiving call is cancelled, another waits at once in its place; data comes in twice."""
    ours, peer = datagram_pair()

    async def main() -> None:
        first = await begun(receive(ours, how))
        first.cancel()
        second = await begun(receive(ours, how))
        t.equal("the first was cancelled", first.cancelled(), True)
        t.equal("the second is done without data", second.done(), False)
        peer.sendto(b"one", ours.getsockname())
        t.equal("what the second received", await second, b"one")
        peer.sendto(b"two", ours.getsockname())
        t.equal("what a third received", await receive(ours, how), b"two")

    with ours, peer:
        t.run(main())


@case("SOCK-016.same-turn", expected="the second call stays and gets the data")
def replaced_in_a_turn(t: Trial) -> None:
    """In one turn, a waiting sock_recv is cancelled and a second one started: the end of the
    first must not take away the watcher of the second."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        first = await begun(t.loop.sock_recv(ours, 10))
        second = asyncio.ensure_future(t.loop.sock_recv(ours, 10))
        first.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        t.equal("the first was cancelled", first.cancelled(), True)
        peer.sendall(b"data")
        t.equal("what the second received", await second, b"data")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-019.closed",
    variants=("recv", "sendall", "accept"),
    expected="the call ends with an error or stays pending until it is cancelled; the loop goes on",
)
def socket_closed(t: Trial, how: str) -> None:
    """The user closes the socket while a call waits on it, and cancels the call turns later."""
    ours, peer = socket_pair("unix" if how == "sendall" else "tcp", t.directory)
    if how == "accept":
        ours.close()
        ours = listener("tcp", t.directory)
        ours.setblocking(False)

    async def main() -> None:
        task: asyncio.Task[Any]
        if how == "sendall":
            fill(ours)
            task = await begun(t.loop.sock_sendall(ours, bytes(1_000_000)))
        elif how == "recv":
            task = await begun(t.loop.sock_recv(ours, 10))
        else:
            task = await begun(t.loop.sock_accept(ours))
        ours.close()
        for _ in range(10):
            await asyncio.sleep(0)
        t.note("before it is cancelled", "ended" if task.done() else "pending")
        task.cancel()
        with t.raises(asyncio.CancelledError, OSError, ValueError, what="awaiting it raises"):
            await task
        other, sender = socket.socketpair()
        with other, sender:
            other.setblocking(False)
            sender.send(b"works")
            t.equal("another socket then", await t.loop.sock_recv(other, 10), b"works")

    with ours, peer:
        t.run(main())


@case(
    "SOCK-020.transport",
    variants=("recv", "recv_into", "recvfrom", "sendall"),
    expected="RuntimeError, and the transport goes on",
)
def transports_socket(t: Trial, how: str) -> None:
    """A sock_* coroutine that would have to wait is given the descriptor of a transport."""

    async def main() -> None:
        made = await link(t, "unix", lambda: Recorder(t.loop))
        sock = socket.socket(fileno=made.transport.get_extra_info("socket").fileno())
        sock.setblocking(False)
        if how == "sendall":
            fill(sock)
        with t.raises(RuntimeError):
            if how == "sendall":
                await t.loop.sock_sendall(sock, b"data")
            else:
                await receive(sock, how)
        sock.detach()
        made.peer.sendall(b"data")
        t.equal("what the protocol received", await made.protocol.received(4), b"data")
        await made.close()

    t.run(main())
