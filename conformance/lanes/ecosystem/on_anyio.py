"""anyio's asyncio backend: its own sockets, processes, threads and cancel scopes."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.ecosystem.program import PROGRAM_SECONDS, library
from loopgauge.conformance.trial import Trial

CLIENTS = 20


def run(t: Trial, main: Any) -> Any:
    """anyio.run() on the loop under test."""

    async def checked() -> Any:
        t.true("the loop under test runs", type(asyncio.get_running_loop()) is kind)
        return await main()

    kind = type(t.loop)
    options = {"loop_factory": t.factory}
    try:
        return library(t, "anyio").run(checked, backend="asyncio", backend_options=options)
    except BaseExceptionGroup as group:  # of task groups: the first says what went wrong
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


async def echo(stream: Any) -> None:
    async with stream:
        async for chunk in stream:
            await stream.send(chunk)


async def receive(stream: Any, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += await stream.receive()
    return received


@program(
    "ecosystem:anyio.tcp",
    expected="every client gets back what it sent; a cancelled wait harms nothing",
    seconds=PROGRAM_SECONDS,
)
def tcp(t: Trial) -> None:
    """Twenty clients of an echo server in task groups; one first gives up waiting."""
    anyio = library(t, "anyio")

    async def main() -> list[bytes]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        answers: list[bytes] = []

        async def one(number: int) -> None:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                with anyio.move_on_after(0.001 if number == 0 else 0) as scope:
                    await stream.receive()
                t.true("the wait is cancelled", scope.cancelled_caught)
                await stream.send(b"%06d" % number * 1000)
                answers.append(await receive(stream, 6000))

        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            async with anyio.create_task_group() as clients:
                for number in range(CLIENTS):
                    clients.start_soon(one, number)
            group.cancel_scope.cancel()
        return answers

    wanted = [b"%06d" % number * 1000 for number in range(CLIENTS)]
    t.true("every answer is right", sorted(run(t, main)) == wanted)


@program(
    "ecosystem:anyio.unix",
    expected="the message and a descriptor that leads to the same file",
    seconds=PROGRAM_SECONDS,
)
def unix(t: Trial) -> None:
    """A file descriptor is sent through a Unix socket."""
    anyio = library(t, "anyio")
    path = t.directory / "socket"

    async def hand_over(stream: Any) -> None:
        async with stream:
            with (t.directory / "file").open("w+b") as file:
                file.write(b"contents")
                file.flush()
                await stream.send_fds(b"here", [file])

    async def main() -> tuple[bytes, bytes]:
        listener = await anyio.create_unix_listener(path)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, hand_over)
            async with await anyio.connect_unix(path) as stream:
                message, [descriptor] = await stream.receive_fds(100, 1)
            group.cancel_scope.cancel()
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            file.seek(0)
            return message, file.read()

    t.equal("message and content", run(t, main), (b"here", b"contents"))


@program("ecosystem:anyio.udp", expected="every packet is answered", seconds=PROGRAM_SECONDS)
def udp(t: Trial) -> None:
    """A connected and an unconnected UDP socket exchange packets."""
    anyio = library(t, "anyio")

    async def main() -> None:
        async with (
            await anyio.create_udp_socket(family=socket.AF_INET, local_host="127.0.0.1") as server,
            await anyio.create_connected_udp_socket(
                "127.0.0.1", server.extra(anyio.abc.SocketAttribute.local_port)
            ) as client,
        ):
            for number in range(20):
                await client.send(b"%d" % number)
                packet, address = await server.receive()
                await server.sendto(packet * 2, *address)
                t.equal("the answer", await client.receive(), (b"%d" % number) * 2)

    run(t, main)


@program(
    "ecosystem:anyio.processes",
    expected="its output and exit status, and the signal that ended the other",
    seconds=PROGRAM_SECONDS,
)
def processes(t: Trial) -> None:
    """A child turns its input into capitals and exits with 3; another is terminated."""
    anyio = library(t, "anyio")
    capitals = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)"

    async def main() -> None:
        command = [sys.executable, "-c", capitals]
        done = await anyio.run_process(command, input=b"letters\n" * 1000, check=False)
        t.equal("the exit status", done.returncode, 3)
        t.true("the output is right", done.stdout == b"LETTERS\n" * 1000)
        async with await anyio.open_process([sys.executable, "-c", "input()"]) as child:
            child.terminate()
            t.equal("how the other ended", await child.wait(), -15)

    run(t, main)


@program(
    "ecosystem:anyio.threads",
    expected="every thread gets its answer from the loop",
    seconds=PROGRAM_SECONDS,
)
def threads(t: Trial) -> None:
    """Twenty worker threads each call a coroutine on the loop and wait for it."""
    anyio, from_thread = library(t, "anyio"), library(t, "anyio.from_thread")

    async def main() -> list[int]:
        results: list[int] = []

        async def double(number: int) -> int:
            await anyio.sleep(0)
            return number * 2

        async def one(number: int) -> None:
            results.append(await anyio.to_thread.run_sync(from_thread.run, double, number))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)
        return results

    t.equal("the answers", sorted(run(t, main)), [number * 2 for number in range(20)])
