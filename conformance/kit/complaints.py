"""What a loop tells its exception handler."""

from __future__ import annotations

import asyncio
from typing import Any


class Complaints:
    """An exception handler that keeps what it was told.

    contexts: the dictionaries, in order; they keep what they name alive until `clear()`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.contexts: list[dict[str, Any]] = []
        loop.set_exception_handler(self)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.contexts.append(dict(context))

    def exceptions(self) -> list[BaseException | None]:
        return [context.get("exception") for context in self.contexts]

    def names(self) -> list[str]:
        """The types of the exceptions, in order."""
        return [type(exception).__name__ for exception in self.exceptions()]

    def clear(self) -> None:
        self.contexts.clear()
