"""Files: sent by the kernel, or read and written in the threads of an executor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.io.bulk import COUNT, MIB
from loopgauge.scenarios.io.certificate import server_context
from loopgauge.scenarios.io.served import Served
from loopgauge.scenarios.io.servers import Connected, Connections, ProtocolServer, Server
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.reliance import carriers_of

T = TypeVar("T")
SHARED_MEMORY = Path("/dev/shm")


def new_folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where the system has a place for it: disks are not what is measured."""
    usable = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    return tempfile.TemporaryDirectory(
        prefix="loopgauge-", dir=SHARED_MEMORY if usable else None, ignore_cleanup_errors=True
    )


class InExecutor(Scenario):
    """The way of the file libraries for asyncio: every call on the file is handed to a thread and
    awaited. One thread of its own, as in throughput.run_in_executor; its CPU time counts."""

    unit = "file"
    rules = ("EXEC-001", "EXEC-003", "SOON-015", "SOON-019")
    requires = frozenset({"executor"})
    slot_s = 0.010
    has_floor = True
    size: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="scenario")
        self._calls = 0
        self.make_source()
        self._hand_over = loop.run_in_executor
        ident = loop.run_until_complete(self.threaded(threading.get_ident))
        require(ident != threading.get_ident(), "run_in_executor ran the function in the loop")
        self.perform(loop, 1)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._calls = 0
        done = loop.run_until_complete(self._repeat(n))
        wanted = n * self.calls()
        require(self._calls == wanted, f"{self._calls} of {wanted} calls ran in the executor")
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        pool, folder = getattr(self, "_pool", None), getattr(self, "_folder", None)
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        if folder is not None:
            folder.cleanup()

    def make_source(self) -> None:
        """The file, until `release`."""
        self._folder = new_folder()
        self.content = os.urandom(self.size)
        self.source = Path(self._folder.name) / "source"
        self.source.write_bytes(self.content)

    async def threaded(self, function: Callable[..., T], *arguments: Any) -> T:
        return await self._hand_over(self._pool, self._call, function, *arguments)

    @abstractmethod
    async def one(self) -> None:
        """One operation, with its check. Raises CheckFailed."""

    @abstractmethod
    def calls(self) -> int:
        """In threads, of one operation."""

    def require_content(self, data: bytes) -> None:
        require(data == self.content, "the bytes that were read are not those of the file")

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """In the thread."""
        self._calls += 1
        return function(*arguments)

    async def _repeat(self, n: int) -> int:
        for _ in range(n):
            await self.one()
        return n


class FileReadExecutor(InExecutor):
    """Three calls in a thread: open, read, close."""

    id = "io.file_read_executor"
    summary = "a file is opened, read and closed through an executor"
    params = (Param("size", int, MIB, (1, 4096, MIB), "bytes of the file"),)
    full = ({}, {"size": 4096})

    def floor_work(self, native: Any) -> Work:
        self.make_source()
        return cast(Work, native.bare_file_read(str(self.source), self.content))

    async def one(self) -> None:
        file: Any = await self.threaded(open, self.source, "rb", 0)
        try:
            data = await self.threaded(file.read)
        finally:
            await self.threaded(file.close)
        self.require_content(data)

    def calls(self) -> int:
        return 3


class FileCopy(InExecutor):
    """Four calls in a thread to open and close both, and two for each piece. The copy is read back
    by the scenario itself after each run; every write must say that it took all of the piece."""

    id = "io.file_copy"
    summary = "a file is copied piece by piece through an executor"
    params = (
        Param("size", int, MIB, (1, MIB), "bytes of the file"),
        Param("piece", int, 65_536, (1024, 65_536, MIB), "bytes of one read and one write"),
    )
    full = ({}, {"piece": MIB})
    piece: int

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        target = self._target()
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        self._copied = 0
        done = super().perform(loop, n)
        require(
            self._copied == n * self.size, f"{self._copied} of {n * self.size} bytes were written"
        )
        self.require_content(target.read_bytes())
        return done

    def floor_work(self, native: Any) -> Work:
        self.make_source()
        source, target = str(self.source), str(self._target())
        return cast(Work, native.bare_file_copy(source, target, self.piece))

    async def one(self) -> None:
        threaded = self.threaded
        source = await threaded(open, self.source, "rb", 0)
        try:
            target = await threaded(open, self._target(), "wb", 0)
            try:
                while data := await threaded(source.read, self.piece):
                    self._copied += await threaded(target.write, data)
            finally:
                await threaded(target.close)
        finally:
            await threaded(source.close)

    def calls(self) -> int:
        pieces = -(-self.size // self.piece)
        return 4 + 2 * pieces + 1  # the last read finds the end

    def _target(self) -> Path:
        return self.source.with_name("target")


class FileSource(Connected, asyncio.Protocol):
    """Answers a request for so many bytes by sending the file as often as that takes."""

    def __init__(self, connections: Connections, file: Any) -> None:
        super().__init__(connections)
        self._file = file
        self._request = b""
        self._sending: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        self._request += data
        if len(self._request) >= COUNT:
            size = int.from_bytes(self._request[:COUNT], "big")
            self._request = self._request[COUNT:]
            self._sending = asyncio.get_running_loop().create_task(self._send(size // MIB))
            self._sending.add_done_callback(report)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, times: int) -> None:
        loop, transport = asyncio.get_running_loop(), self.transport
        for _ in range(times):
            self._file.seek(0)  # offset=0 means "from here" where the kernel cannot do it
            try:
                sent = await loop.sendfile(transport, self._file, 0, MIB)
            except ConnectionError:
                return  # the client has gone, and knows why
            except RuntimeError:
                if transport.is_closing():
                    return
                raise
            require(sent == MIB, f"sendfile says that it sent {sent} bytes of {MIB}")


def report(task: asyncio.Task[None]) -> None:
    """A failed task ends the run at once, instead of waiting for the guard."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": "the server of the scenario failed", "exception": error}
        )


class SendfileServer(ProtocolServer):
    async def start(self) -> str:
        await require_sendfile(asyncio.get_running_loop())
        return await super().start()


async def require_sendfile(loop: asyncio.AbstractEventLoop) -> None:
    """Raises NotImplementedError here: inside a connection it would only look like its end."""
    near, far = socket.socketpair()
    with far, tempfile.TemporaryFile() as file:
        file.write(b"x")
        file.flush()
        near.setblocking(False)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        try:
            await loop.sendfile(transport, file)
        finally:
            transport.close()


class Sendfile(Served):
    """The client asks for several MiB at once; each is one sendfile() of a file of that size. Over
    TLS the kernel cannot do it, and the loop reads the file and encrypts it."""

    id = "io.sendfile"
    summary = "a file of 1 MiB is sent with loop.sendfile"
    unit = "MiB"
    rules: tuple[str, ...] = ("SNDF-001", "SNDF-002", "SNDF-003", "SNDF-007", "PROT-004")
    params = (Param("transport", str, "tcp", ("tcp", "tls"), "what carries the bytes"),)
    full = ({}, {"transport": "tls"})
    slot_s = 0.02
    floor_kind = "sendfile"
    transport: str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        if self.transport == "tcp":
            self.rules = ("SNDF-001", "SNDF-002", "SNDF-007", "PROT-004")
        self.carriers = carriers_of(self.transport)
        self.has_floor = self.transport == "tcp"
        needs = {"sendfile", "tls"} if self.transport == "tls" else {"sendfile"}
        self.requires = self.requires | needs

    @property
    def grain(self) -> int:
        return 4

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        if native is None:
            raise NotImplementedError("this scenario needs loopgauge._bench")
        self._folder_of_file = new_folder()
        path = Path(self._folder_of_file.name) / "content"
        path.write_bytes(native.load_pattern(MIB))
        self._file = path.open("rb")
        super().prepare(loop, native)
        self.perform(loop, self.grain)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        super().release(loop)
        file, folder = getattr(self, "_file", None), getattr(self, "_folder_of_file", None)
        if file is not None:
            file.close()
        if folder is not None:
            folder.cleanup()

    def make_server(self) -> Server:
        tls = server_context() if self.transport == "tls" else None
        return SendfileServer(lambda connections: FileSource(connections, self._file), None, tls)

    def clients(self) -> dict[str, Any]:
        return {"kind": self.transport, "pattern": "source", "connections": 1, "size": MIB}
