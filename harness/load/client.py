"""Starts the load generator and talks to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TypeVar

import msgspec

from loopgauge.harness.errors import HarnessError
from loopgauge.harness.load import protocol

MAX_PACKET = 1 << 20  # bytes; a full histogram is below 400 KiB
QUIT_TIMEOUT_S = 5.0

_decoder: msgspec.json.Decoder[protocol.AnyAnswer] = msgspec.json.Decoder(protocol.AnyAnswer)
AnswerT = TypeVar("AnswerT", bound=protocol.Answer)


class LoadError(HarnessError):
    """The generator could not do what it was asked, or ended. `kind` is that of
    `protocol.Failed`, or "gone"."""

    def __init__(self, cause: str, kind: str) -> None:
        super().__init__(cause)
        self.kind = kind


def spare_cpu() -> int | None:
    """The core for a generator: the last of those this process may use; None when there is but
    one. Who wants the loop to have its own core keeps it off this one (os.sched_setaffinity)."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1] if len(allowed) > 1 else None


class LoadGenerator:
    """The generator's process. Context manager; ends with its starter in any case.

    In a loop: `send(command)`, `loop.add_reader(generator.fileno(), ...)`, then `receive()`.
    Anywhere else: `call(command)`, which blocks (so the server must run in another process or
    thread). LoadError from `receive` and `call`.
    """

    def __init__(self, cpu: int | None = None, environment: dict[str, str] | None = None) -> None:
        """`cpu`: the core to pin it to; None: none. Blocks until the process is up (~60 ms)."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                command_line(theirs.fileno(), cpu),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        try:
            self.hello = expect(self.receive(), protocol.Hello)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when an answer is there (or the generator is gone)."""
        return self._socket.fileno()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: protocol.AnyCommand) -> None:
        try:
            self._socket.send(msgspec.json.encode(command))
        except OSError as error:
            raise self._gone() from error

    def receive(self) -> protocol.AnyAnswer:
        """The next answer; blocks. Raises LoadError for `Failed` and when the process ended."""
        try:
            packet = self._socket.recv(MAX_PACKET)
        except ConnectionResetError:
            packet = b""
        if not packet:
            raise self._gone()
        answer = _decoder.decode(packet)
        if isinstance(answer, protocol.Failed):
            raise LoadError(answer.reason, answer.kind)
        return answer

    def call(self, command: protocol.AnyCommand) -> protocol.AnyAnswer:
        self.send(command)
        return self.receive()

    def close(self) -> None:
        """Ends the process, whatever it does, and reaps it. May be called twice."""
        self._socket.close()
        try:
            self._process.wait(QUIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> LoadGenerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _gone(self) -> LoadError:
        try:
            status = self._process.wait(QUIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return LoadError("the load generator closed its control socket", "gone")
        return LoadError(f"the load generator ended with status {status}", "gone")


def command_line(control: int, cpu: int | None) -> list[str]:
    pin: Iterable[str] = [] if cpu is None else ["--cpu", str(cpu)]
    return [sys.executable, "-m", "loopgauge.harness.load", "--control", str(control), *pin]


def expect(answer: protocol.AnyAnswer, kind: type[AnswerT]) -> AnswerT:
    """The answer as the type its command promises. Raises LoadError for another."""
    if not isinstance(answer, kind):
        raise LoadError(f"the load generator answered {answer!r}", "gone")
    return answer
