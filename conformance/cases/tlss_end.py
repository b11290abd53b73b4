"""TLSS: how TLS connections end."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import weakref
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import Link
from loopgauge.conformance.kit.peers import in_thread, receive_all, receive_exactly, socket_pair
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.tls import HOSTNAME, client_context, server_context
from loopgauge.conformance.kit.tls_links import ROLES, strictly, tls_role
from loopgauge.conformance.trial import Trial


async def strict_client(t: Trial) -> Link[Recorder]:
    """The loop is the client of a blocking server whose recv() tells a close_notify (b"") from an
    end without one (SSLEOFError)."""
    loop = asyncio.get_running_loop()
    ours, plain = socket_pair("tcp", t.directory)
    work = asyncio.ensure_future(in_thread(strictly(server_context(t.directory)), plain))
    transport, protocol = await loop.create_connection(
        lambda: Recorder(loop), sock=ours, ssl=client_context(), server_hostname=HOSTNAME
    )
    return Link(transport, protocol, await work)


@case(
    "TLSS-011.close",
    expected="the peer gets everything and a close_notify; connection_lost(None) is called once "
    "the peer has answered with its own",
)
def close_sends_notify(t: Trial) -> None:
    """1 MB is written and the transport closed at once; the peer reads up to the end, checks that
    the end was said in TLS, and says its own."""

    async def main() -> None:
        made = await strict_client(t)
        made.transport.write(bytes(1_000_000))
        made.transport.close()
        t.equal("is_closing() at once", made.transport.is_closing(), True)
        arrived = await in_thread(receive_all, made.peer)  # SSLEOFError without a close_notify
        t.equal("bytes before the close_notify", len(arrived), 1_000_000)
        t.equal("connection_lost before the answer", made.protocol.lost.done(), False)
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        t.equal("the argument of connection_lost", made.protocol.error, None)
        plain.close()

    t.run(main())


@case(
    "TLSS-011.peer-closes",
    variants=ROLES,
    expected="data_received, eof_received, connection_lost(None); the peer gets a close_notify",
)
def peer_closes(t: Trial, role: str) -> None:
    """The peer sends and closes the TLS connection in an orderly way."""

    def end(peer: Any) -> socket.socket:
        peer.sendall(b"last words")
        plain: socket.socket = peer.unwrap()  # fails without the loop's close_notify
        return plain

    async def main() -> None:
        made = await tls_role(t, role)
        plain = await in_thread(end, made.peer)
        await made.protocol.lost
        for call in made.protocol.calls:
            t.event(call)
        t.equal("the data", bytes(made.protocol.data), b"last words")
        t.equal("the argument of connection_lost", made.protocol.error, None)
        plain.close()
        await made.close()

    t.run(main())
    t.saw("connection_made", "data_received", "eof_received", "connection_lost")


@case(
    "TLSS-011.ragged",
    variants=ROLES,
    expected="the data, then connection_lost; an end without a close_notify is tolerated",
)
def ragged_end(t: Trial, role: str) -> None:
    """The peer sends and ends the TCP connection without a word in TLS."""

    async def main() -> None:
        made = await tls_role(t, role)
        await in_thread(made.peer.sendall, b"last words")
        made.peer.shutdown(socket.SHUT_WR)
        await made.protocol.lost
        t.equal("the data", bytes(made.protocol.data), b"last words")
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        error = made.protocol.error
        t.true("its argument is None or an OSError", error is None or isinstance(error, OSError))
        t.note("the argument of connection_lost", error)
        await made.close()

    t.run(main())


@case(
    "TLSS-011.abort",
    variants=ROLES,
    expected="connection_lost(None) without the peer's doing, not within abort(); the peer sees "
    "the end",
)
def abort(t: Trial, role: str) -> None:
    """20 MB wait for a peer that does not read when the transport is aborted, twice."""

    def drain(peer: socket.socket) -> int:
        count = 0
        try:
            while piece := peer.recv(65536):
                count += len(piece)
        except OSError:
            pass
        return count

    async def main() -> None:
        made = await tls_role(t, role)
        for _ in range(20):
            made.transport.write(bytes(1_000_000))
        made.transport.abort()
        made.transport.abort()
        t.equal("connection_lost within abort()", made.protocol.lost.done(), False)
        t.equal("is_closing()", made.transport.is_closing(), True)
        await made.protocol.lost
        t.equal("the argument of connection_lost", made.protocol.error, None)
        t.equal("how often it was called", made.protocol.calls.count("connection_lost"), 1)
        t.true("not everything arrived", await in_thread(drain, made.peer) < 20_000_000)
        await made.close()

    t.run(main())


@case(
    "TLSS-011.write-after-close",
    expected="nothing: no exception, and the peer does not get it",
)
def write_after_close(t: Trial) -> None:
    """A transport is written to after close()."""

    async def main() -> None:
        made = await strict_client(t)
        made.transport.write(b"before")
        made.transport.close()
        made.transport.write(b"after")
        t.equal("the peer reads", await in_thread(receive_all, made.peer), b"before")
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        made.transport.write(b"much later")
        plain.close()

    t.run(main())


@case(
    "TLSS-015.freed",
    variants=ROLES,
    expected="nothing keeps the protocol, the transport or the context alive",
)
def objects_are_freed(t: Trial, role: str) -> None:
    """A connection is made, used and closed, and its objects are looked for."""

    async def main() -> None:
        context = client_context() if role == "client" else server_context(t.directory)
        made = await tls_role(t, role, context=context)
        kept["protocol"] = weakref.ref(made.protocol)
        kept["context"] = weakref.ref(context)
        made.transport.write(b"hello")
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 5), b"hello")
        made.transport.close()
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        plain.close()
        await made.close()

    kept: dict[str, Any] = {}
    t.run(main())
    t.spin(3)
    t.collect()
    alive = [name for name, reference in kept.items() if reference() is not None]
    t.equal("objects that are alive", alive, [])


@case(
    "TLSS-015.many",
    expected="no more of them after 20 connections than after 5",
)
def connections_do_not_add_up(t: Trial) -> None:
    """20 connections are made and closed one after the other; SSL objects are counted after the
    fifth and after the last."""

    async def one(context: Any) -> None:
        made = await tls_role(t, "client", peer_context=context)
        made.transport.close()
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        plain.close()

    async def main() -> None:
        context = server_context(t.directory)
        counts: list[int] = []
        for number in range(20):
            await one(context)
            if number in (4, 19):
                await asyncio.sleep(0)
                gc.collect()
                counts.append(
                    sum(type(found).__name__ == "SSLObject" for found in gc.get_objects())
                )
        t.true("there are no more of them", counts[1] <= counts[0])

    t.run(main())


@case(
    "TLSS-017.returns-true",
    expected="the connection is closed nevertheless, and a warning is logged",
)
def eof_received_returns_true(t: Trial) -> None:
    """eof_received returns True, which keeps other transports open; the peer closes."""

    async def main() -> None:
        made = await tls_role(t, "client", keep_open=True)
        plain = await in_thread(made.peer.unwrap)  # type: ignore[attr-defined]
        await made.protocol.lost
        calls = ["connection_made", "eof_received", "connection_lost"]
        t.equal("callbacks", made.protocol.calls, calls)
        plain.close()

    t.run(main())
    t.equal("warnings that were logged", len(t.log_messages(logging.WARNING)), 1)


@case(
    "TLSS-019.write-eof",
    expected="can_write_eof() is False, write_eof() raises NotImplementedError, and the connection "
    "works on",
)
def no_half_close(t: Trial) -> None:
    """A TLS connection is asked whether it can be closed in one direction, and told to."""

    async def main() -> None:
        made = await tls_role(t, "client")
        t.equal("can_write_eof()", made.transport.can_write_eof(), False)
        with t.raises(NotImplementedError, what="write_eof()"):
            made.transport.write_eof()
        made.transport.write(b"still here")
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 10), b"still here")
        await made.close()

    t.run(main())


@case(
    "TLSS-020.after-the-end",
    expected="what was known, or None; no exception",
)
def info_after_the_end(t: Trial) -> None:
    """A transport is asked for its cipher and for an unknown name after connection_lost."""

    async def main() -> None:
        made = await tls_role(t, "client")
        cipher = made.transport.get_extra_info("cipher")
        made.transport.abort()
        await made.protocol.lost
        late = made.transport.get_extra_info("cipher")
        t.true("'cipher' is as before, or None", late in (cipher, None))
        default = made.transport.get_extra_info("nothing of the kind", 42)
        t.equal("an unknown name", default, 42)
        t.equal("is_closing()", made.transport.is_closing(), True)
        await made.close()

    t.run(main())
