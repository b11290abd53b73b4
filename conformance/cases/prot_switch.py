"""PROT: set_protocol(), and in which context the callbacks run."""

from __future__ import annotations

import asyncio
import contextvars

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import SIDES, STREAMS, Link, link
from loopgauge.conformance.kit.peers import in_thread, read_away, send_and_end
from loopgauge.conformance.kit.protocols import BufferedRecorder, Recorder
from loopgauge.conformance.trial import Trial

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("connection", default="nobody's")


def recorder() -> Recorder:
    return Recorder(asyncio.get_running_loop())


async def received(protocol: Recorder | BufferedRecorder, count: int) -> bytes:
    """Waits until `protocol` has `count` bytes, or its connection is lost."""
    while len(protocol.data) < count and not protocol.lost.done():
        await asyncio.sleep(0.001)
    return bytes(protocol.data)


@case(
    "PROT-011.get",
    variants=SIDES,
    expected="the protocol of the factory first, then the one that was set",
)
def get_protocol(t: Trial, kind: str) -> None:
    """get_protocol() is asked before and after set_protocol()."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        t.true("it is the factory's", made.transport.get_protocol() is made.protocol)
        second = recorder()
        made.transport.set_protocol(second)
        t.true("it is the one that was set", made.transport.get_protocol() is second)
        made.transport.abort()
        await second.lost
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


@case(
    "PROT-011.receiver",
    variants=SIDES,
    expected="later callbacks go to the new protocol alone, and connection_made is not repeated",
)
def later_callbacks(t: Trial, kind: str) -> None:
    """The peer sends, the protocol is replaced, the peer sends again and ends the stream."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.peer.sendall(b"one")
        await made.protocol.received(3)
        second = recorder()
        made.transport.set_protocol(second)
        await in_thread(send_and_end, made.peer, b"two")
        await second.lost
        t.equal("first protocol", made.protocol.calls, ["connection_made", "data_received"])
        wanted = ["data_received", "eof_received", "connection_lost"]
        t.equal("second protocol", second.calls, wanted)
        t.equal("data of the first", bytes(made.protocol.data), b"one")
        t.equal("data of the second", bytes(second.data), b"two")
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


class Hands(Recorder):
    """Hands the transport over to `second` at the first data."""

    def __init__(self, second: asyncio.BaseProtocol) -> None:
        super().__init__(asyncio.get_running_loop())
        self.second = second

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        assert self.transport is not None
        self.transport.set_protocol(self.second)


@case(
    "PROT-011.in-data-received",
    variants=STREAMS,
    expected="the rest of the stream goes to the new protocol, without a gap",
)
def replaced_while_data_comes(t: Trial, kind: str) -> None:
    """1 MiB is on its way when data_received() replaces the protocol."""

    async def main() -> None:
        second = recorder()
        made = await link(t, kind, lambda: Hands(second))
        data = bytes(range(256)) * 4096
        await in_thread(send_and_end, made.peer, data)
        await second.lost
        t.equal("calls of the first's data_received()", made.protocol.calls[1:], ["data_received"])
        t.true("both together got the stream", made.protocol.data + second.data == data)
        t.true("the second got a part", len(second.data) > 0)
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


@case(
    "PROT-011.flow-control",
    variants=STREAMS,
    expected="resume_writing goes to the new protocol",
)
def flow_control_follows(t: Trial, kind: str) -> None:
    """The protocol is replaced while writing is paused; then the peer reads."""

    async def main() -> None:
        made = await link(t, kind, recorder, small=True)
        fill(made)
        second = recorder()
        made.transport.set_protocol(second)
        reading = asyncio.ensure_future(in_thread(read_away, made.peer))
        while not second.calls:  # HANG, if it is never told
            await asyncio.sleep(0.001)
        t.equal("first protocol", made.protocol.calls, ["connection_made", "pause_writing"])
        t.equal("second protocol", second.calls, ["resume_writing"])
        made.transport.abort()
        await second.lost
        await reading
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


def fill(made: Link[Recorder]) -> None:
    """Writes pieces until the protocol is paused; 64 MiB at most."""
    for _ in range(1024):
        if "pause_writing" in made.protocol.calls:
            return
        made.transport.write(bytes(65536))


@case(
    "PROT-012.to-buffered",
    variants=SIDES,
    expected="the new protocol is asked for a buffer and gets its data in there",
)
def to_buffered(t: Trial, kind: str) -> None:
    """A Protocol is replaced by a BufferedProtocol; before and after the peer sends."""

    async def main() -> None:
        made = await link(t, kind, recorder)
        made.peer.sendall(b"one")
        await made.protocol.received(3)
        second = BufferedRecorder(asyncio.get_running_loop(), bytearray(100))
        made.transport.set_protocol(second)
        made.peer.sendall(b"two")
        t.equal("data of the second", await received(second, 3), b"two")
        t.equal("its callbacks", second.calls[:2], ["get_buffer", "buffer_updated"])
        t.equal("data of the first", bytes(made.protocol.data), b"one")
        made.transport.abort()
        await second.lost
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


@case(
    "PROT-012.from-buffered",
    variants=SIDES,
    expected="the new protocol gets its data by data_received, as bytes",
)
def from_buffered(t: Trial, kind: str) -> None:
    """A BufferedProtocol is replaced by a Protocol; before and after the peer sends."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = await link(t, kind, lambda: BufferedRecorder(loop, bytearray(100)))
        made.peer.sendall(b"one")
        t.equal("data of the first", await received(made.protocol, 3), b"one")
        second = recorder()
        made.transport.set_protocol(second)
        made.peer.sendall(b"two")
        t.equal("data of the second", await second.received(3), b"two")
        t.equal("its callbacks", second.calls, ["data_received"])
        made.transport.abort()
        await second.lost
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


@case(
    "PROT-012.while-data-comes",
    variants=STREAMS,
    expected="the rest of the stream goes into the new protocol's buffer, without a gap",
)
def to_buffered_while_data_comes(t: Trial, kind: str) -> None:
    """1 MiB is on its way when data_received() hands over to a BufferedProtocol."""

    async def main() -> None:
        second = BufferedRecorder(asyncio.get_running_loop(), memoryview(bytearray(5000)))
        made = await link(t, kind, lambda: Hands(second))
        data = bytes(range(256)) * 4096
        await in_thread(send_and_end, made.peer, data)
        await second.lost
        t.true("both together got the stream", made.protocol.data + second.data == data)
        t.true("the second got a part", len(second.data) > 0)
        made.protocol.lost.set_result(None)
        await made.close()

    t.run(main())


class ContextRecorder(Recorder):
    """Notes the value of VARIABLE at every callback."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.values: dict[str, str] = {}

    def _call(self, name: str) -> None:
        super()._call(name)
        self.values[name] = VARIABLE.get()


async def talk_in_context(t: Trial, kind: str) -> dict[str, str]:
    """Connects with VARIABLE set to "mine", then sets it to "later"; the peer sends and ends."""
    VARIABLE.set("mine")
    made = await link(t, kind, ContextRecorder, small=True)
    VARIABLE.set("later")
    await in_thread(send_and_end, made.peer, b"x")
    await made.protocol.lost
    await made.close()
    return made.protocol.values


@case(
    "PROT-017.client",
    variants=STREAMS,
    expected="they see the value that the variable had when the connection was made",
)
def context_of_the_connection(t: Trial, kind: str) -> None:
    """A context variable is set, a connection made, and the variable changed; connection_made(),
    data_received() and eof_received() look at it."""
    values = t.run(talk_in_context(t, kind))
    for name in ("connection_made", "data_received", "eof_received"):
        t.equal(f"the value in {name}()", values.get(name), "mine")


@case(
    "PROT-017.two-connections",
    expected="each sees the value of its own connection",
)
def contexts_are_kept_apart(t: Trial) -> None:
    """Two tasks with different values of a context variable each make a connection."""

    async def one(name: str) -> dict[str, str]:
        VARIABLE.set(name)
        made = await link(t, "tcp", ContextRecorder)
        made.peer.sendall(b"x")
        await made.protocol.received(1)
        await made.close()
        return made.protocol.values

    async def main() -> None:
        first, second = await asyncio.gather(one("first"), one("second"))
        t.equal("in the first's data_received()", first["data_received"], "first")
        t.equal("in the second's", second["data_received"], "second")

    t.run(main())


class AcceptedRecorder(ContextRecorder):
    """Changes the variable in connection_made()."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        VARIABLE.set("changed by a connection")


@case(
    "PROT-020.server",
    variants=("served", "served-tls"),
    expected="each connection starts with the values of the task that made the server, keeps what "
    "it changes, and changes nothing for the others",
)
def context_of_accepted_connections(t: Trial, kind: str) -> None:
    """A server is made in a context; its connections look at a context variable and change it."""

    async def main() -> None:
        VARIABLE.set("the server's")
        for _ in range(2):
            made = await link(t, kind, AcceptedRecorder)
            await in_thread(send_and_end, made.peer, b"x")
            await made.protocol.lost
            values = made.protocol.values
            t.equal("in connection_made()", values["connection_made"], "the server's")
            t.equal("in data_received()", values["data_received"], "changed by a connection")
            t.equal("in connection_lost()", values["connection_lost"], "changed by a connection")
            await made.close()
        t.equal("in the task that made the server", VARIABLE.get(), "the server's")

    t.run(main())


@case(
    "PROT-020.lost",
    variants=STREAMS,
    expected="connection_lost sees the value that the variable had when the connection was made",
)
def context_of_connection_lost(t: Trial, kind: str) -> None:
    """A connection is closed by a task in which the context variable has another value."""

    async def main() -> None:
        VARIABLE.set("mine")
        made = await link(t, kind, ContextRecorder)
        VARIABLE.set("later")
        made.transport.close()
        await in_thread(read_away, made.peer)
        await made.protocol.lost
        t.equal("in connection_lost()", made.protocol.values["connection_lost"], "mine")
        await made.close()

    t.run(main())
