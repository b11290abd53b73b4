"""Random conversations through asyncio's streams, as data, and what holds them on any loop.

The trace says of each coroutine (a read, a drain) what it returned or raised, and in which step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from loop_testing import certificates, exchange, talk, wire

#: Bytes after which a StreamReader pauses its transport (twice this) and gives up on a separator.
LIMIT = 64


@dataclass(frozen=True)
class Step:
    """`size` is a number of bytes, `data` what the other end sends, or a separator."""

    kind: str
    size: int = 0
    data: bytes = b""


READS = ("read", "readexactly", "readline", "readuntil")
SIZES = (-1, 0, 1, 5, 64, 100, 1000)
PIECES = (b"a", b"\n", b"line\n", b"||", b"x" * 63, b"y" * 200, b"z" * 5000, b"end||\n")
SEPARATORS = (b"\n", b"||", b"end||\n")


def programs() -> st.SearchStrategy[tuple[Step, ...]]:
    pieces = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(b"".join)
    read = st.builds(
        Step, st.sampled_from(READS), st.sampled_from(SIZES), st.sampled_from(SEPARATORS)
    )
    send = st.builds(Step, st.just("send"), st.just(0), pieces)
    sizes = st.sampled_from((*exchange.SMALL, exchange.HUGE))
    write = st.builds(Step, st.sampled_from(("write", "writelines")), sizes)
    plain = ("drain", "drain", "cancel", "write_eof", "close", "abort", "wait_closed")
    ours = st.builds(Step, st.sampled_from(plain))
    remote = ("half_close", "close", "reset")
    theirs = st.builds(
        Step, st.sampled_from(("slow", "fast", "fast", *remote)).map("peer_".__add__)
    )
    return st.lists(st.one_of(read, read, send, send, write, ours, theirs), max_size=12).map(tuple)


def trace(
    loop: asyncio.AbstractEventLoop, family: str, server: bool, program: tuple[Step, ...]
) -> list[Any]:
    """What the program's coroutines answered; `family` is "tcp", "unix" or "tls"."""
    conversation = _Streams(loop, family, server)
    try:
        conversation.connect()
        for number, step in enumerate(program):
            conversation.perform(number, step)
        conversation.finish()
        return conversation.trace
    finally:
        conversation.clean_up()


class _Streams:
    def __init__(self, loop: asyncio.AbstractEventLoop, family: str, server: bool) -> None:
        self.loop = loop
        self.family = family
        self.serving = server
        self.streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.server: asyncio.AbstractServer | None = None
        self.trace: list[Any] = []
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.peer: wire.Peer | None = None
        self.written = 0
        self.shut = False
        self.started = time.monotonic()
        loop.set_exception_handler(self.told)

    def told(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.trace.append(("told", context["message"], type(context.get("exception")).__name__))

    @property
    def reader(self) -> asyncio.StreamReader:
        return self.streams[0][0]

    @property
    def writer(self) -> asyncio.StreamWriter:
        return self.streams[0][1]

    # --- connecting -----------------------------------------------------------------------

    def connect(self) -> None:
        listener, client = wire.sockets(self.family)
        opening = self.serve(listener) if self.serving else self.dial(client, listener)
        task = self.loop.create_task(opening)
        if self.serving:
            self.until(task.done)
            client.connect(listener.getsockname())
            sock = client
        else:
            client.connect(listener.getsockname())
            sock, _ = listener.accept()
            listener.close()
        tls = self.family == "tls"
        self.peer = wire.TlsPeer(sock, server_side=not self.serving) if tls else wire.Peer(sock)
        self.until(lambda: bool(self.streams) and task.done())
        task.result()
        self.sock = self.writer.get_extra_info("socket")
        self.peer.start()
        self.settle()
        self.peer.started()
        self.settle()

    async def serve(self, listener: Any) -> None:
        context = certificates.server_context() if self.family == "tls" else None
        self.server = await asyncio.start_server(
            self.accepted, sock=listener, limit=LIMIT, ssl=context
        )

    def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append((reader, writer))

    async def dial(self, client: Any, listener: Any) -> None:
        tls: dict[str, Any] = {}
        if self.family == "tls":
            tls = {
                "ssl": certificates.client_context(),
                "server_hostname": certificates.HOSTNAME,
            }
        self.streams.append(await asyncio.open_connection(sock=client, limit=LIMIT, **tls))

    # --- steps ----------------------------------------------------------------------------

    def perform(self, number: int, step: Step) -> None:
        assert self.peer is not None
        self.trace.append((number, step.kind))
        if step.kind in READS:
            self.begin("read", self.reading(step))
        elif step.kind == "send":
            self.peer.send(step.data)
        elif step.kind.startswith("peer_"):
            self.remote(step.kind.removeprefix("peer_"))
        else:
            self.local(step)
        wire.arrived(self.sock, self.peer)
        self.settle()

    def reading(self, step: Step) -> Coroutine[Any, Any, bytes]:
        if step.kind == "readuntil":
            return self.reader.readuntil(step.data)
        if step.kind == "readline":
            return self.reader.readline()
        if step.kind == "readexactly":
            return self.reader.readexactly(step.size)
        return self.reader.read(step.size)

    def begin(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """One reader and one waiter of each kind at a time, as applications have them."""
        if name in self.tasks:
            coroutine.close()
            return
        task = self.loop.create_task(coroutine)
        task.add_done_callback(lambda done: self.ended(name, done))
        self.tasks[name] = task

    def ended(self, name: str, task: asyncio.Task[Any]) -> None:
        del self.tasks[name]
        if task.cancelled():
            self.trace.append((name, "cancelled"))
        elif task.exception() is not None:
            self.trace.append((name, type(task.exception()).__name__))
        else:
            self.trace.append((name, task.result()))

    def local(self, step: Step) -> None:
        if step.kind in ("write", "writelines"):
            self.write(step)
        elif step.kind in ("drain", "wait_closed"):
            self.begin(step.kind, getattr(self.writer, step.kind)())
        elif step.kind == "cancel":
            for name in ("read", "drain"):
                if name in self.tasks:
                    self.tasks[name].cancel()
        elif step.kind == "abort":
            self.writer.transport.abort()
        elif self.family == "tls" and self.writer.is_closing():
            pass
        elif step.kind == "close":
            self.writer.close()
        elif self.writer.can_write_eof() and not self.writer.is_closing():
            self.shut = True
            try:
                self.writer.write_eof()
            except OSError as error:
                self.trace.append(("raised", type(error).__name__))

    def write(self, step: Step) -> None:
        """Nothing is written where stock has an accident: when closing, after write_eof()."""
        if self.writer.is_closing() or self.shut:
            return
        data = talk.stream("local")[self.written : self.written + step.size]
        if step.kind == "write":
            self.writer.write(data)
        elif 1 < step.size < exchange.HUGE:
            # Not huge: writelines() of 3.12 and 3.13.0 does not pause the protocol.
            self.writer.writelines([data[:1], data[1:]])
        else:
            return
        self.written += step.size

    def remote(self, kind: str) -> None:
        assert self.peer is not None
        if kind == "slow":
            self.peer.read(30_000)
        elif kind == "fast":
            self.drain()
        elif (
            self.family != "tls" or kind != "half_close" or len(self.peer.received) == self.written
        ):
            getattr(self.peer, kind)()  # otherwise TLS of stock waits half a minute

    def drain(self) -> None:
        """The other end reads until everything under way has arrived there."""
        assert self.peer is not None
        while not self.drained():
            if not self.peer.read(1 << 18):
                self.peer.wait(1)
            self.turn()

    def drained(self) -> bool:
        assert self.peer is not None
        if self.peer.closed:
            return True
        if self.writer.is_closing() or self.shut:
            return self.peer.end is not None
        return len(self.peer.received) == self.written

    def finish(self) -> None:
        assert self.peer is not None
        self.trace.append("finish")
        self.drain()
        self.peer.close()
        self.settle()
        self.begin("read", self.reader.read())
        self.settle()
        if not self.writer.is_closing():
            self.writer.close()
        self.begin("wait_closed", self.writer.wait_closed())
        self.until(lambda: not self.tasks)
        assert talk.stream("local").startswith(bytes(self.peer.received))
        whole = self.peer.end in (None, "eof")
        end = (len(self.peer.received), self.peer.end) if whole else "broken"
        self.trace.append((end, self.reader.at_eof()))

    # --- turns ----------------------------------------------------------------------------

    def settle(self) -> None:
        quiet = 0
        while quiet < talk.QUIET:
            before = len(self.trace)
            self.turn()
            quiet = quiet + 1 if len(self.trace) == before else 0

    def until(self, condition: Any) -> None:
        while not condition():
            if self.peer is not None:
                self.peer.start()
            self.turn()

    def turn(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        if time.monotonic() - self.started > talk.PATIENCE:
            raise AssertionError(f"nothing moves; last: {self.trace[-9:]}, {list(self.tasks)}")

    def clean_up(self) -> None:
        if self.peer is not None:
            self.peer.close()
        for _, writer in self.streams:
            if not writer.is_closing():
                writer.transport.abort()
        for task in self.tasks.values():
            task.cancel()
        if self.server is not None:
            self.server.close()
        self.started = time.monotonic()
        for _ in range(talk.QUIET):
            self.turn()
