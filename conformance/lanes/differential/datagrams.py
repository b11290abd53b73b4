"""Datagrams between three endpoints, one of them connected.

Compared is which datagrams each endpoint got, from whom and in which order: on loopback, with few
of them under way, the kernel neither loses nor reorders. An error that the kernel reports for a
closed endpoint is left out: when it comes, and to whom, is open.
"""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

SIZES = (1, 2, 500, 1400, 9000)

#: Seconds until a datagram that does not come counts as lost.
PATIENCE = 5.0


def programs() -> Any:
    """Steps [kind, from, to, sizes] of the endpoints "a", "b" and "c"; c is connected to a."""
    from hypothesis import strategies as st

    sizes = st.lists(st.sampled_from(SIZES), min_size=1, max_size=6)
    pairs = st.sampled_from((("a", "b"), ("b", "a"), ("c", "a"), ("a", "c"), ("a", "a")))
    send = st.tuples(st.sampled_from(("send", "bytearray", "memoryview")), pairs, sizes)
    ending: Any = st.tuples(st.sampled_from(("close", "abort")), pairs, st.just([]))
    return st.lists(
        st.one_of(send, send, send, send, ending).map(lambda s: [s[0], *s[1], s[2]]), max_size=8
    )


def trace(factory: LoopFactory, program: list[Any]) -> Any:
    loop = factory()
    try:
        return loop.run_until_complete(_all(program))
    finally:
        loop.close()


class _Endpoint(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[tuple[Any, bytes]] = []
        self.events: list[Any] = []
        self.lost = asyncio.Event()
        self.came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.address: Any = transport.get_extra_info("sockname")
        self.events.append("made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.events.append(type(data).__name__)
        self.got.append((addr, data))
        self.came.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.events.append(["lost", type(error).__name__])
        self.lost.set()

    async def count(self, wanted: int) -> None:
        while len(self.got) < wanted:
            self.came.clear()
            await self.came.wait()


async def _all(program: list[Any]) -> Any:
    loop = asyncio.get_running_loop()
    ends = {name: _Endpoint(name) for name in "abc"}
    for name in "ab":
        await loop.create_datagram_endpoint(
            lambda name=name: ends[name],  # type: ignore[misc]
            local_addr=("127.0.0.1", 0),
        )
    await loop.create_datagram_endpoint(lambda: ends["c"], remote_addr=ends["a"].address)
    expected = dict.fromkeys(ends, 0)
    gone: set[str] = set()
    for number, (kind, source, target, sizes) in enumerate(program):
        if kind in ("close", "abort"):
            getattr(ends[source].transport, kind)()
            gone.add(source)
        elif source not in gone:
            _send(ends, number, kind, source, target, sizes)
            if target not in gone:
                expected[target] += len(sizes)
                try:
                    await asyncio.wait_for(ends[target].count(expected[target]), PATIENCE)
                except TimeoutError:
                    return {"lost": [number, kind, source, target]}
    for end in ends.values():
        end.transport.close()
        await end.lost.wait()
    names = {end.address[:2]: name for name, end in ends.items()}
    return {
        name: {
            "got": [
                [names.get(address[:2]), len(data), data[:1].hex()] for address, data in end.got
            ],
            "events": end.events,
        }
        for name, end in ends.items()
    }


def _send(
    ends: dict[str, _Endpoint], number: int, kind: str, source: str, target: str, sizes: list[int]
) -> None:
    wrap = {"send": bytes, "bytearray": bytearray, "memoryview": memoryview}[kind]
    for index, size in enumerate(sizes):
        data = wrap(bytes([16 * number + index]) * size)
        if source == "c":
            ends["c"].transport.sendto(data)
        else:
            ends[source].transport.sendto(data, ends[target].address)


FAMILY = Family("datagrams", programs, trace, 150)


@program(
    "differential:datagrams",
    expected="every datagram arrives once, in order, with its sender's address",
    leaves=("logs", "warnings"),
    seconds=SECONDS,
)
def datagrams(t: Trial) -> None:
    """Generated exchanges of datagrams between endpoints that are closed in between."""
    compare(t, FAMILY)
