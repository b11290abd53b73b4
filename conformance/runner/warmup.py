"""One loop before the case: what is made once per process, and what every loop leaves behind."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loopgauge.conformance.model import Evidence
from loopgauge.conformance.runner import resources
from loopgauge.conformance.runner.messages import Outcome
from loopgauge.conformance.trial import LoopFactory


def warm_up(factory: LoopFactory) -> Outcome | None:
    """Makes, uses and closes one loop; an outcome if not even that can be done.

    What a loop lacks is no problem here: the case will say so, if it needs it.
    """
    pid = os.getpid()
    try:
        loop = factory()
    except Exception as error:
        return Outcome(
            verdict="ERROR",
            reason=f"the factory raised {type(error).__name__}: {error}"[:500],
            evidence=Evidence(traceback="".join(traceback.format_exception(error))),
        )
    if os.getpid() != pid:
        os._exit(0)  # the factory forked; this is the copy
    _use_up(loop)
    return None


@dataclass(frozen=True)
class Leak:
    """What one loop leaves behind that was made, used and closed, and that did nothing else: lines
    without their numbers, with how often each."""

    fds: Counter[str]
    warnings: frozenset[str]

    def fds_beyond(self, found: Sequence[str], loops: int) -> list[str]:
        """Those of `found` that are more than `loops` loops leave behind anyway."""
        left = Counter({line: count * loops for line, count in self.fds.items()})
        more = []
        for line in found:
            kind = _kind(line)
            if left[kind] > 0:
                left[kind] -= 1
            else:
                more.append(line)
        return more

    def warnings_beyond(self, found: Sequence[str]) -> list[str]:
        """Of other kinds. A loop may warn in every run, however often a case runs it."""
        return [line for line in found if _kind(line) not in self.warnings]


NO_LEAK = Leak(Counter(), frozenset())


def leak_of_one_loop(factory: LoopFactory) -> Leak:
    """Of a loop that does nothing, in a process that is warm. A loop that keeps a descriptor after
    close() would otherwise fail every case for the same reason; the cases about closing fail."""
    before = resources.held()
    pid = os.getpid()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            loop = factory()
        except Exception:  # the case meets it, where it can be judged
            return NO_LEAK
        if os.getpid() != pid:
            os._exit(0)
        _use_up(loop)
        del loop
        gc.collect()
    fds = resources.held().beyond(before)["fds"]
    return Leak(Counter(map(_kind, fds)), frozenset(map(_kind, resources.unclosed(seen))))


def _use_up(loop: asyncio.AbstractEventLoop) -> None:
    for use in (_run_nothing, _close):
        try:
            use(loop)
        except Exception:  # the case meets it again, where it can be judged
            return


def _run_nothing(loop: asyncio.AbstractEventLoop) -> None:
    async def nothing() -> None:
        pass

    coroutine = nothing()
    try:
        loop.run_until_complete(coroutine)
    finally:
        coroutine.close()


def _close(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()


def _kind(line: str) -> str:
    """Without numbers and addresses, which differ from one to the next."""
    return re.sub(r"0x[0-9a-f]+|\d+", "#", line)
