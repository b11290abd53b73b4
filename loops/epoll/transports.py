"""Sockets to native transports, and what CPython's code expects to find about them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopgauge.loops.epoll.event_loop import EventLoop


class TransportMap(weakref.WeakValueDictionary[int, Any]):
    """The loop's `_transports`: those of CPython's classes, which register themselves, and the
    native ones, which the loop has in a table of its own."""

    def __init__(self, loop: EventLoop) -> None:
        super().__init__()
        self._loop_ref = weakref.ref(loop)

    def _native(self, fd: int) -> Any:
        loop = self._loop_ref()
        return None if loop is None else loop._native_transport(fd)

    def __getitem__(self, fd: int) -> Any:
        native = self._native(fd)
        return super().__getitem__(fd) if native is None else native

    def get(self, fd: int, default: Any = None) -> Any:
        native = self._native(fd)
        return super().get(fd, default) if native is None else native

    def __contains__(self, fd: object) -> bool:
        return (isinstance(fd, int) and self._native(fd) is not None) or super().__contains__(fd)

    def __setitem__(self, fd: int, transport: Any) -> None:
        loop = self._loop_ref()
        if loop is not None and type(transport).__module__ == "loopgauge._core":
            loop._set_native_transport(fd, transport)
        else:
            super().__setitem__(fd, transport)

    def __delitem__(self, fd: int) -> None:
        loop = self._loop_ref()
        if loop is not None and self._native(fd) is not None:
            loop._set_native_transport(fd, None)
        else:
            super().__delitem__(fd)

    def __iter__(self) -> Iterator[int]:
        return iter(dict(self.items()))

    def __len__(self) -> int:
        return len(dict(self.items()))

    def keys(self) -> Iterator[int]:  # type: ignore[override]
        return iter(self)

    def values(self) -> Iterator[Any]:  # type: ignore[override]
        return iter(dict(self.items()).values())

    def items(self) -> Iterator[tuple[int, Any]]:  # type: ignore[override]
        loop = self._loop_ref()
        native = [] if loop is None else loop._native_transports()
        yield from ((transport._sock_fd, transport) for transport in native)
        yield from super().items()
