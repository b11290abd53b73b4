"""The Python half of the built-in loop: what runs once per loop, per run or per signal handler."""

from __future__ import annotations

import asyncio
import functools
import selectors
import signal
import sys
from asyncio.coroutines import _is_debug_mode  # type: ignore[attr-defined]
from collections.abc import Callable
from typing import Any, TypeVarTuple, Unpack

from loopgauge import _core
from loopgauge.loops.epoll.attributes import adopt_defaults
from loopgauge.loops.epoll.datagram import Datagrams
from loopgauge.loops.epoll.pipes import Pipes
from loopgauge.loops.epoll.selector import EpollSelector
from loopgauge.loops.epoll.sockets import SocketMethods
from loopgauge.loops.epoll.streams import Streams
from loopgauge.loops.epoll.subprocess import Subprocesses
from loopgauge.loops.epoll.tls import TLSConnections

if sys.version_info >= (3, 13):
    _Stock = asyncio.SelectorEventLoop
else:
    from loopgauge.loops.epoll.before_3_13 import ExecutorTimeout, RunForeverParts

    class _Stock(RunForeverParts, ExecutorTimeout, asyncio.SelectorEventLoop):
        """CPython's loop with what later versions have."""


_Ts = TypeVarTuple("_Ts")


class _SignalEnd:
    """What CPython knows as the writing socket of the self-pipe: only its number is asked for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class EventLoop(
    SocketMethods,
    Pipes,
    Subprocesses,
    _core.LoopBase,
    Streams,
    Datagrams,
    TLSConnections,
    _Stock,
):
    """A drop-in asyncio event loop on epoll.

    `selector` is for compatibility: with a selector of your own the loop schedules as CPython's
    does, and is as slow.
    """

    _signal_read_fd: int | None = None
    _has_foreign_selector = False

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        if selector is not None:
            self._has_foreign_selector = True
            self._use_foreign_selector()
            super().__init__(selector)
        elif type(self) is not EventLoop or not _has_defaults():
            super().__init__(EpollSelector(self))
        else:
            self._use_own_queues()
            if _is_debug_mode():
                self.set_debug(True)

    @functools.cached_property
    def _selector(self) -> EpollSelector | None:
        return EpollSelector(self)

    # ---- running ------------------------------------------------------------------------------

    def _run_forever_compatible(self) -> None:
        """run_forever() with CPython's scheduler: debug mode, an override, a patched clock."""
        self._run_forever_setup()
        try:
            while True:
                self._run_once()
                if self._stopping:
                    break
        finally:
            self._run_forever_cleanup()

    def close(self) -> None:
        """Closes the loop and its descriptors. Callbacks that are still queued never run."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        if self._needs_nothing_closed():
            self._closed = True
            self._executor_shutdown_called = True
            self._internal_fds = 0
            self._selector = None
        else:
            super().close()
        self._close_native()

    def _needs_nothing_closed(self) -> bool:
        """No executor, signal handler or selector was ever asked for: CPython's close() would only
        make them to close them."""
        made = vars(self)
        return not (
            self._debug
            or self._default_executor is not None
            or "_selector" in made
            or "_signal_handlers" in made
        )

    # ---- waking up ----------------------------------------------------------------------------
    # Threads wake the loop through its eventfd. Signals need a pipe, because
    # signal.set_wakeup_fd() writes one byte, which an eventfd refuses; it is made when the first
    # handler is added, and watched as long as there is one.

    # A selector of the user's knows nothing of either: there the self-pipe is CPython's.

    def _make_self_pipe(self) -> None:
        if self._has_foreign_selector:
            super()._make_self_pipe()
            return
        self._ssock: Any = None
        self._csock: Any = None
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        if self._has_foreign_selector:
            super()._close_self_pipe()
            return
        self._csock = None
        self._internal_fds -= 1

    def _check_signal(self, sig: int) -> None:
        """CPython's asks signal.valid_signals() anew each time, which takes 50 us and more."""
        if not (isinstance(sig, int) and sig in _valid_signals()):
            super()._check_signal(sig)

    def add_signal_handler(
        self, sig: int, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts
    ) -> None:
        """Calls the callback when the signal arrives. Main thread only.

        Raises TypeError for a coroutine, ValueError for a signal number that is none, RuntimeError
        outside the main thread or for a signal that cannot be caught.
        """
        if self._csock is None and not self.is_closed():
            self._signal_read_fd, write_fd = self._open_signal_pipe()
            self._csock = _SignalEnd(write_fd)
        super().add_signal_handler(sig, callback, *args)
        # CPython's own handle would need CPython's scheduler, for good, at the first signal.
        self._signal_handlers[sig] = self._make_handle(callback, args)
        if self._signal_read_fd is not None:
            self._add_reader(self._signal_read_fd, self._read_from_self)

    def remove_signal_handler(self, sig: int) -> bool:
        """Restores the signal's default handler. True if there was a handler of this loop."""
        removed = super().remove_signal_handler(sig)
        if removed and not self._signal_handlers and self._signal_read_fd is not None:
            self._remove_reader(self._signal_read_fd)
        return removed

    def _read_from_self(self) -> None:
        if self._has_foreign_selector:
            super()._read_from_self()
            return
        self._process_self_data(self._drain_signal_pipe())


class _Constructed(EventLoop):
    """A loop made by CPython's constructors."""

    def __init__(self) -> None:
        _Stock.__init__(self, EpollSelector(self))


@functools.cache
def _has_defaults() -> bool:
    """Looks at CPython's attributes, once per process. False: each loop has to be constructed."""
    constructed = _Constructed()
    try:
        return adopt_defaults(EventLoop, constructed, own=frozenset({"_selector", "_transports"}))
    finally:
        constructed.close()


@functools.cache
def _valid_signals() -> frozenset[int]:
    return frozenset(map(int, signal.valid_signals()))
