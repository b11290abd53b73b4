"""Who still takes part in what, and in whose company.

The state follows from the run's events alone, so a resumed run knows what the first one learned.
An arm that brings a shared process down is from then on measured in processes of its own for that
benchmark; if it dies there twice it is given up. A poisoner is alone for everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from loopgauge.harness.model import ALL_BENCHMARKS, Arm, Benchmark, Event
from loopgauge.harness.worker_process import Outcome

DEATHS_ALONE = 2  # after so many the arm is given up for the benchmark

# Sent by people, the kernel's memory killer or a service manager, not by a loop that crashes:
# the first one is nobody's fault and is simply tried again.
OUTSIDE_SIGNALS = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"})

DEATHS = frozenset({"crash", "hang", "protocol"})
ENDS_BENCHMARK = frozenset({"unavailable", "unsupported", "lacking", "invalid", "error"})


class Roster:
    """Built from the header's arms, then fed with every event in order."""

    def __init__(self, arms: Sequence[Arm], benchmarks: Sequence[Benchmark]) -> None:
        self._arms = [arm.label for arm in arms if arm.available]
        # Roles that take part in some benchmarks only.
        self._roles = {arm.label: arm.role for arm in arms}
        self._with = {
            "floor": {b.id for b in benchmarks if b.floor},
            "native": {b.id for b in benchmarks if b.native},
        }
        self._own_process = {b.id for b in benchmarks if b.design == "process"}
        self._out: set[tuple[str, str]] = set()  # (benchmark or "*", arm)
        self._settled: set[str] = set()
        self._alone: set[tuple[str, str]] = set()
        self._deaths: Counter[tuple[str, str]] = Counter()
        self._outside: Counter[tuple[str, str]] = Counter()

    def apply(self, events: Iterable[Event]) -> None:
        for event in events:
            key = (event.benchmark or ALL_BENCHMARKS, event.arm)
            if event.event == "settled":
                self._settled.add(event.benchmark)
            if not event.arm:
                continue
            if event.event in ENDS_BENCHMARK or event.final:
                self._out.add(key)
            elif event.event == "isolated":
                self._alone.add(key)
            elif event.event in DEATHS and event.signal in OUTSIDE_SIGNALS:
                self._outside[key] += 1
            elif event.event in DEATHS and (event.process is None or self.is_alone(*key)):
                self._deaths[key] += 1  # in the probe (no process number) everyone is alone

    def takes_part(self, benchmark: str, arm: str) -> bool:
        role = self._roles.get(arm, "")
        if benchmark in self._settled:
            return False
        if role in self._with and benchmark not in self._with[role]:
            return False
        return arm in self._arms and not self._listed(self._out, benchmark, arm)

    def is_alone(self, benchmark: str, arm: str) -> bool:
        return benchmark in self._own_process or self._listed(self._alone, benchmark, arm)

    def together(self, benchmark: str) -> list[str]:
        """Arms that share a process for this benchmark, in the header's order."""
        return [
            arm
            for arm in self._arms
            if self.takes_part(benchmark, arm) and not self.is_alone(benchmark, arm)
        ]

    def alone(self, benchmark: str) -> list[str]:
        return [
            arm
            for arm in self._arms
            if self.takes_part(benchmark, arm) and self.is_alone(benchmark, arm)
        ]

    def on_death(self, outcome: Outcome, process: int | None) -> list[Event]:
        """What a worker's death means for the arm that was at work: events to be recorded."""
        assert outcome.last is not None
        benchmark, arm = outcome.last.benchmark, outcome.last.arm
        key = (benchmark or ALL_BENCHMARKS, arm)
        death = Event(
            event=outcome.end if outcome.end in ("hang", "protocol") else "crash",
            process=process,
            benchmark=benchmark,
            arm=arm,
            phase=outcome.last.phase,
            reason=outcome.reason,
            signal=outcome.signal,
            detail=outcome.detail,
        )
        if outcome.signal in OUTSIDE_SIGNALS and self._outside[key] == 0:
            death.reason += ": sent from outside, or out of memory; tried again"
            return [death]
        if not self.is_alone(*key):
            why = "it brought down a process that it shared"
            return [death, isolated(arm, key[0], why, process)]
        if self._deaths[key] + 1 >= DEATHS_ALONE or self._outside[key] >= DEATHS_ALONE:
            death.final = True
            death.reason += ", repeatedly and in a process of its own"
        return [death]

    @staticmethod
    def _listed(where: set[tuple[str, str]], benchmark: str, arm: str) -> bool:
        return (benchmark, arm) in where or (ALL_BENCHMARKS, arm) in where


def isolated(arm: str, benchmark: str, reason: str, process: int | None = None) -> Event:
    """`benchmark` may be "*"."""
    return Event(event="isolated", process=process, benchmark=benchmark, arm=arm, reason=reason)
