"""getaddrinfo(): whatever is asked, the answer is that of socket.getaddrinfo()."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loop_testing import process, target
from loop_testing.compare import on_both

WRITTEN_OTHERWISE = [
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "1.2.3",
    "16909060",
    "1.2.3.4.",
    "1.2.3.256",
    "::ffff:1.2.3.4",
    "::1.2.3.4",
    "0:0:0:0:0:0:0:1",
    "FE80::ABCD",
    "fe80::1%lo",
    "ff02::1%lo",
    "::1%lo",
    "::1%1",
    "fe80::1%999999",
    "fe80::1%no-such-interface",
    "fe80::1%",
    "%lo",
    "1.2.3.4%lo",
    "[::1]",
    "::1::",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\0",
    "\uff11.2.3.4",
]
"""Literals, nearly literals, and what the C library reads as one."""

ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).flatmap(
    lambda address: st.sampled_from(
        [str(address), address.exploded, address.compressed.upper(), f"{address}%lo"]
    )
)
mapped = ipv4.map("::ffff:{}".format)
texts = st.one_of(ipv4, ipv6, mapped, st.sampled_from(WRITTEN_OTHERWISE))
hosts = st.one_of(texts, texts.map(str.encode))

numbers = st.one_of(st.integers(0, 65535), st.sampled_from([-1, 65536, 70000, 2**31, 2**70]))
digits = st.one_of(numbers.map(str), st.sampled_from(["", "080", "000080", "+80", " 80", "8 0"]))
services = st.sampled_from(["http", "domain", "no-such-service", "\u0661", 0.5, True, [], None])
ports = st.one_of(numbers, digits, digits.map(str.encode), services)

families = st.sampled_from([0, socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 99, -1])
types = st.sampled_from([0, *socket.SocketKind, 99, -1])
protos = st.sampled_from([0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 1, 132, 136, 255, 256, -1])
# Without leave to look up names: the network of the machine must not matter.
flags = st.sets(
    st.sampled_from(
        [
            socket.AI_PASSIVE,
            socket.AI_CANONNAME,
            socket.AI_NUMERICSERV,
            socket.AI_V4MAPPED,
            socket.AI_ALL,
            socket.AI_ADDRCONFIG,
            1 << 20,
        ]
    ),
    max_size=2,
).map(lambda chosen: socket.AI_NUMERICHOST | sum(chosen))


def told(function: Any) -> Any:
    """What it returns, with the types of everything, or what it raises."""
    try:
        answer = function()
    except Exception as error:
        return type(error), str(error)
    return answer, [[type(part) for part in (*entry, *entry[4])] for entry in answer]


def compare(loop: asyncio.AbstractEventLoop, host: Any, port: Any, **hints: int) -> Any:
    ours = told(lambda: loop.run_until_complete(loop.getaddrinfo(host, port, **hints)))
    assert ours == told(lambda: socket.getaddrinfo(host, port, **hints))
    return ours


@pytest.fixture(scope="module")
def shared_loop(loop_factory):
    """One for all examples: making loops and threads is not the point."""
    loop = loop_factory()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@settings(max_examples=1000, deadline=None)
@given(hosts, ports, families, types, protos, flags)
@example("127.0.0.1", 80, 0, socket.SOCK_RAW, 0, 0)
@example("127.0.0.1", None, 0, socket.SOCK_RAW, 200, 0)
@example("::1", None, 0, 0, 0, 0)
@example("::1", 80, socket.AF_INET, 0, 0, 0)
@example("127.0.0.1", 80, socket.AF_INET6, 0, 0, socket.AI_V4MAPPED)
@example("127.0.0.1", "http", 0, 0, 0, 0)
@example(None, 80, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
def test_every_question_has_the_same_answer(
    shared_loop, host, port, family, type, proto, flags
) -> None:
    compare(shared_loop, host, port, family=family, type=type, proto=proto, flags=flags)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", b"10.1.2.3", "fe80::1%lo"])
@pytest.mark.parametrize("port", [None, 0, 80, "80", b"80"])
def test_all_types_in_the_librarys_order(loop, host, port) -> None:
    answer, _ = compare(loop, host, port)
    assert [entry[1] for entry in answer] == [
        socket.SOCK_STREAM,
        socket.SOCK_DGRAM,
        socket.SOCK_RAW,
    ]


@pytest.mark.parametrize("argument", ["family", "type", "proto", "flags"])
@pytest.mark.parametrize("value", ["0", None, 0.0, 2**70], ids=repr)
def test_wrong_hints(loop, argument: str, value: Any) -> None:
    compare(loop, "127.0.0.1", 80, **{argument: value})


@pytest.mark.parametrize("host", [5, 1.5, bytearray(b"127.0.0.1"), [], ipaddress.ip_address(1)])
def test_wrong_hosts(loop, host: Any) -> None:
    compare(loop, host, 80)


def test_answers_are_not_shared(loop) -> None:
    async def ask() -> list[Any]:
        return await loop.getaddrinfo("127.0.0.1", 80)

    first = loop.run_until_complete(ask())
    first.clear()
    assert loop.run_until_complete(ask()) == socket.getaddrinfo("127.0.0.1", 80)


@pytest.mark.skipif(target.is_stock(), reason="stock asks a thread for everything")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", b"127.0.0.1", "fe80::1%lo"])
@pytest.mark.parametrize("hint", [0, socket.SOCK_STREAM])
def test_a_literal_needs_no_thread(loop, monkeypatch, host, hint: int) -> None:
    monkeypatch.setattr(loop, "run_in_executor", None)
    answer = loop.run_until_complete(loop.getaddrinfo(host, 80, type=hint))
    assert answer == socket.getaddrinfo(host, 80, type=hint)


@pytest.mark.skipif(target.is_stock(), reason="stock asks a thread for everything")
def test_connections_and_servers_need_no_thread(loop, monkeypatch) -> None:
    monkeypatch.setattr(loop, "run_in_executor", None)

    async def main() -> None:
        for host in ("127.0.0.1", "::1", "::1%1"):
            server = await loop.create_server(asyncio.Protocol, host, 0)
            port = server.sockets[0].getsockname()[1]
            transport, _ = await loop.create_connection(asyncio.Protocol, host, str(port))
            transport.abort()
            server.close()
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=(host, port)
            )
            transport.close()
        await asyncio.sleep(0)

    loop.run_until_complete(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "fe80::1%lo", "localhost"])
def test_patched_getaddrinfo_is_honoured(loop, monkeypatch, host: str) -> None:
    asked: list[tuple[Any, ...]] = []

    def patched(*args: Any) -> list[Any]:
        asked.append(args)
        return ["patched"]

    monkeypatch.setattr(socket, "getaddrinfo", patched)
    assert loop.run_until_complete(loop.getaddrinfo(host, 80, type=1)) == ["patched"]
    assert asked == [(host, 80, 0, 1, 0, 0)]


def test_patched_before_the_import() -> None:
    """gevent and its kin patch first: what was there at import is not CPython's then."""
    said = process.output(
        """
        loop = new_loop()
        print(loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80)))
        loop.close()
        """,
        prologue='import socket\nsocket.getaddrinfo = lambda *args: ["patched"]\n'
        + process.PROLOGUE,
    )
    assert said == "['patched']\n"


def test_debug_mode_logs_as_stock(caplog) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")

    def scenario(loop):
        caplog.clear()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.0
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
        loop.run_until_complete(loop.shutdown_default_executor())
        return [
            (record.levelname, record.getMessage().split(" took ")[0])
            for record in caplog.records
            if "address info" in record.getMessage()
        ]

    assert [level for level, _ in on_both(scenario)] == ["DEBUG", "INFO"]


def test_audit_hooks_hear_of_literals() -> None:
    said = process.output(
        """
        heard = []
        loop = new_loop()

        def hook(name, args):
            if name == "socket.getaddrinfo":
                heard.append(args)

        sys.addaudithook(hook)
        for _ in range(3):
            loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=1))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        print(heard)
        """
    )
    assert said == f"{[('127.0.0.1', 80, 0, 1, 0)] * 3}\n"


def test_names_go_to_the_executor(loop) -> None:
    """The loop goes on while a name is looked up."""
    answer = loop.run_until_complete(loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))
    assert answer == socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
