"""add_reader, add_writer and their removal: every order of events a program can produce."""

from __future__ import annotations

import asyncio
import contextvars
import socket

from loop_testing.compare import on_both, outcome, run_turns


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
    run_turns(loop)
    assert seen == {"write"}
    left.send(b"x")
    run_turns(loop)
    assert seen == {"read", "write"}
    seen.clear()
    assert loop.remove_writer(right) is True
    run_turns(loop)
    assert seen == {"read"}
    seen.clear()
    loop.add_writer(right, lambda: seen.add("write"))
    assert loop.remove_reader(right) is True
    run_turns(loop)
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
    run_turns(loop)
    run_turns(loop)
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
    run_turns(loop)
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
    run_turns(loop)
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
        run_turns(loop)
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
    run_turns(loop)
    new_left, new_right = socket.socketpair()
    reused = next((end for end in (new_left, new_right) if end.fileno() == number), None)
    assert reused is not None
    other = new_left if reused is new_right else new_right
    other.send(b"x")
    loop.add_reader(number, seen.append, "new")
    run_turns(loop)
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
    run_turns(loop)
    assert seen == ["old"]
    for end in (*fresh, *pairs[0], *pairs[1]):
        if end.fileno() >= 0:
            loop.remove_reader(end)
        end.close()


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
    run_turns(loop)
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
