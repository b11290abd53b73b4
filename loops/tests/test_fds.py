"""add_reader, add_writer and their removal: every order of events a program can produce."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import subprocess

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome, run_once


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


def turns(loop: asyncio.AbstractEventLoop, count: int = 4) -> None:
    """Enough turns that a loop which may skip two polls has seen every descriptor."""
    for _ in range(count):
        run_once(loop)


def test_reader_with_arguments(loop, pair) -> None:
    left, right = pair
    seen: list[object] = []

    def readable(*args: object) -> None:
        seen.append((args, right.recv(10)))
        loop.stop()

    loop.add_reader(right, readable, 1, "two")
    left.send(b"x")
    loop.run_forever()
    assert seen == [((1, "two"), b"x")]
    assert loop.remove_reader(right) is True


def test_level_triggered(loop, pair) -> None:
    """As long as nothing is read, the callback comes again and again."""
    left, right = pair
    seen: list[int] = []

    def readable() -> None:
        seen.append(1)
        if len(seen) == 5:
            loop.stop()

    loop.add_reader(right, readable)
    left.send(b"xyz")
    loop.run_forever()
    assert len(seen) == 5
    loop.remove_reader(right)


def test_writer(loop, pair) -> None:
    left, _ = pair
    seen: list[int] = []
    loop.add_writer(left, lambda: (seen.append(1), loop.stop()))
    loop.run_forever()
    assert seen
    assert loop.remove_writer(left) is True


def test_removal_tells_whether_there_was_one(loop, pair) -> None:
    left, _ = pair
    assert loop.remove_reader(left) is False
    assert loop.remove_writer(left) is False
    loop.add_reader(left, int)
    assert loop.remove_writer(left) is False
    assert loop.remove_reader(left) is True
    assert loop.remove_reader(left) is False


def test_both_directions_are_independent(loop, pair) -> None:
    left, right = pair
    seen: set[str] = set()
    loop.add_reader(right, lambda: seen.add("read"))
    loop.add_writer(right, lambda: seen.add("write"))
    turns(loop)
    assert seen == {"write"}
    left.send(b"x")
    turns(loop)
    assert seen == {"read", "write"}
    seen.clear()
    assert loop.remove_writer(right) is True
    turns(loop)
    assert seen == {"read"}
    seen.clear()
    loop.add_writer(right, lambda: seen.add("write"))
    assert loop.remove_reader(right) is True
    turns(loop)
    assert seen == {"write"}
    assert loop.remove_writer(right) is True


def test_replacing_a_reader(loop, pair) -> None:
    left, right = pair
    seen: list[str] = []
    loop.add_reader(right, seen.append, "old")
    loop.add_reader(right, lambda: (seen.append("new"), loop.stop()))
    left.send(b"x")
    loop.run_forever()
    assert seen == ["new"]
    loop.remove_reader(right)


def test_replacing_inside_the_callback(loop, pair) -> None:
    left, right = pair
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        loop.add_reader(right, second)

    def second() -> None:
        seen.append("second")
        right.recv(10)
        loop.stop()

    loop.add_reader(right, first)
    left.send(b"x")
    loop.run_forever()
    assert seen == ["first", "second"]
    loop.remove_reader(right)


def test_removal_inside_the_callback(loop, pair) -> None:
    left, right = pair
    seen: list[int] = []

    def readable() -> None:
        seen.append(1)
        assert loop.remove_reader(right) is True
        assert loop.remove_reader(right) is False

    loop.add_reader(right, readable)
    left.send(b"x")
    turns(loop)
    turns(loop)
    assert seen == [1]


def test_removal_of_another_ready_descriptor(loop) -> None:
    """Both are ready in the same poll; whichever runs first silences the other."""
    pairs = [socket.socketpair() for _ in range(2)]
    seen: list[int] = []

    def readable(this: int) -> None:
        seen.append(this)
        loop.remove_reader(pairs[1 - this][1])

    for number, (left, right) in enumerate(pairs):
        left.send(b"x")
        loop.add_reader(right, readable, number)
    turns(loop)
    assert len(set(seen)) == 1
    for left, right in pairs:
        loop.remove_reader(right)
        left.close()
        right.close()


def test_handle_of_a_removed_reader_does_not_run(loop, pair) -> None:
    """The descriptor was seen ready in this turn, but something before it took it away."""
    left, right = pair
    seen: list[int] = []
    left.send(b"x")

    def again() -> None:
        loop.remove_reader(right)

    loop.add_reader(right, seen.append, 1)
    loop.call_soon(again)
    turns(loop)
    # Stock queues the reader after `again`, which cancels its handle.
    assert seen == []


def test_closed_and_reused_descriptor_number(loop) -> None:
    """The kernel gives the number to a new file; the old registration must not be heard."""
    seen: list[str] = []
    for _ in range(20):
        left, right = socket.socketpair()
        number = right.fileno()
        loop.add_reader(right, seen.append, "old")
        left.send(b"x")
        loop.remove_reader(right)
        right.close()
        new_left, new_right = socket.socketpair()
        for end in (new_left, new_right):
            if end.fileno() == number:
                loop.add_reader(end, seen.append, "new")
        turns(loop)
        assert "old" not in seen
        for end in (new_left, new_right):
            loop.remove_reader(end)
            end.close()
        left.close()


def test_closed_without_removal_and_reused(loop) -> None:
    """A program that forgets remove_reader: the number comes back as another file.

    Whether the new file is watched is nobody's promise (stock's selector takes it for the old
    one); the old callback must not run for it, and nothing may spin or crash.
    """
    seen: list[str] = []
    left, right = socket.socketpair()
    number = right.fileno()
    loop.add_reader(number, seen.append, "old")
    right.close()
    left.close()
    turns(loop)
    new_left, new_right = socket.socketpair()
    reused = next((end for end in (new_left, new_right) if end.fileno() == number), None)
    assert reused is not None
    other = new_left if reused is new_right else new_right
    other.send(b"x")
    loop.add_reader(number, seen.append, "new")
    turns(loop)
    assert "old" not in seen
    assert loop.remove_reader(number) is True
    new_left.close()
    new_right.close()


def test_closed_while_its_event_is_on_the_way(loop) -> None:
    """One callback closes another's descriptor and opens a new file on its number."""
    pairs = [socket.socketpair() for _ in range(2)]
    fresh: list[socket.socket] = []
    seen: list[str] = []
    numbers = [right.fileno() for _, right in pairs]

    def readable(this: int) -> None:
        seen.append("old")
        other = 1 - this
        loop.remove_reader(numbers[other])
        pairs[other][1].close()
        fresh.extend(socket.socketpair())
        for end in fresh:
            if end.fileno() == numbers[other]:
                loop.add_reader(end, seen.append, "stale")
        loop.remove_reader(numbers[this])

    for number, (left, right) in enumerate(pairs):
        left.send(b"x")
        loop.add_reader(right, readable, number)
    turns(loop)
    assert seen == ["old"]
    for end in (*fresh, *pairs[0], *pairs[1]):
        if end.fileno() >= 0:
            loop.remove_reader(end)
        end.close()


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
        with open(__file__, "rb") as file:
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
        turns(loop)
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
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        watched = os.pidfd_open(pid)
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
        os.waitpid(pid, 0)


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


def test_context_is_that_of_the_registration(loop, pair) -> None:
    left, right = pair
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    seen: list[int] = []

    def readable() -> None:
        seen.append(variable.get())
        variable.set(variable.get() + 1)
        if len(seen) == 3:
            loop.stop()

    variable.set(10)
    loop.add_reader(right, readable)
    variable.set(20)
    left.send(b"x")
    loop.run_forever()
    assert seen == [10, 11, 12]
    assert variable.get() == 20
    loop.remove_reader(right)


def test_exception_of_a_reader_is_reported_and_it_stays(loop, pair) -> None:
    left, right = pair
    told: list[type] = []
    loop.set_exception_handler(
        lambda _, context: told.append(type(context["exception"])) or stop_after(loop, told)
    )

    def readable() -> None:
        raise ValueError

    loop.add_reader(right, readable)
    left.send(b"x")
    loop.run_forever()
    assert told == [ValueError] * 3
    assert loop.remove_reader(right) is True


def stop_after(loop: asyncio.AbstractEventLoop, told: list[type]) -> None:
    if len(told) == 3:
        loop.stop()


def test_many_descriptors_at_once(loop) -> None:
    """More than one wait returns, and each is heard."""
    pairs = [socket.socketpair() for _ in range(300)]
    seen: set[int] = set()

    def readable(number: int) -> None:
        pairs[number][1].recv(10)
        seen.add(number)
        if len(seen) == len(pairs):
            loop.stop()

    for number, (left, right) in enumerate(pairs):
        left.send(b"x")
        loop.add_reader(right, readable, number)
    loop.run_forever()
    assert seen == set(range(300))
    for left, right in pairs:
        assert loop.remove_reader(right) is True
        left.close()
        right.close()


def test_descriptor_is_seen_while_the_ready_queue_is_never_empty(loop, pair) -> None:
    """A poll may be skipped for two turns, not longer."""
    left, right = pair
    seen_after: list[int] = []
    count = [0]

    def turn() -> None:
        count[0] += 1
        assert count[0] < 10_000, "the descriptor was not seen"
        if count[0] % 100 == 50:
            left.send(b"x")
            seen_after.append(count[0])
        loop.call_soon(turn)

    def readable() -> None:
        right.recv(10)
        seen_after[-1] = count[0] - seen_after[-1]
        if len(seen_after) == 10:
            loop.stop()

    loop.add_reader(right, readable)
    loop.call_soon(turn)
    loop.run_forever()
    assert max(seen_after) <= 4
    loop.remove_reader(right)


def test_add_in_a_callback_of_the_same_turn_is_polled(loop, pair) -> None:
    left, right = pair
    left.send(b"x")
    seen: list[int] = []

    def register() -> None:
        loop.add_reader(right, lambda: seen.append(1))

    loop.call_soon(register)
    turns(loop)
    assert seen
    loop.remove_reader(right)


def test_sock_methods_use_the_same_table(loop, pair) -> None:
    left, right = pair

    async def main() -> bytes:
        receive = asyncio.create_task(loop.sock_recv(right, 10))
        await asyncio.sleep(0)
        await loop.sock_sendall(left, b"hello")
        return await receive

    assert loop.run_until_complete(main()) == b"hello"
    assert loop.remove_reader(right) is False


def test_debug_mode_checks_the_callback() -> None:
    async def coroutine() -> None:
        pass

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        left, right = socket.socketpair()
        loop.set_debug(True)
        result = outcome(loop.add_reader, left, coroutine), outcome(loop.add_writer, left, 5)
        again = outcome(loop.remove_reader, left), outcome(loop.remove_writer, left)
        left.close()
        right.close()
        return [getattr(item, "__name__", type(item).__name__) for item in (*result, *again)]

    on_both(scenario)
