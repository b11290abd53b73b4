"""UNIX: paths, sockets and files of Unix connections and servers."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import link
from loopgauge.conformance.kit.peers import dial, in_thread, listener, socket_pair
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import ended
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial

PATHS = ("str", "bytes", "path", "abstract", "abstract-bytes")


def path_of(t: Trial, kind: str) -> Any:
    """The same place as a str, bytes, a Path, or a name that is no file."""
    if kind.startswith("abstract"):
        name = f"\0{t.directory}"
        return name.encode() if kind.endswith("bytes") else name
    text = str(t.directory / "socket")
    return {"str": text, "bytes": text.encode(), "path": Path(text)}[kind]


async def closed(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


@case("UNIX-001.server", variants=PATHS, expected="a client that connects there is served")
def server_paths(t: Trial, kind: str) -> None:
    """create_unix_server is given a path as str, bytes, Path and as an abstract name."""
    protocol = Recorder(t.loop)
    path = path_of(t, kind)

    async def main() -> None:
        server = await t.loop.create_unix_server(lambda: protocol, path)
        client = dial(path.encode() if isinstance(path, str) else os.fspath(path))
        client.sendall(b"data")
        t.equal("what the protocol received", await protocol.received(4), b"data")
        await ended(protocol)
        client.close()
        await closed(server)

    t.run(main())


@case("UNIX-001.client", variants=PATHS, expected="it is connected to who listens there")
def client_paths(t: Trial, kind: str) -> None:
    """create_unix_connection is given a path as str, bytes, Path and as an abstract name."""
    path = path_of(t, kind)

    async def main() -> None:
        transport, protocol = await t.loop.create_unix_connection(lambda: Recorder(t.loop), path)
        peer, _ = listening.accept()
        peer.settimeout(5)
        transport.write(b"data")
        t.equal("what the listener received", await in_thread(peer.recv, 10), b"data")
        t.equal("the protocol's calls", protocol.calls, ["connection_made"])
        await ended(protocol)
        peer.close()

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen()
        t.run(main())


@case(
    "UNIX-002.both",
    variants=("client", "server"),
    expected="ValueError; the socket stays the caller's",
)
def path_and_socket(t: Trial, side: str) -> None:
    """A path and a socket are given together."""
    path = t.directory / "socket"
    make: Any = t.loop.create_unix_connection if side == "client" else t.loop.create_unix_server
    with socket.socket(socket.AF_UNIX) as ours:
        options: dict[str, Any] = {"path": str(path), "sock": ours}
        with t.raises(ValueError):
            t.run(make(asyncio.Protocol, **options))
        t.true("the socket is still open", ours.fileno() >= 0)
    t.equal("there is a file at the path", path.exists(), False)


@case("UNIX-002.neither", variants=("client", "server"), expected="ValueError")
def neither_path_nor_socket(t: Trial, side: str) -> None:
    """Neither a path nor a socket is given."""
    make: Any = t.loop.create_unix_connection if side == "client" else t.loop.create_unix_server
    with t.raises(ValueError):
        t.run(make(asyncio.Protocol))


@case(
    "UNIX-003.kinds",
    variants=("client-tcp", "client-datagram", "server-tcp", "server-datagram"),
    expected="ValueError; the socket stays the caller's",
)
def other_kinds(t: Trial, kind: str) -> None:
    """A TCP socket, or a Unix datagram socket, is given where a Unix stream socket belongs."""
    side, _, what = kind.partition("-")
    make: Any = t.loop.create_unix_connection if side == "client" else t.loop.create_unix_server
    sort = (
        (socket.AF_INET, socket.SOCK_STREAM)
        if what == "tcp"
        else (socket.AF_UNIX, socket.SOCK_DGRAM)
    )
    with socket.socket(*sort) as ours:
        with t.raises(ValueError):
            t.run(make(asyncio.Protocol, sock=ours))
        t.true("the socket is still open", ours.fileno() >= 0)


@case("UNIX-003.right", variants=("client", "server"), expected="it is used, and closed at the end")
def right_kind(t: Trial, side: str) -> None:
    """A Unix stream socket is given: a connected one, and a bound one."""
    protocol = Recorder(t.loop)
    if side == "client":
        ours, peer = socket_pair("unix", t.directory)
    else:
        ours = socket.socket(socket.AF_UNIX)
        ours.bind(str(t.directory / "socket"))
        peer = socket.socket(socket.AF_UNIX)

    async def main() -> None:
        if side == "client":
            await t.loop.create_unix_connection(lambda: protocol, sock=ours)
            peer.sendall(b"data")
        else:
            server = await t.loop.create_unix_server(lambda: protocol, sock=ours)
            peer.connect(str(t.directory / "socket"))
            peer.sendall(b"data")
        t.equal("what the protocol received", await protocol.received(4), b"data")
        await ended(protocol)
        if side == "server":
            await closed(server)

    with peer:
        t.run(main())
    t.spin()
    t.equal("the descriptor of the socket", ours.fileno(), -1)


@case("UNIX-004.stale", expected="the server takes the place of the stale file")
def stale_socket(t: Trial) -> None:
    """There is the file of a socket that nobody listens on any more."""
    listener("unix", t.directory).close()
    [path] = [str(found) for found in t.directory.iterdir()]
    protocol = Recorder(t.loop)

    async def main() -> None:
        server = await t.loop.create_unix_server(lambda: protocol, path)
        client = dial(path)
        await protocol.made
        t.equal("the protocol's calls", protocol.calls, ["connection_made"])
        await ended(protocol)
        client.close()
        await closed(server)

    t.run(main())


@case("UNIX-004.file", expected="OSError with EADDRINUSE; the file is untouched")
def regular_file(t: Trial) -> None:
    """There is a regular file at the path."""
    path = t.directory / "file"
    path.write_text("precious")
    with t.raises(OSError) as caught:
        t.run(t.loop.create_unix_server(asyncio.Protocol, str(path)))
    t.equal("the error number", getattr(caught[0], "errno", None), errno.EADDRINUSE)
    t.equal("the file", path.read_text(), "precious")


@case(
    "UNIX-005.missing",
    variants=("server", "client"),
    expected="FileNotFoundError, and no socket is left",
)
def missing_folder(t: Trial, side: str) -> None:
    """The folder of the path does not exist."""
    path = str(t.directory / "missing" / "socket")
    make: Any = t.loop.create_unix_connection if side == "client" else t.loop.create_unix_server
    with t.raises(FileNotFoundError):
        t.run(make(asyncio.Protocol, path))


@case("UNIX-005.refused", expected="ConnectionRefusedError, and no socket is left")
def nobody_listens(t: Trial) -> None:
    """A client connects to the file of a socket that nobody listens on."""
    listener("unix", t.directory).close()
    [path] = [str(found) for found in t.directory.iterdir()]
    with t.raises(ConnectionRefusedError):
        t.run(t.loop.create_unix_connection(asyncio.Protocol, path))


@case("UNIX-005.too-long", variants=("server", "client"), expected="OSError, and no socket is left")
def too_long(t: Trial, side: str) -> None:
    """The path is longer than an address of a Unix socket can be."""
    path = str(t.directory / ("x" * 200))
    make: Any = t.loop.create_unix_connection if side == "client" else t.loop.create_unix_server
    with t.raises(OSError):
        t.run(make(asyncio.Protocol, path))


@case(
    "UNIX-006.closed",
    variants=("default", "on", "off"),
    expected="the file is gone after close(); with cleanup_socket=False it stays",
)
def cleanup(t: Trial, kind: str) -> None:
    """A server is made with cleanup_socket=True, False and without it, and closed."""
    path = t.directory / "socket"
    options: dict[str, Any] = {} if kind == "default" else {"cleanup_socket": kind == "on"}

    async def main() -> None:
        server = await t.loop.create_unix_server(asyncio.Protocol, str(path), **options)
        t.equal("the file is there while it serves", path.exists(), True)
        await closed(server)
        t.equal("the file is there after close()", path.exists(), kind == "off")

    t.run(main())


@case("UNIX-006.socket", variants=("on", "off"), expected="the same as with a path")
def cleanup_of_socket(t: Trial, kind: str) -> None:
    """The server was given a bound socket instead of a path."""
    path = t.directory / "socket"
    ours = socket.socket(socket.AF_UNIX)
    ours.bind(str(path))

    async def main() -> None:
        options: dict[str, Any] = {"sock": ours, "cleanup_socket": kind == "on"}
        server = await t.loop.create_unix_server(asyncio.Protocol, **options)
        await closed(server)
        t.equal("the file is there after close()", path.exists(), kind == "off")

    t.run(main())


@case("UNIX-006.gone", expected="close() does not mind")
def already_gone(t: Trial) -> None:
    """Somebody has removed the file before the server is closed."""
    path = t.directory / "socket"

    async def main() -> None:
        server = await t.loop.create_unix_server(asyncio.Protocol, str(path))
        path.unlink()
        await closed(server)
        t.equal("it serves", server.is_serving(), False)

    t.run(main())


@case("UNIX-006.replaced", variants=("socket", "file"), expected="the successor's file stays")
def replaced(t: Trial, kind: str) -> None:
    """Somebody has put a socket, or a file, of his own at the path before the server is closed."""
    path = t.directory / "socket"

    async def main() -> None:
        server = await t.loop.create_unix_server(asyncio.Protocol, str(path))
        path.rename(t.directory / "old")  # its number must not be given to the successor
        if kind == "file":
            path.write_text("mine")
        else:
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(str(path))
        await closed(server)
        t.equal("the file is there after close()", path.exists(), True)

    t.run(main())


@case(
    "UNIX-007.client",
    variants=("no-name", "name", "ssl_handshake_timeout", "ssl_shutdown_timeout"),
    expected="ValueError; the socket stays the caller's",
)
def tls_arguments(t: Trial, kind: str) -> None:
    """create_unix_connection is given ssl without a name to check, a name without ssl, and time
    limits of TLS without ssl."""
    ours, peer = socket_pair("unix", t.directory)
    options: dict[str, Any] = {kind: 1.0}
    if kind == "no-name":
        options = {"ssl": client_context()}
    elif kind == "name":
        options = {"server_hostname": HOSTNAME}
    with ours, peer:
        with t.raises(ValueError):
            t.run(t.loop.create_unix_connection(asyncio.Protocol, sock=ours, **options))
        ours.sendall(b"usable")
        t.equal("what the peer reads", peer.recv(10), b"usable")


@case(
    "UNIX-007.server",
    variants=("ssl_handshake_timeout", "ssl_shutdown_timeout"),
    expected="ValueError without ssl; a server with it",
)
def tls_arguments_of_server(t: Trial, name: str) -> None:
    """create_unix_server is given a time limit of TLS without ssl, and with it."""
    options: dict[str, Any] = {name: 1.0}
    path = str(t.directory / "socket")
    with t.raises(ValueError):
        t.run(t.loop.create_unix_server(asyncio.Protocol, path, **options))

    async def main() -> None:
        options["ssl"] = server_context(t.directory)
        server = await t.loop.create_unix_server(asyncio.Protocol, path, **options)
        t.equal("it serves", server.is_serving(), True)
        await closed(server)

    t.run(main())


@case("UNIX-008.record", expected="recorded only: process, user and group of the peer")
def peer_credentials(t: Trial) -> None:
    """SO_PEERCRED is read from the socket of a Unix transport."""

    async def main() -> None:
        made = await link(t, "unix", lambda: Recorder(t.loop))
        sock = made.transport.get_extra_info("socket")
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, gid = struct.unpack("3i", data)
        t.true("the length is 12", len(data) == 12)
        same = (pid, uid, gid) == (os.getpid(), os.getuid(), os.getgid())
        t.note("SO_PEERCRED", "this process" if same else "something else")
        await made.close()

    t.run(main())
