"""Room for another loop on a thread whose own loop is running: an `async def` test is called by it.

What is measured runs on this thread, as in a plain test, not in a helper thread: a thread may not
add signal handlers, and what it costs to wake one would be measured along. The two halves that
asyncio keeps per thread, the running loop and the current task, are put aside and brought back
with the functions it has for loops and tasks of third parties ("Extending asyncio").
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def outside_of_loops() -> Iterator[None]:
    """Within it no loop is running on this thread, and no task is current. The loop that was
    running stands still meanwhile."""
    loop = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    task = asyncio.current_task(loop)
    hooks = sys.get_asyncgen_hooks()
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    sys.set_asyncgen_hooks(None, None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        sys.set_asyncgen_hooks(*hooks)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
