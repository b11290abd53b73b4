"""Watched descriptors: what one costs to watch, and what many that are never ready cost."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, ClassVar, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.io import limits
from loopgauge.scenarios.model import Param, Scenario, require


class IdlePool:
    """Descriptors that are never ready, shared by all loops of the process: an epoll instance
    watches a descriptor of its own accord, so ten loops need no ten thousand each.

    The limit of the process is raised as long as somebody holds descriptors, and given back.
    """

    descriptors: ClassVar[list[int]] = []
    _holders: ClassVar[int] = 0
    _rooms: ClassVar[list[int]] = []

    @classmethod
    def take(cls, count: int) -> list[int]:
        """`count` of them; `give_back` follows. Raises Lacking where the limit is too low."""
        more = max(count - len(cls.descriptors), 0)
        limits.make_room(more, "idle descriptors", "idle")
        cls._rooms.append(more)
        cls._holders += 1
        while len(cls.descriptors) < count:
            cls.descriptors.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        return cls.descriptors[:count]

    @classmethod
    def give_back(cls) -> None:
        cls._holders -= 1
        if cls._holders:
            return
        for fd in cls.descriptors:
            os.close(fd)
        cls.descriptors.clear()
        while cls._rooms:
            limits.give_back(cls._rooms.pop())


class AmongIdle(Scenario):
    """A scenario with descriptors that are watched and never readable."""

    requires = frozenset({"fd"})
    slot_s = 0.004
    has_floor = True
    idle: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._woken = 0
        self._watched: list[int] = []
        self._own: list[int] = []
        for fd in self.take_idle():
            loop.add_reader(fd, self._wake, fd)
            self._watched.append(fd)
        self._own = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(RING)]
        self._prove_watched(loop)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        watched, self._watched = getattr(self, "_watched", []), []
        own, self._own = getattr(self, "_own", []), []
        try:
            for fd in (*watched, *own):
                loop.remove_reader(fd)
        finally:
            for fd in own:
                os.close(fd)
            if getattr(self, "_held", False):
                self._held = False
                IdlePool.give_back()

    def take_idle(self) -> list[int]:
        """The idle descriptors, until `release`."""
        self._held = False
        descriptors = IdlePool.take(self.idle)
        self._held = True
        return descriptors

    def require_idle(self) -> None:
        require(self._woken == 0, f"{self._woken} descriptors that are not readable were reported")

    def _prove_watched(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first, the middle and the last idle one are really watched; none of them is reported
        when it is not readable. Rule FDRW-001."""
        for fd in {self._watched[0], self._watched[len(self._watched) // 2], self._watched[-1]}:
            os.eventfd_write(fd, 1)
            loop.run_forever()  # `_wake` ends it
            require(self._woken == 1, f"a readable descriptor was reported {self._woken} times")
            self._woken = 0
        for _ in range(3):
            loop.call_soon(loop.stop)
            loop.run_forever()
        self.require_idle()

    def _wake(self, fd: int) -> None:
        self._woken += 1
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(fd)
        asyncio.get_running_loop().stop()


class IdleFds(AmongIdle):
    """Two descriptors make each other readable in turn, so that every turn has exactly one event; a
    loop that looks at all it watches pays for the idle ones."""

    id = "io.idle_fds"
    summary = "turns with one readable descriptor among many that are idle"
    unit = "turn"
    rules = ("FDRW-001", "FDRW-015")
    params = (
        Param("idle", int, 1000, (10, 1000, 10_000), "descriptors that are watched and not ready"),
    )
    quick = ({"idle": 10}, {})
    full = (*quick, {"idle": 10_000})

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        super().prepare(loop, native)
        near, far = self._own[:2]
        loop.add_reader(near, self._pass_on, near, far)
        loop.add_reader(far, self._pass_on, far, near)

    def floor_work(self, native: Any) -> Work:
        return cast(Work, native.bare_idle_fds(self.take_idle()))

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._done, self._wanted, self._spurious = 0, n, 0
        os.eventfd_write(self._own[0], 1)
        loop.run_forever()
        self.require_idle()
        require(
            self._spurious == 0, f"{self._spurious} descriptors were reported that were not ready"
        )
        return self._done

    def _pass_on(self, this: int, other: int) -> None:
        try:
            os.eventfd_read(this)
        except BlockingIOError:
            self._spurious += 1
            return
        self._done += 1
        if self._done < self._wanted:
            os.eventfd_write(other, 1)
        else:
            asyncio.get_running_loop().stop()


class AddReaderChurn(AmongIdle):
    """Libraries that bring their own sockets (data base drivers, message queues) do it for every
    wait. The descriptors are readable, so that each is reported once, and removed in its callback:
    a registration that never reaches the kernel cannot do that."""

    id = "io.add_reader_churn"
    summary = "add_reader, the callback, remove_reader, among many idle descriptors"
    unit = "registration"
    rules = ("FDRW-001", "FDRW-009", "FDRW-015")
    params = (
        Param("idle", int, 1000, (10, 1000, 10_000), "descriptors that are watched and not ready"),
    )
    full = ({"idle": 10}, {}, {"idle": 10_000})

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        super().prepare(loop, native)
        self._prove_not_ready(loop)
        for fd in self._own:
            os.eventfd_write(fd, 1)

    def floor_work(self, native: Any) -> Work:
        return cast(Work, native.bare_reader_churn(self.take_idle()))

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        ring = self._own
        done = missing = 0
        add_reader, remove_reader = loop.add_reader, loop.remove_reader

        def seen(place: int) -> None:
            nonlocal done, missing
            missing += place != done % RING
            remove_reader(ring[place])
            done += 1
            if done < n:
                place = done % RING
                add_reader(ring[place], seen, place)
            else:
                loop.stop()

        loop.call_soon(add_reader, ring[0], seen, 0)
        loop.run_forever()
        self.require_idle()
        require(missing == 0, f"{missing} of {n} callbacks were not those of the registration")
        return done

    def _prove_not_ready(self, loop: asyncio.AbstractEventLoop) -> None:
        """A descriptor that is not readable is not reported for having been added."""
        reported: list[int] = []
        loop.add_reader(self._own[0], reported.append, 0)
        for _ in range(3):
            loop.call_soon(loop.stop)
            loop.run_forever()
        loop.remove_reader(self._own[0])
        require(not reported, "a descriptor was reported that was not readable")


RING = 8  # descriptors that take turns
