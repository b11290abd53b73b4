"""What 3.13 has and 3.11 or 3.12 lacks: the two halves of run_forever() by name, and a time limit
of shutdown_default_executor() that works."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import warnings
from typing import Any


class RunForeverParts:
    """What BaseEventLoop.run_forever() of 3.11 and 3.12 does around its turns."""

    _old_agen_hooks: Any = None

    def _run_forever_setup(self: Any) -> None:
        self._check_closed()
        self._check_running()
        self._set_coroutine_origin_tracking(self._debug)
        self._old_agen_hooks = sys.get_asyncgen_hooks()
        self._thread_id = threading.get_ident()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook
        )
        asyncio._set_running_loop(self)

    def _run_forever_cleanup(self: Any) -> None:
        self._stopping = False
        self._thread_id = None
        asyncio._set_running_loop(None)
        self._set_coroutine_origin_tracking(False)
        if self._old_agen_hooks is not None:
            sys.set_asyncgen_hooks(*self._old_agen_hooks)
            self._old_agen_hooks = None


class ExecutorTimeout:
    """shutdown_default_executor() as 3.12.3 repaired it (gh-111358): before, its time limit began
    when the work was done."""

    if (3, 12) <= sys.version_info < (3, 12, 3):

        async def shutdown_default_executor(self: Any, timeout: float | None = None) -> None:
            self._executor_shutdown_called = True
            executor = self._default_executor
            if executor is None:
                return
            ended = self.create_future()
            thread = threading.Thread(target=_wait_for, args=(self, executor, ended))
            thread.start()
            try:
                async with asyncio.timeout(timeout):
                    await ended
            except TimeoutError:
                warnings.warn(
                    f"The executor did not finishing joining its threads within {timeout} seconds.",
                    RuntimeWarning,
                    stacklevel=2,
                )
                executor.shutdown(wait=False)
            else:
                thread.join()


def _wait_for(loop: Any, executor: Any, ended: asyncio.Future[None]) -> None:
    """In a thread: until the executor's work is done. Nobody may wait any more then."""
    error: BaseException | None = None
    try:
        executor.shutdown(wait=True)
    except Exception as raised:
        error = raised
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(_tell, ended, error)


def _tell(ended: asyncio.Future[None], error: BaseException | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
