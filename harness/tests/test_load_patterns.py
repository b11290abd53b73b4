"""The generator's floods and broadcasts, against servers good and bad."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadError, LoadGenerator, expect
from loopgauge.harness.worker.engine import load_engine

bench: Any = load_engine()
PATIENCE = 10.0  # seconds: no test waits for it unless it fails


@pytest.fixture
def generator() -> Iterator[LoadGenerator]:
    with LoadGenerator() as generator:
        yield generator


def served(
    server: Any, generator: LoadGenerator, command: protocol.AnyCommand
) -> protocol.AnyAnswer:
    generator.send(command)
    server.serve_until(generator.fileno())
    return generator.receive()


def floor(kind: str, size: int) -> Any:
    return closing(bench.FloorServer(kind, "127.0.0.1:0", size))


def text(address: Any) -> str:
    return "{}:{}".format(*address)


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_file_that_the_kernel_sends(generator: LoadGenerator) -> None:
    with floor("sendfile", 10_000) as server:
        command = protocol.Open(
            address=server.address, pattern="source", size=10_000, connections=3
        )
        served(server, generator, command)
        for n in (1, 1000):
            done = expect(served(server, generator, protocol.Go(n=n)), protocol.Done)
            assert done.bytes == n * 10_000


@pytest.mark.parametrize("size", [2, 500, 1472])
def test_a_flood_is_counted_to_the_last(generator: LoadGenerator, size: int) -> None:
    with floor("flood", size) as server:
        served(
            server,
            generator,
            protocol.Open(kind="udp", address=server.address, pattern="flood", size=size),
        )
        for n in (1, 16, 999):
            done = expect(served(server, generator, protocol.Go(n=n)), protocol.Done)
            assert (done.n, done.bytes) == (n, n * size)
            assert done.latency is None


def flooded(generator: LoadGenerator, answer: Callable[[int], bytes]) -> None:
    """A flood of 16 datagrams against a server that answers the last with `answer(16)`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)

        def serve() -> None:
            for number in range(16):
                data, client = server.recvfrom(2000)
                assert data == bytes([number == 15, number]) + bench.load_pattern(100)[2:]
            server.sendto(answer(16), client)

        with in_thread(serve):
            generator.call(
                protocol.Open(
                    kind="udp", address=text(server.getsockname()), pattern="flood", size=100
                )
            )
            generator.call(protocol.Go(n=16))


def test_a_flood_is_what_the_protocol_says(generator: LoadGenerator) -> None:
    flooded(generator, lambda count: count.to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (lambda count: (count - 3).to_bytes(8, "big"), "lost", "3 of 16 datagrams were lost"),
        (lambda count: (count + 1).to_bytes(8, "big"), "wrong", "received 17 of 16 datagrams"),
        (lambda count: b"\0" * 8, "wrong", "for no datagram"),
        (lambda count: b"x", "wrong", "has 1 bytes"),
    ],
)
def test_a_wrong_receipt_is_told(
    generator: LoadGenerator, answer: Callable[[int], bytes], kind: str, words: str
) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        flooded(generator, answer)
    assert caught.value.kind == kind


ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def header(size: int) -> bytes:
    """Of a server's frame."""
    if size < 126:
        return bytes([0x82, size])
    if size < 65_536:
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")


def read_exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def broadcast(
    generator: LoadGenerator,
    size: int,
    answers: Callable[[bytes], list[bytes]] = lambda payload: [header(len(payload)) + payload],
    greeting: bytes = ACCEPTED,
) -> protocol.Done:
    """Nine messages to three clients of a server that makes `answers` of each."""

    def serve(listener: socket.socket) -> None:
        peers: list[socket.socket] = []
        try:
            with suppress(OSError):  # also that the test is over and the listener closed
                for _ in range(3):
                    peer, _ = listener.accept()
                    peer.settimeout(PATIENCE)
                    peers.append(peer)
                    request = b""
                    while not request.endswith(b"\r\n\r\n"):
                        request += read_exactly(peer, 1)
                    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in request
                    peer.sendall(greeting)
                speaker = peers[0]
                while True:
                    sent = len(header(size))
                    assert read_exactly(speaker, sent + 4)[0] == 0x82
                    for answer in answers(read_exactly(speaker, size)):
                        for peer in peers:
                            peer.sendall(answer)
        finally:
            for peer in peers:
                peer.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with in_thread(lambda: serve(listener)):
            try:
                generator.call(
                    protocol.Open(
                        address=text(listener.getsockname()),
                        pattern="broadcast",
                        connections=3,
                        size=size,
                        depth=2,
                    )
                )
                for _ in range(2):
                    done = expect(generator.call(protocol.Go(n=9)), protocol.Done)
                return done
            finally:
                generator.call(protocol.Close())


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536])
def test_a_broadcast_reaches_everybody(generator: LoadGenerator, size: int) -> None:
    done = broadcast(generator, size)
    assert (done.n, done.fewest, done.most) == (9, 3, 3)
    assert done.latency is None


def spoilt(payload: bytes) -> list[bytes]:
    return [header(len(payload)) + payload[:-1] + bytes([payload[-1] ^ 1])]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (spoilt, "wrong bytes in message 0"),
        (lambda payload: [header(len(payload)) + payload] * 2, "wrong bytes in message 1"),
        (lambda payload: [header(len(payload) - 1) + payload[1:]], "has 99 bytes instead of 100"),
        (lambda payload: [b"\x81" + header(len(payload))[1:] + payload], "no whole binary message"),
        (lambda payload: [b"\x88\x00"], "no whole binary message"),
    ],
)
def test_a_wrong_broadcast_is_told(
    generator: LoadGenerator, answers: Callable[[bytes], list[bytes]], words: str
) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        broadcast(generator, 100, answers)
    assert caught.value.kind == "wrong"


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "answered with 'HTTP/1.1 200 OK'"),
        (ACCEPTED.replace(b"s3p", b"s4p"), "answered with 'HTTP/1.1 101"),
        (ACCEPTED + b"\x82", "more than the handshake"),
    ],
)
def test_a_wrong_handshake_is_told(generator: LoadGenerator, greeting: bytes, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        broadcast(generator, 100, greeting=greeting)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (protocol.Open(address="127.0.0.1:1", pattern="flood"), "a flood is of datagrams"),
        (
            protocol.Open(kind="udp", address="127.0.0.1:1", pattern="flood", connections=2),
            "from one client",
        ),
        (
            protocol.Open(kind="udp", address="127.0.0.1:1", pattern="flood", size=1473),
            "2 to 1472 bytes",
        ),
        (protocol.Open(kind="udp", address="127.0.0.1:1", pattern="broadcast"), "only be echoed"),
    ],
)
def test_nonsense_is_refused(
    generator: LoadGenerator, command: protocol.AnyCommand, words: str
) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        generator.call(command)
    assert caught.value.kind == "usage"
