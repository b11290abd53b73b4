"""The sock_* family: operations that wait are cancelled, replaced, closed and dropped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import threading

import pytest
from loop_testing import target
from loop_testing.compare import run_turns
from loop_testing.sockets import BIG, CALLS, cancelled, listening, waiting


def test_cancelled_recv_takes_no_data(loop, pair) -> None:
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"kept")
    cancelled(loop, task)
    assert right.recv(10) == b"kept"


def test_recv_that_is_cancelled_when_its_event_is_there(loop, pair) -> None:
    """Cancelled in the same turn in which the descriptor becomes readable."""
    left, right = pair
    for _ in range(20):
        task = waiting(loop, loop.sock_recv(right, 10))

        def send_and_cancel(task: asyncio.Task = task) -> None:
            left.send(b"kept")
            task.cancel()

        loop.call_soon(send_and_cancel)
        run_turns(loop)
        received = b"" if task.cancelled() else task.result()
        if not received:
            received = loop.run_until_complete(loop.sock_recv(right, 10))
        assert received == b"kept"


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_sendall", "sock_accept"])
def test_cancelled_leaves_no_watcher(loop, pair, name: str) -> None:
    with listening() as listener:
        sock = listener if name == "sock_accept" else pair[0]
        task = waiting(loop, CALLS[name](loop, sock))
        cancelled(loop, task)
        assert not loop.remove_reader(sock)
        assert not loop.remove_writer(sock)


def test_finished_leaves_no_watcher(loop, pair) -> None:
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"x")
    loop.run_until_complete(task)
    assert not loop.remove_reader(right)


def test_a_dropped_coroutine_leaves_no_watcher(loop, pair) -> None:
    left, right = pair
    coroutine = loop.sock_recv(right, 10)
    coroutine.send(None)
    coroutine.close()
    run_turns(loop)
    left.send(b"kept")
    assert loop.run_until_complete(loop.sock_recv(right, 10)) == b"kept"


def test_again_after_a_timeout(loop, pair) -> None:
    left, right = pair

    async def main() -> bytes:
        for _ in range(5):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(loop.sock_recv(right, 10), 0.001)
        left.send(b"data")
        return await loop.sock_recv(right, 10)

    assert loop.run_until_complete(main()) == b"data"


def test_reader_after_an_operation(loop, pair) -> None:
    """What an operation left in the kernel does not stand in the way of add_reader()."""
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"x")
    loop.run_until_complete(task)
    seen: list[bytes] = []
    loop.add_reader(right, lambda: seen.append(right.recv(1)))
    left.send(b"yz")
    run_turns(loop, 8)
    assert seen == [b"y", b"z"]
    assert loop.remove_reader(right)
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"again")
    assert loop.run_until_complete(task) == b"again"


def test_transport_after_an_operation(loop) -> None:
    async def main() -> bytes:
        with listening() as listener:
            client = socket.create_connection(listener.getsockname())
            client.setblocking(False)
            server, _ = listener.accept()
            task = loop.create_task(loop.sock_recv(client, 10))
            await asyncio.sleep(0)
            server.send(b"first")
            assert await task == b"first"
            reader, writer = await asyncio.open_connection(sock=client)
            server.send(b"second")
            server.close()
            received = await reader.read()
            writer.close()
            await writer.wait_closed()
            return received

    assert loop.run_until_complete(main()) == b"second"


def test_both_directions_of_one_socket(loop, pair) -> None:
    left, right = pair

    async def main() -> bytes:
        receiving = loop.create_task(loop.sock_recv(left, 10))
        sending = loop.create_task(loop.sock_sendall(left, bytes(BIG)))
        await asyncio.sleep(0)
        got = 0
        while got < BIG:
            got += len(await loop.sock_recv(right, 65536))
        await sending
        await loop.sock_sendall(right, b"answer")
        return await receiving

    assert loop.run_until_complete(main()) == b"answer"


def test_one_direction_is_cancelled_the_other_goes_on(loop, pair) -> None:
    left, right = pair
    receiving = waiting(loop, loop.sock_recv(left, 10))
    sending = waiting(loop, loop.sock_sendall(left, bytes(BIG)))
    cancelled(loop, sending)
    right.send(b"here")
    assert loop.run_until_complete(receiving) == b"here"
    receiving = waiting(loop, loop.sock_recv(left, 10))
    sending = waiting(loop, loop.sock_sendall(left, bytes(BIG)))
    cancelled(loop, receiving)

    async def drain() -> None:
        while not sending.done():
            with contextlib.suppress(BlockingIOError):
                right.recv(65536)
            await asyncio.sleep(0)

    loop.run_until_complete(drain())


def test_a_second_recv_takes_over(loop, pair) -> None:
    """Two at once on one socket: the later one is served, the first can be cancelled."""
    left, right = pair
    first = waiting(loop, loop.sock_recv(right, 10))
    second = waiting(loop, loop.sock_recv(right, 10))
    cancelled(loop, first)
    left.send(b"x")
    assert loop.run_until_complete(second) == b"x"


@pytest.mark.skipif(target.is_stock(), reason="stock's selector never hears of the new socket")
@pytest.mark.parametrize("name", ["sock_recv", "sock_accept"])
def test_socket_closed_while_waiting_and_its_number_reused(loop, name: str) -> None:
    """The old operation never ends by itself; the new socket works, with the same number."""
    with listening() as listener:
        left, right = socket.socketpair()
        right.setblocking(False)
        sock = listener if name == "sock_accept" else right
        task = waiting(loop, CALLS[name](loop, sock))
        number = sock.fileno()
        one, other = socket.socketpair()
        sock.close()
        os.dup2(other.fileno(), number)
        reused = socket.socket(fileno=number)
        reused.setblocking(False)
        with left, right, one, other, reused:
            fresh = loop.create_task(loop.sock_recv(reused, 10))
            run_turns(loop)
            one.send(b"new")
            assert loop.run_until_complete(fresh) == b"new"
            cancelled(loop, task)
            fresh = waiting(loop, loop.sock_recv(reused, 10))
            one.send(b"still")
            assert loop.run_until_complete(fresh) == b"still"


def test_number_reused_after_operations(loop) -> None:
    """The kernel's registration went away with the file: it is made anew."""
    for _ in range(20):
        left, right = socket.socketpair()
        right.setblocking(False)
        with left, right:
            for _ in range(3):
                task = waiting(loop, loop.sock_recv(right, 10))
                left.send(b"x")
                assert loop.run_until_complete(task) == b"x"


def test_loop_closed_while_an_operation_waits(loop_factory, pair) -> None:
    loop = loop_factory()
    coroutine = loop.sock_recv(pair[1], 10)
    task = waiting(loop, coroutine)
    loop.close()
    pair[0].send(b"kept")
    task._log_destroy_pending = False
    del task, coroutine
    gc.collect()
    assert pair[1].recv(10) == b"kept"


def test_waiting_operations_are_collected(loop_factory) -> None:
    """Loop, task, future and operation refer to each other; nothing else does."""

    class Tracer(bytearray):
        deleted = 0

        def __del__(self) -> None:
            Tracer.deleted += 1

    loop = loop_factory()
    left, right = socket.socketpair()
    right.setblocking(False)
    buffer = Tracer(10)
    task = waiting(loop, loop.sock_recv_into(right, buffer))
    task._log_destroy_pending = False
    loop.close()
    del loop, task, buffer
    gc.collect()
    left.close()
    right.close()
    assert Tracer.deleted == 1


def test_debug_mode_while_an_operation_waits(loop, pair) -> None:
    """CPython's scheduler takes over the operation."""
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    loop.set_debug(True)
    run_turns(loop)
    left.send(b"x")
    assert loop.run_until_complete(task) == b"x"
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"y")
    assert loop.run_until_complete(task) == b"y"


def test_selector_of_ones_own(loop_factory, pair) -> None:
    import selectors

    probe = loop_factory()
    probe.close()
    loop = type(probe)(selectors.PollSelector())
    left, right = pair
    task = waiting(loop, loop.sock_recv(right, 10))
    left.send(b"x")
    assert loop.run_until_complete(task) == b"x"
    loop.close()


def test_sends_beside_a_busy_thread(loop, pair) -> None:
    """Not a measurement: both get their turn."""
    stop = threading.Event()
    counted = [0]

    def compute() -> None:
        while not stop.is_set():
            counted[0] += 1

    thread = threading.Thread(target=compute)
    thread.start()

    async def echo() -> None:
        for _ in range(50):
            receiving = loop.create_task(loop.sock_recv(pair[1], 10))
            await asyncio.sleep(0)
            await loop.sock_sendall(pair[0], b"x")
            assert await receiving == b"x"

    loop.run_until_complete(echo())
    while counted[0] == 0:
        loop.run_until_complete(asyncio.sleep(0.001))
    stop.set()
    thread.join()
