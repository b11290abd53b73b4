"""What add_reader and add_writer take and refuse: numbers, objects, kinds of files, hang-ups."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from pathlib import Path

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome, run_once, run_turns

INVALID = {
    "closed descriptor": lambda: closed_descriptor(),
    "negative": lambda: -1,
    "text": lambda: "x",
    "None": lambda: None,
    "object": lambda: object(),
    "float": lambda: 1.0,
}


def closed_descriptor() -> int:
    """A number that is free, and high enough that nothing else takes it meanwhile."""
    return 900


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("method", ["add_reader", "add_writer", "remove_reader", "remove_writer"])
def test_invalid_descriptors(name: str, method: str) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        args = [int] if method.startswith("add") else []
        first = outcome(getattr(loop, method), INVALID[name](), *args)
        again = outcome(getattr(loop, method), INVALID[name](), *args)
        run_once(loop)
        return first, again

    on_both(scenario)


@pytest.mark.parametrize("number", [2**31, 10**30])
def test_numbers_that_no_descriptor_can_have(loop, number: int) -> None:
    for method in (loop.add_reader, loop.add_writer):
        with pytest.raises((ValueError, OverflowError)):
            method(number, int)
    for method in (loop.remove_reader, loop.remove_writer):
        assert outcome(method, number) in (False, ValueError, OverflowError)


def test_a_number_far_beyond_the_open_files() -> None:
    """A table indexed by descriptor must not grow before the kernel has said yes."""
    said = process.output(
        """
        import resource
        loop = new_loop()
        loop.add_reader(0, int)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        for number in (100_000, 10**9, 2**31 - 1):
            for method in (loop.add_reader, loop.add_writer):
                try:
                    method(number, int)
                except OSError as error:
                    print(error.errno)
            print(loop.remove_reader(number), loop.remove_writer(number))
        """,
        stdin=subprocess.PIPE,
    )
    assert said.split() == ["9", "9", "False", "False"] * 3


def test_regular_file() -> None:
    """epoll cannot watch it; the error is the kernel's."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        with Path(__file__).open("rb") as file:
            result = outcome(loop.add_reader, file, int), outcome(loop.add_writer, file, int)
            return result, loop.remove_reader(file), loop.remove_writer(file)

    assert on_both(scenario) == ((PermissionError, PermissionError), False, False)


def test_failed_add_leaves_nothing_registered(loop) -> None:
    number = closed_descriptor()
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_reader(number, int)
    assert loop.remove_reader(number) is False


def test_objects_with_fileno(loop, pair) -> None:
    left, right = pair

    class Wrapper:
        def fileno(self) -> int:
            return right.fileno()

    seen: list[int] = []
    loop.add_reader(Wrapper(), lambda: (seen.append(1), loop.stop()))
    left.send(b"x")
    loop.run_forever()
    assert seen == [1]
    assert loop.remove_reader(right.fileno()) is True


def test_descriptor_of_a_transport_is_refused(loop) -> None:
    async def main() -> None:
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(
            asyncio.Protocol, *server.sockets[0].getsockname()
        )
        sock = transport.get_extra_info("socket")
        for call in (
            lambda: loop.add_reader(sock, int),
            lambda: loop.add_writer(sock.fileno(), int),
            lambda: loop.remove_reader(sock.fileno()),
            lambda: loop.remove_writer(sock.fileno()),
        ):
            with pytest.raises(RuntimeError, match="is used by transport"):
                call()
        transport.close()
        server.close()
        await server.wait_closed()

    loop.run_until_complete(main())


def test_hang_up_wakes_reader_and_writer() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        left, right = socket.socketpair()
        seen: set[str] = set()
        loop.add_reader(right, seen.add, "read")
        loop.add_writer(right, seen.add, "write")
        left.close()
        run_turns(loop)
        loop.remove_reader(right)
        loop.remove_writer(right)
        right.close()
        return seen

    assert on_both(scenario) == {"read", "write"}


def test_pipe_hang_up(loop) -> None:
    read, write = os.pipe()
    seen: set[str] = set()
    loop.add_reader(read, lambda: (seen.add("read"), loop.stop()))
    os.close(write)
    loop.run_forever()
    assert seen == {"read"}
    loop.remove_reader(read)
    os.close(read)


def test_broken_pipe_wakes_the_writer(loop) -> None:
    read, write = os.pipe()
    seen: set[str] = set()
    loop.add_writer(write, lambda: (seen.add("write"), loop.stop()))
    os.close(read)
    loop.run_forever()
    assert seen == {"write"}
    loop.remove_writer(write)
    os.close(write)


@pytest.mark.parametrize("kind", ["eventfd", "pidfd", "pty", "tty-less pipe"])
def test_kinds_of_files(loop, kind: str) -> None:
    seen: list[str] = []

    def ready() -> None:
        seen.append(kind)
        loop.stop()

    to_close: list[int] = []
    if kind == "eventfd":
        watched = os.eventfd(0)
        os.eventfd_write(watched, 1)
    elif kind == "pidfd":
        child = subprocess.Popen(["true"])
        watched = os.pidfd_open(child.pid)
    elif kind == "pty":
        watched, slave = os.openpty()
        to_close.append(slave)
        os.write(slave, b"x\n")
    else:
        watched, write = os.pipe()
        to_close.append(write)
        os.write(write, b"x")
    loop.add_reader(watched, ready)
    loop.run_forever()
    assert seen == [kind]
    loop.remove_reader(watched)
    for number in (watched, *to_close):
        os.close(number)
    if kind == "pidfd":
        child.wait()


def test_large_descriptor_number(loop) -> None:
    import fcntl
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5000
    if hard != resource.RLIM_INFINITY and hard <= wanted:
        pytest.skip(f"this machine allows only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 10), hard))
    read, write = os.pipe()
    high = fcntl.fcntl(read, fcntl.F_DUPFD, wanted)
    try:
        loop.add_reader(high, loop.stop)
        os.write(write, b"x")
        loop.run_forever()
        assert loop.remove_reader(high) is True
    finally:
        for number in (read, write, high):
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
