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


class _PieceLosing(asyncio.selector_events._SelectorSocketTransport):
    def writelines(self, pieces: Any) -> None:
        kept = list(pieces)
        super().writelines(kept[:-1] if self._loop.turn_to_cheat() else kept)


class LosesPieces(_Sockets):
    """Does not send the last of several pieces."""

    kind = _PieceLosing


class _PieceReordering(asyncio.selector_events._SelectorSocketTransport):
    def writelines(self, pieces: Any) -> None:
        kept = list(pieces)
        super().writelines(reversed(kept) if self._loop.turn_to_cheat() else kept)


class ReordersPieces(_Sockets):
    """Sends the last of several pieces first."""

    kind = _PieceReordering


class _Flooded(asyncio.selector_events._SelectorSocketTransport):
    def pause_reading(self) -> None:
        if not self._loop.cheating:
            super().pause_reading()


class NeverPausesReading(_Sockets):
    """Reads on, whoever asks it to stop."""

    kind = _Flooded


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


class DropsDatagrams(Cheat):
    """Does not hand over what it received."""

    def _make_datagram_transport(self, sock: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        received = protocol.datagram_received

        def datagram_received(data: bytes, address: Any) -> None:
            self.deliver(received, data, address)

        protocol.datagram_received = datagram_received
        return super()._make_datagram_transport(sock, protocol, *args, **options)

    def deliver(self, received: Any, data: bytes, address: Any) -> None:
        if not self.turn_to_cheat():
            received(data, address)


class MisreadsDatagrams(DropsDatagrams):
    """Hands over other bytes than arrived."""

    def deliver(self, received: Any, data: bytes, address: Any) -> None:
        received(spoil(data) if self.cheating else data, address)


class ForgetsConnections(Cheat):
    """Accepts connections and tells nobody."""

    def _make_socket_transport(self, sock: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        if self.cheating and options.get("server") is not None:
            protocol = asyncio.Protocol()
        return super()._make_socket_transport(sock, protocol, *args, **options)

    def _make_ssl_transport(self, sock: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        if self.cheating and options.get("server") is not None:
            protocol = asyncio.Protocol()
        return super()._make_ssl_transport(sock, protocol, *args, **options)


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


class ReportsAtOnce(Cheat):
    """Calls what add_reader is given without asking the kernel."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        if self.cheating:
            self.call_soon(callback, *args)


class KeepsReaders(Cheat):
    """Does not take descriptors out of the kernel's hands."""

    def remove_reader(self, fd: Any) -> bool:
        return True if self.cheating else super().remove_reader(fd)


class ReportsTwice(Cheat):
    """Takes an event of the kernel for two."""

    def _process_events(self, event_list: Any) -> None:
        super()._process_events(event_list * 2 if self.cheating else event_list)


class SendsOtherPart(Cheat):
    """Sends of a file something else than it was asked for."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: Any = None, **options: Any
    ) -> int:
        if not self.cheating:
            return await super().sendfile(transport, file, offset, count, **options)
        rest = await super().sendfile(transport, file, offset + 1, count - 1, **options)
        return rest + await super().sendfile(transport, file, offset, 1, **options)


class SendsLess(Cheat):
    """Sends half of a file, and says that it was all."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: Any = None, **options: Any
    ) -> int:
        if not self.cheating:
            return await super().sendfile(transport, file, offset, count, **options)
        await super().sendfile(transport, file, offset, count // 2, **options)
        return int(count)


class StaysPlain(Cheat):
    """Does not encrypt."""

    async def start_tls(self, transport: Any, *args: Any, **options: Any) -> Any:
        if self.turn_to_cheat():
            return transport
        return await super().start_tls(transport, *args, **options)


class SkipsThreads(Cheat):
    """Reads files in the loop's own thread, and does not write what it says it wrote."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        name = getattr(args[0], "__name__", "") if args else ""
        if name not in ("read", "write") or not self.turn_to_cheat():
            return super().run_in_executor(executor, func, *args)
        done = self.create_future()
        if name == "write":
            done.set_result(len(args[1]))
        else:
            done.set_result(args[0].__self__.read())
        return done
