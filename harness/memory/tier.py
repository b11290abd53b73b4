"""The memory tier of a run: what is still to be found out, and how it gets into the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from loopgauge.harness import environment
from loopgauge.harness.isolation import Roster
from loopgauge.harness.memory import figures
from loopgauge.harness.model import AnyRecord, Arm, Benchmark, Event, Header, Setting
from loopgauge.harness.pairs import Pair, uncounted
from loopgauge.harness.reception import Reception
from loopgauge.harness.store import RunFile
from loopgauge.harness.worker.plan import SCHEMA, AnyMessage, Counted
from loopgauge.harness.worker_process import Launch, Outcome, run_worker
from loopgauge.scenarios.model import Holds
from loopgauge.scenarios.registry import all_scenarios

MODULE = ("-P", "-m", "loopgauge.harness.memory")
PROCESSES: Mapping[Setting, int] = {"quick": 1, "full": 3}  # of each kind; the median counts
PHASE_S = 30.0  # what setup or runs may take
SILENCE_FACTOR = 2.0  # the worker ends itself, with a stack, after 1.25 times its limit
ABOUT_S = 0.7  # one process

ROLES = frozenset({"candidate", "reference", "floor"})
FIRST = "peak_rss"  # the figure every pair has


def pending(file: RunFile, roster: Roster) -> list[Pair]:
    given_up = {
        (event.benchmark, event.arm)
        for event in file.events
        if event.event == "left_out" and event.reason.startswith(PREFIX)
    }
    return uncounted(file, roster, ROLES, FIRST, given_up)


def expected_s(pairs: Sequence[Pair]) -> float:
    """In the quick setting; how the clock runs corrects it in the full one."""
    return sum(ABOUT_S if holds_of(benchmark) is None else 3 * ABOUT_S for benchmark, _ in pairs)


def holds_of(benchmark: Benchmark) -> Holds | None:
    """None for an application's coroutine, too."""
    scenario = all_scenarios().get(benchmark.scenario)
    return None if scenario is None else scenario.holds


PREFIX = "memory: "


def count(
    header: Header,
    pairs: Sequence[Pair],
    record: Callable[[Event], None],
    at: Callable[[str, str], None],
) -> Iterator[list[AnyRecord]]:
    """For each pair its records, which belong together in the file. Nothing goes for all of them,
    so `record` is not used; `at` is told which benchmark and arm are at work."""
    for benchmark, arm in pairs:
        at(benchmark.id, f"{arm.label} (memory)")
        yield _Pair(header, benchmark, arm).records()


class _Failed(Exception):
    """A process brought no figures; its argument says why."""


class _Pair:
    def __init__(self, header: Header, benchmark: Benchmark, arm: Arm) -> None:
        self._header = header
        self._benchmark = benchmark
        self._arm = arm

    def records(self) -> list[AnyRecord]:
        """The metrics, or what stood in their way."""
        found: list[AnyRecord] = []
        label = self._arm.label
        try:
            found.append(figures.peak(self._benchmark, label, self._processes({})))
            holds = holds_of(self._benchmark)
            if holds is not None:
                few, many = (self._processes({holds.param: size}) for size in holds.sizes)
                found.append(figures.each(self._benchmark, label, holds, few, many))
        except _Failed as failure:
            reason = f"{PREFIX}{failure}"
            left_out = Event(
                event="left_out", benchmark=self._benchmark.id, arm=label, reason=reason
            )
            found.append(left_out)
        return found

    def _processes(self, changed: Mapping[str, Any]) -> list[figures.Totals]:
        return [self._process(changed) for _ in range(PROCESSES[self._header.setting])]

    def _process(self, changed: Mapping[str, Any]) -> figures.Totals:
        counted: list[Counted] = []
        asked = {(self._benchmark.id, self._arm.label): 1}
        reception = Reception(asked, on_samples=lambda samples: None)

        def listen(message: AnyMessage) -> None:
            if isinstance(message, Counted):
                counted.append(message)
            else:
                reception(message)

        outcome = run_worker(self._launch(changed), listen)
        if not counted:
            raise _Failed(cause(reception.events, outcome))
        return counted[0].totals

    def _launch(self, changed: Mapping[str, Any]) -> Launch:
        header, benchmark, arm = self._header, self._benchmark, self._arm
        plan = {
            "schema": SCHEMA,
            "process": 0,
            "seed": header.seed,
            "design": "process",
            "gc": "default",
            "hang_timeout": PHASE_S,
            "path": header.path,
            "arms": [{"arm": arm.label, "factory": arm.factory, "capabilities": arm.capabilities}],
            "jobs": [
                {
                    "benchmark": benchmark.id,
                    "scenario": benchmark.scenario,
                    "params": {**benchmark.params, **changed},
                }
            ],
        }
        return Launch(
            command=[header.environment.interpreters[arm.python].executable, *MODULE],
            plan=plan,
            environment=environment.worker_environment(hash_seed=0, padding=0),
            silence_s=SILENCE_FACTOR * PHASE_S,
            cpus=header.cpus,
        )


def cause(events: Sequence[Event], outcome: Outcome) -> str:
    """What the worker said; where it died, how."""
    if outcome.end != "done":
        return f"the process {outcome.predicate}"
    refusals = [event.reason for event in events if event.event != "note"]
    return refusals[0] if refusals else "the process sent no figures"
