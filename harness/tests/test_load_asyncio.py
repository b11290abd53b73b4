"""The load generator against asyncio: TLS, HTTP, listeners, and a server that stalls."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadError, LoadGenerator, expect
from loopgauge.harness.worker.engine import load_engine

bench: Any = load_engine()
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def generator() -> Iterator[LoadGenerator]:
    with LoadGenerator() as generator:
        yield generator


@contextmanager
def serving(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of an asyncio server that runs in a thread meanwhile."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    async def end() -> None:
        server.close()
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(connected, "127.0.0.1", 0, ssl=context, limit=1 << 20)
    )
    host, port = server.sockets[0].getsockname()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"{host}:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(end())
        loop.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 18):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("server.example").configure_cert(context)
    return context


def with_tls(generator: LoadGenerator) -> None:
    if generator.hello.tls:
        pytest.skip(generator.hello.tls)


@pytest.mark.parametrize(
    ("connections", "size", "depth"), [(1, 1, 1), (5, 1024, 4), (2, 300_000, 2)]
)
def test_tls_echo(
    generator: LoadGenerator, context: ssl.SSLContext, connections: int, size: int, depth: int
) -> None:
    with_tls(generator)
    with serving(echo, context) as address:
        command = protocol.Open(
            kind="tls", address=address, connections=connections, size=size, depth=depth
        )
        generator.call(command)
        for n in (1, 30):
            done = expect(generator.call(protocol.Go(n=n)), protocol.Done)
            assert done.bytes == n * size


def test_tls_bulk_in_both_directions(generator: LoadGenerator, context: ssl.SSLContext) -> None:
    with_tls(generator)
    size = 50_000
    block = bench.load_pattern(size)

    async def source(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while wanted := await reader.read(8):
            for _ in range(int.from_bytes(wanted, "big") // size):
                writer.write(block)
                await writer.drain()

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while header := await reader.read(8):
            left = int.from_bytes(header, "big")
            while left:
                left -= len(await reader.read(left))
            writer.write(header)

    for number, (name, serve) in enumerate([("source", source), ("sink", sink)]):
        with serving(serve, context) as address:
            command = protocol.Open(
                id=number, kind="tls", address=address, pattern=name, size=size, connections=2
            )
            generator.call(command)
            for n in (100, 3):
                done = expect(generator.call(protocol.Go(id=number, n=n)), protocol.Done)
                assert done.bytes == n * size


def test_tls_handshakes(generator: LoadGenerator, context: ssl.SSLContext) -> None:
    with_tls(generator)
    with serving(echo, context) as address:
        for number, size in enumerate([0, 100]):
            command = protocol.Open(
                id=number, kind="tls", address=address, pattern="connect", size=size, connections=3
            )
            generator.call(command)
            done = expect(generator.call(protocol.Go(id=number, n=20)), protocol.Done)
            assert done.bytes == 20 * size


def test_tls_certificates(
    generator: LoadGenerator, context: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    with_tls(generator)
    trusted, empty = tmp_path / "trusted.pem", tmp_path / "empty.pem"
    authority.cert_pem.write_to_path(str(trusted))
    empty.touch()
    with serving(echo, context) as address:

        def opened(server_name: str, certificates: Path, address: str = address) -> object:
            return generator.call(
                protocol.Open(
                    kind="tls",
                    address=address,
                    server_name=server_name,
                    certificates=str(certificates),
                )
            )

        with pytest.raises(LoadError, match="certificate verify failed"):
            opened("other.example", trusted)
        with pytest.raises(LoadError, match="no certificates in"):
            opened("server.example", empty)
        opened("server.example", trusted)
        assert expect(generator.call(protocol.Go(n=3)), protocol.Done).n == 3


def test_no_tls_on_the_other_side(generator: LoadGenerator) -> None:
    with_tls(generator)
    with serving(echo) as address, pytest.raises(LoadError, match="TLS handshake") as caught:
        generator.call(protocol.Open(kind="tls", address=address))
    assert caught.value.kind == "refused"


REQUEST = "GET /plaintext HTTP/1.1\r\nHost: here\r\n\r\n"


def http_server(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(len(REQUEST)) == REQUEST.encode():
            writer.write(answer)

    return serve


@pytest.mark.parametrize("depth", [1, 16])
def test_http(generator: LoadGenerator, depth: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!"
    with serving(http_server(answer)) as address:
        command = protocol.Open(
            address=address,
            pattern="http",
            request=REQUEST,
            expect="Hello, World!",
            connections=3,
            depth=depth,
        )
        generator.call(command)
        done = expect(generator.call(protocol.Go(n=100)), protocol.Done)
        assert done.bytes == 100 * len(answer)


def test_http_error_status(generator: LoadGenerator) -> None:
    answer = b"HTTP/1.1 500 Oh no\r\nContent-Length: 0\r\n\r\n"
    with serving(http_server(answer)) as address:
        generator.call(protocol.Open(address=address, pattern="http", request=REQUEST))
        with pytest.raises(LoadError, match=r"connection 0: the status .* 500 Oh no.* not 200"):
            generator.call(protocol.Go(n=1))


STALL_S = 0.2


def test_an_open_loop_sees_a_stall_that_a_waiting_client_hides(generator: LoadGenerator) -> None:
    """A server that sleeps for 200 ms once, in a run of a second: a tenth of the operations were
    due meanwhile (p90 sees it), but only one waited for its own answer."""
    answered = 0

    async def stalls_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while data := await reader.read(1 << 16):
            answered += 1
            if answered == 500:
                time.sleep(STALL_S)
            writer.write(data)

    with serving(stalls_once) as address:
        generator.call(protocol.Open(address=address, size=64))
        rate = protocol.Rate(per_second=2000, seconds=1)
        done = expect(generator.call(rate), protocol.Done)
    assert done.open_loop is not None
    assert done.latency is not None
    assert done.open_loop.service is not None
    assert done.open_loop.asked_per_second == 2000
    assert done.latency.p99_ns is not None
    assert done.latency.p99_ns > 0.9 * STALL_S * 1e9
    assert done.open_loop.service.max_ns > 0.9 * STALL_S * 1e9
    # Whoever counts from the moment of sending has one bad sample among 2 000. On one connection
    # service times follow one another: a hundredth of them as long as this does not fit the run.
    assert done.open_loop.service.p99_ns is not None
    assert done.open_loop.service.p99_ns < 0.5 * STALL_S * 1e9


def test_a_rate_that_cannot_be_reached_is_told(generator: LoadGenerator) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await asyncio.sleep(0.01)
            writer.write(data)

    with serving(slow) as address:
        generator.call(protocol.Open(address=address, size=64))
        rate = protocol.Rate(per_second=1000, seconds=0.3)
        done = expect(generator.call(rate), protocol.Done)
    assert done.open_loop is not None
    assert done.latency is not None
    assert done.n <= 31
    assert done.open_loop.due == 300 == done.n + done.open_loop.unsent
    assert done.latency.count == 300  # with those that only waited
    assert not done.open_loop.reached
    assert done.open_loop.achieved_per_second <= 101


def test_what_waits_at_the_end_is_drained(generator: LoadGenerator) -> None:
    """The server answers the first message when all have long been due."""
    waited = False

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waited
        while data := await reader.read(1 << 16):
            if not waited:
                waited = True
                await asyncio.sleep(0.1)
            writer.write(data)

    with serving(late) as address:
        generator.call(protocol.Open(address=address, size=64))
        rate = protocol.Rate(per_second=1000, seconds=0.05, drain_s=60)
        done = expect(generator.call(rate), protocol.Done)
    assert done.open_loop is not None
    assert (done.n, done.open_loop.due, done.open_loop.unsent) == (50, 50, 0)
    assert done.open_loop.achieved_per_second < 1000 / 2


def test_a_listener_counts_connections(generator: LoadGenerator) -> None:
    opened = expect(generator.call(protocol.Listen(id=5, pattern="echo")), protocol.Opened)
    host, port = opened.address.split(":")

    async def client() -> None:
        for data in (b"", b"x" * 200_000):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == data
            writer.close()

    for _ in range(2):
        generator.send(protocol.Go(id=5, n=2))
        asyncio.run(client())
        assert expect(generator.receive(), protocol.Done).n == 2


def test_a_listener_that_nobody_calls(generator: LoadGenerator, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    command = protocol.Listen(kind="unix", address=path, pattern="accept", timeout_s=0.1)
    assert expect(generator.call(command), protocol.Opened).address == path
    with pytest.raises(LoadError, match="0 of 3 were served") as caught:
        generator.call(protocol.Go(n=3))
    assert caught.value.kind == "stalled"


def test_an_http_listener_counts_requests(generator: LoadGenerator) -> None:
    command = protocol.Listen(pattern="http", expect="fine")
    opened = expect(generator.call(command), protocol.Opened)
    generator.call(protocol.Listen(id=1))
    with LoadGenerator() as client:
        generator.send(protocol.Go(n=100))
        command_ = protocol.Open(
            address=opened.address,
            pattern="http",
            request=REQUEST,
            expect="fine",
            connections=4,
            depth=3,
        )
        client.call(command_)
        assert expect(client.call(protocol.Go(n=100)), protocol.Done).n == 100
        assert expect(generator.receive(), protocol.Done).n == 100


def test_a_port_in_use(generator: LoadGenerator) -> None:
    opened = expect(generator.call(protocol.Listen()), protocol.Opened)
    with pytest.raises(LoadError, match="Address already in use") as caught:
        generator.call(protocol.Listen(id=1, address=opened.address))
    assert caught.value.kind == "refused"
