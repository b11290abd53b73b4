"""The deterministic tier of a run: what is still to be counted, and how it gets into the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loopgauge.harness.deterministic import tools
from loopgauge.harness.deterministic.counting import ABOUT_S, HOWS, Counting
from loopgauge.harness.deterministic.plan import How
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import AnyRecord, Arm, Benchmark, Event, Header
from loopgauge.harness.pairs import Pair, uncounted
from loopgauge.harness.store import RunFile

# The first figure of every pair, and the events that stand where there are no figures.
FIRST = "allocations"
INSTEAD = frozenset({"unsupported", "lacking", "invalid", "error", "left_out"})
ROLES = frozenset({"candidate", "reference", "native", "floor"})


def pending(file: RunFile, roster: Roster) -> list[Pair]:
    given_up = {(event.benchmark, event.arm) for event in file.events if event.event in INSTEAD}
    return uncounted(file, roster, ROLES, FIRST, given_up)


def expected_s(pairs: Sequence[Pair]) -> float:
    return len(pairs) * sum(ABOUT_S.values())


def count(
    header: Header,
    pairs: Sequence[Pair],
    record: Callable[[Event], None],
    at: Callable[[str, str], None],
) -> Iterator[list[AnyRecord]]:
    """For each pair its records, which belong together in the file. `record` is told what goes
    for all of them; `at` which benchmark and arm are at work, before every process."""
    found = {}
    for key, interpreter in header.environment.interpreters.items():
        found[key] = tools.ask(interpreter.executable)
        several = f"Python {key}: " if len(header.environment.interpreters) > 1 else ""
        for line in tools.missing(found[key]):
            record(Event(event="left_out", reason=several + line))
    counting = Counting(header.environment.interpreters, found, header.path, header.cpus)
    for benchmark, arm in pairs:

        def say(how: How, benchmark: Benchmark = benchmark, arm: Arm = arm) -> None:
            at(benchmark.id, f"{arm.label} ({WORDS[how]})")

        findings = counting.count(benchmark, arm, say)
        yield [*findings.metrics, *findings.events]


WORDS = {"plain": "counting", "strace": "system calls", "callgrind": "instructions"}
assert set(WORDS) == set(HOWS)
