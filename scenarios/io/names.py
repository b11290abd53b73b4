"""Looking up names that need no name server."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, ClassVar

from loopgauge.scenarios.model import Lacking, Param, Scenario, require


class GetaddrinfoLiteral(Scenario):
    """Every `create_connection` to an address passes here; stock asyncio sends all but the plainest
    to a thread. Each answer is compared with that of the socket module."""

    id = "io.getaddrinfo_literal"
    summary = "getaddrinfo of an address that is written out"
    unit = "look-up"
    rules: tuple[str, ...] = ("DNS-001", "DNS-005")
    aside: tuple[str, ...] = (
        "DNS-001.in-turn-localhost",
        "DNS-001.same-localhost*",
        "DNS-001.*-scope",
    )
    params = (Param("host", str, "127.0.0.1", ("127.0.0.1", "::1"), "what is looked up"),)
    full: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"host": "::1"})
    slot_s = 0.004
    host: str

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._expected = socket.getaddrinfo(self.host, 80, type=socket.SOCK_STREAM)
        # The second port, so that an answer that is only remembered is found out.
        other = loop.run_until_complete(loop.getaddrinfo(self.host, 81, type=socket.SOCK_STREAM))
        require(
            other == socket.getaddrinfo(self.host, 81, type=socket.SOCK_STREAM),
            f"the loop's answer differs from that of socket.getaddrinfo: {other}",
        )

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        return loop.run_until_complete(self._look_up(loop, n))

    async def _look_up(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        host, expected = self.host, self._expected
        done = 0
        for _ in range(n):
            done += await loop.getaddrinfo(host, 80, type=socket.SOCK_STREAM) == expected
        return done


class GetaddrinfoLocalhost(GetaddrinfoLiteral):
    """The C library reads its files, so that every loop needs a thread for it; CPU time of that
    thread included."""

    id = "io.getaddrinfo_localhost"
    summary = "getaddrinfo of a name that stands in /etc/hosts"
    rules = ("DNS-001", "DNS-003")
    aside = (
        "DNS-001.in-turn-127.0.0.1",
        "DNS-001.in-turn-::1",
        "DNS-001.same-ipv6*",
        "DNS-001.same-numeric*",
        "DNS-003.turns-getnameinfo",
    )
    params = (Param("host", str, "localhost", ("localhost",), "what is looked up"),)
    full = ({},)

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        try:
            socket.getaddrinfo(self.host, 80)
        except socket.gaierror as error:
            raise Lacking(
                f"this machine does not know {self.host} (put it into /etc/hosts): {error}"
            ) from error
        super().prepare(loop, native)
