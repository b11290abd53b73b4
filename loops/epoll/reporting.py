"""How an exception that left a callback is reported: in the words of asyncio.Handle._run."""

from __future__ import annotations

import asyncio
import inspect
import logging
from asyncio import format_helpers
from typing import Any

# Debug mode speaks where asyncio speaks.
_logger = logging.getLogger("asyncio")

_format: Any = format_helpers._format_callback_source
_TAKES_DEBUG = "debug" in inspect.signature(_format).parameters


def report_callback_exception(handle: asyncio.Handle, exception: BaseException) -> None:
    """Tells the loop's exception handler. Raises what that handler is allowed to raise."""
    loop: Any = handle._loop  # type: ignore[attr-defined]
    keywords = {"debug": loop.get_debug()} if _TAKES_DEBUG else {}
    callback = _format(handle._callback, handle._args, **keywords)  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "message": f"Exception in callback {callback}",
        "exception": exception,
        "handle": handle,
    }
    if handle._source_traceback:  # type: ignore[attr-defined]
        context["source_traceback"] = handle._source_traceback  # type: ignore[attr-defined]
    loop.call_exception_handler(context)


def log_debug(text: str, transport: Any) -> None:
    """What debug mode tells of a transport."""
    _logger.debug(text, transport)


def log_info(text: str, transport: Any) -> None:
    """The same, where asyncio says it louder."""
    _logger.info(text, transport)


def log_warning(text: str) -> None:
    """What asyncio warns of."""
    _logger.warning(text)


def log_transport_error(transport: Any, message: str, error: BaseException) -> None:
    """An OSError that ended a connection: everyday, so only debug mode hears of it."""
    _logger.debug("%r: %s", transport, message, exc_info=error)
