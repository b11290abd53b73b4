"""Wrong arguments for what makes connections, as a table of coroutines.

Each is given a running loop, and what it returns or raises is compared with stock. They must not
leave anything open when they fail.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from loop_testing import certificates

Case = Callable[[asyncio.AbstractEventLoop], Awaitable[Any]]
CASES: dict[str, Case] = {}


def case(name: str, call: Case) -> None:
    assert name not in CASES
    CASES[name] = call


def with_socket(call: Callable[..., Awaitable[Any]], *kind: int, closed: bool = False) -> Case:
    """`call(loop, sock)`, and the socket closed in any event."""

    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        with socket.socket(*kind) as sock:
            sock.setblocking(False)
            if closed:
                sock.close()
            return await call(loop, sock)

    return run


def with_listener(call: Callable[..., Awaitable[Any]]) -> Case:
    """`call(loop, port)`: a port of this machine that accepts."""

    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return await call(loop, listener.getsockname()[1])

    return run


P = asyncio.Protocol
HERE = "127.0.0.1"
CONTEXT = certificates.client_context

# --- create_connection --------------------------------------------------------------------------

case("connect: nothing", lambda x: x.create_connection(P))
case("connect: no factory", lambda x: x.create_connection())
case("connect: None", lambda x: x.create_connection(P, None, None))
for port in (70_000, -1, "70000", "no such service", 1.5, [], b"80"):
    case(f"connect: port {port!r}", lambda x, port=port: x.create_connection(P, HERE, port))
for host in (5, [], b"\xff\xfe", "no such host.invalid", "\0", "a" * 300):
    case(f"connect: host {host!r:.20}", lambda x, host=host: x.create_connection(P, host, 1))
case("connect: refused", lambda x: x.create_connection(P, HERE, 1))
case("connect: refused, all", lambda x: x.create_connection(P, "localhost", 1))
case("connect: a wrong keyword", lambda x: x.create_connection(P, HERE, 1, nonsense=1))
case("connect: local address text", lambda x: x.create_connection(P, HERE, 1, local_addr="x"))
case(
    "connect: foreign local address",
    lambda x: x.create_connection(P, HERE, 1, local_addr=("192.0.2.1", 0)),
)
case(
    "connect: family of the other kind",
    lambda x: x.create_connection(P, HERE, 1, family=socket.AF_INET6),
)
case("connect: name without TLS", lambda x: x.create_connection(P, HERE, 1, server_hostname="a"))
for option in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
    case(
        f"connect: {option} without TLS",
        lambda x, option=option: x.create_connection(P, HERE, 1, **{option: 1}),
    )
    for value in (0, -1):
        case(
            f"connect: {option} {value}",
            with_listener(
                lambda x, port, option=option, value=value: x.create_connection(
                    P, HERE, port, ssl=CONTEXT(), server_hostname="a", **{option: value}
                )
            ),
        )
case(
    "connect: ssl text", with_listener(lambda x, port: x.create_connection(P, HERE, port, ssl="x"))
)
case(
    "connect: ssl without a name",
    with_socket(lambda x, sock: x.create_connection(P, sock=sock, ssl=CONTEXT())),
)
case(
    "connect: host and sock",
    with_socket(lambda x, sock: x.create_connection(P, HERE, 1, sock=sock)),
)
case(
    "connect: datagram sock",
    with_socket(
        lambda x, sock: x.create_connection(P, sock=sock), socket.AF_INET, socket.SOCK_DGRAM
    ),
)
case(
    "connect: closed sock",
    with_socket(lambda x, sock: x.create_connection(P, sock=sock), closed=True),
)
for sock in (5, "x", object()):
    case(f"connect: sock {sock!r:.8}", lambda x, sock=sock: x.create_connection(P, sock=sock))
case(
    "connect: delay text",
    with_listener(lambda x, port: x.create_connection(P, HERE, port, happy_eyeballs_delay="x")),
)


class Boom(Exception):
    pass


def boom() -> Any:
    raise Boom


for factory in (None, 5, boom):
    case(
        f"connect: factory {getattr(factory, '__name__', factory)}",
        with_listener(lambda x, port, factory=factory: x.create_connection(factory, HERE, port)),
    )

# --- create_server ------------------------------------------------------------------------------


def server(*words: Any, **options: Any) -> Case:
    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        made = await loop.create_server(*words, **options)
        made.close()
        await made.wait_closed()
        return None

    return run


case("serve: nothing", server(P))
case("serve: no factory", server())
for port in (70_000, -1, "no such service", 1.5, []):
    case(f"serve: port {port!r}", server(P, HERE, port))
for host in (5, "no such host.invalid", "192.0.2.1", ["127.0.0.1", 5]):
    case(f"serve: host {host!r}", server(P, host, 0))
for value in (True, "x", 5):
    case(f"serve: ssl {value!r}", server(P, HERE, 0, ssl=value))
for option in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
    case(f"serve: {option} without TLS", server(P, HERE, 0, **{option: 1}))
for value in (-1, "x", None):
    case(f"serve: backlog {value!r}", server(P, HERE, 0, backlog=value))
case("serve: a wrong keyword", server(P, HERE, 0, nonsense=1))
case("serve: sock of text", server(P, sock="x"))
case(
    "serve: host and sock",
    with_socket(lambda x, sock: x.create_server(P, HERE, 0, sock=sock)),
)
case(
    "serve: datagram sock",
    with_socket(lambda x, sock: x.create_server(P, sock=sock), socket.AF_INET, socket.SOCK_DGRAM),
)
case(
    "serve: closed sock",
    with_socket(lambda x, sock: x.create_server(P, sock=sock), closed=True),
)
case("serve: in use", with_listener(lambda x, port: x.create_server(P, HERE, port)))

# --- Unix sockets -------------------------------------------------------------------------------

for path in (None, 5, "", "/nonexistent/x", "/", "/" + "x" * 200, "a\0b"):
    shown = repr(path)[:20]
    case(f"unix: to {shown}", lambda x, path=path: x.create_unix_connection(P, path))
    if path:
        case(f"unix: at {shown}", lambda x, path=path: x.create_unix_server(P, path))
case("unix: to nothing", lambda x: x.create_unix_connection(P))
case("unix: at nothing", lambda x: x.create_unix_server(P))
case("unix: a name without TLS", lambda x: x.create_unix_connection(P, "/x", server_hostname="a"))
case("unix: TLS without a name", lambda x: x.create_unix_connection(P, "/x", ssl=CONTEXT()))
for method in ("create_unix_connection", "create_unix_server"):
    case(
        f"unix: {method} path and sock",
        with_socket(
            lambda x, sock, method=method: getattr(x, method)(P, "/x", sock=sock), socket.AF_UNIX
        ),
    )
    case(
        f"unix: {method} internet sock",
        with_socket(lambda x, sock, method=method: getattr(x, method)(P, sock=sock)),
    )
    case(
        f"unix: {method} datagram sock",
        with_socket(
            lambda x, sock, method=method: getattr(x, method)(P, sock=sock),
            socket.AF_UNIX,
            socket.SOCK_DGRAM,
        ),
    )


async def _file_in_the_way(loop: asyncio.AbstractEventLoop) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        return await loop.create_unix_server(P, file.name)


case("unix: a file in the way", _file_in_the_way)

# --- datagrams ----------------------------------------------------------------------------------

D = asyncio.DatagramProtocol


def endpoint(factory: Any = D, **options: Any) -> Case:
    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        transport, _ = await loop.create_datagram_endpoint(factory, **options)
        transport.close()
        return None

    return run


case("datagram: nothing", endpoint())
for address in ("x", 5, ("127.0.0.1",), ("127.0.0.1", 70_000), ("no such host.invalid", 1)):
    case(f"datagram: at {address!r}", endpoint(local_addr=address))
    case(f"datagram: to {address!r}", endpoint(remote_addr=address))
case(
    "datagram: two families",
    endpoint(local_addr=("127.0.0.1", 0), remote_addr=("::1", 1)),
)
case("datagram: reuse_address", endpoint(local_addr=(HERE, 0), reuse_address=True))
case("datagram: factory raises", endpoint(local_addr=(HERE, 0), factory=boom))
case("datagram: factory None", endpoint(local_addr=(HERE, 0), factory=lambda: None))
case("datagram: file in the way", endpoint(local_addr="/", family=socket.AF_UNIX))
case(
    "datagram: stream sock",
    with_socket(lambda x, sock: x.create_datagram_endpoint(D, sock=sock)),
)
case(
    "datagram: sock and address",
    with_socket(
        lambda x, sock: x.create_datagram_endpoint(D, sock=sock, local_addr=(HERE, 0)),
        socket.AF_INET,
        socket.SOCK_DGRAM,
    ),
)
case(
    "datagram: closed sock",
    with_socket(
        lambda x, sock: x.create_datagram_endpoint(D, sock=sock),
        socket.AF_INET,
        socket.SOCK_DGRAM,
        closed=True,
    ),
)


def sending(*words: Any, **options: Any) -> Case:
    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        transport, _ = await loop.create_datagram_endpoint(D, **options)
        try:
            return transport.sendto(*words)
        finally:
            transport.abort()

    return run


for name, options in {
    "free": {"local_addr": (HERE, 0)},
    "connected": {"remote_addr": (HERE, 9)},
}.items():
    case(f"sendto {name}: nothing", sending(**options))
    case(f"sendto {name}: text", sending("text", (HERE, 9), **options))
    case(f"sendto {name}: None", sending(None, **options))
    case(f"sendto {name}: another address", sending(b"x", (HERE, 10), **options))
    case(f"sendto {name}: a third argument", sending(b"x", (HERE, 9), 1, **options))

# --- pipes --------------------------------------------------------------------------------------


def pipe(method: str, make: Callable[[], Any], factory: Any = P) -> Case:
    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        thing = make()
        try:
            transport, _ = await getattr(loop, method)(factory, thing)
            transport.close()
            await asyncio.sleep(0)
            return None
        finally:
            if hasattr(thing, "close"):
                thing.close()

    return run


def _closed_pipe() -> Any:
    reading, writing = os.pipe()
    os.close(writing)
    file = os.fdopen(reading, "rb", 0)
    file.close()
    return file


for method in ("connect_read_pipe", "connect_write_pipe"):
    case(f"{method}: a file", pipe(method, tempfile.TemporaryFile))
    case(f"{method}: closed", pipe(method, _closed_pipe))
    for thing in (None, 5, "x", object()):
        case(f"{method}: {thing!r:.7}", pipe(method, lambda thing=thing: thing))
    case(f"{method}: factory raises", pipe(method, lambda: socket.socketpair()[0], boom))
    case(f"{method}: factory None", pipe(method, lambda: socket.socketpair()[0], 5))

# --- subprocesses -------------------------------------------------------------------------------

S = asyncio.SubprocessProtocol


def child(*words: Any, factory: Any = S, **options: Any) -> Case:
    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        transport, _ = await loop.subprocess_exec(factory, *words, **options)
        transport.close()
        return None

    return run


for words in ((), (5,), (None,), ("/nonexistent/x",), ("/",), ("",), ("a\0b",), ([],)):
    case(f"exec: {words!r}", child(*words))
for name, value in {
    "shell": True,
    "universal_newlines": True,
    "bufsize": 1,
    "encoding": "utf-8",
    "errors": "strict",
    "text": True,
    "cwd": "/nonexistent",
    "stdin": "x",
    "env": 5,
    "nonsense": 1,
}.items():
    case(f"exec: {name}={value!r}", child("true", **{name: value}))
case("exec: factory raises", child("true", factory=boom))
case("exec: stdin closed", child("true", stdin=subprocess.PIPE, stdout=-5))
for command in (5, None, ["true"]):
    case(f"shell: {command!r}", lambda x, command=command: x.subprocess_shell(S, command))
case("shell: shell=False", lambda x: x.subprocess_shell(S, "true", shell=False))

# --- names --------------------------------------------------------------------------------------

case("getaddrinfo: nothing", lambda x: x.getaddrinfo(None, None))
case("getaddrinfo: port text", lambda x: x.getaddrinfo(HERE, "no such service"))
case("getaddrinfo: port list", lambda x: x.getaddrinfo(HERE, []))
case("getaddrinfo: host number", lambda x: x.getaddrinfo(5, 80))
case("getaddrinfo: positional family", lambda x: x.getaddrinfo(HERE, 80, socket.AF_INET))
case("getaddrinfo: wrong family", lambda x: x.getaddrinfo(HERE, 80, family=999))
case("getnameinfo: text", lambda x: x.getnameinfo("x"))
case("getnameinfo: number", lambda x: x.getnameinfo((5, 80)))

# --- start_tls and sendfile ---------------------------------------------------------------------


def connected(call: Callable[..., Awaitable[Any]]) -> Case:
    """`call(loop, transport)` with a connected transport."""

    async def run(loop: asyncio.AbstractEventLoop) -> Any:
        left, right = socket.socketpair()
        transport, _ = await loop.create_connection(P, sock=left)
        try:
            return await call(loop, transport)
        finally:
            transport.abort()
            right.close()

    return run


for context in (None, 5, True):
    case(
        f"start_tls: context {context!r}",
        connected(lambda x, t, context=context: x.start_tls(t, P(), context)),
    )
for transport in (None, 5, asyncio.Transport()):
    case(
        f"start_tls: transport {transport!r:.8}",
        lambda x, transport=transport: x.start_tls(transport, P(), CONTEXT()),
    )
for option in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
    case(
        f"start_tls: {option} 0",
        connected(
            lambda x, t, option=option: x.start_tls(
                t, P(), CONTEXT(), server_hostname="a", **{option: 0}
            )
        ),
    )


def sending_file(file: Callable[[], Any], *words: Any, closed: bool = False) -> Case:
    async def call(loop: asyncio.AbstractEventLoop, transport: Any) -> Any:
        thing = file()
        if closed:
            transport.close()
        try:
            return await loop.sendfile(transport, thing, *words)
        finally:
            if hasattr(thing, "close"):
                thing.close()

    return connected(call)


case("sendfile: empty", sending_file(tempfile.TemporaryFile))
case("sendfile: closed", sending_file(tempfile.TemporaryFile, closed=True))
case("sendfile: text", sending_file(functools.partial(tempfile.TemporaryFile, "w+")))
case("sendfile: offset -1", sending_file(tempfile.TemporaryFile, -1))
case("sendfile: offset text", sending_file(tempfile.TemporaryFile, "x"))
case("sendfile: count 0", sending_file(tempfile.TemporaryFile, 0, 0))
case("sendfile: count -1", sending_file(tempfile.TemporaryFile, 0, -1))
case("sendfile: count text", sending_file(tempfile.TemporaryFile, 0, "x"))
case("sendfile: None", sending_file(lambda: None))
case("sendfile: transport None", lambda x: x.sendfile(None, None))


def foreign(method: str) -> Case:
    """A descriptor that belongs to a transport."""

    async def call(loop: asyncio.AbstractEventLoop, transport: Any) -> Any:
        return getattr(loop, method)(transport.get_extra_info("socket").fileno(), int)

    return connected(call)


case("add_reader: a transport's", foreign("add_reader"))
case("add_writer: a transport's", foreign("add_writer"))
