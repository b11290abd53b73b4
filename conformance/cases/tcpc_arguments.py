"""TCPC: arguments of create_connection that contradict each other."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import socket_pair
from loopgauge.conformance.kit.tls import HOSTNAME, client_context
from loopgauge.conformance.trial import Trial


def refused(t: Trial, error: type[BaseException], **options: Any) -> None:
    """create_connection with `options` has to raise `error`, and to make no connection."""

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            t.event("connection_made")

    with t.raises(error):
        t.run(t.loop.create_connection(Seen, **options))
    t.spin()
    t.saw()


@case(
    "TCPC-004.both",
    variants=("host", "port", "host-and-port"),
    expected="ValueError; the socket stays the caller's, open and connected",
)
def address_and_socket(t: Trial, given: str) -> None:
    """create_connection is given a connected socket and also a host, a port, or both."""
    ours, peer = socket_pair("tcp", t.directory)
    address = {"host": "127.0.0.1", "port": 80}
    options: dict[str, Any] = {k: v for k, v in address.items() if k in given.split("-")}
    with ours, peer:
        refused(t, ValueError, sock=ours, **options)
        ours.sendall(b"usable")
        t.equal("what the peer reads afterwards", peer.recv(100), b"usable")


@case("TCPC-005.nothing", expected="ValueError")
def no_address(t: Trial) -> None:
    """create_connection is given neither an address nor a socket."""
    refused(t, ValueError)


@case("TCPC-006.no-ssl", variants=("host", "sock"), expected="ValueError")
def hostname_without_tls(t: Trial, kind: str) -> None:
    """create_connection is given server_hostname without ssl."""
    ours, peer = socket_pair("tcp", t.directory)
    with ours, peer:
        host, port = peer.getsockname()
        options: dict[str, Any] = {"sock": ours} if kind == "sock" else {"host": host, "port": port}
        refused(t, ValueError, server_hostname=HOSTNAME, **options)


@case("TCPC-007.sock", expected="ValueError, and nothing was sent")
def tls_without_a_name(t: Trial) -> None:
    """create_connection is given ssl and a connected socket, but no name to check."""
    ours, peer = socket_pair("tcp", t.directory)
    with ours, peer:
        refused(t, ValueError, sock=ours, ssl=client_context())
        ours.close()
        t.equal("what the peer reads", peer.recv(100), b"")


@case("TCPC-007.port", expected="ValueError")
def tls_without_a_host(t: Trial) -> None:
    """create_connection is given ssl and a port, but no host and no name to check."""
    refused(t, ValueError, port=80, ssl=client_context())


@case(
    "TCPC-008.timeouts",
    variants=("ssl_handshake_timeout", "ssl_shutdown_timeout"),
    expected="ValueError",
)
def timeout_without_tls(t: Trial, name: str) -> None:
    """create_connection is given a time limit of TLS without ssl."""
    ours, peer = socket_pair("tcp", t.directory)
    with ours, peer:
        refused(t, ValueError, sock=ours, **{name: 1.0})
        host, port = peer.getsockname()
        refused(t, ValueError, host=host, port=port, **{name: 1.0})


@case("TCPC-009.datagram", variants=("udp", "unix"), expected="ValueError; the socket stays open")
def no_stream(t: Trial, kind: str) -> None:
    """create_connection is given a datagram socket."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as ours:
        refused(t, ValueError, sock=ours)
        t.true("the socket is still open", ours.fileno() >= 0)
