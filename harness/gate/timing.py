"""How long an operation takes on both sides, in two stages.

The first stage looks at a benchmark at preset sizes and measures it no further once it is decided.
What it calls worse or better is only flagged: the second stage measures the flagged ones again, in
fresh processes with a seed of their own, and judges them on those alone. So the chance that a gate
calls anything changed that is not stays below looks.ALPHA, however many benchmarks there are and
however often they were looked at.

What is decided follows from the two run files (judging.py); measuring asks the same functions when
to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from loopgauge.harness import environment, manager
from loopgauge.harness.budget import Limits
from loopgauge.harness.gate import judging, looks
from loopgauge.harness.gate.ground import Ground
from loopgauge.harness.gate.judging import flagged, judged_first, told_of
from loopgauge.harness.gate.looks import Look
from loopgauge.harness.gate.model import Settings
from loopgauge.harness.gate.store import has_records
from loopgauge.harness.manager import Session
from loopgauge.harness.model import Event, Header
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.schedule import stream
from loopgauge.harness.statistics import Floats
from loopgauge.harness.store import RunFile, read_run
from loopgauge.harness.subject import Subject

FIRST_SHARE = 0.6  # of the minutes, where something was flagged: the rest is the second stage's
CALIBRATION = 24  # processes of a trial, where they fit into TRIAL_S; looks.LEAST in any case
TRIAL_S = 75.0  # the probe included
CONFIRMATION = 32  # processes of the second stage, where the minutes allow
# Where other work shares the cores, the median of many short slots is worth more than that of few
# long ones: with a load of 10 on two cores and the same time, 36 of 1.5 ms have half the standard
# error of 18 of 4 ms. Shorter still, and what starting a run costs counts for too much.
BLOCKS = 36
SLOT_S = 0.0015


def limits(settings: Settings) -> Limits:
    """As many processes as may be, each with enough slots to be worth its start: what is decided is
    measured no further, so how far the minutes reach is not known beforehand."""
    return Limits(
        budget_s=60 * settings.minutes,
        rounds_least=looks.MOST,
        rounds_wanted=looks.MOST,
        rounds_most=looks.MOST,
        blocks_least=BLOCKS,
        blocks_wanted=BLOCKS,
        blocks_most=BLOCKS,
        batch=12,
        slot_s=SLOT_S,
        hang_timeout_s=20,
        turns=True,
    )


def measure_first(
    subject: Subject,
    settings: Settings,
    seed: int,
    path: Path,
    listener: Listener,
    ground: Ground,
) -> None:
    """Makes or continues the run file at `path`."""
    tracker = Tracker(listener, limits(settings).budget_s, ground.clock)
    pacer = looking(settings)
    if has_records(path):
        manager.resume(path, tracker, ground.runner, pacer)
        return
    request = RunRequest(
        seed=seed,
        limits=limits(settings),
        out=path,
        command=["bench", "gate"],
        equal_work=True,
    )
    manager.run_subject(request, subject, tracker, ground.runner, pacer)


def measure_again(
    first: RunFile,
    settings: Settings,
    seed: int,
    path: Path,
    listener: Listener,
    ground: Ground,
) -> None:
    """The second stage, of what the first one flagged: the same slots, a schedule of its own."""
    limit_s = second_s(settings, first)
    tracker = Tracker(listener, limit_s, ground.clock)
    if has_records(path):
        manager.resume(path, tracker, ground.runner, fixed(limit_s))
        return
    names = flagged(first, settings)
    header = again(first.header, names, seed, path)
    kept = [event for event in first.events if event.event != "settled" and event.process is None]
    manager.run_header(path, header, kept, tracker, ground.runner, fixed(limit_s))


Listener = Callable[[Progress], None]


def calibrate(
    subject: Subject, settings: Settings, seed: int, path: Path, listener: Listener
) -> tuple[dict[str, Floats], dict[str, float], float]:
    """A short trial, for `sensitivity`, by benchmark: the log-ratios of base to its own twin, one a
    process, and the wall seconds that a round of it takes; and those that go by before the first.
    """
    small = replace(
        limits(settings),
        rounds_least=CALIBRATION,
        rounds_wanted=CALIBRATION,
        rounds_most=CALIBRATION,
    )
    request = RunRequest(
        seed=seed,
        limits=small,
        out=path,
        command=["bench", "gate", "--plan"],
        equal_work=True,
    )
    tracker = Tracker(listener, small.budget_s)
    limit_s = min(TRIAL_S, small.budget_s)
    manager.run_subject(
        request, subject, tracker, pacer=lambda session, done: Fixed(CALIBRATION, limit_s)
    )
    file = read_run(path)
    expected = {
        name: one.blocks * one.block_s for name, one in file.header.plan.allocations.items()
    }
    spread = judging.spread(file)
    rounds = max(map(len, spread.values()), default=0)
    round_s = tracker.measuring_s / max(1, rounds)  # time may have run short
    whole = sum(expected.values())
    return (
        spread,
        {name: round_s * s / whole for name, s in expected.items()},
        tracker.elapsed_s - tracker.measuring_s,
    )


def second_s(settings: Settings, first: RunFile) -> float:
    """Its share of the minutes, and what the first stage has left of its own."""
    whole_s = 60 * settings.minutes
    return max(whole_s * (1 - FIRST_SHARE), whole_s - sum(end.wall_s for end in first.ends))


def again(first: Header, names: Sequence[str], seed: int, path: Path) -> Header:
    plan = msgspec.structs.replace(
        first.plan,
        rounds=CONFIRMATION,
        rounds_least=CONFIRMATION,
        rounds_most=CONFIRMATION,
        allocations={name: first.plan.allocations[name] for name in names},
        expected_s=first.plan.expected_s
        * CONFIRMATION
        * len(names)
        / (first.plan.rounds * len(first.benchmarks)),
    )
    return msgspec.structs.replace(
        first,
        run=path.stem,
        created=environment.utc_now(),
        seed=stream(seed, "confirmation").getrandbits(32),
        benchmarks=[one for one in first.benchmarks if one.id in names],
        plan=plan,
    )


@dataclass
class Looking:
    """The pacer of the first stage."""

    session: Session
    settings: Settings
    plan: list[Look]

    def wants(self, done: int, measuring_s: float, elapsed_s: float) -> bool:
        if any(done == look.size for look in self.plan):
            self._settle()
        if not self._open() or done >= self.plan[-1].size:
            return False
        # The clock may end it, but at no smaller size than the first look's.
        return done < self.plan[0].size or elapsed_s <= self._limit_s()

    def _limit_s(self) -> float:
        whole = self.session.header.plan.budget_s
        return whole * FIRST_SHARE if flagged(self.session.file, self.settings) else whole

    def told(self, done: int) -> str:
        if not self._open():
            return "everything was decided" if done < self.plan[-1].size else ""
        return "" if done >= self.plan[-1].size else "time ran short"

    def _settle(self) -> None:
        known = settled(self.session.file)
        for name, judged in judged_first(self.session.file, self.settings).items():
            if name not in known and judged is not None and judged.call != "open":
                self.session.record(Event(event="settled", benchmark=name, reason=told_of(judged)))

    def _open(self) -> bool:
        known = settled(self.session.file)
        return any(name not in known for name in self.session.header.plan.allocations)


@dataclass
class Fixed:
    """The pacer of the second stage, and of a trial: one size, and the clock as a limit."""

    plan_rounds: int
    limit_s: float

    def wants(self, done: int, measuring_s: float, elapsed_s: float) -> bool:
        if done < looks.LEAST:
            return True
        one_more_s = elapsed_s * (done + 1) / done
        return done < self.plan_rounds and one_more_s <= self.limit_s

    def told(self, done: int) -> str:
        return "" if done >= self.plan_rounds else "time ran short"


def looking(settings: Settings) -> manager.MakePacer:
    def make(session: Session, done: int) -> Looking:
        return Looking(session, settings, looks.looks(session.header.plan.rounds))

    return make


def fixed(limit_s: float) -> manager.MakePacer:
    def make(session: Session, done: int) -> Fixed:
        return Fixed(session.header.plan.rounds, limit_s)

    return make


def settled(file: RunFile) -> set[str]:
    return {event.benchmark for event in file.events if event.event == "settled"}
