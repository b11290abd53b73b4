"""What a scenario needs of the load generator: clients, or servers, in a process of their own."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from loopgauge.scenarios.checks import CheckFailed


class Generator(Protocol):
    """The generator as whoever drives a scenario hands it over; the commands and answers are those
    of harness/load/protocol.py. One command at a time.

    `receive` and `wait` raise CheckFailed for what the loop under test did wrong and Lacking for
    what this machine lacks.
    """

    def new_id(self) -> int:
        """For one more group of connections."""

    def fileno(self) -> int:
        """Readable when an answer may be there."""

    def send(self, command: str, **fields: Any) -> None: ...

    def receive(self) -> Any | None:
        """The answer to the last command; None while it is not there."""

    def wait(self) -> Any:
        """The same, blocking: no loop runs meanwhile."""


class Traffic:
    """One group of the generator's connections, and the loop that serves them meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop, generator: Generator | None) -> None:
        if generator is None:
            raise NotImplementedError("this scenario needs the load generator")
        self._loop = loop
        self._generator = generator
        self._id = generator.new_id()
        self._answer: Any = None
        self._error: BaseException | None = None
        self._opened = False
        self._waiting = False
        loop.add_reader(generator.fileno(), self._look)

    def open(self, **fields: Any) -> Any:
        """Returns when all connections stand. The loop runs meanwhile."""
        self._opened = True
        return self._ask("open", **fields)

    def listen(self, **fields: Any) -> Any:
        """The generator as the server; `address` of the answer is where."""
        self._opened = True
        self._generator.send("listen", id=self._id, **fields)
        return self._generator.wait()

    def go(self, n: int, **fields: Any) -> Any:
        """`n` operations; the loop runs until the last is answered and verified."""
        return self._ask("go", n=n, **fields)

    def rate(self, n: int, per_second: float, drain_s: float) -> Any:
        """`n` operations, due at a constant rate; the loop runs until the last is answered, or
        given up `drain_s` after it was due. The answer has the histograms."""
        seconds = (n + 0.5) / per_second  # half an operation more: the generator rounds down
        return self._ask(
            "rate", per_second=per_second, seconds=seconds, drain_s=drain_s, histogram=True
        )

    def send_go(self, n: int) -> None:
        """The same for a caller that has work of its own in the loop; `finish` follows."""
        self._begin("go", n=n)

    def finish(self) -> Any:
        """Runs the loop until the answer to `send_go` is there."""
        if self._answer is None and self._error is None:
            self._waiting = True
            self._loop.run_forever()
            self._waiting = False
        return self._take()

    def close(self) -> None:
        """Closes the connections from the clients' side. May be called twice."""
        self._loop.remove_reader(self._generator.fileno())
        if self._opened:
            self._opened = False
            self._generator.send("close", id=self._id)
            self._generator.wait()

    def _ask(self, command: str, **fields: Any) -> Any:
        self._begin(command, **fields)
        return self.finish()

    def _begin(self, command: str, **fields: Any) -> None:
        self._answer = self._error = None
        self._generator.send(command, id=self._id, **fields)

    def _take(self) -> Any:
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise CheckFailed("the loop stopped before its clients had their answers")
        return self._answer

    def _look(self) -> None:
        """Of the same descriptor in other loops nothing may be left to read: then go on."""
        try:
            self._answer = self._generator.receive()
        except Exception as error:
            self._error = error
        if self._waiting and (self._answer is not None or self._error is not None):
            self._loop.stop()
