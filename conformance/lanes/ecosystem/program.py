"""What the programs share: the library, if it is installed, and a run of the loop as in real life.

Libraries are imported inside a program, so that listing the questions needs none of them.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from loopgauge.conformance.kit.tls import client_context, server_context
from loopgauge.conformance.trial import Trial

T = TypeVar("T")

#: Seconds for a program, imports included; it needs one or two on an idle core.
PROGRAM_SECONDS = 30.0

#: Over plain TCP and encrypted.
BOTH = ("tcp", "tls")


def library(t: Trial, name: str, package: str = "") -> Any:
    """The imported module `name`; ends the program where its package is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = package or name.partition(".")[0]
        t.not_applicable(f"{package} cannot be imported ({error}): pip install {package}")


def run(t: Trial, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As `asyncio.run(main())` on the loop under test; what the loop's exception handler is told
    about is a failure of the program."""
    told: list[str] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(f"{context['message']}: {context.get('exception')!r}")
        )
        return await main()

    with asyncio.Runner(loop_factory=t.factory) as runner:
        result = runner.run(watched())
    t.equal("what the loop's exception handler was told", told, [])
    return result


def contexts(t: Trial, variant: str) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """For the server and for the client; None over plain TCP."""
    if variant == "tcp":
        return None, None
    return server_context(t.directory), client_context()
