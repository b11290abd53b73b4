"""Datagram endpoints: errors, flow control, pausing, and every way to end."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from asyncio.selector_events import _SelectorDatagramTransport

import pytest
from loop_testing import target
from loop_testing.compare import on_both, outcome, quiet, run_turns
from loop_testing.endpoints import Recorder, closed, endpoint

#: What a queued datagram counts beside its bytes.
HEADER = 8 if sys.version_info >= (3, 13) else 0

#: The first 3.13s add the header and do not take it off again: their buffer is never empty.
never_empty = pytest.mark.skipif(
    target.is_stock() and HEADER > 0 and not hasattr(_SelectorDatagramTransport, "_header_size"),
    reason="this version's asyncio does not count the header back",
)


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def unix_pair(tmp_path) -> tuple[socket.socket, socket.socket]:
    """A sender that is connected to a receiver nobody reads from."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "receiver"))
    receiver.setblocking(False)
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    return sender, receiver


def fill(transport) -> int:
    """Sends numbered datagrams until one has to wait. Returns how many were sent to wait or not."""
    count = 0
    while transport.get_write_buffer_size() == 0:
        transport.sendto(b"%04d" % count)
        count += 1
    return count


def drain(receiver: socket.socket) -> list[bytes]:
    received = []
    while True:
        try:
            received.append(receiver.recv(2**18))
        except BlockingIOError:
            return received


# ---- errors ----


def test_refused_by_icmp(loop) -> None:
    """The answer "port unreachable" comes as error_received(), and the transport lives on."""

    async def main() -> None:
        port = unused_port()
        client, seen = await endpoint(remote_addr=("127.0.0.1", port))
        client.sendto(b"to nobody")
        await seen.until_called("error")
        assert seen.calls[-1] == ("error", ConnectionRefusedError)
        assert not client.is_closing()
        server, served = await endpoint(local_addr=("127.0.0.1", port))
        client.sendto(b"to somebody")
        await served.until_called("received")
        await closed(server, client)

    loop.run_until_complete(main())


def test_refused_while_sending(loop) -> None:
    """The error of an earlier datagram is told when the next one is sent, which is lost."""

    async def main() -> None:
        client, seen = await endpoint(remote_addr=("127.0.0.1", unused_port()))
        client.sendto(b"one")
        client.sendto(b"two")
        assert seen.calls[-1] == ("error", ConnectionRefusedError)
        await closed(client)

    loop.run_until_complete(main())


def test_too_large(loop) -> None:
    class Failing(Recorder):
        error: Exception | None = None

        def error_received(self, error: Exception) -> None:
            self.error = error

    async def main() -> None:
        server, protocol = await endpoint(Failing())
        name = server.get_extra_info("sockname")
        server.sendto(bytes(65508), name)
        assert isinstance(protocol.error, OSError)
        assert protocol.error.errno == errno.EMSGSIZE
        server.sendto(bytes(65507), name)
        await protocol.until_called("received")
        assert protocol.received == [(bytes(65507), name)]
        await closed(server)

    loop.run_until_complete(main())


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, BlockingIOError])
def test_exception_of_datagram_received_is_reported(loop, error) -> None:
    """And the next datagram is handed over all the same."""

    class Failing(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            super().datagram_received(data, address)
            raise error(data)

    told = quiet(loop)

    async def main() -> None:
        server, served = await endpoint(Failing())
        for number in range(3):
            server.sendto(b"%d" % number, server.get_extra_info("sockname"))
        await served.until_called("received", 3)
        await closed(server)

    loop.run_until_complete(main())
    assert [context["exception"].args for context in told] == [(b"0",), (b"1",), (b"2",)]
    assert all(context["message"].startswith("Exception in callback") for context in told)
    assert all("handle" in context for context in told)


def test_exception_of_error_received() -> None:
    """While sending it is sendto()'s; while receiving it is reported as a callback's."""

    def scenario(loop):
        class Failing(Recorder):
            def error_received(self, error: Exception) -> None:
                super().error_received(error)
                raise ZeroDivisionError

        told = quiet(loop)

        async def main():
            client, seen = await endpoint(Failing(), remote_addr=("127.0.0.1", unused_port()))
            client.sendto(b"x")
            raised = outcome(client.sendto, b"y")
            client.sendto(b"z")
            await seen.until_called("error", 2)
            closing = client.is_closing()
            await closed(client)
            return raised, closing

        result = loop.run_until_complete(main())
        return result, [(type(c["exception"]), "handle" in c) for c in told]

    assert on_both(scenario) == ((ZeroDivisionError, False), [(ZeroDivisionError, True)])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["datagram_received", "error_received", "connection_lost"])
def test_what_leaves_the_loop(loop, error, where: str) -> None:
    def leave(*_args: object) -> None:
        raise error

    transport, protocol = loop.run_until_complete(
        endpoint(remote_addr=("127.0.0.1", unused_port()))
    )
    if where == "datagram_received":
        transport.abort()
        run_turns(loop)
        transport, protocol = loop.run_until_complete(endpoint())
        for _ in range(3):
            transport.sendto(b"x", transport.get_extra_info("sockname"))
    elif where == "error_received":
        transport.sendto(b"x")
    else:
        transport.close()
    setattr(protocol, where, leave)
    with pytest.raises(error):
        loop.run_forever()
    if where == "datagram_received":
        # Nothing that had arrived is lost.
        del protocol.datagram_received
        loop.run_until_complete(protocol.until_called("received", 2))
    transport.abort()
    protocol.__dict__.pop("connection_lost", None)
    run_turns(loop)


def test_socket_closed_behind_the_transport() -> None:
    """The descriptor may be another's already: neither read from it nor write to it."""

    def scenario(loop):
        async def main():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            name = sock.getsockname()
            transport, seen = await endpoint(sock=sock)
            sock.close()
            transport.sendto(b"x", name)
            return seen.calls[1:], transport.is_closing()

        result = loop.run_until_complete(main())
        run_turns(loop)
        return result

    assert on_both(scenario) == ([("error", OSError)], False)


# ---- flow control ----


@never_empty
def test_full_receiver(loop, tmp_path) -> None:
    """What the kernel refuses is kept in order, counted, and sent when there is room."""

    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        count = fill(transport)
        assert transport.get_write_buffer_size() == 4 + HEADER
        buffer = bytearray(b"%04d" % count)
        transport.sendto(buffer)
        buffer[:] = b"xxxx"  # a snapshot was taken
        assert transport.get_write_buffer_size() == 2 * (4 + HEADER)
        received: list[bytes] = []
        while len(received) < count + 1:
            await asyncio.wait_for(_readable(loop, receiver), 30)
            received += drain(receiver)
        assert received == [b"%04d" % i for i in range(count + 1)]
        assert seen.names() == ["made"]
        while transport.get_write_buffer_size():
            await asyncio.sleep(0)
        transport.sendto(b"once more")
        assert receiver.recv(100) == b"once more"
        await closed(transport)
        receiver.close()

    loop.run_until_complete(main())


async def _readable(loop, sock: socket.socket) -> None:
    future = loop.create_future()
    loop.add_reader(sock, lambda: future.done() or future.set_result(None))
    try:
        await future
    finally:
        loop.remove_reader(sock)


@never_empty
def test_pause_and_resume_writing(loop, tmp_path) -> None:
    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        transport.set_write_buffer_limits(high=2000, low=1000)
        assert transport.get_write_buffer_limits() == (1000, 2000)
        fill(transport)
        waiting = transport.get_write_buffer_size()
        while waiting + 500 + HEADER <= 2000:
            transport.sendto(bytes(500))
            waiting += 500 + HEADER
        assert seen.names() == ["made"]
        transport.sendto(bytes(500))
        assert seen.names() == ["made", "pause"]
        transport.sendto(bytes(500))
        assert seen.names() == ["made", "pause"]
        assert transport.get_write_buffer_size() == waiting + 2 * (500 + HEADER)
        while "resume" not in seen.names():
            drain(receiver)
            await asyncio.sleep(0)
        assert transport.get_write_buffer_size() <= 1000
        assert seen.names() == ["made", "pause", "resume"]
        transport.abort()
        await seen.until_called("lost")
        receiver.close()

    loop.run_until_complete(main())


@pytest.mark.skipif(HEADER == 0, reason="empty datagrams are sent from 3.13 on")
def test_empty_datagrams_count(loop, tmp_path) -> None:
    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        transport.set_write_buffer_limits(high=80)
        fill(transport)
        while "pause" not in seen.names():
            transport.sendto(b"")
        assert transport.get_write_buffer_size() > 80
        transport.abort()
        await seen.until_called("lost")
        receiver.close()

    loop.run_until_complete(main())


@never_empty
def test_exceptions_of_flow_control_are_reported(loop, tmp_path) -> None:
    class Failing(Recorder):
        def pause_writing(self) -> None:
            super().pause_writing()
            raise ZeroDivisionError

        def resume_writing(self) -> None:
            super().resume_writing()
            raise ZeroDivisionError

    told = quiet(loop)

    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(Failing(), sock=sender)
        transport.set_write_buffer_limits(high=0)
        fill(transport)
        while "resume" not in seen.names():
            drain(receiver)
            await asyncio.sleep(0)
        await closed(transport)
        receiver.close()

    loop.run_until_complete(main())
    assert [context["message"] for context in told] == [
        "protocol.pause_writing() failed",
        "protocol.resume_writing() failed",
    ]


@never_empty
def test_sending_again_in_resume_writing(loop, tmp_path) -> None:
    class Eager(Recorder):
        def resume_writing(self) -> None:
            super().resume_writing()
            self.transport.sendto(b"resumed")

    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, _ = await endpoint(Eager(), sock=sender)
        transport.set_write_buffer_limits(high=0)
        count = fill(transport)
        received: list[bytes] = []
        while b"resumed" not in received:
            received += drain(receiver)
            await asyncio.sleep(0)
        assert received == [b"%04d" % i for i in range(count)] + [b"resumed"]
        await closed(transport)
        receiver.close()

    loop.run_until_complete(main())


@never_empty
def test_receiver_goes_while_datagrams_wait(loop, tmp_path) -> None:
    """Each refused datagram is one error_received(); the transport is not over."""

    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        fill(transport)
        transport.sendto(b"another")
        receiver.close()
        await seen.until_called("error", 2)
        assert all(issubclass(error, OSError) for _, error in seen.calls[1:])
        assert not transport.is_closing()
        while transport.get_write_buffer_size():
            await asyncio.sleep(0)
        await closed(transport)

    loop.run_until_complete(main())


# ---- pausing ----


def test_pause_reading_in_a_callback(loop) -> None:
    """It holds from the next datagram on; nothing is lost."""

    class Pausing(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            self.transport.pause_reading()
            super().datagram_received(data, address)

    async def main() -> None:
        server, served = await endpoint(Pausing())
        name = server.get_extra_info("sockname")
        for number in range(5):
            server.sendto(b"%d" % number, name)
        for number in range(5):
            await served.until_called("received", number + 1)
            for _ in range(5):
                await asyncio.sleep(0)
            assert [data for data, _ in served.received] == [b"%d" % i for i in range(number + 1)]
            assert not server.is_reading()
            server.resume_reading()
            assert server.is_reading()
        await closed(server)

    loop.run_until_complete(main())


def test_pause_reading_when_made(loop) -> None:
    class Pausing(Recorder):
        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            transport.pause_reading()

    async def main() -> None:
        server, served = await endpoint(Pausing())
        server.sendto(b"x", server.get_extra_info("sockname"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert served.received == []
        server.resume_reading()
        await served.until_called("received")
        await closed(server)

    loop.run_until_complete(main())


# ---- the end ----


@pytest.mark.parametrize("way", ["close", "abort"])
def test_ending_in_datagram_received(loop, way: str) -> None:
    """What has arrived after that datagram is not handed over."""

    class Ending(Recorder):
        def datagram_received(self, data: bytes, address: object) -> None:
            super().datagram_received(data, address)
            getattr(self.transport, way)()

    async def main() -> None:
        server, served = await endpoint(Ending())
        for number in range(5):
            server.sendto(b"%d" % number, server.get_extra_info("sockname"))
        await served.until_called("lost")
        assert served.calls == [("made", None), ("received", b"0"), ("lost", None)]

    loop.run_until_complete(main())


@pytest.mark.parametrize("way", ["close", "abort"])
def test_ending_in_connection_made(loop, way: str) -> None:
    class Ending(Recorder):
        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            getattr(transport, way)()

    async def main() -> None:
        server, served = await endpoint(Ending())
        await served.until_called("lost")
        assert server.is_closing()
        assert served.calls == [("made", None), ("lost", None)]

    loop.run_until_complete(main())


def test_close_sends_what_waits(loop, tmp_path) -> None:
    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        count = fill(transport)
        transport.close()
        transport.close()
        assert transport.is_closing()
        assert "lost" not in seen.names()
        received: list[bytes] = []
        while "lost" not in seen.names():
            received += drain(receiver)
            await asyncio.sleep(0)
        received += drain(receiver)
        assert received == [b"%04d" % i for i in range(count)]
        assert seen.calls[-1] == ("lost", None)
        receiver.close()

    loop.run_until_complete(main())


def test_abort_drops_what_waits(loop, tmp_path) -> None:
    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(sock=sender)
        count = fill(transport)
        transport.abort()
        await seen.until_called("lost")
        assert seen.calls == [("made", None), ("lost", None)]
        assert len(drain(receiver)) == count - 1
        receiver.close()

    loop.run_until_complete(main())


def test_ending_in_error_received_of_a_queued_datagram(loop, tmp_path) -> None:
    class Ending(Recorder):
        def error_received(self, error: Exception) -> None:
            super().error_received(error)
            self.transport.abort()

    async def main() -> None:
        sender, receiver = unix_pair(tmp_path)
        transport, seen = await endpoint(Ending(), sock=sender)
        fill(transport)
        transport.sendto(b"another")
        receiver.close()
        await seen.until_called("lost")
        assert seen.names() == ["made", "error", "lost"]

    loop.run_until_complete(main())


@pytest.mark.parametrize("remote", [True, False])
def test_sending_after_the_end(remote: bool, caplog) -> None:
    def scenario(loop):
        quiet(loop)
        caplog.clear()
        keywords = {"remote_addr": ("127.0.0.1", 40009)} if remote else {}
        transport, _ = loop.run_until_complete(endpoint(**keywords))
        loop.run_until_complete(closed(transport))
        address = None if remote else ("127.0.0.1", 40009)
        results = [outcome(transport.sendto, b"x", address) for _ in range(8)]
        ways = [outcome(getattr(transport, name)) for name in ("close", "abort")]
        return results, ways, [record.getMessage() for record in caplog.records]

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        results, _, messages = on_both(scenario)
    if remote:
        assert results == [None] * 8
        assert messages
        assert set(messages) == {"socket.send() raised exception."}
    else:
        assert results == [AttributeError] * 8


def test_loop_closed_with_open_transport(loop_factory) -> None:
    loop = loop_factory()
    protocol = loop.run_until_complete(endpoint())[1]
    loop.close()
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        protocol.transport = None


def test_fatal_error_is_reported_with_the_transport() -> None:
    def scenario(loop):
        told = quiet(loop)
        transport, protocol = loop.run_until_complete(endpoint())
        transport.sendto(b"x", 5)
        loop.run_until_complete(protocol.until_called("lost"))
        (context,) = told
        return (
            context["message"],
            context["transport"] is transport,
            context["protocol"] is protocol,
            protocol.calls,
        )

    message, *_, calls = on_both(scenario)
    assert message == "Fatal write error on datagram transport"
    assert calls == [("made", None), ("lost", TypeError)]


def test_debug_mode(loop) -> None:
    """CPython's scheduler drives the same transports."""
    loop.set_debug(True)

    async def main() -> None:
        server, served = await endpoint()
        client, seen = await endpoint(remote_addr=server.get_extra_info("sockname"))
        for number in range(20):
            client.sendto(b"%d" % number)
        await served.until_called("received", 20)
        server.sendto(b"answer", served.received[0][1])
        await seen.until_called("received")
        await closed(server, client)

    loop.run_until_complete(main())
