"""What a process holds: descriptors, threads, children. Read from /proc, so that nothing of the
loop under test is asked."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: A thread that was told to end, or a child that was killed, may take its time on a busy machine.
GRACE_S = 2.0

#: Descriptors are closed by whoever has the last word, at once; a loop that leaks one in every
#: case must not cost the long wait in every case.
FDS_GRACE_S = 0.25


@dataclass(frozen=True)
class Holdings:
    """`fds` by number with what they are; native threads by id; processes by id."""

    fds: dict[int, str]
    threads: dict[int, str]
    children: dict[int, str]

    def beyond(self, before: Holdings) -> dict[str, list[str]]:
        """What is there now and was not before, by kind of resource, one line each."""
        return {
            "fds": [
                f"descriptor {fd}: {what}"
                for fd, what in self.fds.items()
                if before.fds.get(fd) != what
            ],
            "threads": _new("thread", self.threads, before.threads),
            "children": _new("child process", self.children, before.children),
        }


def held() -> Holdings:
    return Holdings(_fds(), _threads(), _children())


def left_behind(before: Holdings) -> dict[str, list[str]]:
    """What was added since `before` and does not go away within the grace time."""
    started = time.monotonic()
    pause = 0.001
    while True:
        more = {kind: lines for kind, lines in held().beyond(before).items() if lines}
        grace = FDS_GRACE_S if more.keys() == {"fds"} else GRACE_S
        if not more or time.monotonic() - started > grace:
            return more
        time.sleep(pause)  # polls /proc: nothing tells when a native thread is gone
        pause = min(2 * pause, 0.1)


def closed(foreign: dict[int, str]) -> list[str]:
    """Descriptors that are not there any more, or are something else now."""
    now = _fds()
    return [
        f"closed descriptor {fd}, which is not its own: {what}"
        for fd, what in foreign.items()
        if now.get(fd) != what
    ]


def unclosed(seen: Sequence[warnings.WarningMessage]) -> list[str]:
    """The ResourceWarnings among them."""
    return [
        f"ResourceWarning: {one.message}"
        for one in seen
        if issubclass(one.category, ResourceWarning)
    ]


def _new(name: str, now: dict[int, str], before: dict[int, str]) -> list[str]:
    return [f"{name} {number}: {what}" for number, what in now.items() if number not in before]


def _fds() -> dict[int, str]:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            found[int(link.name)] = str(link.readlink())
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return found


def _threads() -> dict[int, str]:
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    ids = (int(task.name) for task in Path("/proc/self/task").iterdir())
    return {tid: names.get(tid, "native") for tid in ids}


def _children() -> dict[int, str]:
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for pid in _read(task / "children").split():
            found[int(pid)] = _state(int(pid))
    return found


def _state(pid: int) -> str:
    """ "zombie" or "running", and its name."""
    text = _read(Path(f"/proc/{pid}/stat"))
    name = text[text.find("(") + 1 : text.rfind(")")]
    state = text[text.rfind(")") + 2 : text.rfind(")") + 3]
    return f"{'zombie' if state == 'Z' else 'running'} {name}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended in between
        return ""
