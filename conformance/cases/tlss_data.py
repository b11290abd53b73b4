"""TLSS: data of TLS connections: flow control, what comes after the handshake, broken records."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread, receive_exactly
from loopgauge.conformance.kit.tls import PEM, client_context, server_context
from loopgauge.conformance.kit.tls_links import ROLES, tls_role
from loopgauge.conformance.trial import Trial

PIECE = 500_000


@case(
    "TLSS-012.corrupted",
    variants=ROLES,
    expected="connection_lost with an ssl.SSLError; the exception handler is not called",
)
def corrupted(t: Trial, role: str) -> None:
    """After the handshake the peer sends a record that nobody can decrypt."""

    async def main() -> None:
        made = await tls_role(t, role)
        await in_thread(made.peer.sendall, b"good")
        t.equal("before", await made.protocol.received(4), b"good")
        plain = socket.socket(fileno=made.peer.detach())
        plain.sendall(b"\x17\x03\x03\x00\x20" + b"garbage." * 4)
        await made.protocol.lost
        error = made.protocol.error
        t.true("an SSLError", isinstance(error, ssl.SSLError), "an ssl.SSLError")
        t.equal("the data", bytes(made.protocol.data), b"good")
        t.equal("the last callback", made.protocol.calls[-1], "connection_lost")
        plain.close()
        await made.close()

    t.run(main())


@case(
    "TLSS-012.plain",
    variants=ROLES,
    expected="connection_lost with an ssl.SSLError; the bytes do not reach the protocol",
)
def plain_bytes(t: Trial, role: str) -> None:
    """After the handshake the peer sends plain text."""

    async def main() -> None:
        made = await tls_role(t, role)
        plain = socket.socket(fileno=made.peer.detach())
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        await made.protocol.lost
        error = made.protocol.error
        t.true("an SSLError", isinstance(error, ssl.SSLError), "an ssl.SSLError")
        t.equal("the data", bytes(made.protocol.data), b"")
        plain.close()
        await made.close()

    t.run(main())


@case(
    "TLSS-013.writing",
    variants=ROLES,
    expected="pause_writing once while the peer does not read, resume_writing once it has read, "
    "and every byte in order",
)
def writing(t: Trial, role: str) -> None:
    """30 pieces of 500 kB are written to a peer that does not read; then it reads."""

    async def main() -> None:
        made = await tls_role(t, role)
        for number in range(30):
            made.transport.write(bytes([number]) * PIECE)
        t.equal("callbacks so far", made.protocol.calls, ["connection_made", "pause_writing"])
        t.true("something waits", made.transport.get_write_buffer_size() > 0)
        low, high = made.transport.get_write_buffer_limits()
        t.true("the low limit is below the high one", 0 <= low <= high)
        t.note("limits", (low, high))
        arrived = await in_thread(receive_exactly, made.peer, 30 * PIECE)
        wanted = b"".join(bytes([number]) * PIECE for number in range(30))
        t.true("every byte arrived, in order", arrived == wanted)
        while "resume_writing" not in made.protocol.calls:
            await asyncio.sleep(0.001)
        calls = ["connection_made", "pause_writing", "resume_writing"]
        t.equal("callbacks", made.protocol.calls, calls)
        t.equal("what waits in the end", made.transport.get_write_buffer_size(), 0)
        await made.close()

    t.run(main())


@case(
    "TLSS-013.limits",
    expected="the limits that were set; ValueError where the low one is above the high one",
)
def limits(t: Trial) -> None:
    """set_write_buffer_limits() is called with both limits, with the high one, and wrongly."""

    async def main() -> None:
        made = await tls_role(t, "client")
        made.transport.set_write_buffer_limits(high=4000, low=1000)
        t.equal("both", made.transport.get_write_buffer_limits(), (1000, 4000))
        made.transport.set_write_buffer_limits(high=4000)
        t.equal("the high one alone", made.transport.get_write_buffer_limits(), (1000, 4000))
        with t.raises(ValueError):
            made.transport.set_write_buffer_limits(high=1000, low=4000)
        await made.close()

    t.run(main())


@case(
    "TLSS-013.reading",
    variants=ROLES,
    expected="nothing is delivered while reading is paused, everything afterwards, in order; "
    "is_reading() says which",
)
def reading(t: Trial, role: str) -> None:
    """Reading is paused, the peer sends 3 MB, 20 turns go by, and reading is resumed."""

    async def main() -> None:
        made = await tls_role(t, role)
        await in_thread(made.peer.sendall, b"before")
        await made.protocol.received(6)
        t.equal("is_reading() before", made.transport.is_reading(), True)
        made.transport.pause_reading()
        t.equal("is_reading() while paused", made.transport.is_reading(), False)
        sending = asyncio.ensure_future(in_thread(made.peer.sendall, pattern))
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("what came while paused", bytes(made.protocol.data), b"before")
        made.transport.resume_reading()
        arrived = await made.protocol.received(6 + len(pattern))
        await sending
        t.true("everything came, in order", arrived == b"before" + pattern)
        await made.close()

    pattern = b"".join(number.to_bytes(4, "big") for number in range(750_000))
    t.run(main())


@case(
    "TLSS-013.paused-in-callback",
    expected="no more data_received after the one that paused, until reading is resumed",
)
def pausing_in_data_received(t: Trial) -> None:
    """The protocol pauses reading in data_received; the peer has sent 100 records in one go."""

    async def main() -> None:
        made = await tls_role(t, "client")
        recorder, transport = made.protocol, made.transport
        receive = recorder.data_received
        sizes: list[int] = []

        def pause(data: bytes) -> None:
            sizes.append(len(data))
            transport.pause_reading()
            receive(data)

        recorder.data_received = pause  # type: ignore[method-assign]
        transport.set_protocol(recorder)
        await in_thread(send_records, made.peer)
        await recorder.received(1)
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("calls of data_received while paused", len(sizes), 1)
        while len(recorder.data) < 10_000:
            transport.resume_reading()
            await asyncio.sleep(0.001)
        t.true("all bytes came", bytes(recorder.data) == b"r" * 10_000)
        await made.close()

    def send_records(peer: socket.socket) -> None:
        for _ in range(100):
            peer.sendall(b"r" * 100)

    t.run(main())


@case(
    "TLSS-014.tickets",
    variants=("paused", "reading"),
    expected="data before and after the session tickets arrives, also after a pause",
)
def session_tickets(t: Trial, kind: str) -> None:
    """A TLS 1.3 server sends eight session tickets after the handshake, and data; the loop is the
    client, which may have paused reading in between."""

    async def main() -> None:
        peer_context = server_context(t.directory)
        peer_context.num_tickets = 8
        made = await tls_role(t, "client", peer_context=peer_context)
        if kind == "paused":
            made.transport.pause_reading()
        await in_thread(made.peer.sendall, b"data")
        for _ in range(10):
            await asyncio.sleep(0)
        if kind == "paused":
            t.equal("while paused", bytes(made.protocol.data), b"")
            made.transport.resume_reading()
        t.equal("the data", await made.protocol.received(4), b"data")
        made.transport.write(b"answer")
        t.equal("the peer reads", await in_thread(receive_exactly, made.peer, 6), b"answer")
        await made.close()

    t.run(main())


@case(
    "TLSS-014.late-certificate",
    expected="the client shows it without the program's doing, and data flows on",
)
def late_certificate(t: Trial) -> None:
    """After the handshake a TLS 1.3 server asks for the client's certificate, which the loop's
    context has; the program only reads."""

    def ask(peer: ssl.SSLSocket) -> tuple[bool, bytes]:
        peer.verify_client_post_handshake()
        peer.sendall(b"who?")
        word = receive_exactly(peer, 2)
        return bool(peer.getpeercert()), word

    async def main() -> None:
        peer_context, context = server_context(t.directory), client_context()
        peer_context.post_handshake_auth = True
        peer_context.verify_mode = ssl.CERT_REQUIRED
        peer_context.load_verify_locations(cadata=PEM[: PEM.index("-----BEGIN PRIVATE")])
        context.post_handshake_auth = True
        context.load_cert_chain(t.directory / "certificate.pem")
        made = await tls_role(t, "client", context=context, peer_context=peer_context)
        if made.peer.version() != "TLSv1.3":  # type: ignore[attr-defined]
            t.not_applicable("the ssl module has no TLS 1.3")
        work = asyncio.ensure_future(in_thread(ask, made.peer))
        t.equal("the data after the question", await made.protocol.received(4), b"who?")
        made.transport.write(b"me")
        t.equal("certificate seen, and data", await work, (True, b"me"))
        await made.close()

    t.run(main())


@case(
    "TLSS-014.both-ways",
    variants=ROLES,
    expected="every byte arrives on both sides",
)
def both_ways(t: Trial, role: str) -> None:
    """Both sides write 2 MB at the same time, and read while they do."""

    def send_and_receive(peer: Any) -> bytes:
        data = bytearray()
        for start in range(0, len(pattern), 50_000):
            peer.sendall(pattern[start : start + 50_000])
            data += peer.recv(200_000)
        while len(data) < len(pattern):
            data += peer.recv(200_000)
        return bytes(data)

    async def main() -> None:
        made = await tls_role(t, role)
        work = asyncio.ensure_future(in_thread(send_and_receive, made.peer))
        for start in range(0, len(pattern), 20_000):
            made.transport.write(pattern[start : start + 20_000])
            await asyncio.sleep(0)
        t.true("the loop has all", await made.protocol.received(len(pattern)) == pattern)
        t.true("the peer has all", await work == pattern)
        await made.close()

    pattern = b"".join(number.to_bytes(4, "big") for number in range(500_000))
    t.run(main())
