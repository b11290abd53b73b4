"""TLSS: handshakes that fail, and time limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
import weakref
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import Link
from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    receive_all,
    socket_pair,
    tls_client_side,
    tls_server_side,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.kit.tls_links import tls_client, tls_role
from loopgauge.conformance.trial import Trial

LIMITS = ("handshake", "shutdown")


@case(
    "TLSS-003.client",
    expected="ssl.SSLCertVerificationError, also an OSError; the protocol hears nothing, and "
    "nothing is logged",
)
def untrusted(t: Trial) -> None:
    """The loop is a client whose context does not trust the peer's certificate."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        work = asyncio.ensure_future(in_thread(tls_server_side, plain, server_context(t.directory)))
        protocol = Recorder(loop)
        with t.raises(ssl.SSLCertVerificationError):
            await loop.create_connection(
                lambda: protocol,
                sock=ours,
                ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                server_hostname=HOSTNAME,
            )
        with t.raises(OSError, what="the handshake of the peer"):
            await work
        plain.close()
        t.equal("callbacks", protocol.calls, [])

    t.run(main())


@case(
    "TLSS-003.server-goes-on",
    expected="the first client's handshake fails, the server's protocol hears nothing of it, and "
    "the second client is served",
)
def server_goes_on(t: Trial) -> None:
    """A server of the loop has two clients: one does not trust its certificate, one does."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: list[Recorder] = []

        def accept() -> Recorder:
            made.append(Recorder(loop))
            return made[-1]

        context = server_context(t.directory)
        server = await loop.create_server(accept, "127.0.0.1", 0, ssl=context)
        address = server.sockets[0].getsockname()
        first = dial(address)
        with t.raises(ssl.SSLCertVerificationError, what="the first client's handshake"):
            distrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            await in_thread(tls_client_side, first, distrusting, HOSTNAME)
        first.close()
        second = await in_thread(tls_client_side, dial(address), client_context(), HOSTNAME)
        await in_thread(second.sendall, b"hello")
        while not any(protocol.data for protocol in made):
            await asyncio.sleep(0.001)
        calls = [protocol.calls for protocol in made if protocol.calls]
        t.equal("callbacks", calls, [["connection_made", "data_received"]])
        last: Any = made[-1].transport
        await Link(last, made[-1], second, server).close()
        await server.wait_closed()

    t.run(main())


@case(
    "TLSS-003.no-tls",
    expected="ssl.SSLError; the protocol hears nothing",
)
def peer_without_tls(t: Trial) -> None:
    """The loop is a client, and the peer answers in plain text."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        plain.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        protocol = Recorder(loop)
        with t.raises(ssl.SSLError):
            await loop.create_connection(
                lambda: protocol, sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
        plain.close()
        t.equal("callbacks", protocol.calls, [])

    t.run(main())


@case(
    "TLSS-003.vanishes",
    variants=("at-once", "after-hello"),
    expected="an OSError; the protocol hears nothing",
)
def peer_vanishes(t: Trial, kind: str) -> None:
    """The loop is a client, and the peer closes before it has said anything: at once, or after the
    loop's first message."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        protocol = Recorder(loop)
        if kind == "at-once":
            plain.close()
        task = asyncio.ensure_future(
            loop.create_connection(
                lambda: protocol, sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
        )
        if kind == "after-hello":
            hello = await in_thread(plain.recv, 100_000)
            t.equal("the first byte of the hello", hello[:1], b"\x16")
            plain.shutdown(socket.SHUT_WR)
        with t.raises(OSError):
            await task
        plain.close()
        t.equal("callbacks", protocol.calls, [])

    t.run(main())


@case(
    "TLSS-004.mismatch",
    variants=("given", "default-context"),
    expected="ssl.CertificateError",
)
def wrong_hostname(t: Trial, kind: str) -> None:
    """The certificate is for localhost, and the client asks for other.example."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        context = client_context()
        if kind == "default-context":
            context = ssl.create_default_context(cafile=str(t.directory / "certificate.pem"))
        work = asyncio.ensure_future(in_thread(tls_server_side, plain, server_context(t.directory)))
        with t.raises(ssl.CertificateError):
            await loop.create_connection(
                asyncio.Protocol, sock=ours, ssl=context, server_hostname="other.example"
            )
        with t.raises(OSError, what="the handshake of the peer"):
            await work
        plain.close()

    server_context(t.directory)  # writes the certificate's file
    t.run(main())


@case(
    "TLSS-004.unchecked",
    expected="the connection is made",
)
def unchecked_hostname(t: Trial) -> None:
    """The same, with a context that does not check names."""

    async def main() -> None:
        context = client_context()
        context.check_hostname = False
        loop = asyncio.get_running_loop()
        made = await tls_client(t, lambda: Recorder(loop), context, hostname="other.example")
        t.equal("callbacks", made.protocol.calls, ["connection_made"])
        await made.close()

    t.run(main())


@case(
    "TLSS-006.client",
    seconds=5.0,
    expected="ConnectionAbortedError, not before the time; the peer sees the end; no log",
)
def client_timeout(t: Trial) -> None:
    """The loop is a client with ssl_handshake_timeout=0.1, and the peer says nothing."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        protocol = Recorder(loop)
        started = time.monotonic()
        with t.raises(ConnectionAbortedError):
            await loop.create_connection(
                lambda: protocol,
                sock=ours,
                ssl=client_context(),
                server_hostname=HOSTNAME,
                ssl_handshake_timeout=0.1,
            )
        t.between("seconds", time.monotonic() - started, 0.095, 5)
        said = await in_thread(receive_all, plain)
        t.equal("the first byte that the peer got", said[:1], b"\x16")
        plain.close()
        t.equal("callbacks", protocol.calls, [])

    t.run(main())


@case(
    "TLSS-006.server",
    seconds=5.0,
    expected="the connection is closed after the time, connection_made is not called, nothing is "
    "logged, and the next client is served",
)
def server_timeout(t: Trial) -> None:
    """A server of the loop has ssl_handshake_timeout=0.3; one client says nothing."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: list[Recorder] = []

        def accept() -> Recorder:
            made.append(Recorder(loop))
            return made[-1]

        server = await loop.create_server(
            accept, "127.0.0.1", 0, ssl=server_context(t.directory), ssl_handshake_timeout=0.3
        )
        silent = dial(server.sockets[0].getsockname())
        t.equal("what the silent client reads", await in_thread(end_of, silent), b"")
        silent.close()
        t.equal("callbacks", [call for one in made for call in one.calls], [])
        server.close()
        await server.wait_closed()

    def end_of(peer: socket.socket) -> bytes:
        try:
            return peer.recv(1)
        except ConnectionResetError:  # as good an end
            return b""

    t.run(main())


@case(
    "TLSS-006.freed",
    expected="nothing keeps the context alive, though the limit is a minute",
)
def timer_is_cancelled(t: Trial) -> None:
    """A handshake fails at once; the time limit's timer must not hold on to the connection."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        plain.close()
        context = client_context()
        kept.append(weakref.ref(context))
        with t.raises(OSError):
            await loop.create_connection(
                asyncio.Protocol, sock=ours, ssl=context, server_hostname=HOSTNAME
            )

    kept: list[Any] = []
    t.run(main())
    t.spin(3)
    t.collect()
    t.true("the context is gone", kept[0]() is None)


async def refused(t: Trial, kind: str, limit: str, value: Any) -> None:
    """`kind` of connecting with a time limit that makes no sense has to raise ValueError."""
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {f"ssl_{limit}_timeout": value}
    ours, plain = socket_pair("tcp", t.directory)
    plain.close()
    with t.raises(ValueError):
        if kind == "connection":
            await loop.create_connection(
                asyncio.Protocol,
                sock=ours,
                ssl=client_context(),
                server_hostname=HOSTNAME,
                **options,
            )
        else:
            await loop.connect_accepted_socket(
                asyncio.Protocol, ours, ssl=server_context(t.directory), **options
            )
    ours.close()


@case(
    "TLSS-006.not-positive",
    variants=("connection", "accepted"),
    expected="ValueError",
)
def handshake_limit_not_positive(t: Trial, kind: str) -> None:
    """ssl_handshake_timeout is 0, then -1."""
    t.run(refused(t, kind, "handshake", 0))
    t.run(refused(t, kind, "handshake", -1))


@case(
    "TLSS-007.not-positive",
    variants=("connection", "accepted"),
    expected="ValueError",
)
def shutdown_limit_not_positive(t: Trial, kind: str) -> None:
    """ssl_shutdown_timeout is 0, then -0.5."""
    t.run(refused(t, kind, "shutdown", 0))
    t.run(refused(t, kind, "shutdown", -0.5))


@case(
    "TLSS-006.without-tls",
    variants=LIMITS,
    expected="ValueError from create_connection(), create_server() and connect_accepted_socket()",
)
def limit_without_tls(t: Trial, limit: str) -> None:
    """A time limit for TLS is given without a context."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {f"ssl_{limit}_timeout": 1.0}
        ours, plain = socket_pair("tcp", t.directory)
        with t.raises(ValueError, what="create_connection()"):
            await loop.create_connection(asyncio.Protocol, sock=ours, **options)
        with t.raises(ValueError, what="create_server()"):
            await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, **options)
        with t.raises(ValueError, what="connect_accepted_socket()"):
            await loop.connect_accepted_socket(asyncio.Protocol, ours, **options)
        ours.close()
        plain.close()

    t.run(main())


@case(
    "TLSS-007.expires",
    seconds=5.0,
    variants=("client", "server"),
    expected="connection_lost after the time, not before; the peer sees the connection end",
)
def shutdown_timeout(t: Trial, role: str) -> None:
    """ssl_shutdown_timeout=0.1; the transport is closed and the peer does not answer."""

    async def main() -> None:
        made = await tls_role(t, role, ssl_shutdown_timeout=0.1)
        started = time.monotonic()
        made.transport.close()
        await made.protocol.lost
        t.between("seconds", time.monotonic() - started, 0.095, 5)
        error = made.protocol.error
        if not isinstance(error, TimeoutError):
            t.non_strict(f"connection_lost with {type(error).__name__}, not TimeoutError")
        t.equal("calls of connection_lost", made.protocol.calls.count("connection_lost"), 1)
        plain = socket.socket(fileno=made.peer.detach())
        plain.settimeout(5)
        await in_thread(raw_end, plain)
        t.event("the peer saw the end")
        plain.close()
        await made.close()

    def raw_end(plain: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):  # as good an end
            receive_all(plain)

    t.run(main())
    t.saw("the peer saw the end")


@case(
    "TLSS-007.in-time",
    expected="connection_lost(None) once the peer has answered; the limit is forgotten",
)
def shutdown_in_time(t: Trial) -> None:
    """ssl_shutdown_timeout=60; the peer answers the close at once, and the transport's objects are
    looked for."""

    async def main() -> None:
        context = client_context()
        kept.append(weakref.ref(context))
        made = await tls_role(t, "client", context=context, ssl_shutdown_timeout=60)
        made.transport.close()
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        t.equal("the argument of connection_lost", made.protocol.error, None)
        plain.close()

    kept: list[Any] = []
    t.run(main())
    t.spin(3)
    t.collect()
    t.true("nothing keeps the context alive", kept[0]() is None)
