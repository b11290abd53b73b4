"""The loop's `_selector`: a view of the native watch table with the interface of `selectors`.

CPython's transports ask it what is registered, its scheduler calls select(). The storage is the
loop's own: one epoll instance, one table.
"""

from __future__ import annotations

import selectors
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopgauge.loops.epoll.event_loop import EventLoop


class _Map(Mapping[Any, selectors.SelectorKey]):
    """Registered descriptors to their keys."""

    def __init__(self, selector: EpollSelector) -> None:
        self._selector = selector

    def __len__(self) -> int:
        return len(self._selector._loop()._watch_list())

    def __iter__(self) -> Iterator[int]:
        return iter(self._selector._loop()._watch_list())

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.get_key(fileobj)


class EpollSelector(selectors.BaseSelector):
    """`data` of every registration is a pair (reader handle or None, writer handle or None)."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop_ref = weakref.ref(loop)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "select":  # a patched select() counts: only CPython's scheduler calls it
            self._loop()._become_compatible()

    def _loop(self) -> EventLoop:
        loop = self._loop_ref()
        if loop is None:
            raise RuntimeError("the selector's event loop is gone")
        return loop

    def _key(self, fd: int, watch: tuple[int, Any, Any]) -> selectors.SelectorKey:
        events, reader, writer = watch
        return selectors.SelectorKey(fd, fd, events, (reader, writer))

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Starts watching. KeyError if `fileobj` is registered, ValueError for wrong events."""
        if self._loop()._watch_get(fileobj) is not None:
            raise KeyError(f"{fileobj!r} is already registered")
        return self._set(fileobj, events, data)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Changes events and handles. KeyError if `fileobj` is not registered."""
        self.get_key(fileobj)
        return self._set(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Stops watching. KeyError if `fileobj` is not registered."""
        key = self.get_key(fileobj)
        self._loop()._watch_set(key.fd, None, None)
        return key

    def _set(self, fileobj: Any, events: int, data: Any) -> selectors.SelectorKey:
        if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        reader, writer = data
        self._loop()._watch_set(
            fileobj,
            reader if events & selectors.EVENT_READ else None,
            writer if events & selectors.EVENT_WRITE else None,
        )
        return self.get_key(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Waits for events, at most `timeout` seconds (None: without end)."""
        loop = self._loop()
        ready = []
        for fd, mask in loop._wait(timeout):
            watch = loop._watch_get(fd)
            if watch is not None:
                ready.append((self._key(fd, watch), mask & watch[0]))
        return ready

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """The key of a registered file object. KeyError if it is not registered."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        watch = self._loop()._watch_get(fd)
        if watch is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return self._key(fd, watch)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """A live view of what is registered."""
        return _Map(self)

    def close(self) -> None:
        """Nothing: the descriptors are the loop's, which closes them."""
