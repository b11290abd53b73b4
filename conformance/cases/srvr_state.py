"""SRVR: starting, serving for ever, closing."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS
from loopgauge.conformance.kit.peers import dial, in_thread
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import client_of, ended, is_refused, serving
from loopgauge.conformance.kit.sockets import begun
from loopgauge.conformance.trial import Trial

KINDS = ("tcp", "unix")


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@case(
    "SRVR-012.later",
    variants=tuple(f"{kind}-{how}" for kind in KINDS for how in ("start_serving", "serve_forever")),
    expected="no client gets a protocol before, and one does afterwards",
)
def starts_later(t: Trial, kind: str) -> None:
    """A server is made with start_serving=False, and then told to serve in both ways."""
    kind, _, how = kind.partition("-")
    protocol = Recorder(t.loop)

    async def main() -> None:
        options = {"start_serving": False}
        async with serving(t.loop, lambda: protocol, kind, t.directory, **options) as server:
            t.equal("is_serving() before", server.is_serving(), False)
            address = server.sockets[0].getsockname()
            t.equal("a client is refused", is_refused(address), True)
            await turns()
            t.equal("the calls of the protocol before", protocol.calls, [])
            task = await begun(getattr(server, how)())
            t.equal("is_serving() then", server.is_serving(), True)
            client = dial(address)
            await protocol.made
            await ended(protocol)
            client.close()
            task.cancel()
            await asyncio.wait([task])

    t.run(main())


@case("SRVR-013.twice", variants=("started", "not-started"), expected="one protocol for a client")
def start_twice(t: Trial, kind: str) -> None:
    """start_serving() is awaited twice, on a server that serves already and on one that does
    not; then a client connects."""
    protocols: list[Recorder] = []

    def factory() -> Recorder:
        protocols.append(Recorder(t.loop))
        return protocols[-1]

    async def main() -> None:
        options = {"start_serving": kind == "started"}
        async with serving(t.loop, factory, "tcp", t.directory, **options) as server:
            for _ in range(2):
                await server.start_serving()
            client = await client_of(server, "tcp")
            while not protocols:
                await asyncio.sleep(0.001)
            await protocols[0].made
            await turns()
            t.equal("how many protocols there are", len(protocols), 1)
            await ended(protocols[0])
            client.close()

    t.run(main())


@case("SRVR-014.second", expected="RuntimeError at once; the first goes on")
def serve_forever_twice(t: Trial) -> None:
    """serve_forever() is awaited while another task waits in it."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, "tcp", t.directory) as server:
            first = await begun(server.serve_forever())
            with t.raises(RuntimeError):
                await server.serve_forever()
            await turns()
            t.equal("the first is done", first.done(), False)
            t.equal("the server serves", server.is_serving(), True)
            first.cancel()
            await asyncio.wait([first])

    t.run(main())


@case("SRVR-014.closed", expected="RuntimeError")
def serve_forever_closed(t: Trial) -> None:
    """serve_forever() is awaited on a closed server."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, "tcp", t.directory) as server:
            server.close()
            with t.raises(RuntimeError):
                await server.serve_forever()

    t.run(main())


@case(
    "SRVR-015.cancel",
    variants=KINDS,
    expected="CancelledError; the server does not serve any more, has no sockets and refuses",
)
def cancel_serve_forever(t: Trial, kind: str) -> None:
    """A task that waits in serve_forever() is cancelled."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, kind, t.directory) as server:
            address = server.sockets[0].getsockname()
            task = await begun(server.serve_forever())
            t.equal("it is done before it is cancelled", task.done(), False)
            task.cancel()
            with t.raises(asyncio.CancelledError):
                await task
            t.equal("is_serving()", server.is_serving(), False)
            t.equal("sockets", list(server.sockets), [])
            t.equal("a client is refused", is_refused(address), True)

    t.run(main())


@case("SRVR-031.close", expected="serve_forever ends with CancelledError")
def close_while_serving(t: Trial) -> None:
    """close() is called while a task waits in serve_forever()."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, "tcp", t.directory) as server:
            task = await begun(server.serve_forever())
            server.close()
            await asyncio.wait([task], timeout=3)
            t.equal("it was cancelled", task.cancelled(), True)

    t.run(main())


@case("SRVR-015.hanging-client", since="3.14", expected="the client is closed, and the task ends")
def cancel_with_client(t: Trial) -> None:
    """A task that waits in serve_forever() is cancelled while a client does nothing."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
            task = await begun(server.serve_forever())
            client = await client_of(server, "tcp")
            await protocol.made
            task.cancel()
            with t.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 5)
            t.equal("the protocol's last call", protocol.calls[-1], "connection_lost")
            t.equal("what the client reads", await in_thread(client.recv, 10), b"")
            client.close()

    t.run(main())


@case(
    "SRVR-016.stays",
    variants=STREAMS,
    expected="new clients are refused, sockets is empty; the open connection carries data on",
)
def close_keeps_connections(t: Trial, kind: str) -> None:
    """A server is closed while it has a connection."""
    protocol = Recorder(t.loop)

    async def main() -> None:
        async with serving(t.loop, lambda: protocol, kind, t.directory) as server:
            address = server.sockets[0].getsockname()
            client = await client_of(server, kind)
            await protocol.made
            server.close()
            t.equal("is_serving()", server.is_serving(), False)
            t.equal("sockets", list(server.sockets), [])
            await turns()
            t.equal("a new client is refused", is_refused(address), True)
            await in_thread(client.sendall, b"question")
            t.equal("what the protocol received", await protocol.received(8), b"question")
            assert protocol.transport is not None
            protocol.transport.write(b"answer")
            t.equal("what the client received", await in_thread(client.recv, 100), b"answer")
            await ended(protocol)
            client.close()

    t.run(main())


@case("SRVR-017.twice", variants=("at-once", "later"), expected="nothing happens the second time")
def close_twice(t: Trial, kind: str) -> None:
    """close() is called twice: at once, and after wait_closed()."""

    async def main() -> None:
        server = await t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        server.close()
        if kind == "later":
            await server.wait_closed()
        server.close()
        await server.wait_closed()
        t.equal("is_serving()", server.is_serving(), False)

    t.run(main())


@case("SRVR-020.states", variants=KINDS, expected="False, True, True, False, False in this order")
def serving_states(t: Trial, kind: str) -> None:
    """is_serving() is asked: before start_serving(), after it, in serve_forever(), after close(),
    after wait_closed()."""

    async def main() -> None:
        options = {"start_serving": False}
        seen: list[Any] = []
        async with serving(t.loop, asyncio.Protocol, kind, t.directory, **options) as server:
            seen.append(server.is_serving())
            await server.start_serving()
            seen.append(server.is_serving())
            task = await begun(server.serve_forever())
            seen.append(server.is_serving())
            server.close()
            seen.append(server.is_serving())
            task.cancel()
            await asyncio.wait([task])
            await server.wait_closed()
            seen.append(server.is_serving())
        t.equal("what it said", seen, [False, True, True, False, False])

    t.run(main())


@case("SRVR-020.default", expected="True")
def serving_by_default(t: Trial) -> None:
    """is_serving() is asked of a server that was made without start_serving."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, "tcp", t.directory) as server:
            t.equal("is_serving()", server.is_serving(), True)

    t.run(main())


@case("SRVR-021.loop", variants=KINDS, expected="the loop itself, also after close()")
def loop_of_server(t: Trial, kind: str) -> None:
    """get_loop() is asked of a server, before and after it is closed."""

    async def main() -> None:
        async with serving(t.loop, asyncio.Protocol, kind, t.directory) as server:
            t.true("it is the loop", server.get_loop() is t.loop)
            server.close()
            t.true("it is the loop after close()", server.get_loop() is t.loop)

    t.run(main())


@case("SRVR-022.exit", variants=("normal", "exception"), expected="the server is closed after it")
def async_with(t: Trial, kind: str) -> None:
    """A server is used with `async with`, which ends normally or with an exception."""

    async def main() -> None:
        server = await t.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        try:
            async with server as entered:
                t.true("it gives the server itself", entered is server)
                t.equal("is_serving() inside", server.is_serving(), True)
                if kind == "exception":
                    raise LookupError("inside")
        except LookupError:
            t.event("the exception came out")
        t.equal("is_serving() after it", server.is_serving(), False)
        t.equal("a client is refused", is_refused(address), True)

    t.run(main())
    t.saw(*["the exception came out"] * (kind == "exception"))
