"""Who else works on this machine: seen while one process wants a CPU all the time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import psutil

from loopgauge.harness import environment
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.kernel_files import Files, pressure
from loopgauge.harness.model import Load

BUSY_S = 1.0  # how long one CPU is kept busy; CPU times of processes have steps of 10 ms
LOST_LIMIT = 0.02  # share of that time that others had the CPU
STEAL_LIMIT = 0.01
LOAD_LIMIT = 0.5
WORTH_NAMING = 0.03  # of a CPU
DISTURBING = 0.1  # of a CPU, of all others together
WAITING_LIMIT = 0.05  # share of the last minute
NAMED = 5
INTERPRETERS = frozenset({"python", "node", "ruby", "perl", "php", "bash", "sh"})
KERNEL = 2  # the process that all threads of the kernel are children of


@dataclass(frozen=True)
class Work:
    """CPU seconds of one process so far, and of those of its children that have ended."""

    name: str
    cpu_s: float = 0.0
    children_s: float = 0.0
    parent: int = 0
    kernel: bool = False  # a thread of the kernel: cannot be stopped


@dataclass(frozen=True)
class Moment:
    at_s: float
    load: Load
    work: Mapping[tuple[int, float], Work]  # by process id and start


@dataclass(frozen=True)
class Culprit:
    name: str
    pid: int
    share: float  # of one CPU
    kernel: bool = False


@dataclass(frozen=True)
class Others:
    """What was seen between two moments. Shares are of one CPU (`cpus`, `unseen`: may exceed 1)
    or of the time (`lost`, `stolen`, `waiting`)."""

    culprits: Sequence[Culprit] = ()
    cpus: float = 0.0  # used by processes that can be seen
    unseen: float = 0.0  # used by nobody that can be seen
    stolen: float = 0.0
    lost: float = 0.0
    waiting: float = 0.0  # in the last minute, by tasks for a CPU
    load: Load = field(default_factory=Load)
    niceness: int = 0
    policy: int = os.SCHED_OTHER


def watch(files: Files, busy_s: float = BUSY_S) -> Others:
    """Takes `busy_s`, and keeps a CPU busy meanwhile."""
    before = moment()
    lost = lost_share(busy_s)
    return others(
        before,
        moment(),
        own=os.getpid(),
        lost=lost,
        waiting=pressure(files.text("proc/pressure/cpu"), "avg60"),
        niceness=os.getpriority(os.PRIO_PROCESS, 0),
        policy=os.sched_getscheduler(0),
    )


def moment() -> Moment:
    work = {}
    asked = ["pid", "ppid", "name", "cmdline", "create_time", "cpu_times"]
    for process in psutil.process_iter(asked):
        facts = process.info
        times = facts["cpu_times"]
        if times is not None:  # it has just ended, or may not be looked at
            work[facts["pid"], facts["create_time"]] = Work(
                name=title(facts["name"] or "?", facts["cmdline"] or []),
                cpu_s=times.user + times.system,
                children_s=times.children_user + times.children_system,
                parent=facts["ppid"],
                kernel=facts["ppid"] == KERNEL,
            )
    return Moment(time.monotonic(), environment.load(), work)


def title(name: str, words: Sequence[str]) -> str:
    """ "python -m pytest", "node server.js": an interpreter's name alone says little. No more
    of its words than that: they may hold secrets."""
    if name.rstrip(".0123456789") not in INTERPRETERS:
        return name
    for place, word in enumerate(words[1:], 1):
        if word == "-m" and place + 1 < len(words):
            return f"{name} -m {words[place + 1]}"
        if word in ("-c", "-e"):
            return name
        if not word.startswith("-"):
            return f"{name} {PurePath(word).name}"
    return name


def lost_share(seconds: float) -> float:
    """Share of wall time in which a process that wants the CPU all the time does not have it."""
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < began + seconds:
        pass
    return max(0.0, 1 - (time.process_time() - cpu) / (time.monotonic() - began))


def others(
    before: Moment,
    after: Moment,
    *,
    own: int,
    lost: float = 0.0,
    waiting: float = 0.0,
    niceness: int = 0,
    policy: int = os.SCHED_OTHER,
) -> Others:
    """`own`: the process that looked on, which is left out."""
    seconds = after.at_s - before.at_s
    shares = {key: spent_s(key, before, after) / seconds for key in after.work}
    mine = sum(share for key, share in shares.items() if key[0] == own)
    cpus = sum(shares.values()) - mine
    culprits = [
        Culprit(after.work[key].name, key[0], share, after.work[key].kernel)
        for key, share in shares.items()
        if key[0] != own and share >= WORTH_NAMING
    ]
    stolen_s = after.load.steal_s - before.load.steal_s
    busy = (after.load.busy_s - before.load.busy_s - stolen_s) / seconds
    return Others(
        culprits=sorted(culprits, key=lambda culprit: -culprit.share),
        cpus=cpus,
        unseen=max(0.0, busy - cpus - mine),
        stolen=environment.steal_share(before.load, after.load),
        lost=lost,
        waiting=waiting,
        load=after.load,
        niceness=niceness,
        policy=policy,
    )


def spent_s(key: tuple[int, float], before: Moment, after: Moment) -> float:
    """By one process, and by children of it that ended between the moments. Their whole lives
    are then counted as their parent's; what they had spent before is taken off again."""
    now, then = after.work[key], before.work.get(key, Work(""))
    ended = [
        work.cpu_s + work.children_s
        for other, work in before.work.items()
        if work.parent == key[0] and other not in after.work
    ]
    children = now.children_s - then.children_s - sum(ended)
    return now.cpu_s - then.cpu_s + max(0.0, children)


def load_findings(found: Others) -> Iterator[Finding]:
    yield from work_findings(found)
    yield from steal_findings(found)
    if found.lost > LOST_LIMIT:
        yield Finding(
            check="interference",
            level="warning",
            found=f"a busy process was without its CPU for {found.lost:.1%} of the time",
            meaning="Somebody else ran on it just now",
            cure="Stop other work; in a container, ask for CPUs of your own",
        )
    else:
        yield Finding(
            check="interference", level="ok", found=f"{found.lost:.1%} of the CPU lost to others"
        )
    if found.waiting > WAITING_LIMIT:
        yield Finding(
            check="cpu pressure",
            level="warning",
            found=f"somebody waited for a CPU in {found.waiting:.0%} of the last minute",
            meaning="There is more work than CPUs, and slots are interrupted",
            cure="Stop other work, or use a machine with more CPUs",
        )
    yield from priority_findings(found)


def work_findings(found: Others) -> Iterator[Finding]:
    """The load average alone may tell of what was measured a minute ago."""
    named = found.culprits[:NAMED]
    seen = ", ".join(f"{one.name} ({one.pid}) {one.share:.0%}" for one in named)
    average = f"load average {found.load.load_1m:.1f}"
    meaning = "Other work shares caches, memory and CPU with what is measured"
    if found.cpus > DISTURBING:
        yield Finding(
            check="load",
            level="warning",
            found=f"others use {found.cpus:.0%} of a CPU just now"
            + (f": {seen}" if seen else "")
            + f" ({average})",
            meaning=meaning,
            cure=stopping([one.pid for one in named if not one.kernel]),
        )
    elif found.load.load_1m > LOAD_LIMIT:
        yield Finding(
            check="load",
            level="info",
            found=f"{average} over the last minute, though little runs just now",
            meaning=meaning,
            cure="Ask again in a minute; if it stays: top -d 10",
        )
    else:
        yield Finding(check="load", level="ok", found=average)
    if found.unseen > 2 * DISTURBING:
        yield Finding(
            check="unseen load",
            level="warning",
            found=f"{found.unseen:.0%} of a CPU went to processes that cannot be seen from here",
            meaning="Work of other containers, or of processes that live for a moment",
            cure="Look from the host: pidstat 1, or execsnoop for short-lived ones",
        )


def stopping(pids: Sequence[int]) -> str:
    if not pids:
        return "Measure when it is done; top shows what it is"
    words = " ".join(map(str, pids))
    return f"Measure when it is done, or let it pause: kill -STOP {words} (on: kill -CONT {words})"


def steal_findings(found: Others) -> Iterator[Finding]:
    load = found.load
    ever = load.steal_s / load.total_s if load.total_s else 0.0
    if max(ever, found.stolen) > STEAL_LIMIT:
        yield Finding(
            check="steal",
            level="warning",
            found=f"the hypervisor gave {ever:.1%} of the CPU time to others since boot, "
            f"{found.stolen:.1%} just now",
            meaning="Pauses come from outside, and nothing in this machine can stop them",
            cure="Use a machine with dedicated CPUs, or more processes (the full setting)",
        )
    else:
        yield Finding(check="steal", level="ok", found=f"{ever:.1%} of the CPU time since boot")


def priority_findings(found: Others) -> Iterator[Finding]:
    if found.niceness > 0:
        yield Finding(
            check="priority",
            level="warning",
            found=f"this process and what it starts are nice ({found.niceness})",
            meaning="Whoever is less nice goes first, and slots are interrupted",
            cure="Start bench without nice (sudo renice -n 0 -p $$)",
        )
    if found.policy in (os.SCHED_BATCH, os.SCHED_IDLE):
        yield Finding(
            check="priority",
            level="warning",
            found="the scheduling policy is for work that can wait",
            meaning="Everybody else goes first, and wake-ups come late",
            cure="chrt -o -p 0 $$",
        )
    elif found.policy in (os.SCHED_FIFO, os.SCHED_RR):
        yield Finding(
            check="priority",
            level="warning",
            found="a real-time scheduling policy",
            meaning="Nobody has it in production, and the kernel stops whoever uses it for more "
            "than 95% of a second",
            cure="chrt -o -p 0 $$",
        )
