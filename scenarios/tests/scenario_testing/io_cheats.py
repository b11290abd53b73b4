"""Stock loops that move bytes badly, each in one way; honest until `cheating` is set."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from scenario_testing.cheats import Cheat


def spoil(data: Any) -> bytes:
    """One bit of the last byte."""
    spoilt = bytearray(data)
    spoilt[-1] ^= 1
    return bytes(spoilt)


class _Sockets(Cheat):
    """Makes transports of `kind`, which know the loop."""

    kind: type

    def _make_socket_transport(self, *args: Any, **options: Any) -> Any:
        return self.kind(self, *args, **options)

    def _make_ssl_transport(self, *args: Any, **options: Any) -> Any:
        """Over an honest socket: the cheat is in front of the encryption."""
        transport = super()._make_ssl_transport(*args, **options)
        honest = transport.write
        transport.write = lambda data: self.kind.distort(self, honest, data)
        return transport


class _Distorting(asyncio.selector_events._SelectorSocketTransport):
    def write(self, data: Any) -> None:
        self.distort(self._loop, super().write, data)


class _Spoiling(_Distorting):
    @staticmethod
    def distort(loop: Any, write: Any, data: Any) -> None:
        write(spoil(data) if data and loop.turn_to_cheat() else data)


class SpoilsBytes(_Sockets):
    """Sends wrong bytes."""

    kind = _Spoiling


class _Dropping(_Distorting):
    @staticmethod
    def distort(loop: Any, write: Any, data: Any) -> None:
        if not loop.turn_to_cheat():
            write(data)


class DropsWrites(_Sockets):
    """Does not send."""

    kind = _Dropping


class _Doubling(_Distorting):
    @staticmethod
    def distort(loop: Any, write: Any, data: Any) -> None:
        write(data)
        if loop.turn_to_cheat():
            write(data)


class SendsTwice(_Sockets):
    """Sends the same once more."""

    kind = _Doubling


class _Unbounded(asyncio.selector_events._SelectorSocketTransport):
    def __init__(self, loop: Any, sock: socket.socket, *args: Any, **options: Any) -> None:
        # A kernel that takes little: else a client that reads fast enough leaves nothing to keep.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().__init__(loop, sock, *args, **options)

    def _maybe_pause_protocol(self) -> None:
        if not self._loop.cheating:
            super()._maybe_pause_protocol()


class NeverPauses(_Sockets):
    """Has no flow control: what is written is kept, however much it is."""

    kind = _Unbounded


class _Misreading(asyncio.selector_events._SelectorSocketTransport):
    def set_protocol(self, protocol: Any) -> None:
        super().set_protocol(protocol)
        received = getattr(protocol, "data_received", None)
        if received is not None:
            loop = self._loop
            protocol.data_received = lambda data: received(spoil(data) if loop.cheating else data)


class Misreads(_Sockets):
    """Hands over other bytes than arrived."""

    kind = _Misreading


class LosesDatagrams(Cheat):
    """Sends only some of the datagrams."""

    def _make_datagram_transport(self, *args: Any, **options: Any) -> Any:
        transport = super()._make_datagram_transport(*args, **options)
        send = transport.sendto

        def sendto(data: Any, addr: Any = None) -> None:
            if not self.turn_to_cheat():
                send(data, addr)

        transport.sendto = sendto
        return transport


class ForgetsConnections(Cheat):
    """Accepts connections and tells nobody."""

    def _make_socket_transport(self, sock: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        if self.cheating and options.get("server") is not None:
            protocol = asyncio.Protocol()
        return super()._make_socket_transport(sock, protocol, *args, **options)


class DoesNotConnect(Cheat):
    """Hands out connections that lead elsewhere."""

    async def create_connection(self, factory: Any, *args: Any, **options: Any) -> Any:
        if not self.turn_to_cheat():
            return await super().create_connection(factory, *args, **options)
        here, there = socket.socketpair()
        there.close()
        here.setblocking(False)
        return await super().create_connection(factory, sock=here)


class ReportsSuccess(Cheat):
    """Says of every process that it ended well."""

    def _child_watcher_callback(self, pid: int, returncode: int, transp: Any) -> None:
        super()._child_watcher_callback(pid, 0 if self.cheating else returncode, transp)


class RemembersAddresses(Cheat):
    """Answers every look-up with the first answer there was."""

    answer: Any = None

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if self.cheating and self.answer is None:
            self.answer = await super().getaddrinfo("127.0.0.2", port, **options)
        return self.answer or await super().getaddrinfo(host, port, **options)


class _SpoilingPipe(asyncio.unix_events._UnixWritePipeTransport):
    def write(self, data: Any) -> None:
        super().write(spoil(data) if self._loop.turn_to_cheat() else data)


class _UnboundedPipe(asyncio.unix_events._UnixWritePipeTransport):
    def _maybe_pause_protocol(self) -> None:
        if not self._loop.cheating:
            super()._maybe_pause_protocol()


class SpoilsPipes(Cheat):
    """Writes wrong bytes into pipes."""

    kind: type = _SpoilingPipe

    def _make_write_pipe_transport(self, *args: Any, **options: Any) -> Any:
        return self.kind(self, *args, **options)


class NeverPausesPipes(SpoilsPipes):
    """Has no flow control for pipes."""

    kind = _UnboundedPipe
