"""Children of the loop under test, and what /proc says about them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any


class ProcessRecorder(asyncio.SubprocessProtocol):
    """`calls`: what the loop told, in order ("data 1" once in a row); `data` by descriptor;
    `errors`: the arguments of pipe_connection_lost by descriptor; `exited`, `lost`: futures."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.calls: list[str] = []
        self.data: dict[int, bytes] = {1: b"", 2: b""}
        self.errors: dict[int, Exception | None] = {}
        self.transport: Any = None
        self.error: Exception | None = None
        self.exited: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ends: dict[int, asyncio.Future[None]] = {}

    async def received(self, fd: int, count: int) -> bytes:
        """Waits until `count` bytes have come from descriptor `fd` in all."""
        if len(self.data[fd]) < count:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append((fd, count, waiter))
            await waiter
        return self.data[fd]

    async def ended(self, fd: int) -> None:
        """Waits until the pipe of descriptor `fd` has ended."""
        if fd not in self.errors:
            self._ends[fd] = self._loop.create_future()
            await self._ends[fd]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.calls.append("connection_made")

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self.calls[-1:] != [f"data {fd}"]:
            self.calls.append(f"data {fd}")
        self.data[fd] += data
        for wanted, count, waiter in self._waiting:
            if wanted == fd and len(self.data[fd]) >= count and not waiter.done():
                waiter.set_result(None)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self.calls.append(f"end {fd}")
        self.errors[fd] = exc
        if fd in self._ends:
            self._ends.pop(fd).set_result(None)

    def process_exited(self) -> None:
        self.calls.append("process_exited")
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("connection_lost")
        self.error = exc
        self.lost.set_result(None)


async def start(*command: Any, **options: Any) -> tuple[Any, ProcessRecorder]:
    """loop.subprocess_exec() with a ProcessRecorder."""
    loop = asyncio.get_running_loop()
    return await loop.subprocess_exec(lambda: ProcessRecorder(loop), *command, **options)


async def finished(transport: Any, protocol: ProcessRecorder) -> None:
    """Waits for the end of a child and of its pipes, and closes the transport."""
    await protocol.lost
    transport.close()


async def output(*command: Any, **options: Any) -> bytes:
    """What a child writes to its standard output; its standard input is /dev/null."""
    options.setdefault("stdin", asyncio.subprocess.DEVNULL)
    options.setdefault("stdout", asyncio.subprocess.PIPE)
    child = await asyncio.create_subprocess_exec(*command, **options)
    seen, _ = await child.communicate()
    return seen


def exists(pid: int) -> bool:
    """Whether there is a process of that number, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def pipes_held() -> int:
    """How many descriptors of pipes and sockets this process has."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        count += target.startswith(("pipe:", "socket:"))
    return count


def children() -> set[int]:
    """The children of this process, zombies included. Each belongs to the thread that started it,
    and passes to another one when that thread ends, so an end while reading begins it again."""
    while True:
        try:
            return {
                int(pid)
                for task in Path("/proc/self/task").iterdir()
                for pid in (task / "children").read_text().split()
            }
        except (FileNotFoundError, ProcessLookupError):
            continue
