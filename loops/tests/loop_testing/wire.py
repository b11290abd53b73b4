"""The other end of a connection: a plain socket that the test moves by hand, also through TLS.

Nothing here waits for time to pass. What must have arrived before the test goes on is asked of the
kernel (`arrived`), because loopback TCP hands over at once only as long as the machine is idle.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct

from loop_testing import certificates

#: Bytes asked for per socket buffer (the kernel doubles them). Two buffers of a TCP connection
#: hold less than `KERNEL_HOLDS`; a larger write always leaves something to the transport.
SEND_BUFFER, RECEIVE_BUFFER = 128 << 10, 256 << 10
KERNEL_HOLDS = 1 << 20

#: Offset of tcpi_bytes_received in struct tcp_info, linux/tcp.h.
BYTES_RECEIVED = 128

#: Milliseconds until the kernel counts as having lost something.
PATIENCE = 20_000


def sockets(family: str) -> tuple[socket.socket, socket.socket]:
    """A listening socket and one to connect to it, with buffers of known size."""
    # With the protocol's number: asyncio sets TCP_NODELAY only where it is there, and without it
    # small packets come tens of milliseconds late.
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if family == "unix":
        kind = (socket.AF_UNIX, socket.SOCK_STREAM, 0)
    listener, client = socket.socket(*kind), socket.socket(*kind)
    for sock in (listener, client):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    # An empty Unix address asks the kernel for an abstract one: no file to remove.
    listener.bind("" if family == "unix" else ("127.0.0.1", 0))
    listener.listen()
    return listener, client


class Peer:
    """Sends, reads, half-closes, closes and resets; keeps what it received and how it ended.

    `end` is None while the connection is open for reading, then "eof" or "reset"; through TLS a
    connection closed without a close_notify is "ragged".
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.received = bytearray()
        self.end: str | None = None
        self.wire = 0
        self.finished = False
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def closed(self) -> bool:
        return self.sock.fileno() < 0

    def send(self, data: bytes) -> None:
        if not (self.closed or self.finished):
            self.raw_send(data)

    def read(self, limit: int) -> bool:
        """Takes at most `limit` bytes; whether anything came, an end included."""
        data = self.raw_read(limit)
        if data is None:
            return False
        self.received += data
        if not data:
            self.end = self.end or "eof"
        return True

    def half_close(self) -> None:
        if not (self.closed or self.finished or self.end == "reset"):
            self.finished = True
            # The connection may have been reset without this end having read of it.
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Closes with SO_LINGER 0, which makes TCP send RST instead of FIN."""
        if not self.closed:
            linger = struct.pack("ii", 1, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.sock.close()

    def raw_send(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
        except (BrokenPipeError, ConnectionResetError):
            self.end = self.end or "reset"
            self.finished = True
            return
        assert sent == len(data), "the test sends more than the kernel holds"
        self.wire += sent

    def raw_read(self, limit: int) -> bytes | None:
        """None when there is nothing to read, b"" at the end."""
        if self.closed or self.end in ("eof", "reset", "ragged"):
            return None
        try:
            return self.sock.recv(limit)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            self.end = "reset"
            return b""

    def wait(self, milliseconds: int) -> None:
        """Until something can be read, or so long."""
        if not self.closed:
            poller = select.poll()
            poller.register(self.sock, select.POLLIN)
            poller.poll(milliseconds)

    def start(self) -> None:
        """Moves the handshake on."""

    def started(self) -> None:
        """Reads what the handshake left: unread, it would turn a close into a reset."""


class TlsPeer(Peer):
    def __init__(self, sock: socket.socket, *, server_side: bool) -> None:
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = certificates.server_context() if server_side else certificates.client_context()
        name = None if server_side else certificates.HOSTNAME
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side, name)
        self.shaken = False

    def start(self) -> None:
        if self.shaken or self.closed:
            return
        self._feed(1 << 16)
        try:
            self.tls.do_handshake()
            self.shaken = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.end = self.end or "reset"
        self._flush()

    def started(self) -> None:
        self.start()
        while self.read(1 << 16):
            pass

    def send(self, data: bytes) -> None:
        if self.shaken and self.end is None and not (self.closed or self.finished):
            self.tls.write(data)
            self._flush()

    def read(self, limit: int) -> bool:
        # The ends of a handshake differ by a few bytes: never stop within one.
        moved = self._feed(max(limit, 30_000))
        if not self.shaken:
            self.start()
        while self.shaken and self.end is None:
            try:
                data = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                self.end = "ragged"
                break
            moved = True
            self.received += data
            if not data:
                self.end = "eof"
                self.half_close()
        return moved

    def half_close(self) -> None:
        """close_notify; the TCP connection stays open in both directions."""
        if self.shaken and not (self.closed or self.finished):
            self.finished = True
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self._flush()

    def _feed(self, limit: int) -> bool:
        data = self.raw_read(limit)
        if data is None:
            return False
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return True

    def _flush(self) -> None:
        data = self.outgoing.read()
        if data and not self.closed:
            self.raw_send(data)


def arrived(sock: socket.socket, peer: Peer) -> None:
    """Waits until the kernel gave `sock` everything that `peer` did; at once for Unix sockets."""
    fd = sock.fileno()
    if fd < 0 or sock.family != socket.AF_INET:
        return
    poller = select.poll()
    if peer.closed or (peer.finished and not isinstance(peer, TlsPeer)):
        poller.register(fd, select.POLLRDHUP)
        assert poller.poll(PATIENCE), "FIN or RST did not arrive"
        return
    for _ in range(PATIENCE):
        if _received(sock) >= peer.wire:
            return
        poller.poll(1)
    raise AssertionError("sent bytes did not arrive")


def _received(sock: socket.socket) -> int:
    information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    count: int = struct.unpack_from("Q", information, BYTES_RECEIVED)[0]
    return count
