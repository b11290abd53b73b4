"""TCPC: which address create_connection takes, where it connects from, and how it fails."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.addresses import Address, connect, resolving
from loopgauge.conformance.kit.peers import listener
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.kit.servers import ended
from loopgauge.conformance.kit.sockets import Unanswered, has_ipv6, refusing
from loopgauge.conformance.trial import Trial


def free_port() -> int:
    """A port that nobody has; who takes it in between makes the case fail, not lie."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_on(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.bind((host, 0))
    made.listen(8)
    return made


@case(
    "TCPC-011.binds",
    variants=("numeric", "name"),
    expected="the listener sees a connection from the local address",
)
def binds(t: Trial, kind: str) -> None:
    """create_connection is given a local_addr: 127.0.0.2, or localhost, which may also have an
    IPv6 address that does not fit."""
    local = "127.0.0.2" if kind == "numeric" else "localhost"

    async def main() -> None:
        host, port = listening.getsockname()
        transport, protocol = await t.loop.create_connection(
            lambda: Recorder(t.loop), host, port, local_addr=(local, 0)
        )
        peer, address = listening.accept()
        wanted = "127.0.0.2" if kind == "numeric" else "127.0.0.1"
        t.equal("where the connection comes from", address[0], wanted)
        t.equal("sockname of the transport", transport.get_extra_info("sockname"), address)
        peer.close()
        await ended(protocol)

    with listener("tcp", t.directory) as listening:
        t.run(main())


@case("TCPC-011.port", expected="the listener sees a connection from the local address and port")
def binds_port(t: Trial) -> None:
    """create_connection is given a local_addr with a port."""

    async def main() -> None:
        host, port = listening.getsockname()
        local = ("127.0.0.1", free_port())
        _, protocol = await t.loop.create_connection(
            lambda: Recorder(t.loop), host, port, local_addr=local
        )
        peer, address = listening.accept()
        t.equal("where the connection comes from", address, local)
        peer.close()
        await ended(protocol)

    with listener("tcp", t.directory) as listening:
        t.run(main())


@case("TCPC-011.skips", expected="the address that fits is taken: 127.0.0.3")
def skips_other_family(t: Trial) -> None:
    """The name in local_addr has an IPv6 address first, and then an IPv4 address."""
    if not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    local = [
        Address(socket.AF_INET6, ("::1", 0, 0, 0)),
        Address(socket.AF_INET, ("127.0.0.3", 0)),
    ]

    async def main(name: str) -> None:
        host, port = listening.getsockname()
        _, protocol = await t.loop.create_connection(
            lambda: Recorder(t.loop), host, port, local_addr=(name, 0)
        )
        peer, address = listening.accept()
        t.equal("where the connection comes from", address[0], "127.0.0.3")
        peer.close()
        await ended(protocol)

    with listener("tcp", t.directory) as listening, resolving(t, local) as name:
        t.run(main(name))


@case("TCPC-011.no-match", expected="OSError")
def no_local_address(t: Trial) -> None:
    """The host is an IPv6 address and local_addr an IPv4 one."""
    if not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    with listener("tcp6", t.directory) as listening:
        port = listening.getsockname()[1]
        with t.raises(OSError):
            t.run(
                t.loop.create_connection(asyncio.Protocol, "::1", port, local_addr=("127.0.0.1", 0))
            )


@case("TCPC-012.in-use", expected="OSError with EADDRINUSE")
def local_address_in_use(t: Trial) -> None:
    """local_addr is what another socket listens on."""
    with listener("tcp", t.directory) as listening, listening_on("127.0.0.1") as other:
        host, port = listening.getsockname()
        with t.raises(OSError) as caught:
            t.run(
                t.loop.create_connection(
                    asyncio.Protocol, host, port, local_addr=other.getsockname()
                )
            )
        t.equal("the error number", getattr(caught[0], "errno", None), errno.EADDRINUSE)
        if str(other.getsockname()[1]) not in str(caught[0]):
            t.non_strict("the text does not name the address")


@case("TCPC-013.order", expected="the first one that accepts, and no connection to those after it")
def first_success(t: Trial) -> None:
    """A name has four addresses: two refuse, and two accept."""
    sockets = [
        refusing("127.0.0.1"),
        refusing("127.0.0.2"),
        listening_on("127.0.0.3"),
        listening_on("127.0.0.4"),
    ]
    with resolving(t, sockets) as name:
        t.equal("the peer", t.run(connect(t, name)), sockets[2].getsockname())
    sockets[3].setblocking(False)
    with t.raises(BlockingIOError, what="accepting on the fourth address raises"):
        sockets[3].accept()
    for sock in sockets:
        sock.close()


@case("TCPC-013.localhost", expected="the address that accepts, whichever comes first")
def localhost_on_one_family(t: Trial) -> None:
    """localhost may have an IPv6 and an IPv4 address; only the IPv4 one accepts."""

    async def main() -> None:
        port = listening.getsockname()[1]
        transport, protocol = await t.loop.create_connection(
            lambda: Recorder(t.loop), "localhost", port
        )
        peername = transport.get_extra_info("peername")
        t.equal("the peer", peername, listening.getsockname())
        await ended(protocol)

    with listener("tcp", t.directory) as listening:
        t.run(main())


@case("TCPC-014.one", expected="ConnectionRefusedError itself")
def one_failure(t: Trial) -> None:
    """The only address refuses."""
    with refusing() as nobody, t.raises(ConnectionRefusedError) as caught:
        t.run(t.loop.create_connection(asyncio.Protocol, *nobody.getsockname()))
    t.equal("the error number", getattr(caught[0], "errno", None), errno.ECONNREFUSED)


@case("TCPC-014.several", expected="one OSError, and no exception group")
def several_failures(t: Trial) -> None:
    """All three addresses of a name refuse."""
    sockets = [refusing(f"127.0.0.{n}") for n in (1, 2, 3)]
    with resolving(t, sockets) as name, t.raises(OSError) as caught:
        t.run(connect(t, name))
    missing = [s.getsockname() for s in sockets if s.getsockname()[0] not in str(caught[0])]
    if missing:
        t.non_strict("the text does not name every address")
    for sock in sockets:
        sock.close()


@case("TCPC-014.same", expected="ConnectionRefusedError: the first of the equal errors")
def same_failures(t: Trial) -> None:
    """A name has the same address twice, which refuses."""
    nobody = refusing()
    with resolving(t, [nobody, nobody]) as name, t.raises(ConnectionRefusedError):
        t.run(connect(t, name))
    nobody.close()


@case(
    "TCPC-015.group",
    variants=("one", "three"),
    expected="an ExceptionGroup with one ConnectionRefusedError per address",
)
def all_errors(t: Trial, number: str) -> None:
    """create_connection(all_errors=True) to a name whose addresses, one or three, all refuse."""
    sockets = [refusing(f"127.0.0.{n}") for n in (1, 2, 3)[: 1 if number == "one" else 3]]
    if number == "one":
        host, port = sockets[0].getsockname()
        options: dict[str, Any] = {"host": host, "port": port, "all_errors": True}
        with t.raises(ExceptionGroup) as caught:
            t.run(t.loop.create_connection(asyncio.Protocol, **options))
    else:
        with resolving(t, sockets) as name, t.raises(ExceptionGroup) as caught:
            t.run(connect(t, name, all_errors=True))
    inner = getattr(caught[0], "exceptions", ())
    kinds = [type(error).__name__ for error in inner]
    t.equal("the exceptions in it", kinds, ["ConnectionRefusedError"] * len(sockets))
    for sock in sockets:
        sock.close()


@case("TCPC-015.success", expected="the connection, although another address refused")
def all_errors_success(t: Trial) -> None:
    """create_connection(all_errors=True) to a name with an address that refuses and one that
    accepts."""
    sockets = [refusing("127.0.0.1"), listening_on("127.0.0.2")]
    with resolving(t, sockets) as name:
        t.equal("the peer", t.run(connect(t, name, all_errors=True)), sockets[1].getsockname())
    for sock in sockets:
        sock.close()


@case("TCPC-016.silent", expected="the second address, while the first is still silent")
def eyeballs_silent(t: Trial) -> None:
    """The first address of a name does not answer, the second accepts; the delay is 10 ms."""
    silent = Unanswered(t.directory)
    accepting = listening_on("127.0.0.2")
    address = Address(socket.AF_INET, silent.address)
    with resolving(t, [address, accepting]) as name:
        peer = t.run(connect(t, name, happy_eyeballs_delay=0.01))
    t.equal("the peer", peer, accepting.getsockname())
    accepting.close()
    silent.close()


@case("TCPC-016.refused", expected="the second address at once: a refusal ends the waiting")
def eyeballs_refused(t: Trial) -> None:
    """The first address refuses, the second accepts; the delay is an hour."""
    sockets = [refusing("127.0.0.1"), listening_on("127.0.0.2")]
    with resolving(t, sockets) as name:
        peer = t.run(connect(t, name, happy_eyeballs_delay=3600))
    t.equal("the peer", peer, sockets[1].getsockname())
    for sock in sockets:
        sock.close()


@case("TCPC-016.first", expected="the first address, and no connection to the second")
def eyeballs_first(t: Trial) -> None:
    """Both addresses accept; the delay is an hour."""
    sockets = [listening_on("127.0.0.1"), listening_on("127.0.0.2")]
    with resolving(t, sockets) as name:
        peer = t.run(connect(t, name, happy_eyeballs_delay=3600))
    t.equal("the peer", peer, sockets[0].getsockname())
    sockets[1].setblocking(False)
    with t.raises(BlockingIOError, what="accepting on the second address raises"):
        sockets[1].accept()
    for sock in sockets:
        sock.close()


@case("TCPC-016.all-fail", expected="OSError, as without the delay")
def eyeballs_all_fail(t: Trial) -> None:
    """Both addresses refuse, with happy_eyeballs_delay."""
    sockets = [refusing("127.0.0.1"), refusing("127.0.0.2")]
    with resolving(t, sockets) as name, t.raises(OSError):
        t.run(connect(t, name, happy_eyeballs_delay=0.01))
    for sock in sockets:
        sock.close()


@case("TCPC-016.accepted", expected="a connection, as without it")
def eyeballs_one_address(t: Trial) -> None:
    """happy_eyeballs_delay is given together with a numeric address."""

    async def main() -> None:
        host, port = listening.getsockname()
        _, protocol = await t.loop.create_connection(
            lambda: Recorder(t.loop), host, port, happy_eyeballs_delay=0.1
        )
        t.equal("the calls of the protocol", protocol.calls, ["connection_made"])
        await ended(protocol)

    with listener("tcp", t.directory) as listening:
        t.run(main())


@case(
    "TCPC-017.order",
    variants=("not", "one", "two", "default"),
    expected="without it the second; with 1 the IPv6 address; with 2 the second; IPv6 by default "
    "with happy_eyeballs_delay",
)
def interleaved(t: Trial, kind: str) -> None:
    """The addresses of a name are IPv4 that refuses, IPv4 that accepts, IPv6 that accepts; they
    are tried without interleave, with interleave 1 and 2, and with happy_eyeballs_delay."""
    if not has_ipv6():
        t.not_applicable("this machine has no IPv6")
    sockets = [refusing("127.0.0.1"), listening_on("127.0.0.2"), listening_on("::1")]
    options: dict[str, Any] = {
        "not": {},
        "one": {"interleave": 1},
        "two": {"interleave": 2},
        "default": {"happy_eyeballs_delay": 3600},
    }[kind]
    with resolving(t, sockets) as name:
        peer = t.run(connect(t, name, **options))
    wanted = sockets[2 if kind in ("one", "default") else 1]
    t.equal("the peer", peer, wanted.getsockname())
    for sock in sockets:
        sock.close()
