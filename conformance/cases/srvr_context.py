"""SRVR, TCPC: contexts of connections, as Python 3.15 has them."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import client_of, serving
from loopgauge.conformance.trial import Trial

SET_BY: ContextVar[str] = ContextVar("set_by", default="nobody")


class Telling(Recorder):
    """Notes as events what the variable is in each callback, and changes it in the first one."""

    def __init__(self, t: Trial, name: str) -> None:
        super().__init__(t.loop)
        self.t = t
        self.name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.t.event(f"connection_made: {SET_BY.get()}")
        SET_BY.set(self.name)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.t.event(f"data_received: {SET_BY.get()}")
        super().data_received(data)

    def eof_received(self) -> bool:
        self.t.event(f"eof_received: {SET_BY.get()}")
        return super().eof_received()

    def pause_writing(self) -> None:
        self.t.event(f"pause_writing: {SET_BY.get()}")
        super().pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.t.event(f"connection_lost: {SET_BY.get()}")
        super().connection_lost(exc)


@case(
    "SRVR-027.captured",
    variants=STREAMS,
    expected="'the maker of the server' each time: what is set later, elsewhere or by another "
    "connection is not seen",
)
def context_of_accepted(t: Trial, kind: str) -> None:
    """A variable is set, a server made, the variable set again; two clients connect, and the
    connection of each sets the variable to something else."""

    async def main() -> None:
        names = ["first", "second"]
        protocols: list[Telling] = []

        def factory() -> Telling:
            t.event(f"factory: {SET_BY.get()}")
            protocols.append(Telling(t, names.pop(0)))
            return protocols[-1]

        SET_BY.set("the maker of the server")
        async with serving(t.loop, factory, kind, t.directory) as server:
            SET_BY.set("later")
            for number in (0, 1):
                client = await client_of(server, kind)
                while len(protocols) <= number:
                    await asyncio.sleep(0.001)
                await protocols[number].made
                client.close()
                await protocols[number].lost
        t.equal("the variable at its maker", SET_BY.get(), "later")

    t.run(main())
    made = [event for event in t.events if event.startswith(("factory", "connection_made"))]
    wanted = ["factory: the maker of the server", "connection_made: the maker of the server"]
    t.equal("what the two connections saw", made, wanted * 2)


@case(
    "SRVR-030.shared",
    variants=STREAMS,
    expected="'the connection' from data_received to connection_lost",
)
def context_of_callbacks(t: Trial, kind: str) -> None:
    """connection_made sets a variable; the client sends data and closes."""

    async def main() -> None:
        protocol = Telling(t, "the connection")
        async with serving(t.loop, lambda: protocol, kind, t.directory) as server:
            client = await client_of(server, kind)
            await protocol.made
            await in_thread(client.sendall, b"data")
            await protocol.received(4)
            client.close()
            await protocol.lost

    t.run(main())
    later = [event.partition(": ") for event in t.events[1:]]
    names = {name for name, _, _ in later}
    t.true("data_received and connection_lost came", {"data_received", "connection_lost"} <= names)
    t.equal("the variable in all later callbacks", {v for _, _, v in later}, {"the connection"})


@case(
    "SRVR-030.close",
    variants=("close", "abort", "write"),
    expected="'the connection', although another context calls the transport",
)
def context_of_own_calls(t: Trial, how: str) -> None:
    """connection_made sets a variable; the test's own task, where it is something else, closes,
    aborts, or writes until writing is paused and aborts then."""

    async def main() -> None:
        SET_BY.set("the task")
        protocol = Telling(t, "the connection")
        async with serving(t.loop, lambda: protocol, "tcp", t.directory) as server:
            client = await client_of(server, "tcp")
            await protocol.made
            assert protocol.transport is not None
            if how == "close":
                protocol.transport.close()
            else:
                if how == "write":
                    protocol.transport.write(bytes(100))
                protocol.transport.abort()
            await protocol.lost
            client.close()

    t.run(main())
    t.equal("the last event", t.events[-1], "connection_lost: the connection")


@case(
    "TCPC-025.shared",
    variants=STREAMS,
    expected="connection_made sees the caller's value, the other callbacks what connection_made "
    "set, and the caller his own",
)
def context_of_client(t: Trial, kind: str) -> None:
    """A variable is set, a connection made; connection_made sets the variable to something
    else; the peer sends data and closes."""

    async def main() -> None:
        SET_BY.set("the caller")
        made = await link(t, kind, lambda: Telling(t, "the connection"))
        t.equal("the variable at the caller", SET_BY.get(), "the caller")
        SET_BY.set("later")
        await in_thread(made.peer.sendall, b"data")
        await made.protocol.received(4)
        made.peer.close()
        await made.protocol.lost

    t.run(main())
    t.equal("the first event", t.events[0], "connection_made: the caller")
    later = {event.partition(": ")[2] for event in t.events[1:]}
    t.equal("the variable in all later callbacks", later, {"the connection"})
