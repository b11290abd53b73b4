"""Sockets and calls for the tests of the sock_* family."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from loop_testing.compare import run_turns

#: More bytes than any socket buffers.
BIG = 4 * 1024 * 1024


def refused(loop: asyncio.AbstractEventLoop, coroutine) -> tuple[type, str]:
    """Type and text of what the coroutine raises."""
    try:
        loop.run_until_complete(coroutine)
    except Exception as error:
        return type(error), str(error)
    raise AssertionError("it was not refused")


def waiting(loop: asyncio.AbstractEventLoop, coroutine) -> asyncio.Task:
    """A task that has tried once and now waits for its socket."""
    task = loop.create_task(coroutine)
    run_turns(loop)
    assert not task.done()
    return task


def cancelled(loop: asyncio.AbstractEventLoop, task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


@contextlib.contextmanager
def listening(family: int = socket.AF_INET, address: object = ("127.0.0.1", 0)):
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        yield listener


@contextlib.contextmanager
def datagrams(family: int = socket.AF_INET, host: str = "127.0.0.1"):
    with (
        socket.socket(family, socket.SOCK_DGRAM) as one,
        socket.socket(family, socket.SOCK_DGRAM) as other,
    ):
        for sock in (one, other):
            sock.bind((host, 0))
            sock.setblocking(False)
        yield one, other


#: One call of each method, on a given socket; sock_sendall is too large not to wait.
CALLS = {
    "sock_recv": lambda loop, sock: loop.sock_recv(sock, 10),
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(10)),
    "sock_recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 10),
    "sock_recvfrom_into": lambda loop, sock: loop.sock_recvfrom_into(sock, bytearray(10)),
    "sock_sendall": lambda loop, sock: loop.sock_sendall(sock, bytes(BIG)),
    "sock_sendto": lambda loop, sock: loop.sock_sendto(sock, b"data", ("127.0.0.1", 9)),
    "sock_connect": lambda loop, sock: loop.sock_connect(sock, ("127.0.0.1", 9)),
    "sock_accept": lambda loop, sock: loop.sock_accept(sock),
}
