"""TCPC: create_connection that is cancelled, and factories and protocols that raise."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread, listener, socket_pair
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import ended, sees_the_end
from loopgauge.conformance.kit.sockets import Unanswered, begun
from loopgauge.conformance.kit.tls import HOSTNAME, client_context
from loopgauge.conformance.trial import Trial


@case(
    "TCPC-019.connecting",
    expected="CancelledError, and no descriptor is left",
)
def cancel_while_connecting(t: Trial) -> None:
    """create_connection is cancelled while the listener does not answer."""
    target = Unanswered(t.directory)

    async def main() -> None:
        task = await begun(t.loop.create_connection(asyncio.Protocol, *target.address))
        t.equal("it is done before it is cancelled", task.done(), False)
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task

    t.run(main())
    target.close()
    t.spin(3)


@case("TCPC-019.resolving", expected="CancelledError, and no connection stays")
def cancel_while_resolving(t: Trial) -> None:
    """create_connection to localhost is cancelled in its first turn."""

    async def main() -> None:
        port = listening.getsockname()[1]
        task = asyncio.ensure_future(t.loop.create_connection(asyncio.Protocol, "localhost", port))
        await asyncio.sleep(0)
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task
        await t.loop.getaddrinfo("localhost", port)
        for _ in range(5):
            await asyncio.sleep(0)

    with listener("tcp", t.directory) as listening:
        t.run(main())
        listening.setblocking(False)
        try:
            peer, _ = listening.accept()
        except BlockingIOError:  # it had not come to connecting
            return
        with peer:
            t.equal("the connection ended", t.run(sees_the_end(peer)), True)


@case("TCPC-019.handshake", expected="CancelledError, and the peer sees the connection end")
def cancel_handshake(t: Trial) -> None:
    """create_connection with TLS is cancelled while the peer does not answer the handshake."""
    ours, peer = socket_pair("tcp", t.directory)

    async def main() -> None:
        task = await begun(
            t.loop.create_connection(
                asyncio.Protocol, sock=ours, ssl=client_context(), server_hostname=HOSTNAME
            )
        )
        hello = await in_thread(peer.recv, 5)
        t.equal("what the peer gets first: a TLS record", hello[:2], b"\x16\x03")
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task
        t.equal("the connection ended", await sees_the_end(peer), True)

    with peer:
        t.run(main())
    t.spin(3)


@case("TCPC-020.raises", expected="the factory's exception; the listener sees the connection end")
def factory_raises(t: Trial) -> None:
    """The protocol factory raises."""

    def factory() -> asyncio.Protocol:
        raise LookupError("no protocol")

    async def main() -> None:
        with t.raises(LookupError):
            await t.loop.create_connection(factory, *listening.getsockname())
        listening.setblocking(False)
        try:
            peer, _ = listening.accept()
        except BlockingIOError:  # the factory is called before connecting
            return
        with peer:
            t.equal("the connection ended", await sees_the_end(peer), True)

    with listener("tcp", t.directory) as listening:
        t.run(main())


@case("TCPC-020.sock", since="3.14", expected="the factory's exception; the socket is closed")
def factory_raises_for_socket(t: Trial) -> None:
    """The protocol factory raises for a socket that was handed over."""
    ours, peer = socket_pair("tcp", t.directory)

    def factory() -> asyncio.Protocol:
        raise LookupError("no protocol")

    async def main() -> None:
        with t.raises(LookupError):
            await t.loop.create_connection(factory, sock=ours)
        t.equal("the connection ended", await sees_the_end(peer), True)

    with peer:
        t.run(main())
    t.equal("the descriptor of the socket", ours.fileno(), -1)


class Raising(Recorder):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raise LookupError("connection_made")


@case(
    "TCPC-021.handler",
    expected="it returns the pair; the exception handler is called once with the exception",
)
def connection_made_raises(t: Trial) -> None:
    """connection_made raises; the connection is used afterwards."""
    ours, peer = socket_pair("tcp", t.directory)
    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _, context: contexts.append(context))

    async def main() -> None:
        transport, protocol = await t.loop.create_connection(lambda: Raising(t.loop), sock=ours)
        t.equal("calls of the exception handler", len(contexts), 1)
        t.true("it got the exception", isinstance(contexts[0].get("exception"), LookupError))
        t.true("it got a message", isinstance(contexts[0].get("message"), str))
        contexts.clear()
        t.note("the transport is closing", transport.is_closing())
        await ended(protocol)

    with peer:
        t.run(main())
