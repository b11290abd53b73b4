"""A StreamReader and a StreamWriter of the loop under test, opposite a blocking peer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass

from loopgauge.conformance.kit.peers import in_thread, socket_pair, tls_server_side
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.trial import Trial


@dataclass
class Streams:
    """`peer` is a blocking socket (an SSLSocket for TLS), to be used from a thread (`in_thread`)
    where it may have to wait for the loop."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: socket.socket

    async def close(self) -> None:
        """Ends both sides without a farewell, and waits until the loop has noticed."""
        self.writer.transport.abort()
        self.peer.close()
        await closed(self.writer)


async def streams(t: Trial, kind: str, limit: int = 65536) -> Streams:
    """Connects streams of the running loop to a blocking peer over "tcp", "unix" or "tls"."""
    ours, peer = socket_pair("unix" if kind == "unix" else "tcp", t.directory)
    if kind == "unix":
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=limit)
    elif kind == "tcp":
        reader, writer = await asyncio.open_connection(sock=ours, limit=limit)
    else:
        handshake = asyncio.ensure_future(
            in_thread(tls_server_side, peer, server_context(t.directory))
        )
        reader, writer = await asyncio.open_connection(
            sock=ours, limit=limit, ssl=client_context(), server_hostname=HOSTNAME
        )
        peer = await handshake
    return Streams(reader, writer, peer)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Closes a writer and waits for its end, whatever the end is like."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def say_goodbye(peer: socket.socket) -> None:
    """Ends the peer's direction in an orderly way: with a close_notify under TLS, which waits for
    the other side's; call it in a thread."""
    unwrap = getattr(peer, "unwrap", None)
    if unwrap is None:
        peer.shutdown(socket.SHUT_WR)
    else:
        with suppress(OSError):
            unwrap().shutdown(socket.SHUT_WR)
