"""Datagram endpoints for the tests, and a protocol that writes down what it is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


class Recorder(asyncio.DatagramProtocol):
    """Everything a transport calls, in order, as (name, argument)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.received: list[tuple[bytes, Any]] = []
        self.transport: Any = None
        self._condition: Callable[[], bool] = lambda: False
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._note("made", None)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.received.append((data, address))
        self._note("received", data)

    def error_received(self, error: Exception) -> None:
        self._note("error", type(error))

    def connection_lost(self, error: Exception | None) -> None:
        self._note("lost", error if error is None else type(error))

    def pause_writing(self) -> None:
        self._note("pause", None)

    def resume_writing(self) -> None:
        self._note("resume", None)

    def _note(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        self._look()

    def _look(self) -> None:
        if self._waiter is not None and not self._waiter.done() and self._condition():
            self._waiter.set_result(None)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when the condition, looked at after each call, holds."""
        self._condition = condition
        self._waiter = asyncio.get_running_loop().create_future()
        self._look()
        try:
            await asyncio.wait_for(self._waiter, 30)
        finally:
            self._condition, self._waiter = lambda: False, None  # it may refer back to this object

    async def until_called(self, name: str, count: int = 1) -> None:
        await self.until(lambda: self.names().count(name) >= count)


async def endpoint(protocol: Recorder | None = None, **keywords: Any) -> tuple[Any, Any]:
    """A transport and its protocol, bound to a free port of 127.0.0.1 unless told otherwise."""
    protocol = Recorder() if protocol is None else protocol
    if not keywords:
        keywords = {"local_addr": ("127.0.0.1", 0)}
    return await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, **keywords)


async def closed(*transports: Any) -> None:
    """Closes them and waits for connection_lost()."""
    for transport in transports:
        protocol = transport.get_protocol()
        transport.close()
        if protocol is not None:
            await protocol.until_called("lost")
