"""Datagram endpoints: what arrives, from whom, in which order, what an endpoint says of itself."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import socket
import sys
import weakref

import pytest
from loop_testing import target
from loop_testing.compare import run_turns
from loop_testing.endpoints import HOSTS, Recorder, closed, endpoint, has_ipv6

FAMILIES = [
    socket.AF_INET,
    pytest.param(socket.AF_INET6, marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
]

# ---- sending and receiving ----


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 512, 9000, 65507])
def test_exchange_without_a_connection(loop, family, size: int) -> None:
    async def main() -> None:
        server, served = await endpoint(local_addr=(HOSTS[family], 0))
        client, seen = await endpoint(local_addr=(HOSTS[family], 0))
        data = bytes(i % 251 for i in range(size))
        client.sendto(data, server.get_extra_info("sockname"))
        await served.until_called("received")
        assert served.received == [(data, client.get_extra_info("sockname"))]
        server.sendto(data[::-1], served.received[0][1])
        await seen.until_called("received")
        assert seen.received == [(data[::-1], server.get_extra_info("sockname"))]
        await closed(server, client)

    loop.run_until_complete(main())


@pytest.mark.parametrize("family", FAMILIES)
def test_exchange_with_a_connection(loop, family) -> None:
    async def main() -> None:
        server, served = await endpoint(local_addr=(HOSTS[family], 0))
        name = server.get_extra_info("sockname")
        client, seen = await endpoint(remote_addr=name[:2])
        for address in (None, name, ("127.0.0.1", name[1]) if family == socket.AF_INET else name):
            client.sendto(b"x", address)
        client.sendto(data=b"x")
        client.sendto(b"x", addr=None)
        await served.until_called("received", 5)
        server.sendto(b"answer", served.received[0][1])
        await seen.until_called("received")
        assert seen.received == [(b"answer", name)]
        await closed(server, client)

    loop.run_until_complete(main())


def test_unix_paths(loop, tmp_path) -> None:
    async def main() -> None:
        one, two, three = (str(tmp_path / name) for name in "123")
        server, served = await endpoint(local_addr=one, family=socket.AF_UNIX)
        clients = [
            await endpoint(local_addr=path, remote_addr=one, family=socket.AF_UNIX)
            for path in (two, three)
        ]
        for number in range(3):
            for client, _ in clients:
                client.sendto(b"%d" % number)
        await served.until_called("received", 6)
        assert sorted(served.received) == sorted(
            (b"%d" % number, path) for number in range(3) for path in (two, three)
        )
        for _, path in list(served.received):
            server.sendto(path.encode(), path)
        for (client, seen), path in zip(clients, (two, three), strict=True):
            await seen.until_called("received", 3)
            assert seen.received == [(path.encode(), one)] * 3
            assert client.get_extra_info("peername") == one
        await closed(server, *(client for client, _ in clients))

    loop.run_until_complete(main())


def test_unix_without_a_name_and_abstract(loop, tmp_path) -> None:
    async def main() -> None:
        path = str(tmp_path / "socket")
        server, served = await endpoint(local_addr=path, family=socket.AF_UNIX)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract,
        ):
            abstract.bind("")  # the kernel chooses an abstract name
            unnamed.sendto(b"from nobody", path)
            abstract.sendto(b"from an abstract name", path)
            await served.until_called("received", 2)
            assert served.received == [
                (b"from nobody", None),
                (b"from an abstract name", abstract.getsockname()),
            ]
            server.sendto(b"answer", abstract.getsockname())
            assert abstract.recv(100) == b"answer"
        await closed(server)

    loop.run_until_complete(main())


@pytest.mark.parametrize("kind", [bytearray, memoryview, type("Sub", (bytes,), {})])
def test_kinds_of_data(loop, kind) -> None:
    async def main() -> None:
        server, served = await endpoint()
        client, _ = await endpoint()
        client.sendto(kind(b"some data"), server.get_extra_info("sockname"))
        await served.until_called("received")
        data = served.received[0][0]
        assert data == b"some data"
        assert type(data) is bytes
        await closed(server, client)

    loop.run_until_complete(main())


def test_empty_datagrams(loop) -> None:
    """They arrive on every version, and are sent from 3.13 on."""

    async def main() -> None:
        server, served = await endpoint()
        name = server.get_extra_info("sockname")
        client, _ = await endpoint(remote_addr=name)
        client.sendto(b"")
        client.sendto(bytearray())
        client.sendto(b"end")
        await served.until(lambda: (b"end", client.get_extra_info("sockname")) in served.received)
        empty = [b"", b""] if sys.version_info >= (3, 13) else []
        assert [data for data, _ in served.received] == [*empty, b"end"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.sendto(b"", name)
            await served.until(
                lambda: (b"", ("127.0.0.1", plain.getsockname()[1])) in served.received
            )
        await closed(server, client)

    loop.run_until_complete(main())


def test_many_peers_keep_their_addresses(loop) -> None:
    """More than any cache of addresses holds; each gets its own answer."""

    class Echo(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            self.transport.sendto(data, address)

    async def main() -> None:
        server, _ = await endpoint(Echo())
        name = server.get_extra_info("sockname")
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(400)]
        for turn in range(3):
            for number, sock in enumerate(sockets):
                sock.setblocking(False)
                sock.sendto(b"%d %d" % (turn, number), name)
                if number % 50 == 49:
                    for i in range(number - 49, number + 1):
                        answer = await asyncio.wait_for(loop.sock_recv(sockets[i], 100), 30)
                        assert answer == b"%d %d" % (turn, i)
        for sock in sockets:
            sock.close()
        await closed(server)

    loop.run_until_complete(main())


def test_order_of_a_burst(loop) -> None:
    async def main() -> None:
        server, served = await endpoint()
        client, _ = await endpoint(remote_addr=server.get_extra_info("sockname"))
        for number in range(100):
            client.sendto(b"%d" % number)
        await served.until_called("received", 100)
        assert [data for data, _ in served.received] == [b"%d" % i for i in range(100)]
        await closed(server, client)

    loop.run_until_complete(main())


def test_what_a_datagram_schedules_runs_before_the_next_datagram(loop) -> None:
    seen: list[bytes] = []

    class Scheduling(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            seen.append(data)
            loop.call_soon(seen.append, data + b" later")
            if data == b"4":
                loop.call_soon(loop.stop)

    server, _ = loop.run_until_complete(endpoint(Scheduling()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(5):
            client.sendto(b"%d" % number, server.get_extra_info("sockname"))
        loop.run_forever()
    expected = [text for i in range(5) for text in (b"%d" % i, b"%d later" % i)]
    assert seen == expected
    loop.run_until_complete(closed(server))


def test_a_flood_does_not_starve_others(loop) -> None:
    """A socket that is always readable: timers and other sockets still get their turn."""

    class Flood(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            self.transport.sendto(data, self.transport.get_extra_info("sockname"))

    async def main() -> None:
        flooded, _ = await endpoint(Flood())
        other, seen = await endpoint()
        for _ in range(64):
            flooded.sendto(bytes(100), flooded.get_extra_info("sockname"))
        await asyncio.sleep(0.01)  # a timer
        other.sendto(b"me too", other.get_extra_info("sockname"))
        await seen.until_called("received")
        flooded.abort()
        await closed(other)

    loop.run_until_complete(main())


def test_loss_in_a_flood(loop) -> None:
    """What does not fit into the receive buffer is lost; the rest arrives whole and in order."""

    async def main() -> None:
        server, served = await endpoint()
        server.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        client, _ = await endpoint(remote_addr=server.get_extra_info("sockname"))
        for number in range(1000):
            client.sendto(number.to_bytes(4, "big") * 250)
        while not served.received or served.received[-1][0] != b"end":
            client.sendto(b"end")
            await asyncio.sleep(0)
        run = [data for data, _ in served.received if data != b"end"]
        assert 0 < len(run) < 1000
        assert all(data == data[:4] * 250 for data in run)
        assert run == sorted(run)
        await closed(server, client)

    loop.run_until_complete(main())


# ---- the endpoint ----


def test_information(loop) -> None:
    async def main() -> None:
        server, protocol = await endpoint()
        name = server.get_extra_info("sockname")
        client, _ = await endpoint(remote_addr=name)
        assert server.get_extra_info("peername") is None
        assert client.get_extra_info("peername") == name
        assert client.get_extra_info("nothing", 5) == 5
        wrapped = server.get_extra_info("socket")
        assert wrapped.getsockname() == name
        assert wrapped.type == socket.SOCK_DGRAM
        assert server.get_extra_info("socket") is wrapped
        assert server.get_protocol() is protocol
        assert isinstance(server, asyncio.Transport)
        assert not server.is_closing()
        assert server.get_write_buffer_size() == 0
        with pytest.raises(NotImplementedError):
            server.write(b"x")
        await closed(server, client)

    loop.run_until_complete(main())


def test_is_a_datagram_transport(loop) -> None:
    transport, _ = loop.run_until_complete(endpoint())
    if sys.version_info >= (3, 12):
        assert isinstance(transport, asyncio.DatagramTransport)
    assert f"fd={transport.get_extra_info('socket').fileno()}" in repr(transport)
    assert "read=polling" in repr(transport)
    loop.run_until_complete(closed(transport))


def test_given_sockets(loop) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect(receiver.getsockname())
            transport, protocol = await endpoint(sock=sock)
            transport.sendto(b"connected before")
            assert receiver.recv(100) == b"connected before"
            receiver.sendto(b"back", sock.getsockname())
            await protocol.until_called("received")
            await closed(transport)
            assert sock.fileno() == -1

    loop.run_until_complete(main())


def test_subclass_of_socket_is_asked(loop) -> None:
    """A class of its own may have a way of its own to send."""

    class Sock(socket.socket):
        sent: list[bytes]

        def sendto(self, data, *rest):
            self.sent.append(bytes(data))
            return super().sendto(data, *rest)

    async def main() -> None:
        sock = Sock(socket.AF_INET, socket.SOCK_DGRAM)
        sock.sent = []
        sock.bind(("127.0.0.1", 0))
        transport, protocol = await endpoint(sock=sock)
        transport.sendto(b"to myself", sock.getsockname())
        await protocol.until_called("received")
        assert sock.sent == [b"to myself"]
        await closed(transport)

    loop.run_until_complete(main())


def test_one_descriptor_one_transport(loop) -> None:
    async def main() -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        transport, _ = await endpoint(sock=sock)
        if not (target.is_stock() and sys.version_info < (3, 12)):  # it did not look
            with pytest.raises(RuntimeError, match="is used by transport"):
                await endpoint(sock=sock)
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(sock, print)
        await closed(transport)

    loop.run_until_complete(main())


def test_reuse_port_and_broadcast(loop) -> None:
    async def main() -> None:
        one, _ = await endpoint(local_addr=("127.0.0.1", 0), reuse_port=True)
        two, _ = await endpoint(local_addr=one.get_extra_info("sockname"), reuse_port=True)
        assert one.get_extra_info("sockname") == two.get_extra_info("sockname")
        server, served = await endpoint()
        name = server.get_extra_info("sockname")
        # Not connected, for all that it has a remote address.
        client, _ = await endpoint(remote_addr=name, allow_broadcast=True)
        assert client.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
        assert client.get_extra_info("peername") is None
        client.sendto(b"x")
        client.sendto(b"x", name)
        with pytest.raises(ValueError, match="Invalid address"):
            client.sendto(b"x", ("127.0.0.1", 1))
        await served.until_called("received", 2)
        await closed(one, two, server, client)

    loop.run_until_complete(main())


def test_contexts(loop) -> None:
    """The callbacks run in a copy of the context in which the endpoint was made."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")
    seen: list[str] = []

    class Looking(Recorder):
        def connection_made(self, transport) -> None:
            seen.append(variable.get())
            super().connection_made(transport)

        def datagram_received(self, data: bytes, address: object) -> None:
            seen.append(variable.get())
            variable.set(data.decode())
            super().datagram_received(data, address)

        def connection_lost(self, error) -> None:
            seen.append(variable.get())
            super().connection_lost(error)

    async def make():
        variable.set("endpoint")
        return await endpoint(Looking())

    async def main() -> None:
        transport, protocol = await loop.create_task(make())
        name = transport.get_extra_info("sockname")
        variable.set("sender")
        for text in (b"one", b"two"):
            transport.sendto(text, name)
            await protocol.until_called("received", 1 if text == b"one" else 2)
        variable.set("closer")
        await closed(transport)

    loop.run_until_complete(main())
    assert seen == ["endpoint", "endpoint", "one", "closer"]


def test_protocol_can_be_exchanged(loop) -> None:
    async def main() -> None:
        transport, first = await endpoint()
        name = transport.get_extra_info("sockname")
        second = Recorder()

        def exchange(data: bytes, address: object) -> None:
            Recorder.datagram_received(first, data, address)
            transport.set_protocol(second)

        first.datagram_received = exchange  # type: ignore[method-assign]
        for number in range(3):
            transport.sendto(b"%d" % number, name)
        await second.until_called("received", 2)
        assert [data for data, _ in first.received] == [b"0"]
        assert [data for data, _ in second.received] == [b"1", b"2"]
        await closed(transport)

    loop.run_until_complete(main())


def test_nothing_is_left_after_the_end(loop) -> None:
    async def main():
        transport, protocol = await endpoint()
        transport.sendto(b"x", transport.get_extra_info("sockname"))
        await protocol.until_called("received")
        await closed(transport)
        assert transport.get_protocol() is None
        return weakref.ref(protocol)

    gc.collect()
    gc.disable()
    try:
        reference = loop.run_until_complete(main())
        run_turns(loop)
        assert reference() is None
    finally:
        gc.enable()


def test_forgotten_transport_warns(loop) -> None:
    protocol = loop.run_until_complete(endpoint())[1]
    loop._remove_reader(protocol.transport.get_extra_info("socket").fileno())
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        protocol.transport = None
