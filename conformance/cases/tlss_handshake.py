"""TLSS: handshakes that succeed, and what is known after them."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import Link
from loopgauge.conformance.kit.peers import (
    dial,
    in_thread,
    receive_exactly,
    socket_pair,
    tls_client_side,
    tls_server_side,
)
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.tls import HOSTNAME, PEM, client_context, server_context
from loopgauge.conformance.kit.tls_links import ROLES, tls_role, tls_server
from loopgauge.conformance.trial import Trial


@case(
    "TLSS-001.connects",
    variants=ROLES,
    expected="connection_made once, then data both ways",
)
def connects(t: Trial, role: str) -> None:
    """A TLS connection is made with a blocking peer; both write. The loop is client or server."""

    async def main() -> None:
        made = await tls_role(t, role)
        t.equal("callbacks after the handshake", made.protocol.calls, ["connection_made"])
        t.true("connection_made had the transport", made.protocol.transport is made.transport)
        made.transport.writelines([b"to the ", bytearray(b"peer")])
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 11), b"to the peer")
        await in_thread(made.peer.sendall, b"to the loop")
        t.equal("the loop reads", await made.protocol.received(11), b"to the loop")
        t.equal("callbacks", made.protocol.calls, ["connection_made", "data_received"])
        await made.close()

    t.run(main())


@case(
    "TLSS-001.not-before",
    expected="connection_made is called only when the handshake is complete",
)
def not_before_the_handshake(t: Trial) -> None:
    """The TCP connection is there, and the peer says nothing for 20 turns; then it does its
    handshake."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        protocol = Recorder(loop)
        task = asyncio.ensure_future(
            loop.create_connection(
                lambda: protocol, sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
        )
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("callbacks before the handshake", protocol.calls, [])
        t.equal("create_connection() is done before", task.done(), False)
        peer = await in_thread(tls_server_side, plain, server_context(t.directory))
        transport, _ = await task
        t.equal("callbacks after it", protocol.calls, ["connection_made"])
        await Link(transport, protocol, peer).close()

    t.run(main())


@case(
    "TLSS-001.known-when-made",
    variants=ROLES,
    expected="the cipher is known within connection_made, and writing works there",
)
def inside_connection_made(t: Trial, role: str) -> None:
    """A protocol asks for the cipher and writes within connection_made."""

    class Eager(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            ciphers.append(transport.get_extra_info("cipher"))
            transport.write(b"hello")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if role == "client":
            ours, plain = socket_pair("tcp", t.directory)
            work = asyncio.ensure_future(
                in_thread(tls_server_side, plain, server_context(t.directory))
            )
            transport, protocol = await loop.create_connection(
                lambda: Eager(loop), sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
            made = Link[Any](transport, protocol, await work)
        else:
            made = await tls_server(t, lambda: Eager(loop))
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 5), b"hello")
        t.true("the cipher was known", bool(ciphers) and ciphers[0] is not None)
        await made.close()

    ciphers: list[Any] = []
    t.run(main())


@case(
    "TLSS-001.accepted-socket",
    expected="the loop does the handshake of a server, and connection_made is called after it",
)
def accepted_socket(t: Trial) -> None:
    """connect_accepted_socket() with a context, for a connection accepted outside of asyncio."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        work = asyncio.ensure_future(in_thread(tls_client_side, plain, client_context(), HOSTNAME))
        protocol = Recorder(loop)
        transport, returned = await loop.connect_accepted_socket(
            lambda: protocol, ours, ssl=server_context(t.directory)
        )
        peer = await work
        t.true("it returns the protocol of the factory", returned is protocol)
        await in_thread(peer.sendall, b"hello")
        t.equal("the loop reads", await protocol.received(5), b"hello")
        await Link(transport, protocol, peer).close()

    t.run(main())


@case(
    "TLSS-001.name",
    variants=("host", "argument", "none"),
    expected="the name of the host, or server_hostname in its place; none where it is ''",
)
def server_name(t: Trial, kind: str) -> None:
    """A server that the loop connects to writes down the name that the client asks for (SNI)."""

    async def main() -> None:
        names: list[str | None] = []
        context = server_context(t.directory)
        context.sni_callback = lambda sslobj, name, ctx: names.append(name)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Recorder(loop), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        trusting = client_context()
        options: dict[str, Any] = {}
        if kind != "host":
            trusting.check_hostname = False
            options["server_hostname"] = "name.example" if kind == "argument" else ""
        transport, protocol = await loop.create_connection(
            lambda: Recorder(loop), "localhost", port, ssl=trusting, **options
        )
        wanted = {"host": ["localhost"], "argument": ["name.example"], "none": [None]}[kind]
        t.equal("the name that was asked for", names, wanted)
        transport.abort()
        await protocol.lost
        server.close()
        await server.wait_closed()

    t.run(main())


@case(
    "TLSS-002.trusts",
    expected="the connection is made: the default certificates are those that SSL_CERT_FILE names",
)
def default_context_trusts(t: Trial) -> None:
    """ssl=True, while the environment names a file with the peer's certificate as trusted."""

    async def main() -> None:
        trusted = t.directory / "trusted.pem"
        trusted.write_text(PEM[: PEM.index("-----BEGIN PRIVATE")])
        os.environ["SSL_CERT_FILE"] = str(trusted)
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        work = asyncio.ensure_future(in_thread(tls_server_side, plain, server_context(t.directory)))
        transport, protocol = await loop.create_connection(
            lambda: Recorder(loop), sock=ours, ssl=True, server_hostname=HOSTNAME
        )
        context = transport.get_extra_info("sslcontext")
        t.equal("verify_mode of its context", context.verify_mode, ssl.CERT_REQUIRED)
        t.equal("check_hostname of its context", context.check_hostname, True)
        await Link(transport, protocol, await work).close()
        del os.environ["SSL_CERT_FILE"]

    t.run(main())


@case(
    "TLSS-002.distrusts",
    expected="ssl.SSLCertVerificationError: the default context verifies",
)
def default_context_verifies(t: Trial) -> None:
    """ssl=True, and the peer's certificate is signed by nobody who is known."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, plain = socket_pair("tcp", t.directory)
        work = asyncio.ensure_future(in_thread(tls_server_side, plain, server_context(t.directory)))
        with t.raises(ssl.SSLCertVerificationError):
            await loop.create_connection(
                asyncio.Protocol, sock=ours, ssl=True, server_hostname=HOSTNAME
            )
        with t.raises(OSError, what="the handshake of the peer"):
            await work
        plain.close()

    t.run(main())


@case(
    "TLSS-005.client",
    expected="an SSLObject or SSLSocket, the context that was given, the peer's certificate, a "
    "cipher of three parts, no compression; and those of the socket below",
)
def extra_info_of_client(t: Trial) -> None:
    """A client's transport is asked for everything that the documentation names."""

    async def main() -> None:
        context = client_context()
        made = await tls_role(t, "client", context=context)
        info = made.transport.get_extra_info
        found = info("ssl_object")
        t.true("'ssl_object'", isinstance(found, ssl.SSLObject | ssl.SSLSocket), "an SSL object")
        t.equal("its version()", found.version(), made.peer.version())  # type: ignore[attr-defined]
        t.true("'sslcontext' is the context", info("sslcontext") is context)
        names = info("peercert").get("subjectAltName")
        t.true("'peercert' names localhost", ("DNS", "localhost") in names)
        t.equal("'cipher'", info("cipher"), made.peer.cipher())  # type: ignore[attr-defined]
        t.equal("'compression'", info("compression", "unknown"), None)
        t.equal("'peername'", info("peername"), made.peer.getsockname())
        t.equal("'sockname'", info("sockname"), made.peer.getpeername())
        t.true("'socket' is there", info("socket") is not None)
        t.equal("an unknown name", info("nothing of the kind", "default"), "default")
        await made.close()

    t.run(main())


@case(
    "TLSS-005.server",
    variants=("anonymous", "certified"),
    expected="the server's own context; the client's certificate, if it showed one",
)
def extra_info_of_server(t: Trial, kind: str) -> None:
    """A server's transport is asked; the client shows a certificate or none."""

    async def main() -> None:
        context, other = server_context(t.directory), client_context()
        if kind == "certified":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=PEM[: PEM.index("-----BEGIN PRIVATE")])
            other.load_cert_chain(t.directory / "certificate.pem")
        made = await tls_role(t, "server", context=context, peer_context=other)
        info = made.transport.get_extra_info
        t.true("'sslcontext' is the server's", info("sslcontext") is context)
        t.true("'peercert' is there", bool(info("peercert")) is (kind == "certified"))
        t.equal("'cipher'", info("cipher"), made.peer.cipher())  # type: ignore[attr-defined]
        t.equal("server_side of 'ssl_object'", info("ssl_object").server_side, True)
        await made.close()

    t.run(main())


@case(
    "TLSS-016.unix",
    expected="the handshake succeeds, data flows both ways, and 'cipher' is known",
)
def over_unix_sockets(t: Trial) -> None:
    """create_unix_server() and create_unix_connection() with TLS, both of the loop, by a path."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted: list[Recorder] = []

        def accept() -> Recorder:
            accepted.append(Recorder(loop))
            return accepted[-1]

        path = str(t.directory / "server")
        server = await loop.create_unix_server(accept, path, ssl=server_context(t.directory))
        transport, protocol = await loop.create_unix_connection(
            lambda: Recorder(loop), path, ssl=client_context(), server_hostname=HOSTNAME
        )
        transport.write(b"from the client")
        t.equal("the server reads", await accepted[0].received(15), b"from the client")
        other: Any = accepted[0].transport
        other.write(b"from the server")
        t.equal("the client reads", await protocol.received(15), b"from the server")
        t.true("'cipher' is known", transport.get_extra_info("cipher") is not None)
        transport.close()
        await asyncio.gather(protocol.lost, accepted[0].lost)
        server.close()
        await server.wait_closed()

    t.run(main())


@case(
    "TLSS-016.unix-peer",
    variants=ROLES,
    expected="the handshake succeeds, and data flows",
)
def unix_with_peer(t: Trial, role: str) -> None:
    """TLS over a connected Unix socket, or as a server at a path, with a blocking peer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if role == "client":
            ours, plain = socket_pair("unix", t.directory)
            work = asyncio.ensure_future(
                in_thread(tls_server_side, plain, server_context(t.directory))
            )
            transport, protocol = await loop.create_unix_connection(
                lambda: Recorder(loop), sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
            made = Link(transport, protocol, await work)
        else:
            protocol = Recorder(loop)
            path = str(t.directory / "server")
            server = await loop.create_unix_server(
                lambda: protocol, path, ssl=server_context(t.directory)
            )
            plain = await in_thread(dial, path)
            peer = await in_thread(tls_client_side, plain, client_context(), HOSTNAME)
            await protocol.made
            mine: Any = protocol.transport
            made = Link(mine, protocol, peer, server)
        await in_thread(made.peer.sendall, b"hello")
        t.equal("the loop reads", await made.protocol.received(5), b"hello")
        made.transport.write(b"world")
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 5), b"world")
        await made.close()

    t.run(main())


@case(
    "TLSS-018.alpn",
    variants=ROLES,
    expected="both sides know the protocol that was agreed on",
)
def alpn(t: Trial, role: str) -> None:
    """The client offers http/1.1 and x, the server h2 and http/1.1."""

    async def main() -> None:
        server, client = server_context(t.directory), client_context()
        server.set_alpn_protocols(["h2", "http/1.1"])
        client.set_alpn_protocols(["x", "http/1.1"])
        ours, peers = (client, server) if role == "client" else (server, client)
        made = await tls_role(t, role, context=ours, peer_context=peers)
        found = made.transport.get_extra_info("ssl_object").selected_alpn_protocol()
        t.equal("the loop's side", found, "http/1.1")
        theirs = made.peer.selected_alpn_protocol()  # type: ignore[attr-defined]
        t.equal("the peer's side", theirs, "http/1.1")
        await made.close()

    t.run(main())


@case(
    "TLSS-018.sni",
    variants=("other-context", "refuses"),
    expected="the connection goes on with the context that the callback sets; where the callback "
    "returns an alert, the client's handshake fails and connection_made is not called",
)
def sni_callback(t: Trial, kind: str) -> None:
    """A server of the loop has an sni_callback, which takes another context, or refuses."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context, other = server_context(t.directory), server_context(t.directory)
        other.set_alpn_protocols(["other"])
        names: list[str | None] = []

        def choose(sslobj: Any, name: str | None, _context: Any) -> int | None:
            names.append(name)
            if kind == "refuses":
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            sslobj.context = other
            return None

        context.sni_callback = choose
        client = client_context()
        client.set_alpn_protocols(["other"])
        if kind == "refuses":
            protocol = Recorder(loop)
            server = await loop.create_server(lambda: protocol, "127.0.0.1", 0, ssl=context)
            plain = dial(server.sockets[0].getsockname())
            with t.raises(ssl.SSLError, what="the client's handshake"):
                await in_thread(tls_client_side, plain, client, HOSTNAME)
            plain.close()
            server.close()
            await server.wait_closed()
            t.equal("callbacks", protocol.calls, [])
        else:
            made = await tls_role(t, "server", context=context, peer_context=client)
            theirs = made.peer.selected_alpn_protocol()  # type: ignore[attr-defined]
            t.equal("protocol by the other context", theirs, "other")
            await made.close()
        t.equal("the name that was asked for", names, [HOSTNAME])

    t.run(main())
