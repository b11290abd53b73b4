"""The load generator's process against servers of every kind, good and bad."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadError, LoadGenerator, expect
from loopgauge.harness.worker.engine import load_engine

bench: Any = load_engine()
MANY = 10**9


@pytest.fixture
def generator() -> Iterator[LoadGenerator]:
    with LoadGenerator() as generator:
        yield generator


def served(
    server: Any, generator: LoadGenerator, command: protocol.AnyCommand
) -> protocol.AnyAnswer:
    """The answer to a command that needs the floor server to work meanwhile."""
    generator.send(command)
    server.serve_until(generator.fileno())
    return generator.receive()


def test_it_pins_itself_to_the_core_it_is_given() -> None:
    cpu = max(os.sched_getaffinity(0))
    with LoadGenerator(cpu) as generator:
        assert generator.hello.cpu == cpu
        assert os.sched_getaffinity(generator.pid) == {cpu}
    with LoadGenerator(100_000) as generator:  # a core that is not there is no reason to fail
        assert generator.hello.cpu is None


def floor(kind: str, tmp_path: Path, size: int = 1024) -> Any:
    address = str(tmp_path / "socket") if kind.startswith("unix") else "127.0.0.1:0"
    return closing(bench.FloorServer(kind, address, size))


@pytest.mark.parametrize("kind", ["tcp", "unix", "udp", "unixgram"])
@pytest.mark.parametrize(
    ("connections", "size", "depth"), [(1, 1, 1), (3, 1024, 1), (40, 700, 5), (2, 60_000, 1)]
)
def test_echo_is_exact(
    generator: LoadGenerator, tmp_path: Path, kind: str, connections: int, size: int, depth: int
) -> None:
    if kind in ("udp", "unixgram"):  # as many as the server's socket holds at once
        connections, depth = min(connections, 3), min(depth, 3)
    with floor(kind, tmp_path) as server:
        command = protocol.Open(
            id=7,
            kind=kind,
            address=server.address,
            connections=connections,
            size=size,
            depth=depth,
        )
        opened = expect(served(server, generator, command), protocol.Opened)
        assert (opened.id, opened.connections) == (7, connections)
        for n in (1, 10 * connections + 1):
            done = expect(served(server, generator, protocol.Go(id=7, n=n)), protocol.Done)
            assert (done.n, done.bytes) == (n, n * size)
            assert done.most - done.fewest == (n % connections != 0)
            assert done.latency is not None
            assert done.latency.count == n
            assert done.wall_ns > 0


@pytest.mark.parametrize("size", [65_536, 102_400, 3_000_000])
def test_large_messages_come_in_pieces(generator: LoadGenerator, tmp_path: Path, size: int) -> None:
    with floor("tcp", tmp_path) as server:
        served(
            server,
            generator,
            protocol.Open(address=server.address, size=size, connections=3, depth=2),
        )
        done = expect(served(server, generator, protocol.Go(n=10)), protocol.Done)
        assert done.bytes == 10 * size


def test_a_thousand_connections(generator: LoadGenerator, tmp_path: Path) -> None:
    with floor("unix", tmp_path) as server:
        served(
            server, generator, protocol.Open(kind="unix", address=server.address, connections=1000)
        )
        done = expect(served(server, generator, protocol.Go(n=3000)), protocol.Done)
        assert (done.fewest, done.most) == (3, 3)


@pytest.mark.parametrize("pattern", ["sink", "source"])
def test_bulk(generator: LoadGenerator, tmp_path: Path, pattern: str) -> None:
    with floor(pattern, tmp_path, 10_000) as server:
        served(
            server,
            generator,
            protocol.Open(address=server.address, pattern=pattern, size=10_000, connections=3),
        )
        for n in (1, 100):  # 1: two of the connections have nothing to do
            done = expect(served(server, generator, protocol.Go(n=n)), protocol.Done)
            assert done.bytes == n * 10_000
            assert done.latency is None


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("size", [0, 500])
def test_whole_lives_of_connections(
    generator: LoadGenerator, tmp_path: Path, kind: str, size: int
) -> None:
    with floor(kind, tmp_path) as server:
        command = protocol.Open(
            kind=kind, address=server.address, pattern="connect", size=size, connections=5
        )
        served(server, generator, command)
        for _ in range(2):
            done = expect(served(server, generator, protocol.Go(n=200)), protocol.Done)
            assert done.bytes == 200 * size


def test_lines_and_a_shared_pool(generator: LoadGenerator, tmp_path: Path) -> None:
    with floor("tcp", tmp_path) as server:
        command = protocol.Open(address=server.address, pattern="lines", size=80, connections=4)
        served(server, generator, command)
        go = protocol.Go(n=1000, share="free", histogram=True)
        done = expect(served(server, generator, go), protocol.Done)
        assert done.fewest <= 250 <= done.most
        assert done.latency is not None
        assert done.latency.buckets is not None
        assert sum(count for _, count in done.latency.buckets) == 1000
        assert done.latency.p99_ns is not None
        assert done.latency.p99_9_ns is None  # one sample beyond it is not ten


def test_groups_do_not_disturb_each_other(generator: LoadGenerator, tmp_path: Path) -> None:
    with floor("tcp", tmp_path) as one, floor("tcp", tmp_path) as other:
        served(one, generator, protocol.Open(id=1, address=one.address))
        served(other, generator, protocol.Open(id=2, address=other.address))
        other.close()  # hangs up on an idle group
        assert expect(served(one, generator, protocol.Go(id=1, n=50)), protocol.Done).n == 50
        with pytest.raises(LoadError, match="connection 0: the server closed") as caught:
            generator.call(protocol.Go(id=2, n=1))
        assert caught.value.kind == "lost"
        assert expect(generator.call(protocol.Close(id=1)), protocol.Closed).id == 1


# -- Servers that are wrong. Each is a function of the accepted socket, in a thread. --------------


def wrong_byte(peer: socket.socket) -> None:
    data = bytearray(peer.recv(1024))
    data[100] ^= 1
    peer.sendall(data)


def too_much(peer: socket.socket) -> None:
    peer.sendall(peer.recv(1024) + b"!")


def hang_up(peer: socket.socket) -> None:
    peer.sendall(peer.recv(1024)[:100])


def reset(peer: socket.socket) -> None:
    peer.recv(1)  # the rest is unread: closing resets
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def stall(peer: socket.socket) -> None:
    peer.sendall(peer.recv(1024)[:100])
    peer.recv(1)  # until the client gives up


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (wrong_byte, "wrong", "connection 0: wrong byte at byte 100 of operation 0"),
        (too_much, "wrong", "connection 0: 1 bytes more than the answer"),
        (hang_up, "lost", "connection 0: the server closed the connection at byte 100"),
        (reset, "lost", "connection 0: .*reset"),
        (stall, "stalled", "no progress for 0.2 s: 1 of 1 connections wait, connection 0 at byte"),
    ],
)
def test_a_wrong_server_is_told(
    generator: LoadGenerator, behaviour: Callable[[socket.socket], None], kind: str, words: str
) -> None:
    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            behaviour(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listener.getsockname()
        generator.call(protocol.Open(address=f"{host}:{port}", timeout_s=0.2))
        with pytest.raises(LoadError, match=words) as caught:
            generator.call(protocol.Go(n=3))
        thread.join()
    assert caught.value.kind == kind
    with pytest.raises(LoadError, match="there is no group 0"):
        generator.call(protocol.Go(n=1))


def test_a_lost_datagram_is_an_error(generator: LoadGenerator) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        host, port = deaf.getsockname()
        generator.call(
            protocol.Open(kind="udp", address=f"{host}:{port}", size=100, depth=2, timeout_s=0.2)
        )
        with pytest.raises(LoadError, match="connection 0 for the answer to datagram 0"):
            generator.call(protocol.Go(n=2))

        def answer_the_second() -> None:
            deaf.recv(200)
            deaf.recv(200)
            deaf.recv(200)
            data, client = deaf.recvfrom(200)
            deaf.sendto(data, client)

        thread = threading.Thread(target=answer_the_second)
        thread.start()
        generator.call(protocol.Open(kind="udp", address=f"{host}:{port}", size=100, depth=2))
        with pytest.raises(LoadError, match="datagram 0 was lost") as caught:
            generator.call(protocol.Go(n=2))
        thread.join()
        assert caught.value.kind == "lost"


def test_nobody_listens(generator: LoadGenerator, tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host, port = bound.getsockname()
        with pytest.raises(LoadError, match=f"connecting to {host}:{port}: .*refused") as caught:
            generator.call(protocol.Open(address=f"{host}:{port}"))
        assert caught.value.kind == "refused"
    with pytest.raises(LoadError, match="No such file"):
        generator.call(protocol.Open(kind="unix", address=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (protocol.Go(id=3), "no group 3"),
        (protocol.Open(address="127.0.0.1"), "no port"),
        (protocol.Open(address="localhost:1"), "not looked up"),
        (protocol.Open(address="127.0.0.1:1", connections=0), "at least one connection"),
        (protocol.Open(address="127.0.0.1:1", size=0), "size must be between"),
        (protocol.Open(address="127.0.0.1:1", size=MANY), "size must be between"),
        (protocol.Open(address="127.0.0.1:1", depth=0), "depth must be"),
        (protocol.Open(address="127.0.0.1:1", timeout_s=0), "timeout_s must be"),
        (protocol.Open(address="127.0.0.1:1", pattern="sink", depth=2), "has no depth"),
        (protocol.Open(address="127.0.0.1:1", pattern="http", request="GET"), "empty line"),
        (protocol.Open(kind="udp", address="127.0.0.1:1", pattern="sink"), "only be echoed"),
        (protocol.Open(address="127.0.0.1:1", server_name="x"), "for kind tls"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    generator: LoadGenerator, command: protocol.AnyCommand, words: str
) -> None:
    for _ in range(2):
        with pytest.raises(LoadError, match=words) as caught:
            generator.call(command)
        assert caught.value.kind == "usage"


def test_too_many_connections_say_how_many_would_fit(
    generator: LoadGenerator, tmp_path: Path
) -> None:
    with floor("tcp", tmp_path) as server:
        command = protocol.Open(address=server.address, connections=MANY)
        with pytest.raises(LoadError, match=r"ulimit -n .* ask for at most \d+") as caught:
            generator.call(command)
        assert caught.value.kind == "unavailable"


def test_the_next_command_stops_a_run(generator: LoadGenerator, tmp_path: Path) -> None:
    with floor("tcp", tmp_path) as server:
        served(server, generator, protocol.Open(address=server.address))
        generator.send(protocol.Go(n=MANY))
        generator.send(protocol.Close())
        server.serve_until(generator.fileno())
        with pytest.raises(LoadError, match="stopped by the next command") as caught:
            generator.receive()
        assert caught.value.kind == "stopped"
        assert isinstance(generator.receive(), protocol.Closed)


@pytest.mark.parametrize("busy", [False, True])
def test_it_dies_with_its_starter(tmp_path: Path, busy: bool) -> None:
    """SIGKILL leaves the starter no chance to say anything."""
    script = f"""
import os, signal
from loopgauge import _bench
from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadGenerator

server = _bench.FloorServer("tcp")
generator = LoadGenerator()
generator.send(protocol.Open(address=server.address))
server.serve_until(generator.fileno())
generator.receive()
if {busy}:
    generator.send(protocol.Go(n={MANY}))  # nobody answers any more
print(generator.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    starter = subprocess.run(
        [sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, check=False, timeout=60
    )
    assert starter.returncode == -signal.SIGKILL
    try:
        generator = os.pidfd_open(int(starter.stdout))
    except ProcessLookupError:
        return  # it was even reaped before we could look
    with os.fdopen(generator):
        readable, _, _ = select.select([generator], [], [], 20)
        assert readable


def test_an_open_loop_at_a_rate_that_is_easily_reached(
    generator: LoadGenerator, tmp_path: Path
) -> None:
    with floor("unix", tmp_path) as server:
        served(server, generator, protocol.Open(kind="unix", address=server.address, connections=3))
        rate = protocol.Rate(per_second=200, seconds=0.5, histogram=True)
        done = expect(served(server, generator, rate), protocol.Done)
        assert done.open_loop is not None
        assert done.latency is not None
        assert done.open_loop.service is not None
        assert done.open_loop.due == 100
        assert done.n + done.open_loop.unsent == 100
        assert done.latency.count == 100
        assert done.open_loop.service.count == done.n
        assert done.latency.max_ns >= done.open_loop.service.max_ns


@pytest.mark.parametrize(
    "rate",
    [
        protocol.Rate(per_second=0),
        protocol.Rate(per_second=-1),
        protocol.Rate(per_second=1e9),
        protocol.Rate(drain_s=-1),
    ],
)
def test_impossible_rates(generator: LoadGenerator, tmp_path: Path, rate: protocol.Rate) -> None:
    with floor("tcp", tmp_path) as server:
        served(server, generator, protocol.Open(address=server.address))
        with pytest.raises(LoadError):
            generator.call(rate)
        assert expect(served(server, generator, protocol.Go(n=5)), protocol.Done).n == 5


@pytest.mark.parametrize("pattern", ["echo", "sink", "source", "connect"])
def test_going_for_a_time(generator: LoadGenerator, tmp_path: Path, pattern: str) -> None:
    with floor(pattern if pattern in ("sink", "source") else "tcp", tmp_path, 5000) as server:
        command = protocol.Open(address=server.address, pattern=pattern, size=5000, connections=4)
        served(server, generator, command)
        done = expect(served(server, generator, protocol.Go(seconds=0.1)), protocol.Done)
        assert done.n > 0
        assert done.bytes == done.n * 5000
        assert done.wall_ns > 0
        # Nothing is left in flight.
        assert expect(served(server, generator, protocol.Go(n=9)), protocol.Done).bytes == 45_000
        with pytest.raises(LoadError, match="seconds must be above 0"):
            generator.call(protocol.Go(seconds=-1))
