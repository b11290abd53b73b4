"""SOCK: sock_connect and sock_accept."""

from __future__ import annotations

import asyncio
import socket

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import PEER_SECONDS, in_thread, listener, receive_exactly
from loopgauge.conformance.kit.sockets import SOCKETS, begun, has_ipv6, refusing, still_watched
from loopgauge.conformance.trial import Trial


def unconnected(family: int = socket.AF_INET) -> socket.socket:
    made = socket.socket(family)
    made.setblocking(False)
    return made


@case(
    "SOCK-011.hosts",
    variants=("numeric", "name", "ipv6"),
    expected="None, and the socket is connected to the listener",
)
def connect_hosts(t: Trial, host: str) -> None:
    """sock_connect is given a numeric address, the name localhost, or an IPv6 address."""
    if host == "ipv6" and not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    family = socket.AF_INET6 if host == "ipv6" else socket.AF_INET
    name = {"numeric": "127.0.0.1", "name": "localhost", "ipv6": "::1"}[host]
    listening = listener("tcp6" if host == "ipv6" else "tcp", t.directory)
    with listening, unconnected(family) as ours:
        address = (name, listening.getsockname()[1])
        result: object = t.run(t.loop.sock_connect(ours, address))
        t.equal("what the call returned", result, None)
        peer, peer_address = listening.accept()
        peer.close()
        t.equal("who the listener accepted", peer_address, ours.getsockname())


@case("SOCK-011.unknown-name", expected="socket.gaierror; the socket can connect afterwards")
def connect_to_unknown(t: Trial) -> None:
    """sock_connect is given a host name that cannot exist, since it has a space in it."""
    with listener("tcp", t.directory) as listening, unconnected() as ours:
        with t.raises(socket.gaierror, UnicodeError):
            t.run(t.loop.sock_connect(ours, ("no host.invalid", 80)))
        t.run(t.loop.sock_connect(ours, listening.getsockname()))
        t.equal("the peer's address", ours.getpeername(), listening.getsockname())


@case(
    "SOCK-012.refused",
    expected="ConnectionRefusedError, nothing is watched, and the loop connects the next socket",
)
def connect_refused(t: Trial) -> None:
    """sock_connect tries a port where nobody listens; then another socket one where somebody
    does."""
    with refusing() as nobody, unconnected() as first:
        with t.raises(ConnectionRefusedError):
            t.run(t.loop.sock_connect(first, nobody.getsockname()))
        t.equal("what is still watched", still_watched(t.loop, first), [])
        t.equal("the error that is left in the socket", take_error(first), 0)
    with listener("tcp", t.directory) as listening, unconnected() as second:
        t.run(t.loop.sock_connect(second, listening.getsockname()))
        t.equal("the peer's address", second.getpeername(), listening.getsockname())


def take_error(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@case("SOCK-012.no-path", expected="FileNotFoundError")
def connect_to_no_path(t: Trial) -> None:
    """sock_connect is given the path of a Unix socket that does not exist."""
    with unconnected(socket.AF_UNIX) as ours, t.raises(FileNotFoundError):
        t.run(t.loop.sock_connect(ours, str(t.directory / "nobody")))


@case("SOCK-013.there", variants=SOCKETS, expected="(connection, the client's address)")
def accept_who_waits(t: Trial, kind: str) -> None:
    """A client has connected before sock_accept is called."""
    with listener(kind, t.directory) as listening, socket.socket(listening.family) as client:
        listening.setblocking(False)
        client.connect(listening.getsockname())
        accepted = t.run(t.loop.sock_accept(listening))
        judge_accepted(t, accepted, client)


@case(
    "SOCK-013.later",
    variants=SOCKETS,
    expected="the call waits, then returns (connection, the client's address)",
)
def accept_who_comes(t: Trial, kind: str) -> None:
    """A client connects while sock_accept waits."""

    async def main() -> None:
        task = await begun(t.loop.sock_accept(listening))
        t.equal("it is done while nobody has connected", task.done(), False)
        client.connect(listening.getsockname())
        judge_accepted(t, await task, client)
        t.equal("what is still watched", still_watched(t.loop, listening), [])

    with listener(kind, t.directory) as listening, socket.socket(listening.family) as client:
        listening.setblocking(False)
        t.run(main())


def judge_accepted(t: Trial, accepted: tuple[socket.socket, object], client: socket.socket) -> None:
    conn, address = accepted
    with conn:
        t.true("the connection is a socket", isinstance(conn, socket.socket))
        t.equal("the time limit of the connection (0: non-blocking)", conn.gettimeout(), 0.0)
        t.equal("the address", address, client.getsockname())
        client.sendall(b"data")
        conn.settimeout(PEER_SECONDS)
        t.equal("what the connection received", conn.recv(10), b"data")


@case("SOCK-013.two", expected="each call gets a client of its own")
def accept_two(t: Trial) -> None:
    """Two clients wait; sock_accept is called twice."""
    with listener("tcp", t.directory) as listening:
        listening.setblocking(False)
        clients = [socket.create_connection(listening.getsockname()) for _ in "12"]

        async def main() -> list[object]:
            accepted = [await t.loop.sock_accept(listening) for _ in "12"]
            for conn, _ in accepted:
                conn.close()
            return [address for _, address in accepted]

        addresses = t.run(main())
        t.equal("who was accepted", addresses, [client.getsockname() for client in clients])
        for client in clients:
            client.close()


@case(
    "SOCK-017.client",
    variants=("str", "bytes"),
    expected="it connects, sends and receives as over TCP",
)
def unix_client(t: Trial, kind: str) -> None:
    """A Unix socket is connected with sock_connect, and used with sock_sendall and sock_recv;
    the path is a str or bytes."""

    def serve() -> bytes:
        peer, _ = listening.accept()
        with peer:
            question = receive_exactly(peer, 8)
            peer.sendall(b"answer")
        return question

    async def main() -> None:
        path = str(listening.getsockname())
        serving = asyncio.ensure_future(in_thread(serve))
        await t.loop.sock_connect(ours, path if kind == "str" else path.encode())
        await t.loop.sock_sendall(ours, b"question")
        t.equal("what came back", await t.loop.sock_recv(ours, 100), b"answer")
        t.equal("what the other side read", await serving, b"question")

    with listener("unix", t.directory) as listening, unconnected(socket.AF_UNIX) as ours:
        t.run(main())
