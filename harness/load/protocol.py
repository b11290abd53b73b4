"""What the load generator can be asked, and what it answers.

One message a packet, JSON, over an AF_UNIX SOCK_SEQPACKET socket whose other end the generator
inherits. `Hello` comes first. Every command gets exactly one answer, in order: the one named below,
or `Failed`. End of file on the socket, at any time, ends the generator. A command that arrives
while a `Go` or `Rate` is running stops it: it answers `Failed` ("stopped by the next command").

A *group* is a set of connections opened together; `id` is the caller's number for it. Only the
group of the running command has traffic. After `Done` nothing of it is in flight. After `Failed`
the group is closed, except where its `usable` says otherwise. Times are integer nanoseconds of
CLOCK_MONOTONIC unless a name ends in `_s` (seconds).

Patterns (what one operation is, and what the server at `address` must do):

echo     The client sends `size` bytes, the server sends the same bytes back; up to `depth`
         messages of a connection are in flight at once. Every byte is compared. A server that
         answers in several writes, or splits as it likes, is fine: only the bytes count.
         For `udp` and `unixgram` a message is a datagram, and a lost one is an error (found when a
         later one is answered, or after `timeout_s`), never a hang. The server's socket must have
         room for connections times depth datagrams: the kernel drops what does not fit.
lines    The same, every message one line: its last byte is b"\\n", which is nowhere else.
sink     One way to the server, unit: chunks of `size` bytes. For each `Go` each connection sends a
         header, 8 bytes big-endian: how many bytes follow; then those bytes. They are
         `_bench.load_pattern(65521)` over and over, from anywhere in it, and go on where the run
         before ended. The server answers
         with the same 8 bytes once it has them all. The next run follows on the same connection.
source   One way to the client, unit: chunks of `size` bytes. For each `Go` each connection sends
         8 bytes big-endian: how many bytes it wants (a multiple of `size`). The server answers with
         that many: `_bench.load_pattern(size)` over and over. Every byte is compared.
flood    One way to the server, unit: datagrams (`udp`, `unixgram`; one connection). A datagram of
         `size` bytes, 2 to 1 472, is: a byte that is 1 if it asks for a receipt, else 0; the low
         byte of its number, which counts from 0 at `Open`; then `_bench.load_pattern(size)` from
         its third byte on. The server answers one that asks with 8 bytes big-endian: how many
         datagrams it has received from this client. Every 16th asks, and the last of a run; 64 are
         under way at most, so that they fit the server's socket. A lost one is an error.
connect  An operation is: connect, send `size` bytes (may be 0), read the same bytes back, shut down
         the writing side, wait for the server's end of file, close. `connections` operations are
         under way at once; none is between runs. So `accept_rate` counts whole lives of
         connections. Towards 127.0.0.0/8 the source address rotates, so that ports in TIME_WAIT
         do not run out.
http     HTTP/1.1 keep-alive: the client sends `request` as it is, the answer must have status 200,
         a Content-Length and the body `expect` (null: any body; its length is counted).
broadcast  WebSocket clients (RFC 6455 without extensions; unit: deliveries). The first connection
         sends binary messages of `size` bytes, up to `depth` of which have not come back to it; the
         server must send each to all connections, the first included, whole and in order. Every
         byte is compared. `n` must be a multiple of `connections`, in equal shares.
idle     Connections that are opened and nothing else. `Go` is refused.

`Listen` turns it round: the generator is the server, the loop under test the client. Patterns echo
(anything is sent back at once), http (every request, of any kind, without body, is answered with
status 200 and the body `expect`), accept (accepts, reads until end of file, closes; for
connect_rate). `Go` then waits until `n` connections (http: `n` requests) were served to their end,
counted from the previous `Go` or, the first time, from `Listen`: it does not matter whether the
client or the `Go` is first. The listener only works while its `Go` runs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["tcp", "unix", "udp", "unixgram", "tls"]
Pattern = Literal[
    "echo", "lines", "sink", "source", "flood", "connect", "http", "broadcast", "idle"
]
Served = Literal["echo", "http", "accept"]


class Command(msgspec.Struct, tag_field="command", forbid_unknown_fields=True):
    id: int = 0


class Open(Command, tag="open"):
    """Answer: `Opened`, once all connections (TLS: handshakes too) are established. The server's
    loop must run meanwhile."""

    kind: Kind = "tcp"
    address: str = ""  # "127.0.0.1:80", "[::1]:80"; unix kinds: a path, or "@name" (abstract)
    pattern: Pattern = "echo"
    connections: int = 1
    size: int = 1024  # bytes, at least 1 (connect: 0), at most 16 MiB (datagrams: 65 507)
    depth: int = 1  # messages in flight per connection: echo, lines, http, broadcast
    timeout_s: float = 10.0  # without a single byte of progress; then Failed
    request: str = ""  # http: the whole request head, with its empty line
    expect: str | None = None  # http: the body of every answer
    server_name: str = ""  # tls: SNI, and the name that is verified with certificates
    certificates: str = ""  # tls: file of trusted certificates; empty: nothing is verified


class Listen(Command, tag="listen"):
    """Answer: `Opened`, with the address that was bound (port 0: any)."""

    kind: Literal["tcp", "unix"] = "tcp"
    address: str = "127.0.0.1:0"
    pattern: Served = "echo"
    backlog: int = 4096
    timeout_s: float = 10.0
    expect: str = ""  # http: the body of every answer


class Go(Command, tag="go"):
    """Closed loop: exactly `n` operations, then `Done`. share "equal": every connection does
    n/connections of them (who does one more rotates from run to run). "free": all take from one
    pool, so that `Done.fewest` and `Done.most` show whom the server prefers. With `seconds`, `n`
    and `share` do not count: operations are started, by whoever is free, for that long."""

    n: int = 1
    share: Literal["equal", "free"] = "equal"
    seconds: float = 0  # 0: n operations; not for listeners
    histogram: bool = False  # with the buckets of `Done.latency`, for merging


class Rate(Command, tag="rate"):
    """Open loop (echo, lines, http): operation i is due at i/per_second after the start, on the
    connection i modulo `connections`, whatever happened to those before. One that finds `depth`
    others in flight there waits, and its latency counts from when it was due. Ends after `seconds`
    and the last answer; what then still waits is sent for `drain_s` more. Answer: `Done`."""

    per_second: float = 1000.0
    seconds: float = 1.0
    drain_s: float = 0.0
    histogram: bool = False


class Close(Command, tag="close"):
    """Closes the group's connections. Answer: `Closed`."""


class Quit(Command, tag="quit"):
    """Answer: `Closed`, then the generator ends."""


AnyCommand = Open | Listen | Go | Rate | Close | Quit


class Answer(msgspec.Struct, tag_field="answer", forbid_unknown_fields=True):
    id: int = 0


class Hello(Answer, tag="hello"):
    """`cpu` is the core it pinned itself to (null: none to spare). `tls` is why kind tls cannot be
    used, empty if it can."""

    pid: int = 0
    cpu: int | None = None
    tls: str = ""


class Opened(Answer, tag="opened"):
    address: str = ""  # where a listener listens; otherwise as asked
    connections: int = 0


class Closed(Answer, tag="closed"):
    pass


class Latencies(msgspec.Struct):
    """Of one histogram with buckets 0.1 % wide. A quantile is null when fewer than ten samples lie
    beyond it: p50 needs 20, p90 100, p99 1 000, p99.9 10 000, p99.99 100 000 samples."""

    count: int
    min_ns: int
    mean_ns: float
    max_ns: int
    p50_ns: int | None
    p90_ns: int | None
    p99_ns: int | None
    p99_9_ns: int | None
    p99_99_ns: int | None
    buckets: list[tuple[int, int]] | None = None  # (bucket, count), ascending, empty ones left out


class OpenLoop(msgspec.Struct):
    """What `Rate` adds. `latency` (in Done) counts from when an operation was due; `service` from
    when it was really sent, which is what a client that waits would report."""

    service: Latencies | None
    asked_per_second: float
    achieved_per_second: float  # answered, from the first due time to the last answer
    due: int  # operations that the rate asked for
    unsent: int  # of those, never sent because the server did not keep up
    reached: bool  # achieved at least 99 % of asked, nothing unsent
    late_max_ns: int  # worst delay by which the generator itself sent an operation too late


class Done(Answer, tag="done"):
    """`bytes` counts the answers (sink: what was sent, without headers). `latency` is null where
    an operation has none (sink, source, flood, broadcast, listeners)."""

    n: int = 0
    bytes: int = 0
    wall_ns: int = 0  # first byte sent (listener: Go) to last answer complete
    cpu_ns: int = 0  # CPU time of the generator's thread
    fewest: int = 0  # operations of the connection with the fewest
    median: int = 0
    most: int = 0
    latency: Latencies | None = None
    open_loop: OpenLoop | None = None


class Failed(Answer, tag="failed"):
    """`reason` is for people: what happened, with connection and byte offset where there is one.
    `kind`: what sort of failure."""

    reason: str = ""
    kind: Literal[
        "usage",  # the command makes no sense; nothing changed
        "unavailable",  # this machine cannot (TLS library, address family, descriptors)
        "refused",  # could not connect or bind
        "lost",  # the server closed or reset a connection
        "wrong",  # wrong bytes, more bytes than asked for, a bad HTTP answer
        "stalled",  # no progress for timeout_s
        "stopped",  # by the next command
    ] = "usage"
    usable: bool = False  # the group still is


AnyAnswer = Hello | Opened | Closed | Done | Failed
