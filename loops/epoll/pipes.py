"""Pipes: native transports for one end of a pipe, a socket or a terminal."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge import _core


class Pipes(_core.LoopBase, asyncio.SelectorEventLoop):
    """A part of the loop: what connect_read_pipe() and connect_write_pipe() make."""

    _has_foreign_selector: bool

    def _make_read_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.ReadTransport:
        if self._has_foreign_selector:
            return super()._make_read_pipe_transport(pipe, protocol, waiter, extra)
        return _core.ReadPipeTransport(self, pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(
        self,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.WriteTransport:
        if self._has_foreign_selector:
            return super()._make_write_pipe_transport(pipe, protocol, waiter, extra)
        return _core.WritePipeTransport(self, pipe, protocol, waiter, extra)
