"""Reads a trace of strace -f: system calls by name, of one process, between marks.

Threads of that process count, child processes do not: the line in which a task is made says which
it is (CLONE_THREAD).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from loopgauge.harness.deterministic.counters import MARK

_LINE = re.compile(r"(\d+) +(?:([a-z]\w*)\(|<\.\.\. (\w+) resumed>)(.*)")
_MADE = frozenset({"clone", "clone3", "fork", "vfork"})
_RESULT = re.compile(r" = (\d+)")
_MARK = re.compile(r"(-\d+)")


class _Tasks:
    """Which tasks belong to the first process of the trace."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self._making: dict[str, bool] = {}  # task in the middle of making one -> of a thread

    def see(self, task: str, begun: str, resumed: str, rest: str) -> bool:
        """Whether the line is of that process."""
        if not self.own:
            self.own.add(task)
        if begun in _MADE:
            self._making[task] = "CLONE_THREAD" in rest
        if begun in _MADE or resumed in _MADE:
            # A result that is not there yet comes with the line that resumes this one. The new
            # task's own lines may come first: then it has been seen as foreign, which is why
            # threads are told apart before lines are counted, in `_own_tasks`.
            made = _RESULT.search(rest.rpartition(")")[2])
            if made and self._making.pop(task, False) and task in self.own:
                self.own.add(made[1])
        return task in self.own


def calls(lines: Iterable[str]) -> dict[int, Counter[str]]:
    """Run index to calls by name. Marks are those that `counters.mark` makes."""
    kept = list(lines)
    own = _own_tasks(kept)
    counts: dict[int, Counter[str]] = {}
    current: Counter[str] | None = None
    for task, name, rest in _begun(kept):
        if task not in own:
            continue
        number = _mark_of(name, rest)
        if number is not None:
            current = counts.setdefault(number // 2, Counter()) if number % 2 == 0 else None
        elif current is not None:
            current[name] += 1
    return counts


def _own_tasks(lines: Iterable[str]) -> set[str]:
    tasks = _Tasks()
    for line in lines:
        match = _LINE.match(line)
        if match:
            tasks.see(match[1], match[2] or "", match[3] or "", match[4])
    return tasks.own


def _begun(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        match = _LINE.match(line)
        if match and match[2]:
            yield match[1], match[2], match[4]


def _mark_of(name: str, rest: str) -> int | None:
    found = _MARK.match(rest) if name == "close" else None
    number = MARK - int(found[1]) if found else -1
    return number if 0 <= number < 1000 else None
