"""Runs a request: probe, plan, then one fresh worker process after the other until every planned
sample is in the run file.

There is no list of tasks to keep in step with reality: after every process the next one is worked
out from the header, the events and the samples recorded so far. A crash, Ctrl-C and --resume are
therefore nothing special.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from loopgauge.harness import environment, interruptions, planning, subject, units
from loopgauge.harness.counted import Counted, tiers_of
from loopgauge.harness.desk import Desk
from loopgauge.harness.errors import NothingToMeasure, PlaceTaken, ResumeMismatch, WorkerUnusable
from loopgauge.harness.isolation import DEATHS, Roster, isolated
from loopgauge.harness.model import (
    ALL_BENCHMARKS,
    TIMED,
    AnyRecord,
    Arm,
    Benchmark,
    End,
    Event,
    Header,
    Sample,
)
from loopgauge.harness.orders import Orders
from loopgauge.harness.pacing import Pace, Pacer
from loopgauge.harness.probe import Findings, probe
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.runner import Local, Runner
from loopgauge.harness.store import RunFile, RunWriter, open_for_resume
from loopgauge.harness.units import Recorded, Unit
from loopgauge.harness.worker.plan import AnyMessage, Begin
from loopgauge.harness.worker_process import Outcome

RUNS = Path(".bench/runs")
FRUITLESS = 3  # processes in a row that brought nothing: then it is the worker, not a loop


def run(
    request: RunRequest,
    progress: Callable[[Progress], None] = lambda progress: None,
    runner: Runner | None = None,
) -> Path:
    """Returns the run file. Raises a HarnessError, or KeyboardInterrupt with everything finished
    so far in the file (then `--resume` goes on). `runner`: where the processes are started; None:
    on this machine."""
    runner = runner or Local()
    tracker = Tracker(progress, planning.limits_of(request).budget_s)
    if request.resume is not None:
        return resume(request.resume, tracker, runner)
    return run_subject(request, runner.resolve(request), tracker, runner)


def run_subject(
    request: RunRequest,
    what: subject.Subject,
    tracker: Tracker,
    runner: Runner | None = None,
    pacer: MakePacer | None = None,
) -> Path:
    """A new run of what was resolved."""
    path = request.out or new_path()
    require_place(path)
    header, findings = prepare(request, what, path, tracker, runner or Local())
    return run_header(path, header, findings.events, tracker, runner, pacer)


def run_header(
    path: Path,
    header: Header,
    events: Sequence[Event],
    tracker: Tracker,
    runner: Runner | None = None,
    pacer: MakePacer | None = None,
) -> Path:
    """A new run that is planned already; `events` are what its probe found."""
    with RunWriter(path) as writer:
        writer.append([header, *(stamped(event) for event in events)])
        run_file = RunFile(path, header, events=list(events))
        Session(run_file, writer, tracker, runner, pacer).measure()
    return path


def resume(
    path: Path,
    tracker: Tracker,
    runner: Runner | None = None,
    pacer: MakePacer | None = None,
) -> Path:
    recorded = open_for_resume(path)
    require_same_circumstances(recorded.header, runner or Local())
    with RunWriter(path) as writer:
        session = Session(recorded, writer, tracker, runner, pacer)
        session.record(Event(event="resumed"))
        session.measure()
    return path


def prepare(
    request: RunRequest,
    what: subject.Subject,
    path: Path,
    tracker: Tracker,
    runner: Runner,
) -> tuple[Header, Findings]:
    limits = planning.limits_of(request)
    orders = Orders(
        what.environment.interpreters, request.path, request.cpus, limits.hang_timeout_s
    )

    def run_probe(
        arm: Arm, benchmarks: list[Benchmark], listener: Callable[[AnyMessage], None]
    ) -> Outcome:
        order = orders.probe(arm, benchmarks, limits.slot_s)
        (outcome,) = runner.run([order], [listener], [lambda pid: None])
        return outcome

    for arm in what.arms:
        if not arm.available:
            tracker.notice(f"{arm.label} is unavailable: {arm.reason}")
    slots_s = {benchmark.id: benchmark.slot_s for benchmark in what.benchmarks}
    available = [arm.label for arm in what.arms if arm.available]
    tracker.expect(planning.guess_s(limits, available, slots_s))
    findings = probe(what.arms, what.benchmarks, run_probe, tracker.probing)
    for event in findings.events:
        announce(tracker, event)
    seed = secrets.randbits(32) if request.seed is None else request.seed
    header = Header(
        run=request.run or path.stem,
        created=environment.utc_now(),
        command=list(request.command),
        setting=request.setting,
        tiers=list(request.tiers),
        seed=seed,
        design=what.design,
        cpus=None if request.cpus is None else list(request.cpus),
        path=list(request.path),
        reference=what.reference,
        arms=what.arms,
        benchmarks=what.benchmarks,
        plan=planning.plan(request, what, findings, tracker.elapsed_s),
        environment=what.environment,
    )
    return header, findings


class Session:
    """The measuring part of a run; what it needs to know of the past it reads from `file`."""

    def __init__(
        self,
        file: RunFile,
        writer: RunWriter,
        tracker: Tracker,
        runner: Runner | None = None,
        pacer: MakePacer | None = None,
    ) -> None:
        header = file.header
        self._pacer = pacer
        self.header = header
        self.file = file
        self.writer = writer
        self.tracker = tracker
        self.roster = Roster(header.arms, header.benchmarks)
        self.roster.apply(file.events)
        self.recorded = Recorded(header, file.samples)
        self.process = 1 + max((e.process for e in file.events if e.process is not None), default=0)
        self.runner = runner or Local()
        self.orders = Orders(
            header.environment.interpreters, header.path, header.cpus, header.plan.hang_timeout_s
        )

    def measure(self) -> None:
        before = self.runner.load()
        self._announce_work()
        try:
            if self._timed:
                self._run_all_rounds()
            for tier in tiers_of(self.header):
                self._count(tier)
        except KeyboardInterrupt:
            self.record(Event(event="interrupted", process=self.process))
            raise
        after = self.runner.load()
        if not self.recorded and not self.file.metrics:
            raise NothingToMeasure("no sample was recorded", f"{self.file.path} has the reasons")
        end = End(
            utc=environment.utc_now(),
            load=after,
            wall_s=self.tracker.elapsed_s,
            steal=environment.steal_share(before, after),
            samples=len(self.recorded),
        )
        self.writer.append([end])

    def record(self, event: Event) -> None:
        """In the file, in the roster and before the user's eyes."""
        self._append([event])
        self.roster.apply([event])
        announce(self.tracker, event)

    def _record_once(self, event: Event) -> None:
        """A resumed run finds out again what the machine lacks."""
        known = ((e.event, e.arm, e.reason) for e in self.file.events)
        if (event.event, event.arm, event.reason) not in known:
            self.record(event)

    def _run_all_rounds(self) -> None:
        done = self._rounds_done()
        pace = self._pacer(self, done) if self._pacer else Pace(self.header.plan, done)
        while pace.wants(done, self.tracker.measuring_s, self.tracker.elapsed_s):
            if done >= self.header.plan.rounds:
                extra = units.pending(self.header, self.roster, self.recorded, done)
                self.tracker.more_work(self._work_in(extra), len(extra))
            self._run_units(done + 1)
            done += 1
        if why := pace.told(done):
            self.record(Event(event="note", reason=f"{done} rounds were done: {why}"))

    @property
    def _timed(self) -> bool:
        return not TIMED.isdisjoint(self.header.tiers)

    def _count(self, tier: Counted) -> None:
        """What is counted instead of timed. A pair's records are on disk before the next pair's."""
        pairs = tier.pending(self.file, self.roster)
        counts = self.runner.count(
            tier, self.header, pairs, self._record_once, self.tracker.counting
        )
        for records in counts:
            self._append(records)
            for event in records:
                if isinstance(event, Event):
                    self.roster.apply([event])
                    announce(self.tracker, event)
            self.tracker.finished(tier.expected_s(pairs[:1]))

    def _uncounted_s(self) -> float:
        return sum(
            tier.expected_s(tier.pending(self.file, self.roster)) for tier in tiers_of(self.header)
        )

    def _rounds_done(self) -> int:
        """Whole rounds, counted from the first."""
        number = 0
        while number < self._most_rounds() and not units.pending(
            self.header, self.roster, self.recorded, number
        ):
            number += 1
        return number

    def _most_rounds(self) -> int:
        return max(self.header.plan.rounds, self.header.plan.rounds_most)

    def _run_units(self, rounds: int) -> None:
        """Until these rounds are whole."""
        fruitless = 0
        while unit := units.next_unit(self.header, self.roster, self.recorded, rounds):
            had, knew = len(self.recorded), len(self.file.events)
            pending = units.pending(self.header, self.roster, self.recorded, unit.round)
            together = units.beside(self.header, pending, unit)
            outcome = self._run_side_by_side(together)
            # Only what is known of an arm changes what is left to do.
            learned = any(
                e.arm and e.event not in ("worker", "note") for e in self.file.events[knew:]
            )
            fruitless = 0 if len(self.recorded) > had or learned else fruitless + 1
            if fruitless >= FRUITLESS:
                said = f"; it said: {outcome.detail[-500:]}" if outcome.detail else ""
                raise WorkerUnusable(
                    f"{FRUITLESS} workers in a row brought nothing "
                    f"({outcome.reason or 'just ended'}){said}",
                    f"Everything recorded is in {self.file.path}",
                )
            self.process += len(together)
            self.tracker.process_finished(len(self._pending(rounds)))

    def _run_side_by_side(self, together: Sequence[Unit]) -> Outcome:
        """A worker process each. Returns how the first one ended that did not end well, else how
        the first one did."""
        group = self.process if len(together) > 1 else 0
        desks = [self._desk(unit, self.process + n, group) for n, unit in enumerate(together)]
        try:
            outcomes = self.runner.run(
                self.orders.measure(self.header, together, [desk.process for desk in desks]),
                [desk.reception for desk in desks],
                [desk.started for desk in desks],
            )
        except KeyboardInterrupt:
            for desk in desks:
                desk.interrupted()
            raise
        for desk, outcome in zip(desks, outcomes, strict=True):
            if outcome.end != "protocol":
                desk.flush()  # measured and sent, then it died while cleaning up
            for event in desk.reception.events:
                self._learn(event, desk.process)
            if outcome.end != "done":
                self._bury(outcome, desk.process)
        return next((one for one in outcomes if one.end != "done"), outcomes[0])

    def _desk(self, unit: Unit, process: int, together: int) -> Desk:
        return Desk(
            unit,
            process,
            together,
            self._python_of(unit.creation[0]),
            save=self._save,
            note=lambda event: self._append([event], sync=False),
            show=self._show,
        )

    def _save(self, samples: Sequence[Sample], unit: Unit) -> None:
        """What a worker measured of one benchmark: on disk, and done."""
        if not samples:
            return
        with interruptions.held():  # or what is on disk would be waiting still
            self._append(samples)
            for sample in samples:
                self.recorded.add(sample)
        self.tracker.finished(self._work_of(unit, samples[0].benchmark))

    def _learn(self, event: Event, process: int) -> None:
        """A poisoner that is by itself already is no news. What is too much for this machine beside
        other loops may not be too much alone."""
        if event.event == "poison" and self.roster.is_alone(ALL_BENCHMARKS, event.arm):
            return
        if event.event == "lacking" and not self.roster.is_alone(event.benchmark, event.arm):
            event = isolated(event.arm, event.benchmark, event.reason, process)
        self.record(event)
        if event.event == "poison" and event.arm:
            self.record(isolated(event.arm, ALL_BENCHMARKS, event.reason, process))

    def _bury(self, outcome: Outcome, process: int) -> None:
        if outcome.last is not None and outcome.last.arm:
            for event in self.roster.on_death(outcome, process):
                self.record(event)
            return
        self._append(
            [
                Event(
                    event="note",
                    process=process,
                    reason=f"a worker {outcome.reason}, at nobody's turn",
                    detail=outcome.detail,
                )
            ]
        )

    def _append(self, records: Sequence[AnyRecord], *, sync: bool = True) -> None:
        for record in records:
            if isinstance(record, Event):
                stamped(record)
        with interruptions.held():
            if records:
                self.writer.append(records, sync=sync)
            for record in records:
                self.file.add(record)

    def _show(self, begin: Begin) -> None:
        if begin.phase in ("setup", "create"):
            self.tracker.at(begin.benchmark, begin.arm)

    def _announce_work(self) -> None:
        pending = self._pending(0) if self._timed else []
        left = self._work_in(pending) + self._uncounted_s()
        total = left if not pending else max(left, self.header.plan.expected_s)
        self.tracker.measuring(total, total - left, len(pending))

    def _pending(self, rounds: int) -> list[Unit]:
        """What is left of the planned rounds, and of more if more have begun."""
        return [
            unit
            for number in range(max(rounds, self.header.plan.rounds))
            for unit in units.pending(self.header, self.roster, self.recorded, number)
        ]

    def _work_in(self, pending: Sequence[Unit]) -> float:
        return sum(self._work_of(unit, job.benchmark) for unit in pending for job in unit.jobs)

    def _work_of(self, unit: Unit, benchmark: str) -> float:
        """Expected seconds, the start of the process spread over its benchmarks."""
        return units.expected_s(self.header, unit, benchmark)

    def _python_of(self, label: str) -> str:
        return next(arm.python for arm in self.header.arms if arm.label == label)


# Who decides how many rounds there are, given the session and the rounds that are done already.
MakePacer = Callable[[Session, int], Pacer]


def announce(tracker: Tracker, event: Event) -> None:
    """What the user should know at once, in one line."""
    where = f"{event.arm} in {event.benchmark}" if event.benchmark else event.arm or "some loop"
    words = {
        "unsupported": "unsupported",
        "unavailable": "unavailable",
        "invalid": "INVALID",
        "error": "error",
        "poison": "disturbs its neighbours",
        "left_out": "left out",
        "isolated": "in a process of its own from here on",
    }
    if event.event == "lacking":
        tracker.notice_once(f"not measured here: {event.reason}")
    elif event.event == "left_out" and not event.arm:
        tracker.notice(f"left out: {event.reason}")
    elif event.event in words:
        tracker.notice(
            f"{where.replace(ALL_BENCHMARKS, 'everything')}: {words[event.event]}: {event.reason}"
        )
    elif event.event in DEATHS:
        tracker.notice(f"{where}: {event.reason}{' (given up)' if event.final else ''}")


def stamped(event: Event) -> Event:
    event.utc = event.utc or environment.utc_now()
    return event


def new_path() -> Path:
    """Sorts by time; the random part keeps two runs of one second apart."""
    stamp = environment.utc_now().replace(":", "").replace("-", "")
    return RUNS / f"{stamp}-{secrets.token_hex(3)}.jsonl"


def require_place(path: Path) -> None:
    """Finds out before the probe, not after it. Leaves no empty file: there is no run yet."""
    if path.is_file() and path.stat().st_size:
        raise PlaceTaken(
            f"{path} exists already, and a run file is never overwritten",
            f"Choose another --out, or go on with --resume {path}",
        )
    RunWriter(path).close()
    if path.is_file():
        path.unlink()


def require_same_circumstances(header: Header, runner: Runner) -> None:
    """Samples of another machine, interpreter or loop version have no like to be paired with."""
    if header.imported:
        raise ResumeMismatch(
            f"the run cannot go on: it was imported ({header.imported})", "Start a new run"
        )
    if not header.resumable:
        raise ResumeMismatch("pytest made this run, and cannot take it up", "Run pytest again")
    loops = [arm for arm in header.arms if arm.role not in ("floor", "native")]
    names = list(dict.fromkeys(arm.loop for arm in loops))
    differences = []
    if not environment.same_machine(runner.machine(), header.environment.machine):
        differences.append("the machine")
    for key, before in header.environment.interpreters.items():
        now = runner.ask(before.executable, names, [*header.path, *before.path])
        if (now.interpreter.version, now.interpreter.build_hash) != (
            before.version,
            before.build_hash,
        ):
            differences.append(f"Python {key} or the build of loopgauge")
        differences += [
            f"{arm.label} ({arm.version or '?'} then, {now.loops[arm.loop]['version'] or '?'} now)"
            for arm in loops
            if arm.python == key
            and (arm.version, arm.available)
            != (now.loops[arm.loop]["version"], now.loops[arm.loop]["available"])
        ]
    if differences:
        raise ResumeMismatch(
            f"the run cannot go on, since something changed: {', '.join(differences)}",
            "Start a new run; what was measured stays readable",
        )
