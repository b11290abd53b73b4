"""anyio's asyncio backend with the loop's factory: its own sockets, TLS, processes and threads."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from ecosystem_testing import data, packages
from loop_testing import certificates, process

anyio = packages.installed("anyio")
tls = packages.installed("anyio", "anyio.streams.tls")
from_thread = packages.installed("anyio", "anyio.from_thread")

CLIENTS = 100
PATIENCE = 120.0


@pytest.fixture
def run(loop_factory) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """anyio.run() on the loop under test."""

    def runs(program: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        made: list[asyncio.AbstractEventLoop] = []

        def factory() -> asyncio.AbstractEventLoop:
            made.append(loop_factory())
            return made[0]

        async def bounded() -> Any:
            assert asyncio.get_running_loop() is made[0]
            with anyio.fail_after(PATIENCE):
                return await program()

        return anyio.run(bounded, backend="asyncio", backend_options={"loop_factory": factory})

    return runs


async def echo(stream: Any) -> None:
    async with stream:
        try:
            async for chunk in stream:
                await stream.send(chunk)
        except anyio.BrokenResourceError:
            pass  # the client left without a word


async def listen(secure: bool) -> tuple[Any, int]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    if secure:
        context = certificates.server_context()
        return tls.TLSListener(listener, context, standard_compatible=False), port
    return listener, port


async def connect(port: int, secure: bool) -> Any:
    if not secure:
        return await anyio.connect_tcp("127.0.0.1", port)
    return await anyio.connect_tcp(
        "127.0.0.1",
        port,
        tls_hostname=certificates.HOSTNAME,
        ssl_context=certificates.client_context(),
        tls_standard_compatible=False,
    )


async def receive(stream: Any, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        received += await stream.receive()
    return bytes(received)


def test_ten_mebibytes_there_and_back(run, secure: bool) -> None:
    async def main() -> None:
        listener, port = await listen(secure)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with await connect(port, secure) as stream, anyio.create_task_group() as sending:
                sending.start_soon(stream.send, data.payload())
                assert await receive(stream, data.SIZE) == data.payload()
            group.cancel_scope.cancel()

    run(main)


def test_a_hundred_clients_at_once(run, secure: bool) -> None:
    async def main() -> None:
        listener, port = await listen(secure)
        answers: list[int] = []

        async def one(number: int) -> None:
            async with await connect(port, secure) as stream:
                await stream.send(b"%3d" % number)
                answers.append(int(await receive(stream, 3)))

        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with anyio.create_task_group() as clients:
                for number in range(CLIENTS):
                    clients.start_soon(one, number)
            group.cancel_scope.cancel()
        assert sorted(answers) == list(range(CLIENTS))

    run(main)


def test_a_cancelled_scope_leaves_the_connection_usable(run, secure: bool) -> None:
    async def main() -> None:
        listener, port = await listen(secure)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with await connect(port, secure) as stream:
                with anyio.move_on_after(0.01) as scope:
                    await stream.receive()
                assert scope.cancelled_caught
                await stream.send(b"still here")
                assert await receive(stream, 10) == b"still here"
            group.cancel_scope.cancel()

    run(main)


def test_unix_sockets_pass_descriptors(run, tmp_path: Path) -> None:
    async def main() -> None:
        async with await anyio.create_unix_listener(tmp_path / "socket") as listener:

            async def hand_over(stream: Any) -> None:
                async with stream:
                    with (tmp_path / "file").open("w+b") as file:
                        file.write(b"contents")
                        file.flush()
                        await stream.send_fds(b"here", [file])

            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, hand_over)
                async with await anyio.connect_unix(tmp_path / "socket") as stream:
                    message, [descriptor] = await stream.receive_fds(100, 1)
                group.cancel_scope.cancel()
            assert message == b"here"
            with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
                file.seek(0)
                assert file.read() == b"contents"

    run(main)


def test_udp(run) -> None:
    async def main() -> None:
        async with (
            await anyio.create_udp_socket(family=socket.AF_INET, local_host="127.0.0.1") as server,
            await anyio.create_connected_udp_socket(
                "127.0.0.1", server.extra(anyio.abc.SocketAttribute.local_port)
            ) as client,
        ):
            for number in range(100):
                await client.send(b"%d" % number)
                packet, address = await server.receive()
                await server.sendto(packet * 2, *address)
                assert await client.receive() == (b"%d" % number) * 2

    run(main)


def test_processes(run) -> None:
    async def main() -> None:
        program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)"
        done = await anyio.run_process(
            [sys.executable, "-c", program], input=b"letters\n" * 10_000, check=False
        )
        assert (done.returncode, done.stdout) == (3, b"LETTERS\n" * 10_000)

        async with await anyio.open_process([sys.executable, "-c", "input()"]) as child:
            child.terminate()
            assert await child.wait() == -signal.SIGTERM

    run(main)


def test_threads_both_ways(run) -> None:
    async def main() -> None:
        async def answer(number: int) -> int:
            await anyio.sleep(0)
            return number * 2

        def work(number: int) -> int:
            return from_thread.run(answer, number) + 1

        results: list[int] = []

        async def one(number: int) -> None:
            results.append(await anyio.to_thread.run_sync(work, number))

        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(one, number)
        assert sorted(results) == [number * 2 + 1 for number in range(50)]

    run(main)


def test_blocking_portal(loop_factory) -> None:
    async def where() -> type:
        return type(asyncio.get_running_loop())

    loop = loop_factory()
    loop.close()
    with from_thread.start_blocking_portal(
        "asyncio", backend_options={"loop_factory": loop_factory}
    ) as portal:
        assert portal.call(where) is type(loop)
        assert portal.start_task_soon(anyio.sleep, 0).result(PATIENCE) is None


def test_readiness_of_plain_sockets(run) -> None:
    async def main() -> None:
        left, right = socket.socketpair()
        left.setblocking(False)
        right.setblocking(False)
        with left, right:
            await anyio.wait_writable(left)
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.wait_readable, right)
                await anyio.sleep(0)
                left.send(b"now")
            assert right.recv(10) == b"now"
            asyncio.get_running_loop().call_soon(anyio.notify_closing, right)
            with pytest.raises(anyio.ClosedResourceError):
                await anyio.wait_readable(right)

    run(main)


def test_signals() -> None:
    said = process.output(
        """
        import anyio

        async def main():
            with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
                os.kill(os.getpid(), signal.SIGUSR1)
                print((await anext(signals)).name)
                os.kill(os.getpid(), signal.SIGUSR2)
                print((await anext(signals)).name)

        anyio.run(main, backend_options={"loop_factory": new_loop})
        """
    )
    assert said.split() == ["SIGUSR1", "SIGUSR2"]
