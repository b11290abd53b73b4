"""Servers of the loop under test, and what their clients see."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loopgauge.conformance.kit.peers import dial, in_thread, listener, tls_client_side
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context


@asynccontextmanager
async def serving(
    loop: asyncio.AbstractEventLoop,
    factory: Callable[[], asyncio.BaseProtocol],
    kind: str,
    directory: Path,
    **options: Any,
) -> AsyncIterator[asyncio.Server]:
    """A server of `loop` over "tcp", "unix" or "tls" (over TCP); closed at the end, and waited
    for, so the block ends the connections."""
    if kind == "unix":
        made = await loop.create_unix_server(factory, str(directory / "server"), **options)
    else:
        if kind == "tls":
            options["ssl"] = server_context(directory)
        made = await loop.create_server(factory, "127.0.0.1", 0, **options)
    try:
        yield made
    except BaseException:
        made.close()
        raise
    made.close()
    await made.wait_closed()


async def client_of(server: asyncio.Server, kind: str) -> socket.socket:
    """A blocking connection to a server of the running loop; with TLS, after its handshake."""
    made = dial(server.sockets[0].getsockname())
    if kind == "tls":
        return await in_thread(tls_client_side, made, client_context(), HOSTNAME)
    return made


def is_refused(address: Any) -> bool:
    """Whether nobody listens at `address`, on 127.0.0.1 or on the path of a Unix socket."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        return probe.connect_ex(address) in (errno.ECONNREFUSED, errno.ENOENT)


def connected(kind: str, directory: Path) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: a client's and the accepted one, both blocking, for a loop to wrap."""
    with listener(kind, directory) as listening:
        client = socket.socket(listening.family)
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
    return client, accepted


async def ended(protocol: Any) -> None:
    """Aborts the transport of a Recorder and waits for its connection_lost."""
    protocol.transport.abort()
    await protocol.lost


async def sees_the_end(peer: socket.socket, seconds: float = 3.0) -> bool:
    """Whether the other side closes or resets the connection of `peer` within `seconds`; what
    comes before that is thrown away."""
    peer.setblocking(False)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not peer.recv(65536):
                return True
        except ConnectionResetError:
            return True
        except BlockingIOError:
            await asyncio.sleep(0.001)
    return False
