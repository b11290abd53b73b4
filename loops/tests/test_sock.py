"""The sock_* family: what it gives, at once and after waiting, as stock does."""

from __future__ import annotations

import array
import asyncio
import os
import socket

import pytest
from loop_testing.compare import on_both
from loop_testing.sockets import BIG, cancelled, datagrams, listening, refused, waiting

# ---- receiving ----


def test_recv_at_once_and_after_waiting(loop, pair) -> None:
    left, right = pair
    left.send(b"there")
    assert loop.run_until_complete(loop.sock_recv(right, 100)) == b"there"
    task = waiting(loop, loop.sock_recv(right, 100))
    left.send(b"later")
    assert loop.run_until_complete(task) == b"later"


@pytest.mark.parametrize("size", [1, 5, 255 * 1024, 256 * 1024, 256 * 1024 + 1, 2**20])
def test_recv_takes_at_most_its_size(loop, pair, size: int) -> None:
    left, right = pair
    left.send(b"123456")
    assert loop.run_until_complete(loop.sock_recv(right, size)) == b"123456"[:size]


def test_recv_at_the_end(loop, pair) -> None:
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    left.shutdown(socket.SHUT_WR)
    assert loop.run_until_complete(task) == b""
    assert loop.run_until_complete(loop.sock_recv(right, 10)) == b""


def test_recv_of_nothing_asks_nothing(loop, pair) -> None:
    assert loop.run_until_complete(loop.sock_recv(pair[1], 0)) == b""


@pytest.mark.parametrize("size", [-1, 1.5, "10", None, 2**70], ids=str)
def test_recv_wrong_sizes(size) -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        with left, right:
            right.setblocking(False)
            return refused(loop, loop.sock_recv(right, size))

    on_both(scenario)


def test_recv_size_with_index(loop, pair) -> None:
    class Four:
        def __index__(self) -> int:
            return 4

    pair[0].send(b"123456")
    assert loop.run_until_complete(loop.sock_recv(pair[1], Four())) == b"1234"
    assert loop.run_until_complete(loop.sock_recv(pair[1], True)) == b"5"


@pytest.mark.parametrize(
    "buffer",
    [
        bytearray(10),
        memoryview(bytearray(10)),
        memoryview(bytearray(20))[5:15],
        array.array("B", bytes(10)),
        array.array("i", [0] * 5),
    ],
    ids=["bytearray", "memoryview", "slice", "bytes array", "int array"],
)
@pytest.mark.parametrize("later", [False, True])
def test_recv_into(loop, pair, buffer, later: bool) -> None:
    left, right = pair
    coroutine = loop.sock_recv_into(right, buffer)
    if later:
        coroutine = waiting(loop, coroutine)
    left.send(b"12345678")
    assert loop.run_until_complete(coroutine) == 8
    assert bytes(memoryview(buffer).cast("B"))[:8] == b"12345678"


@pytest.mark.parametrize(
    "buffer",
    [b"read only", memoryview(b"read only"), memoryview(bytearray(8))[::2], 5, "text", None],
    ids=["bytes", "view", "strides", "int", "str", "None"],
)
@pytest.mark.parametrize("method", ["sock_recv_into", "sock_recvfrom_into"])
def test_wrong_buffers(buffer, method: str) -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        with left, right:
            right.setblocking(False)
            return refused(loop, getattr(loop, method)(right, buffer))

    on_both(scenario)


def test_recv_into_a_buffer_that_was_resized_meanwhile(loop, pair) -> None:
    """Nothing is exported while the operation waits."""
    left, right = pair
    buffer = bytearray(10)
    task = waiting(loop, loop.sock_recv_into(right, buffer))
    buffer.extend(bytes(10))
    left.send(b"x" * 15)
    assert loop.run_until_complete(task) == 15


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
@pytest.mark.parametrize("later", [False, True])
def test_datagrams(loop, family: int, host: str, later: bool) -> None:
    with datagrams(family, host) as (one, other):

        def receive(coroutine, data: bytes):
            task = waiting(loop, coroutine) if later else coroutine
            sent = loop.run_until_complete(loop.sock_sendto(one, data, other.getsockname()))
            assert sent == len(data)
            return loop.run_until_complete(task)

        address = one.getsockname()
        assert receive(loop.sock_recvfrom(other, 100), b"first") == (b"first", address)
        assert receive(loop.sock_recvfrom(other, 3), b"cut off") == (b"cut", address)
        assert receive(loop.sock_recvfrom(other, 3), b"") == (b"", address)
        buffer = bytearray(10)
        assert receive(loop.sock_recvfrom_into(other, buffer), b"12345") == (5, address)
        assert receive(loop.sock_recvfrom_into(other, buffer, 2), b"ab") == (2, address)
        assert buffer == b"ab345" + bytes(5)


@pytest.mark.parametrize("name", [None, "path", "abstract"])
def test_addresses_of_unix_datagrams(tmp_path, name: str | None) -> None:
    def scenario(loop):
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
        ):
            path = tmp_path / "receiver"
            path.unlink(missing_ok=True)
            other.bind(str(path))
            for sock in (one, other):
                sock.setblocking(False)
            if name == "path":
                (tmp_path / "sender").unlink(missing_ok=True)
                one.bind(str(tmp_path / "sender"))
            elif name == "abstract":
                one.bind(b"\0loopgauge-test-%d" % os.getpid())
            loop.run_until_complete(loop.sock_sendto(one, b"data", str(path)))
            return loop.run_until_complete(loop.sock_recvfrom(other, 100))

    on_both(scenario)


def test_recvfrom_on_a_stream_has_no_address(loop, pair) -> None:
    pair[0].send(b"12")
    assert loop.run_until_complete(loop.sock_recvfrom(pair[1], 1)) == (b"1", None)
    buffer = bytearray(5)
    assert loop.run_until_complete(loop.sock_recvfrom_into(pair[1], buffer)) == (1, None)


def test_recvfrom_into_wants_more_than_there_is_room() -> None:
    def scenario(loop):
        with datagrams() as (_, other):
            return refused(loop, loop.sock_recvfrom_into(other, bytearray(5), 6))

    on_both(scenario)


# ---- sending ----


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_sendall_more_than_fits(loop, pair, kind) -> None:
    left, right = pair
    data = os.urandom(BIG)

    async def receive() -> bytes:
        received = bytearray()
        while len(received) < BIG:
            received += await loop.sock_recv(right, 65536)
        return bytes(received)

    async def main() -> bytes:
        task = loop.create_task(receive())
        assert await loop.sock_sendall(left, kind(data)) is None
        return await task

    assert loop.run_until_complete(main()) == data


def test_sendall_of_nothing(loop, pair) -> None:
    assert loop.run_until_complete(loop.sock_sendall(pair[0], b"")) is None


def test_sendall_keeps_its_buffer_exported(loop, pair) -> None:
    left, right = pair
    data = bytearray(BIG)
    task = waiting(loop, loop.sock_sendall(left, data))
    with pytest.raises(BufferError):
        data.append(0)
    cancelled(loop, task)
    data.append(0)
    right.close()


@pytest.mark.parametrize("data", ["text", 5, None, memoryview(bytes(8))[::2]], ids=str)
def test_wrong_data(data) -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            one = refused(loop, loop.sock_sendall(left, data))
        with datagrams() as (sender, other):
            return one, refused(loop, loop.sock_sendto(sender, data, other.getsockname()))

    on_both(scenario)


def test_sendall_to_one_that_is_gone() -> None:
    def scenario(loop):
        left, right = socket.socketpair()
        left.setblocking(False)
        with left:
            task = waiting(loop, loop.sock_sendall(left, bytes(BIG)))
            right.close()
            first = refused(loop, task)
            return first, refused(loop, loop.sock_sendall(left, b"more"))

    on_both(scenario)


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 70000),
        ("127.0.0.1", -1),
        ("127.0.0.1", "9"),
        ("127.0.0.1",),
        ("127.0.0.1", 9, 0),
        ["127.0.0.1", 9],
        ("::1", 9),
        "127.0.0.1",
        None,
        ("127.0.0.1\0", 9),
    ],
    ids=repr,
)
def test_wrong_addresses(address) -> None:
    def scenario(loop):
        with datagrams() as (one, _), socket.socket() as stream:
            stream.setblocking(False)
            sent = refused(loop, loop.sock_sendto(one, b"x", address))
            try:
                loop.run_until_complete(loop.sock_connect(stream, address))
            except Exception as error:
                return sent, type(error), str(error)
        return sent

    on_both(scenario)


# ---- connecting and accepting ----


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
@pytest.mark.parametrize("later", [False, True])
def test_connect_and_accept(loop, family: int, host: str, later: bool) -> None:
    with listening(family, (host, 0)) as listener, socket.socket(family) as client:
        client.setblocking(False)

        async def main():
            accepting = loop.create_task(loop.sock_accept(listener))
            if later:
                await asyncio.sleep(0)
            assert await loop.sock_connect(client, listener.getsockname()[:2]) is None
            return await accepting

        server, address = loop.run_until_complete(main())
        with server:
            assert type(server) is socket.socket
            assert address == client.getsockname()
            assert server.getpeername() == client.getsockname()
            assert server.gettimeout() == 0.0
            assert not os.get_blocking(server.fileno())
            assert not os.get_inheritable(server.fileno())
            assert (server.family, server.type, server.proto) == (
                listener.family,
                listener.type,
                listener.proto,
            )
            loop.run_until_complete(loop.sock_sendall(client, b"through"))
            assert loop.run_until_complete(loop.sock_recv(server, 10)) == b"through"


def test_unix_connect_and_accept(loop, tmp_path) -> None:
    path = str(tmp_path / "listener")
    with listening(socket.AF_UNIX, path) as listener, socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        task = waiting(loop, loop.sock_accept(listener))
        loop.run_until_complete(loop.sock_connect(client, path))
        server, address = loop.run_until_complete(task)
        server.close()
        assert address == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_refused_connection(host: str) -> None:
    with listening() as listener:
        port = listener.getsockname()[1]

    def scenario(loop):
        with socket.socket() as client:
            client.setblocking(False)
            return refused(loop, loop.sock_connect(client, (host, port)))

    assert on_both(scenario)[0] is ConnectionRefusedError


def test_refused_connection_names_all_of_an_ipv6_address() -> None:
    with listening(socket.AF_INET6, ("::1", 0)) as listener:
        port = listener.getsockname()[1]

    def scenario(loop):
        with socket.socket(socket.AF_INET6) as client:
            client.setblocking(False)
            return refused(loop, loop.sock_connect(client, ("::1", port)))

    assert on_both(scenario)[0] is ConnectionRefusedError


def test_connect_twice() -> None:
    def scenario(loop):
        with listening() as listener, socket.socket() as client:
            client.setblocking(False)
            address = listener.getsockname()
            loop.run_until_complete(loop.sock_connect(client, address))
            loop.run_until_complete(loop.sock_connect(client, address))  # Linux tells it once more
            return refused(loop, loop.sock_connect(client, address))

    on_both(scenario)


def test_accept_on_what_does_not_listen() -> None:
    def scenario(loop):
        with socket.socket() as sock:
            sock.setblocking(False)
            return refused(loop, loop.sock_accept(sock))

    on_both(scenario)


def test_accepted_socket_of_a_default_timeout(loop) -> None:
    with listening() as listener:
        client = socket.create_connection(listener.getsockname())
        socket.setdefaulttimeout(30)
        try:
            server, _ = loop.run_until_complete(loop.sock_accept(listener))
        finally:
            socket.setdefaulttimeout(None)
        with client, server:
            assert server.gettimeout() == 0.0
