"""Datagram endpoints: whom and what may be sent, and what is said of wrong addresses and data."""

from __future__ import annotations

import socket

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome, quiet, run_turns
from loop_testing.endpoints import closed, endpoint, has_ipv6


def test_wrong_types_of_data() -> None:
    def scenario(loop):
        transport, _ = loop.run_until_complete(endpoint())
        texts = []
        for data in ("text", None, 5, [b"x"], object):
            with pytest.raises(TypeError) as caught:
                transport.sendto(data, ("127.0.0.1", 9))
            texts.append(str(caught.value))
        loop.run_until_complete(closed(transport))
        return texts

    on_both(scenario)


def test_wrong_calls(loop) -> None:
    transport, _ = loop.run_until_complete(endpoint())
    for args, keywords in (
        ((), {}),
        ((b"x", None, None), {}),
        ((b"x",), {"address": None}),
        ((b"x", None), {"addr": None}),
    ):
        with pytest.raises(TypeError):
            transport.sendto(*args, **keywords)
    loop.run_until_complete(closed(transport))


def test_other_addresses_of_a_connected_transport() -> None:
    def scenario(loop):
        name = ("127.0.0.1", 40009)
        transport, _ = loop.run_until_complete(endpoint(remote_addr=name))
        texts = []
        for address in (("127.0.0.1", 40010), "127.0.0.1", 5, ("::1", 40009, 0, 0), ()):
            with pytest.raises(ValueError, match="Invalid address: must be None or") as caught:
                transport.sendto(b"x", address)
            texts.append(str(caught.value))
        loop.run_until_complete(closed(transport))
        return texts

    on_both(scenario)


WRONG_ADDRESSES = [
    None,
    5,
    "127.0.0.1",
    (),
    ("127.0.0.1",),
    ("127.0.0.1", "9"),
    ("127.0.0.1", 65536),
    ("127.0.0.1", -1),
    ("127.0.0.1", 2**70),
    ("127.0.0.1", 9.0),
    ("127.0.0.1", 9, 0),
    (5, 9),
    (None, 9),
    ("127.0.0.1\0", 9),
    ("\udc80", 9),
    ["127.0.0.1", 9],
    ("::1", 9),
    ("255.255.255.255", 9),
]


@pytest.mark.parametrize("address", WRONG_ADDRESSES, ids=ascii)
def test_wrong_addresses(address) -> None:
    """What is a system's error goes to the protocol, anything else ends the transport."""

    def scenario(loop):
        told = quiet(loop)
        transport, protocol = loop.run_until_complete(endpoint())
        result = outcome(transport.sendto, b"x", address)
        run_turns(loop)
        calls, closing = list(protocol.calls), transport.is_closing()
        transport.abort()
        run_turns(loop)
        return (
            result,
            calls,
            closing,
            [(c["message"], type(c["exception"]), str(c["exception"])) for c in told],
        )

    on_both(scenario)


WRONG_IPV6 = [
    ("::1", 9, -1),
    ("::1", 9, 2**20),
    ("::1", 9, 0, -1),
    ("::1", 9, 0, 2**32),
    ("::1", 9, 0, 0, 0),
    ("127.0.0.1", 9),
    ("::1%nowhere", 9),
]


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("address", WRONG_IPV6, ids=ascii)
def test_wrong_ipv6_addresses(address) -> None:
    def scenario(loop):
        told = quiet(loop)
        transport, protocol = loop.run_until_complete(endpoint(local_addr=("::1", 0)))
        result = outcome(transport.sendto, b"x", address)
        run_turns(loop)
        calls = list(protocol.calls)
        transport.abort()
        run_turns(loop)
        return result, calls, [(c["message"], type(c["exception"])) for c in told]

    on_both(scenario)


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "x" * 200, b"/nowhere", "a\0b", 5])
def test_wrong_unix_addresses(address, tmp_path) -> None:
    def scenario(loop):
        told = quiet(loop)
        path = str(tmp_path / "socket")
        transport, protocol = loop.run_until_complete(
            endpoint(local_addr=path, family=socket.AF_UNIX)
        )
        result = outcome(transport.sendto, b"x", address)
        run_turns(loop)
        calls = list(protocol.calls)
        transport.abort()
        run_turns(loop)
        return result, calls, [(c["message"], type(c["exception"])) for c in told]

    on_both(scenario)


def test_names_and_kinds_of_hosts(loop) -> None:
    """What is no literal is resolved by the socket, as ever."""

    class Host(str):
        __slots__ = ()

    class Port(int):
        pass

    async def main() -> None:
        server, served = await endpoint()
        port = server.get_extra_info("sockname")[1]
        addresses = [
            ("localhost", port),
            (b"127.0.0.1", port),
            (Host("127.0.0.1"), port),
            ("127.0.0.1", Port(port)),
            ("127.1", port),
            ("127.0.0.1", True and port),
        ]
        client, _ = await endpoint()
        for address in addresses:
            client.sendto(b"x", address)
        await served.until_called("received", len(addresses))
        await closed(server, client)

    loop.run_until_complete(main())


def test_audit_event() -> None:
    said = process.output("""
        seen = []
        sys.addaudithook(lambda name, args: name == "socket.sendto" and seen.append(args[1]))

        async def main():
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
            name = transport.get_extra_info("sockname")
            transport.sendto(b"x", name)
            transport.close()
            return name

        loop = new_loop()
        name = loop.run_until_complete(main())
        loop.close()
        print(seen == [name])
    """)
    assert said == "True\n"
