"""The two halves of run_forever() as 3.13 names them, for 3.11 and 3.12."""

from __future__ import annotations

import asyncio
import sys
import threading
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
