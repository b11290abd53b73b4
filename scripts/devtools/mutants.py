"""Does the rules lane notice? Plants one deliberate fault after the other and asks it.

Everything happens in a copy of the sources. The sound copy is asked first: only cases that pass
count. A fault is caught by cases that now fail, if one of them fails again when it is asked a
second time. At last the sound copy is asked once more, about the cases that caught something: no
chance of a busy machine counts as a catch.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from devtools.faults import Copy, Fault, load, select
from devtools.pythons import Interpreter
from devtools.shell import SetupError, say

CHILD = Path(__file__).with_name("rules_child.py")
LOOP = "epoll"
ENOUGH_RATE = 0.95

#: What a sound loop may answer, and what a fault makes of it (loopgauge.conformance.model).
GOOD = frozenset({"PASS", "NON_STRICT", "INFO"})
BAD = frozenset({"UNIMPLEMENTED", "FAIL", "ERROR", "HANG", "CRASH", "LEAK"})

#: Which areas of the catalogue are asked first for a fault of an area: most are caught there, in a
#: tenth of the time. What they do not catch, the whole lane is asked.
ASKED_FIRST = {
    "TCP client": ("TCPC", "SOCK"),
    "TCP server": ("SRVR", "CACC", "TCPC"),
    "TLS": ("TLSS", "STRM", "SRVR"),
    "async generators": ("AGEN",),
    "datagrams": ("UDPD",),
    "debug mode": ("EXCH", "RUNR"),
    "descriptors": ("FDRW", "PIPE"),
    "exception handler": ("EXCH",),
    "executor": ("EXEC",),
    "handles": ("HNDL",),
    "name resolution": ("DNS",),
    "pipes": ("PIPE",),
    "resources": ("LEAK", "LIFE"),
    "scheduling": ("SOON",),
    "sendfile": ("SNDF",),
    "signals": ("SIGN",),
    "sock_*": ("SOCK",),
    "stop and close": ("LIFE",),
    "stream transports": ("TRAN", "PROT", "BUFP"),
    "subprocesses": ("PROC",),
    "tasks": ("TASK",),
    "threadsafe wake-up": ("SOON", "THRD"),
    "timers": ("TIME",),
}

#: Seconds without a verdict after which a lane is given up: more than any case may take.
PATIENCE = 300

#: How many of the cases that failed are asked a second time.
ASKED_AGAIN = 3

Verdicts = dict[str, str]


@dataclass
class Result:
    """What became of one fault. `note`: why it could not be asked. `struck`: cases that failed, and
    fail without the fault, too."""

    id: str
    area: str
    file: str
    breaks: str
    cases: list[str] = field(default_factory=list)  # that caught it
    struck: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    @property
    def is_caught(self) -> bool:
        return bool(self.cases)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a fault's id or area")
    parser.add_argument("--json", action="store_true", help="print every fault and its cases")
    parser.add_argument("--list", action="store_true", help="say which faults there are, and end")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time; default 2")
    parser.add_argument(
        "--enough",
        type=int,
        default=10,
        metavar="N",
        help="go on when N cases, or a whole likely area, have caught one; 0: ask all; default 10",
    )


def check(python: Interpreter, arguments: argparse.Namespace) -> int:
    """Prints a line for each fault, or all of them as JSON, and the rate. 1 when less than 95 %
    are caught. Leaves nothing behind, however it ends.
    """
    faults = select(load(), arguments.names)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="loopgauge-mutants-") as folder:
        copy = Copy(Path(folder), python)
        say("copy and build the sound loop")
        copy.make()
        tell = say if arguments.json else partial(print, flush=True)
        results = Check(copy, arguments.jobs, arguments.enough).all(faults, tell)
    caught = sum(result.is_caught for result in results)
    if arguments.json:
        print(json.dumps(_as_json(python, results), indent=2))
    else:
        print(f"{caught} of {len(results)} faults are caught: {caught / len(results):.1%}")
    return 0 if caught >= ENOUGH_RATE * len(results) else 1


def _as_json(python: Interpreter, results: Sequence[Result]) -> dict[str, object]:
    caught = sum(result.is_caught for result in results)
    return {
        "python": python.release,
        "loop": LOOP,
        "faults": [asdict(result) | {"caught": result.is_caught} for result in results],
        "caught": caught,
        "rate": caught / len(results),
    }


class Check:
    """The faults, one by one, in one copy."""

    def __init__(self, copy: Copy, jobs: int, enough: int) -> None:
        self._copy = copy
        self._jobs = jobs
        self._enough = enough
        self._passing: set[str] = set()

    def all(self, faults: Sequence[Fault], tell: Callable[[str], object]) -> list[Result]:
        """Tells a line of each as it is known: first what the likely areas catch, then what the
        whole lane does, and last what does not count."""
        results = [Result(fault.id, fault.area, fault.file, fault.breaks) for fault in faults]
        if self._enough:
            self._learn_what_passes({area for fault in faults for area in ASKED_FIRST[fault.area]})
            for fault, result in zip(faults, results, strict=True):
                self._try(fault, result, ASKED_FIRST[fault.area])
                tell(_line(result, self._enough))
        rest = [pair for pair in zip(faults, results, strict=True) if not pair[1].cases]
        if rest:
            self._learn_what_passes(())
            for fault, result in rest:
                self._try(fault, result, ())
                tell(_line(result, self._enough))
        self._strike(results)
        for result in results:
            if result.struck:
                tell(_line(result, self._enough))
        return results

    def _learn_what_passes(self, areas: Collection[str]) -> None:
        self._copy.build()
        verdicts = self._ask(sorted(areas))
        self._passing = {case for case, verdict in verdicts.items() if verdict in GOOD}
        say(f"{len(self._passing)} of {len(verdicts)} cases pass on the sound loop")
        if not (self._passing or areas):
            raise SetupError("no case passes on the loop without a fault")

    def _strike(self, results: Sequence[Result]) -> None:
        """Takes out the cases that fail on the sound loop as well, now and then."""
        if not (caught := sorted({case for result in results for case in result.cases})):
            return
        self._copy.build()
        by_itself = {case for case, verdict in self._ask(caught).items() if verdict in BAD}
        for result in results:
            result.struck = [case for case in result.cases if case in by_itself]
            result.cases = [case for case in result.cases if case not in by_itself]

    def _try(self, fault: Fault, result: Result, areas: Sequence[str]) -> None:
        started = time.monotonic()
        try:
            with self._copy.planted(fault):
                verdicts = self._ask(areas, stop=self._has_enough)
                if lost := self._lost(verdicts):
                    again = self._ask(self._quickest(verdicts))
                    if self._lost(again):
                        result.cases = [case for case in lost if again.get(case) not in GOOD]
        except SetupError as error:
            result.note = str(error)
        result.seconds = round(result.seconds + time.monotonic() - started, 1)

    def _lost(self, verdicts: Verdicts) -> list[str]:
        """The cases that pass on the sound loop, and fail here."""
        return sorted(c for c, v in verdicts.items() if v in BAD and c in self._passing)

    def _quickest(self, verdicts: Verdicts) -> list[str]:
        """Some of the failed cases, to be asked again: those that do not hang first."""
        return sorted(self._lost(verdicts), key=lambda case: verdicts[case] == "HANG")[:ASKED_AGAIN]

    def _has_enough(self, verdicts: Verdicts) -> bool:
        return 0 < self._enough <= len(self._lost(verdicts))

    def _ask(
        self, words: Sequence[str] = (), stop: Callable[[Verdicts], bool] = lambda verdicts: False
    ) -> Verdicts:
        """The verdicts of the whole lane, or of some areas or cases, until `stop`. SetupError if
        the lane breaks down: that says nothing about a fault."""
        launcher = str(self._copy.python.launcher)
        child = subprocess.Popen(
            [launcher, "-P", str(CHILD), LOOP, str(self._jobs), *words],
            cwd=self._copy.folder,
            env={**os.environ, "PYTHONPATH": str(self._copy.pyroot)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        verdicts: Verdicts = {}
        complete = False
        try:
            with _Alarm(PATIENCE) as alarm:
                assert child.stdout
                for line in child.stdout:
                    alarm.again()
                    record = json.loads(line)
                    if "asked" in record:
                        complete = True
                        continue  # it ends by itself
                    verdicts[record["case"]] = record["verdict"]
                    if stop(verdicts):
                        return verdicts
        finally:
            _end(child, interrupt=not complete)
        if complete:
            return verdicts
        raise SetupError(f"the lane broke down after {len(verdicts)} cases, see above")


class _Alarm:
    """SetupError in the main thread when nothing is heard for a while."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def again(self) -> None:
        signal.alarm(self._seconds)

    def __enter__(self) -> _Alarm:
        def silence(*_: object) -> None:
            raise SetupError(f"the lane gave no verdict for {self._seconds} s")

        self._before = signal.signal(signal.SIGALRM, silence)
        self.again()
        return self

    def __exit__(self, *exc: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self._before)


def _end(child: subprocess.Popen[str], *, interrupt: bool) -> None:
    """Waits for its end. Interrupted, it ends the processes of its cases."""
    if interrupt:
        child.send_signal(signal.SIGINT)
    try:
        child.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


def _line(result: Result, enough: int) -> str:
    if result.note:
        what = result.note
    elif not result.cases:
        what = "not caught"
    else:
        shown = ", ".join(result.cases[:3])
        more = "+" if 0 < enough <= len(result.cases) else ""
        what = f"caught by {len(result.cases)}{more}: {shown}"
    return f"{result.id:<52} {result.seconds:6.1f} s  {what}"
