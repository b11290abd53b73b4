"""The pipe that carries results: one JSON object a line, written at once, never on stdout."""

from __future__ import annotations

import os

import msgspec

from loopgauge.harness.worker.plan import AnyMessage


class Channel:
    """`send` raises BrokenPipeError when the manager is gone. The descriptor stays the caller's."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # a scenario's subprocess must not keep the pipe open
        self._fd = fd
        self._encoder = msgspec.json.Encoder()

    def send(self, message: AnyMessage) -> None:
        line = self._encoder.encode(message) + b"\n"
        while line:
            line = line[os.write(self._fd, line) :]
