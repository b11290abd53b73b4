"""The sock_* family: what it is, and what it refuses, as stock does."""

from __future__ import annotations

import asyncio
import gc
import inspect
import socket
import ssl
import warnings

import pytest
from loop_testing import target
from loop_testing.compare import on_both, run_turns
from loop_testing.sockets import CALLS, listening, refused, waiting

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
def test_is_a_coroutine(loop, pair, call) -> None:
    coroutine = call(loop, pair[0])
    assert inspect.iscoroutine(coroutine)
    assert asyncio.iscoroutine(coroutine)
    coroutine.close()


@pytest.mark.parametrize("name", CALLS)
def test_is_a_coroutine_function_with_stocks_parameters(loop, name: str) -> None:
    method, stock = getattr(loop, name), getattr(asyncio.SelectorEventLoop, name)
    assert inspect.iscoroutinefunction(method)
    parameters = [
        (each.name, each.default) for each in inspect.signature(method).parameters.values()
    ]
    assert parameters == [
        (each.name, each.default) for each in list(inspect.signature(stock).parameters.values())[1:]
    ]


def test_nothing_happens_before_it_is_awaited(loop, pair) -> None:
    pair[0].send(b"data")
    coroutine = loop.sock_recv(pair[1], 10)
    run_turns(loop)
    assert pair[1].recv(10) == b"data"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del coroutine
        gc.collect()
    assert [warning.category for warning in caught] == [RuntimeWarning]


@each_call
def test_tls_sockets(call) -> None:
    def scenario(loop):
        context = ssl.create_default_context()
        context.check_hostname = False
        with (
            socket.socket() as plain,
            context.wrap_socket(plain, do_handshake_on_connect=False) as sock,
        ):
            sock.setblocking(False)
            return refused(loop, call(loop, sock))

    assert on_both(scenario) == (TypeError, "Socket cannot be of type SSLSocket")


@each_call
def test_blocking_sockets_in_debug_mode(call) -> None:
    def scenario(loop):
        loop.set_debug(True)
        with socket.socket() as sock:
            return refused(loop, call(loop, sock))

    assert on_both(scenario) == (ValueError, "the socket must be non-blocking")


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_accept"])
def test_socket_with_a_timeout_times_out(name: str) -> None:
    """Outside debug mode nobody checks; the socket's own timeout then counts."""

    def scenario(loop):
        left, right = socket.socketpair()
        with left, right, listening() as listener:
            right.settimeout(0.01)
            listener.settimeout(0.01)
            sock = listener if name == "sock_accept" else right
            return refused(loop, CALLS[name](loop, sock))

    assert on_both(scenario)[0] is TimeoutError


@each_call
def test_closed_sockets(call) -> None:
    def scenario(loop):
        sock = socket.socket()
        sock.setblocking(False)
        sock.close()
        return refused(loop, call(loop, sock))

    assert on_both(scenario)[0] is OSError


@each_call
def test_no_sockets(call) -> None:
    def scenario(loop):
        return [refused(loop, call(loop, sock)) for sock in (None, 5, "text")]

    on_both(scenario)


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_sendall"])
def test_socket_of_a_transport(loop, name: str) -> None:
    """Refused when it would have to wait, as on stock."""

    async def main() -> str:
        with listening() as listener:
            client = socket.create_connection(listener.getsockname())
            server = listener.accept()[0]
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=client)
            with pytest.raises(RuntimeError) as raised:
                await CALLS[name](loop, client)
            transport.abort()
            server.close()
            await asyncio.sleep(0)
            return str(raised.value)

    assert "is used by transport" in loop.run_until_complete(main())


@pytest.mark.skipif(target.is_stock(), reason="stock looks everything up at each call")
def test_patched_socket_class_is_honoured(loop, pair, monkeypatch) -> None:
    calls: list[int] = []

    def recv(self, size: int, *flags: int) -> bytes:
        calls.append(size)
        return super(socket.socket, self).recv(size, *flags)

    left, right = pair
    monkeypatch.setattr(socket.socket, "recv", recv, raising=False)
    left.send(b"ab")
    assert loop.run_until_complete(loop.sock_recv(right, 1)) == b"a"
    assert calls == [1]
    monkeypatch.undo()
    assert loop.run_until_complete(loop.sock_recv(right, 1)) == b"b"
    assert calls == [1]


def test_subclass_is_honoured(loop) -> None:
    class Loud(socket.socket):
        def recv(self, *args) -> bytes:
            return super().recv(*args).upper()

    left, right = socket.socketpair()
    with left, Loud(fileno=right.detach()) as loud:
        loud.setblocking(False)
        left.send(b"data")
        assert loop.run_until_complete(loop.sock_recv(loud, 10)) == b"DATA"
        task = waiting(loop, loop.sock_recv(loud, 10))
        left.send(b"more")
        assert loop.run_until_complete(task) == b"MORE"
