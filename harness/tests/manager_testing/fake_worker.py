"""A worker that measures nothing: it speaks the protocol, and misbehaves where its plan says so.

A job's parameters may hold "deeds" ({arm: deed}), "costs" ({arm: ns per operation}), and "marks",
a folder in which a deed that happens once leaves its mark. Standard library only: it has to die in
ways that take nothing else along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

Job = dict[str, Any]


def main() -> None:
    plan_fd, results_fd = int(sys.argv[2]), int(sys.argv[4])
    with os.fdopen(plan_fd) as source:
        plan = json.load(source)
    worker = FakeWorker(plan, results_fd)
    if plan["path"] == ["cannot start"]:
        print("ImportError: no such engine", file=sys.stderr)
        sys.exit(3)
    worker.send(t="hello", pid=os.getpid(), python="3", process=plan["process"], gc="freeze")
    for arm in plan["arms"]:
        worker.make(arm)
    for job in plan["jobs"]:
        worker.run(job)
    worker.send(t="bye")


class FakeWorker:
    def __init__(self, plan: dict[str, Any], fd: int) -> None:
        self.plan = plan
        self.fd = fd
        self.arms: list[str] = []

    def send(self, **message: object) -> None:
        os.write(self.fd, json.dumps(message).encode() + b"\n")

    def begin(self, arm: str, phase: str, benchmark: str = "") -> None:
        self.send(t="begin", arm=arm, benchmark=benchmark, phase=phase)

    def make(self, arm: dict[str, Any]) -> None:
        """A factory called "...:raises" or "...:dies" does so."""
        label, deed = arm["arm"], arm["factory"].partition(":")[2]
        self.begin(label, "create")
        if deed == "dies":
            os.kill(os.getpid(), signal.SIGABRT)
        if deed == "raises":
            self.send(t="loop", arm=label, ok=False, error="the factory raised ValueError: no")
            return
        self.arms.append(label)
        self.send(t="loop", arm=label, ok=True, version="1.0")

    def run(self, job: Job) -> None:
        wanted = {arm for block in job["blocks"] for arm in block} or set(self.arms)
        arms = [arm for arm in self.arms if arm in wanted]
        deeds = job["params"].get("deeds", {})
        silent = {arm for arm in arms if self.act(job, arm, deeds.get(arm, ""))}
        for arm in arms:
            if arm not in silent:
                self.report(job, arm, deeds.get(arm, ""))
        for arm in arms:
            self.begin(arm, "teardown", job["benchmark"])
            if deeds.get(arm, "") == "SIGSEGV-late" and self.plan["process"] == 2:
                os.kill(os.getpid(), signal.SIGSEGV)
        self.send(t="end", benchmark=job["benchmark"])

    def act(self, job: Job, arm: str, deed: str) -> bool:
        """Whether the arm is to send no samples."""
        name = job["benchmark"]
        self.begin(arm, "slot", name)
        kind, _, when = deed.partition("@")
        if not self.applies(when, job, arm):
            return False
        if kind in ("SIGSEGV", "SIGKILL"):
            os.kill(os.getpid(), getattr(signal, kind))
        elif kind == "hang":
            hang()
        elif kind == "silence":
            signal.pause()
        elif kind in ("SIGINT-manager", "SIGKILL-manager"):
            os.kill(os.getppid(), getattr(signal, kind.partition("-")[0]))
            signal.pause()
        elif kind == "garbage":
            os.write(self.fd, b"{]\n")
        elif kind == "poison":
            self.send(t="poison", arm=arm, what=["time.sleep replaced"])
        elif kind in ("unsupported", "lacking", "invalid", "error"):
            self.send(t="status", benchmark=name, arm=arm, status=kind, reason=f"it is {kind}")
            return True
        return kind == "mute"

    def applies(self, when: str, job: Job, arm: str) -> bool:
        """ "once": the first time of all; "shared": beside other arms; "measure": not in the
        probe; "round2": in the third process."""
        if when == "once":
            mark = Path(job["params"]["marks"]) / f"{arm}-{job['benchmark']}"
            seen = mark.exists()
            mark.touch()
            return not seen
        if when == "shared":
            return len(self.plan["arms"]) > 1
        if when == "measure":
            return bool(self.plan["design"] != "probe")
        if when.startswith("process"):
            return bool(self.plan["process"] == int(when.removeprefix("process")))
        return True

    def report(self, job: Job, arm: str, deed: str) -> None:
        cost = job["params"].get("costs", {}).get(arm, 1000)
        n = job["iterations"].get(arm, 1000)
        if arm not in job["iterations"]:
            self.send(t="calibrated", benchmark=job["benchmark"], arm=arm, n=n)
        blocks = job["blocks"] or [[arm]]
        flat = [(block, label) for block, labels in enumerate(blocks) for label in labels]
        slots = [(block, slot) for slot, (block, label) in enumerate(flat) if label == arm]
        total = [n * cost] * len(slots)
        short = total[1:] if deed == "lie" else total
        self.send(
            t="samples",
            benchmark=job["benchmark"],
            arm=arm,
            n=[n] * len(slots),
            block=[block for block, _ in slots],
            slot=[slot for _, slot in slots],
            wall_ns=total,
            process_ns=short,
            thread_ns=total,
            value=None,
            nivcsw=[0] * len(slots),
        )


def hang() -> NoReturn:
    """As faulthandler.dump_traceback_later(exit=True) ends a process, without the wait."""
    print(
        'Timeout (0:00:10)!\nThread 0x1 (most recent call first):\n  File "spin.py"',
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


if __name__ == "__main__":
    main()
