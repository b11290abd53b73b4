"""What is still CPython's own code on this loop works: streams, TLS, pipes, subprocesses, UDP."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context with a certificate made now, and a client context that trusts it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


PAYLOAD = bytes(range(256)) * 4096  # 1 MiB: more than the socket buffers take at once


async def round_trip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"small\n")
    assert await reader.readline() == b"small\n"
    sender = asyncio.create_task(send(writer, PAYLOAD))
    assert await reader.readexactly(len(PAYLOAD)) == PAYLOAD
    await sender
    writer.close()
    await writer.wait_closed()


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def test_tcp_streams(loop) -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        connections = await asyncio.gather(*(asyncio.open_connection(*address) for _ in range(20)))
        await asyncio.gather(*(round_trip(*connection) for connection in connections))
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_tcp_protocols(loop) -> None:
    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    class Client(asyncio.Protocol):
        def __init__(self) -> None:
            self.got = bytearray()
            self.lost = loop.create_future()
            self.done = loop.create_future()

        def data_received(self, data: bytes) -> None:
            self.got += data
            if len(self.got) == len(PAYLOAD):
                self.done.set_result(None)

        def connection_lost(self, error: Exception | None) -> None:
            self.lost.set_result(error)

    async def main() -> None:
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        transport, client = await loop.create_connection(Client, *server.sockets[0].getsockname())
        assert isinstance(transport, asyncio.Transport)
        transport.write(PAYLOAD)
        await client.done
        transport.close()
        assert await client.lost is None
        assert bytes(client.got) == PAYLOAD
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_buffered_protocol(loop) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(1000)
            self.got = bytearray()
            self.ended = loop.create_future()

        def get_buffer(self, hint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, count: int) -> None:
            self.got += self.buffer[:count]

        def eof_received(self) -> None:
            self.ended.set_result(None)

    async def main() -> bytes:
        left, right = socket.socketpair()
        left.setblocking(False)
        right.setblocking(False)
        transport, protocol = await loop.create_connection(Buffered, sock=right)
        await loop.sock_sendall(left, PAYLOAD[:5000])
        left.close()
        await protocol.ended
        transport.close()
        return bytes(protocol.got)

    assert loop.run_until_complete(main()) == PAYLOAD[:5000]


def test_tls_streams(loop, tls) -> None:
    server_context, client_context = tls

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        await round_trip(
            *await asyncio.open_connection(
                "127.0.0.1", port, ssl=client_context, server_hostname="localhost"
            )
        )
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_start_tls(loop, tls) -> None:
    server_context, client_context = tls

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"GO\n")
        await writer.drain()
        await writer.start_tls(server_context)
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"GO\n"
        await writer.start_tls(client_context, server_hostname="localhost")
        writer.write(b"secret\n")
        answer = await reader.readline()
        writer.close()
        server.close()
        return answer

    assert loop.run_until_complete(main()) == b"secret\n"


def test_unix_streams(loop, tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "socket")
        server = await asyncio.start_unix_server(echo, path)
        await round_trip(*await asyncio.open_unix_connection(path))
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_pipes(loop) -> None:
    async def main() -> bytes:
        read, write = os.pipe()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb")
        )
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb"))
        transport.write(PAYLOAD)
        transport.close()
        return await reader.read()

    assert loop.run_until_complete(main()) == PAYLOAD


def test_subprocesses(loop) -> None:
    program = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"

    async def one(number: int) -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-S",
            "-c",
            f"{program}; sys.exit({number})",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(b"abc" * 50_000)
        return process.returncode, out

    async def main() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(one(number) for number in range(4)))

    results = loop.run_until_complete(main())
    assert results == [(number, b"cba" * 50_000) for number in range(4)]


def test_subprocess_shell_and_kill(loop) -> None:
    async def main() -> list[int]:
        shell = await asyncio.create_subprocess_shell("exit 7")
        sleeper = await asyncio.create_subprocess_exec("sleep", "1000")
        sleeper.kill()
        return [await shell.wait(), await sleeper.wait()]

    assert loop.run_until_complete(main()) == [7, -9]


def test_datagrams(loop) -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: object) -> None:
            self.transport.sendto(data.upper(), address)

    class Client(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.got = loop.create_future()

        def datagram_received(self, data: bytes, address: object) -> None:
            self.got.set_result(data)

    async def main() -> bytes:
        server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        client, protocol = await loop.create_datagram_endpoint(
            Client, remote_addr=server.get_extra_info("sockname")
        )
        client.sendto(b"datagram")
        answer = await protocol.got
        client.close()
        server.close()
        await asyncio.sleep(0)
        return answer

    assert loop.run_until_complete(main()) == b"DATAGRAM"


@pytest.mark.parametrize("fallback", [False, True], ids=["transport", "sock"])
def test_sendfile(loop, tmp_path: Path, fallback: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(PAYLOAD)

    async def main() -> bytes:
        got = bytearray()
        finished = loop.create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.extend(await reader.read())
            writer.close()
            finished.set_result(None)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        with path.open("rb") as file:
            if fallback:
                sock = socket.socket()
                sock.setblocking(False)
                await loop.sock_connect(sock, address)
                assert await loop.sock_sendfile(sock, file) == len(PAYLOAD)
                sock.close()
            else:
                transport, _ = await loop.create_connection(asyncio.Protocol, *address)
                assert await loop.sendfile(transport, file) == len(PAYLOAD)
                transport.close()
        await finished
        server.close()
        return bytes(got)

    assert loop.run_until_complete(main()) == PAYLOAD


def test_sock_methods(loop) -> None:
    async def main() -> list[bytes]:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        client = socket.socket()
        client.setblocking(False)
        accepted, _ = await asyncio.gather(
            loop.sock_accept(listener), loop.sock_connect(client, listener.getsockname())
        )
        server = accepted[0]
        await loop.sock_sendall(client, b"hello")
        first = await loop.sock_recv(server, 100)
        buffer = bytearray(10)
        receive = asyncio.create_task(loop.sock_recv_into(client, buffer))
        await asyncio.sleep(0)
        await loop.sock_sendall(server, b"back")
        count = await receive
        for sock in (listener, client, server):
            sock.close()
        return [first, bytes(buffer[:count])]

    assert loop.run_until_complete(main()) == [b"hello", b"back"]


def test_sock_connect_is_cancelled(loop) -> None:
    async def main() -> bool:
        left, right = socket.socketpair()
        left.setblocking(False)
        receive = asyncio.create_task(loop.sock_recv(left, 10))
        await asyncio.sleep(0)
        receive.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receive
        registered = loop.remove_reader(left)
        left.close()
        right.close()
        return registered

    assert loop.run_until_complete(main()) is False


def test_names(loop) -> None:
    async def main() -> tuple[object, object]:
        addresses = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        name = await loop.getnameinfo(
            ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        )
        return addresses[0][4], name

    assert loop.run_until_complete(main()) == (("127.0.0.1", 80), ("127.0.0.1", "80"))


def test_refused_connection(loop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    loop.run_until_complete(main())


def test_server_context_is_the_versions(loop) -> None:
    """3.15 runs a connection in a copy of the server's context; before, in that of the loop."""
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(variable.get())
        writer.close()

    async def main() -> None:
        variable.set("server")
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        variable.set("later")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()
        server.close()

    loop.run_until_complete(main())
    assert len(seen) == 1
    if sys.version_info >= (3, 15):
        assert seen == ["server"]
