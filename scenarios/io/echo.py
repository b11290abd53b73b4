"""Bytes go to a server and come back."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, ClassVar, cast

from loopgauge.scenarios.io.certificate import server_context
from loopgauge.scenarios.io.served import Served, ServedProtocol
from loopgauge.scenarios.io.servers import (
    BufferedEcho,
    Connected,
    Connections,
    Echo,
    ProtocolServer,
    Server,
    SockServer,
    StreamServer,
)
from loopgauge.scenarios.model import BadParam, Holds, Param
from loopgauge.scenarios.reliance import carriers_of

CONNECTIONS = Param(
    "connections", int, 32, (1, 10, 32, 100, 1000), "clients, each waits for its answer"
)


APIS = ("protocol", "buffered", "streams", "sock")

QUICK: tuple[dict[str, Any], ...] = (
    {},
    {"api": "buffered"},
    {"api": "streams"},
    {"size": 102_400},
    {"size": 102_400, "api": "buffered"},
    {"transport": "tls"},
)


def with_sweep(sets: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """`sets`, and every API with every size, every number of connections and every transport. What
    else goes together is a matter of --param."""
    swept = [*sets, {"api": "sock"}, {"size": 65_536}, {"size": 65_536, "api": "buffered"}]
    for api in APIS:
        chosen = {} if api == "protocol" else {"api": api}
        axes: dict[str, tuple[Any, ...]] = {
            "size": (64, 10_240, 102_400),
            "connections": (1, 10, 100, 1000),
            "transport": ("unix",) if api == "sock" else ("unix", "tls"),
        }
        for axis, values in axes.items():
            swept += [{**chosen, axis: value} for value in values]
    return tuple(params for place, params in enumerate(swept) if params not in swept[:place])


TRANSPORT_RULES = ("SRVR-001", "PROT-001", "PROT-004", "TRAN-001", "TRAN-004")
SOCK_RULES = ("SOCK-003", "SOCK-009", "SOCK-013")  # of api=sock, which has no transport


class TcpEcho(Served):
    id = "io.tcp_echo"
    summary = "clients send a message and wait for it to come back"
    unit = "message"
    rules: tuple[str, ...] = (*TRANSPORT_RULES, *SOCK_RULES)
    params: ClassVar[tuple[Param, ...]] = (
        Param(
            "api",
            str,
            "protocol",
            APIS,
            "how the server is written",
        ),
        Param("size", int, 1024, (1, 64, 1024, 10_240, 65_536, 102_400), "bytes of a message"),
        CONNECTIONS,
        Param("transport", str, "tcp", ("tcp", "unix", "tls"), "what carries the bytes"),
    )
    quick = QUICK
    full = with_sweep(QUICK)
    has_floor = True
    holds = Holds("connections", "connection", "after", (100, 400))
    api: str
    size: int
    connections: int
    transport: str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        if self.api == "sock" and self.transport == "tls":
            raise BadParam("api=sock has no TLS: the sock_* methods take plain sockets")
        self.rules = SOCK_RULES if self.api == "sock" else TRANSPORT_RULES
        self.carriers = carriers_of(self.transport)
        self.requires = self.requires | _NEEDS[self.transport]
        if self.api == "sock":
            self.requires |= {"sock"}
        # Encryption is no system call: there is no bare server to compare with.
        self.has_floor = self.transport != "tls"
        self.has_native = self.has_floor and self.api == "protocol"
        self.floor_kind = self.transport

    @property
    def grain(self) -> int:
        return self.connections

    def make_server(self) -> Server:
        path = self.new_path() if self.transport == "unix" else None
        tls = server_context() if self.transport == "tls" else None
        if self.api == "streams":
            return StreamServer(path, tls)
        if self.api == "sock":
            return SockServer(path)
        return ProtocolServer(Echo if self.api == "protocol" else BufferedEcho, path, tls)

    def clients(self) -> dict[str, Any]:
        return {
            "kind": self.transport,
            "pattern": "echo",
            "connections": self.connections,
            "size": self.size,
        }


class SplitEcho(Connected, asyncio.Protocol):
    """Answers as a server does that has a header and a body."""

    def __init__(self, connections: Connections, writes: int) -> None:
        super().__init__(connections)
        self._writes = writes

    def data_received(self, data: bytes) -> None:
        header, body = data[:_HEADER], data[_HEADER:]
        if self._writes == 1:
            self.transport.write(header + body)
        else:
            self.transport.write(header)
            self.transport.write(body)


class SplitWrite(ServedProtocol):
    """A loop that sends every write by itself pays a system call, and its client a packet, more."""

    id = "io.split_write"
    summary = "the answer is written in two pieces, or joined before it is written"
    unit = "message"
    rules = ("SRVR-001", "PROT-004", "TRAN-004")
    params = (
        Param("writes", int, 2, (1, 2), "calls of write() for one answer", closed=True),
        Param("size", int, 1024, (256, 1024, 4096), "bytes of an answer, header included"),
        CONNECTIONS,
    )
    quick = ({"writes": 1}, {})
    full = ({"writes": 1}, {}, {"writes": 1, "size": 4096}, {"size": 4096})
    has_floor = True
    writes: int
    size: int
    connections: int

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return SplitEcho(connections, self.writes)


class SlowEcho(Connected, asyncio.Protocol):
    """The application's part of an operation takes `seconds`."""

    def __init__(self, connections: Connections, seconds: float) -> None:
        super().__init__(connections)
        self._seconds = seconds

    def data_received(self, data: bytes) -> None:
        end = time.perf_counter() + self._seconds
        while time.perf_counter() < end:
            pass
        self.transport.write(data)


class ConnectionFairness(ServedProtocol):
    """While a callback of 40 µs runs, the client that was just served has sent its next message. A
    loop that reads a connection until it is empty then serves nobody else.

    All clients draw from one pool of operations, twenty for each on average. One that got nothing
    counts as one operation, so that the ratio is finite.
    """

    id = "io.connection_fairness"
    summary = "operations of the most served connection per one of the least served"
    unit = "largest/smallest"
    measure = "value"
    rules = ("SRVR-001", "PROT-004")
    params = (
        Param("callback", float, 40.0, (0.0, 10.0, 40.0), "µs that data_received takes"),
        Param("size", int, 1024, (64, 1024), "bytes of a message"),
        CONNECTIONS,
    )
    slot_s = 0.0  # the grain makes it long enough
    callback: float
    size: int
    connections: int
    _value: float

    @property
    def grain(self) -> int:
        return 20 * self.connections

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return SlowEcho(connections, self.callback * 1e-6)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        done = self._traffic.go(n, share="free")
        self._value = done.most / max(done.fewest, 1)
        return cast(int, done.n)

    def take_value(self) -> float:
        return self._value


class EchoBesideBusyThread(ServedProtocol):
    """A loop that gives the interpreter away around every wait gets it back only when the other
    thread's time slice is over (sys.getswitchinterval, 5 ms)."""

    id = "io.echo_beside_busy_thread"
    summary = "an echo server while another thread computes in Python"
    unit = "message"
    measure = "wall"
    rules = ("SRVR-001", "PROT-004", "THRD-004")
    params = (
        Param("size", int, 1024, (64, 1024), "bytes of a message"),
        CONNECTIONS,
    )
    # Many time slices of the other thread, or a slot has as many as chance will have it.
    slot_s = 0.1
    size: int
    connections: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._busy = BusyThread()
        super().prepare(loop, native)

    def make_protocol(self, connections: Connections) -> asyncio.BaseProtocol:
        return Echo(connections)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        with self._busy:
            return super().perform(loop, n)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        busy = getattr(self, "_busy", None)
        if busy is not None:
            busy.close()
        super().release(loop)


class BusyThread:
    """Computes while it is entered, and sleeps otherwise. The owner calls `close`."""

    def __init__(self) -> None:
        self.steps = 0
        self._computing = False
        self._closing = False
        self._start = threading.Event()
        self._computes = threading.Event()
        self._parked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="busy", daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        """Returns when it computes."""
        self._computing = True
        self._parked.clear()
        self._computes.clear()
        self._start.set()
        self._computes.wait(timeout=5.0)

    def __exit__(self, *_: object) -> None:
        self._computing = False
        self._parked.wait(timeout=5.0)

    def close(self) -> None:
        self._closing = True
        self._start.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            self._start.wait()
            self._start.clear()
            if self._closing:
                return
            self._computes.set()
            while self._computing:
                self.steps += 1
            self._parked.set()


_HEADER = 128  # bytes of an answer that count as its header

_NEEDS: dict[str, frozenset[str]] = {
    "tcp": frozenset(),
    "unix": frozenset({"unix"}),
    "tls": frozenset({"tls"}),
}
