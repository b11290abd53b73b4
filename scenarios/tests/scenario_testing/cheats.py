"""Stock loops that save themselves some of the work, each in one way.

All are honest until `cheating` is set, so that a test can let a setup pass and see whether a run
notices by itself. Every seventh call is cheated where cheating always would stop the loop at once.
"""

from __future__ import annotations

import asyncio
import heapq
import signal
from itertools import count
from typing import Any


class Cheat(asyncio.SelectorEventLoop):
    cheating = False

    def __init__(self) -> None:
        self._calls = count(1)
        super().__init__()

    def turn_to_cheat(self) -> bool:
        return self.cheating and next(self._calls) % 7 == 0


class Drops(Cheat):
    """Forgets callbacks."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.turn_to_cheat():
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)


class Repeats(Cheat):
    """Runs callbacks twice."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.turn_to_cheat():
            super().call_soon(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


class Reorders(Cheat):
    """Runs the last callback first."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if self.turn_to_cheat():
            self._ready.rotate(1)
        return handle

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if self.turn_to_cheat():
            self._ready.rotate(1)
        return handle


class RunsAtOnce(Cheat):
    """Runs a callback inside call_soon."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.turn_to_cheat():
            callback(*args)
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)


class _Uncancellable(asyncio.Handle):
    def cancel(self) -> None:
        pass


class _UncancellableTimer(asyncio.TimerHandle):
    __slots__ = ()  # so that a timer can be given this class afterwards

    def cancel(self) -> None:
        pass


class RunsCancelled(Cheat):
    """Runs callbacks that were cancelled."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not self.cheating:
            return super().call_soon(callback, *args, context=context)
        handle = _Uncancellable(callback, args, self, context)
        self._ready.append(handle)
        return handle


class FiresCancelled(Cheat):
    """Fires timers that were cancelled."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if self.cheating:
            handle.__class__ = _UncancellableTimer
        return handle


class FiresEarly(Cheat):
    """Does not wait for timers."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        due = self.time() if self.cheating else when
        return super().call_at(due, callback, *args, context=context)


class FiresTwice(Cheat):
    """Fires timers a second time."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if self.cheating:
            super().call_at(when, callback, *args, context=context)
        return handle


class FiresNewestFirst(Cheat):
    """Fires the timers that are due in the opposite order."""

    def _run_once(self) -> None:
        if self.cheating:
            now = self.time()
            due = sorted(handle for handle in self._scheduled if handle._when <= now)
            for place, handle in enumerate(reversed(due)):
                handle._when = now - 1.0 + place * 1e-6
            heapq.heapify(self._scheduled)
        super()._run_once()


class LosesTimers(Cheat):
    """Forgets every seventh timer."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        if self.turn_to_cheat():
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)


class HurriesTimers(Cheat):
    """Fires timers after half of their time."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        now = self.time()
        due = now + (when - now) / 2 if self.cheating else when
        return super().call_at(due, callback, *args, context=context)


class NeverFires(Cheat):
    """Forgets timers."""

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        if self.cheating:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)


class RunsAhead(Cheat):
    """Its clock runs at a hundred times the speed of the real one."""

    def time(self) -> float:
        return super().time() * 100 if self.cheating else super().time()


class DropsSignals(Cheat):
    """Never runs the callback of a signal."""

    def _handle_signal(self, sig: int) -> None:
        if not self.cheating:
            super()._handle_signal(sig)


class LosesSignals(Cheat):
    """Forgets every seventh signal."""

    def _handle_signal(self, sig: int) -> None:
        if not self.turn_to_cheat():
            super()._handle_signal(sig)


class RepeatsSignals(Cheat):
    """Runs the callback of a signal twice."""

    def _handle_signal(self, sig: int) -> None:
        super()._handle_signal(sig)
        if self.cheating:
            super()._handle_signal(sig)


class MixesSignals(Cheat):
    """Runs the callback of another signal."""

    def _handle_signal(self, sig: int) -> None:
        known = sorted(self._signal_handlers)
        if self.cheating:
            sig = known[known.index(sig) - 1]
        super()._handle_signal(sig)


class KeepsHandlers(Cheat):
    """Does not know its signal handlers when they are to be removed."""

    def remove_signal_handler(self, sig: int) -> bool:
        return super().remove_signal_handler(sig) and not self.cheating


class SwallowsInterrupts(asyncio.SelectorEventLoop):
    """Ignores SIGINT while it runs."""

    def run_forever(self) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            super().run_forever()
        finally:
            signal.signal(signal.SIGINT, before)


class LetsInterruptsOut(asyncio.SelectorEventLoop):
    """Lets SIGINT end the run as KeyboardInterrupt, whatever handler there is."""

    def run_forever(self) -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            super().run_forever()
        finally:
            signal.signal(signal.SIGINT, before)


class InventsStatuses(Cheat):
    """Reports an exit status of 0 for every child."""

    async def _make_subprocess_transport(self, *args: Any, **options: Any) -> Any:
        transport = await super()._make_subprocess_transport(*args, **options)
        if self.cheating:
            ended = transport._process_exited
            transport._process_exited = lambda status: ended(0)
        return transport


class DropsFromThreads(Cheat):
    """Forgets what other threads, or its own, hand over."""

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        if self.turn_to_cheat():
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


class IgnoresContext(Cheat):
    """Runs callbacks in the current context instead of the given one."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=None if self.cheating else context)


class ForgetsArguments(Cheat):
    """Passes other arguments than those given."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        passed = (object(),) * len(args) if self.cheating else args
        return super().call_soon(callback, *passed, context=context)


class SkipsTasks(Cheat):
    """Does not run coroutines: the tasks are done at once, with a result of its own making."""

    def create_task(self, coro: Any, **options: Any) -> Any:
        if not self.turn_to_cheat():
            return super().create_task(coro, **options)
        coro.close()
        done = self.create_future()
        done.set_result(0)
        return done


class IgnoresTaskFactory(Cheat):
    """Never uses the task factory it was given."""

    def set_task_factory(self, factory: Any) -> None:
        if not self.cheating:
            super().set_task_factory(factory)


class RunsExecutorInline(Cheat):
    """Calls the function itself instead of handing it to the executor."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if not self.cheating:
            return super().run_in_executor(executor, func, *args)
        done = self.create_future()
        done.set_result(func(*args))
        return done


class SkipsExecutor(Cheat):
    """Does not call the function at all."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if not self.turn_to_cheat():
            return super().run_in_executor(executor, func, *args)
        done = self.create_future()
        done.set_result(args[0])
        return done


class IsDeaf(Cheat):
    """Accepts readers and never calls them."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not self.cheating:
            super().add_reader(fd, callback, *args)


class SkipsRuns(Cheat):
    """Returns from run_until_complete without having run anything."""

    def run_until_complete(self, future: Any) -> Any:
        if not self.turn_to_cheat():
            return super().run_until_complete(future)
        future.close()
        return 1


class StaysOpen(Cheat):
    """Ignores close()."""

    cheating = True

    def close(self) -> None:
        pass

    def really_close(self) -> None:
        super().close()
