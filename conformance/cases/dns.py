"""DNS: getaddrinfo and getnameinfo, compared with the socket module's."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

#: What getaddrinfo is asked; nothing of it leaves the machine.
QUESTIONS: dict[str, dict[str, Any]] = {
    "numeric": {"host": "127.0.0.1", "port": 80},
    "numeric-stream": {"host": "127.0.0.1", "port": 80, "type": socket.SOCK_STREAM},
    "ipv6": {"host": "::1", "port": 80, "type": socket.SOCK_STREAM},
    "ipv6-scope": {"host": "::1%1", "port": 80, "type": socket.SOCK_STREAM},
    "localhost": {"host": "localhost", "port": 80},
    "localhost-family": {"host": "localhost", "port": 80, "family": socket.AF_INET},
    "service": {"host": "127.0.0.1", "port": "http", "type": socket.SOCK_STREAM},
    "protocol": {"host": "127.0.0.1", "port": 53, "proto": socket.IPPROTO_UDP},
    "passive": {"host": None, "port": 80, "type": 1, "flags": socket.AI_PASSIVE},
    "no-host": {"host": None, "port": 80, "type": socket.SOCK_STREAM},
    "canonical": {"host": "127.0.0.1", "port": 0, "flags": socket.AI_CANONNAME},
    "numeric-host": {"host": "127.0.0.1", "port": 0, "flags": socket.AI_NUMERICHOST},
}


@case(
    "DNS-001.same",
    variants=tuple(QUESTIONS),
    expected="the list that socket.getaddrinfo returns for the same arguments, or its error",
)
def same_addresses(t: Trial, name: str) -> None:
    """loop.getaddrinfo and socket.getaddrinfo are asked the same: a numeric address, IPv6,
    localhost, a service name, a protocol, flags."""
    question = dict(QUESTIONS[name])
    host, port = question.pop("host"), question.pop("port")
    try:
        wanted = socket.getaddrinfo(host, port, **question)
    except socket.gaierror as error:
        with t.raises(socket.gaierror) as caught:
            t.run(t.loop.getaddrinfo(host, port, **question))
        t.equal("the error number", getattr(caught[0], "errno", None), error.errno)
    else:
        t.equal("the addresses", t.run(t.loop.getaddrinfo(host, port, **question)), wanted)


@case(
    "DNS-001.in-turn",
    variants=("127.0.0.1", "::1", "localhost"),
    expected="each time what socket.getaddrinfo returns, whatever was asked before",
)
def same_address_in_turn(t: Trial, host: str) -> None:
    """The same host is asked for several times, each time with other arguments, and then again:
    type, protocol, port, family and flags."""
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    questions: list[tuple[Any, dict[str, Any]]] = [
        (80, {"type": socket.SOCK_STREAM}),
        (80, {"type": socket.SOCK_DGRAM}),
        (80, {}),
        (80, {"proto": socket.IPPROTO_UDP}),
        (81, {"type": socket.SOCK_STREAM}),
        (None, {"type": socket.SOCK_STREAM}),
        (80, {"type": socket.SOCK_STREAM, "family": family}),
        (80, {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}),
    ]
    for port, options in questions * 2:
        wanted = socket.getaddrinfo(host, port, **options)
        found = t.run(t.loop.getaddrinfo(host, port, **options))
        t.equal(f"the addresses for {port}, {options}", found, wanted)


@case(
    "DNS-001.strange-numbers",
    variants=("127.1", "0x7f.1", "127.0.0.01", "1.2.3", "::ffff:127.0.0.1", " 127.0.0.1"),
    expected="the list that socket.getaddrinfo returns for the same arguments, or its error",
)
def strange_numbers(t: Trial, host: str) -> None:
    """An address is written in an unusual way, with the flag that forbids a look-up of names."""
    flags: dict[str, int] = {"type": socket.SOCK_STREAM, "flags": socket.AI_NUMERICHOST}
    try:
        wanted = socket.getaddrinfo(host, 80, **flags)
    except socket.gaierror as error:
        with t.raises(socket.gaierror) as caught:
            t.run(t.loop.getaddrinfo(host, 80, **flags))
        t.equal("the error number", getattr(caught[0], "errno", None), error.errno)
    else:
        t.equal("the addresses", t.run(t.loop.getaddrinfo(host, 80, **flags)), wanted)


@case(
    "DNS-002.numbers",
    variants=("no-name", "no-service", "bad-family", "nothing"),
    expected="socket.gaierror with the error number of socket.getaddrinfo",
)
def same_errors(t: Trial, problem: str) -> None:
    """getaddrinfo is asked for what does not exist: a name where only numbers are allowed, a
    service, an IPv6 address of an IPv4 literal, and nothing at all."""
    question: dict[str, dict[str, Any]] = {
        "no-name": {"host": "not a number", "port": 80, "flags": socket.AI_NUMERICHOST},
        "no-service": {"host": "127.0.0.1", "port": "no such service"},
        "bad-family": {"host": "127.0.0.1", "port": 80, "family": socket.AF_INET6},
        "nothing": {"host": None, "port": None},
    }
    with t.raises(socket.gaierror, what="socket.getaddrinfo raises") as wanted:
        socket.getaddrinfo(**question[problem])
    with t.raises(socket.gaierror) as caught:
        t.run(t.loop.getaddrinfo(**question[problem]))
    t.equal("the error number", caught[0].args[0], wanted[0].args[0])


@case("DNS-002.nameinfo", expected="socket.gaierror with the error number of socket.getnameinfo")
def nameinfo_error(t: Trial) -> None:
    """getnameinfo is given a host name, where it wants a numeric address."""
    address = ("not a number", 80)
    with t.raises(socket.gaierror, what="socket.getnameinfo raises") as wanted:
        socket.getnameinfo(address, socket.NI_NUMERICHOST)
    with t.raises(socket.gaierror) as caught:
        t.run(t.loop.getnameinfo(address, socket.NI_NUMERICHOST))
    t.equal("the error number", caught[0].args[0], wanted[0].args[0])


@case(
    "DNS-003.turns",
    variants=("getaddrinfo", "getnameinfo"),
    expected="callbacks run before the answer is there: the look-up is elsewhere",
)
def loop_goes_on(t: Trial, what: str) -> None:
    """A look-up of localhost is started as a task, and then a callback is scheduled."""

    async def main() -> None:
        if what == "getaddrinfo":
            task: asyncio.Task[Any] = asyncio.ensure_future(t.loop.getaddrinfo("localhost", 80))
        else:
            task = asyncio.ensure_future(t.loop.getnameinfo(("127.0.0.1", 80)))
        task.add_done_callback(lambda _: t.event("the answer"))
        t.loop.call_soon(t.event, "a callback")
        await task
        t.saw("a callback", "the answer")

    t.run(main())


@case(
    "DNS-003.blocked-resolver",
    expected="callbacks run while the resolver is blocked, or it has a resolver of its own",
)
def resolver_blocks(t: Trial) -> None:
    """The default executor is given a thread that is busy until a callback of the loop lets it
    go; then localhost is looked up and a callback is scheduled."""
    import threading

    free = threading.Event()
    executor = ThreadPoolExecutor(1)
    t.loop.set_default_executor(executor)

    async def main() -> None:
        busy = t.loop.run_in_executor(None, free.wait, 5.0)
        task = asyncio.ensure_future(t.loop.getaddrinfo("localhost", 80))
        for _ in range(10):
            await asyncio.sleep(0)
        free.set()
        t.equal("the loop let the thread go", await busy, True)
        t.true("the addresses are a list with something in it", await task)

    t.run(main())
    executor.shutdown()


@case(
    "DNS-004.same",
    variants=("numeric", "names", "datagram", "ipv6"),
    expected="the (host, service) that socket.getnameinfo returns for the same arguments",
)
def same_names(t: Trial, kind: str) -> None:
    """loop.getnameinfo and socket.getnameinfo are asked the same about a loopback address: as
    numbers, as names, as a datagram service, as IPv6."""
    address: Any = ("::1", 80, 0, 0) if kind == "ipv6" else ("127.0.0.1", 53)
    flags = {
        "numeric": socket.NI_NUMERICHOST | socket.NI_NUMERICSERV,
        "names": 0,
        "datagram": socket.NI_DGRAM | socket.NI_NUMERICHOST,
        "ipv6": socket.NI_NUMERICHOST,
    }[kind]
    wanted = socket.getnameinfo(address, flags)
    t.equal("the names", t.run(t.loop.getnameinfo(address, flags)), wanted)


@case("DNS-004.default", expected="the same as with flags=0")
def default_flags(t: Trial) -> None:
    """getnameinfo is called without flags."""
    wanted = socket.getnameinfo(("127.0.0.1", 80), 0)
    t.equal("the names", t.run(t.loop.getnameinfo(("127.0.0.1", 80))), wanted)


HOSTS: dict[str, Any] = {"str": "127.0.0.1", "bytes": b"127.0.0.1", "none": None}
PORTS: dict[str, Any] = {"str": "80", "bytes": b"80", "int": 80, "none": None}


@case(
    "DNS-005.kinds",
    variants=tuple(f"{h}-{p}" for h in HOSTS for p in PORTS if (h, p) != ("none", "none")),
    expected="what socket.getaddrinfo returns",
)
def kinds_of_arguments(t: Trial, kinds: str) -> None:
    """The host is str, bytes or None, the port str, bytes, int or None, in all combinations."""
    host, _, port = kinds.partition("-")
    wanted = socket.getaddrinfo(HOSTS[host], PORTS[port], type=socket.SOCK_STREAM)
    found = t.run(t.loop.getaddrinfo(HOSTS[host], PORTS[port], type=socket.SOCK_STREAM))
    t.equal("the addresses", found, wanted)


@case("DNS-006.record", expected="recorded only: whether a busy default executor delays a look-up")
def whose_threads(t: Trial) -> None:
    """An executor that counts its calls is the default one while localhost is looked up."""

    class Counting(ThreadPoolExecutor):
        calls = 0

        def submit(self, *args: Any, **keywords: Any) -> Any:
            Counting.calls += 1
            return super().submit(*args, **keywords)

    executor = Counting(1)
    t.loop.set_default_executor(executor)
    found = t.run(t.loop.getaddrinfo("localhost", 80))
    t.true("the addresses are a list with something in it", found)
    executor.shutdown()
    t.note("resolver", "the default executor" if Counting.calls else "its own")
