"""Explains one benchmark on several loops: measures, and gives what was found a shape that tables
and pages show as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loopgauge.harness import subject
from loopgauge.harness.deterministic import anatomy, tools
from loopgauge.harness.deterministic.anatomy import METHOD, UNDIVIDED, anatomy_of
from loopgauge.harness.deterministic.counting import ABOUT_S, HOWS, Counting
from loopgauge.harness.deterministic.plan import How
from loopgauge.harness.deterministic.tier import WORDS
from loopgauge.harness.deterministic.tools import Tool
from loopgauge.harness.explained import Anatomy, Explanation
from loopgauge.harness.model import Arm, Benchmark
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.subject import Subject

NAMELESS = 0.05  # share of the instructions from which it is worth a word
STRIPPED = (
    " Up to {:.0%} of the instructions are in functions without a symbol: those of a stripped "
    "interpreter count as binding, also where they evaluate bytecode."
)
# The loop in C or C++ that one in Python is made of.
UNDER = {"epoll": "native:epoll", "uvloop": "native:libuv"}
ALL: tuple[How, ...] = (*HOWS, "bytecodes")


def explain(request: RunRequest, listener: Callable[[Progress], None]) -> Explanation:
    """Of a request with one benchmark. Raises a HarnessError, or KeyboardInterrupt with nothing
    left behind."""
    what = subject.resolve(request)
    [benchmark] = what.benchmarks
    arms = [arm for arm in what.arms if wanted(arm, request)]
    return explain_arms(what, benchmark, arms, request, Tracker(listener, expected_s(len(arms))))


def expected_s(arms: int) -> float:
    return arms * sum(ABOUT_S[how] for how in ALL)


def explain_arms(
    what: Subject,
    benchmark: Benchmark,
    arms: Sequence[Arm],
    request: RunRequest,
    tracker: Tracker,
    most: int = anatomy.COSTLIEST,
) -> Explanation:
    """In the order of `arms`; `most`: functions that are kept of each. Raises what explain does."""
    interpreters = what.environment.interpreters
    keys = dict.fromkeys(arm.python for arm in arms)
    here = {key: tools.ask(interpreters[key].executable) for key in keys}
    counting = Counting(interpreters, here, request.path, request.cpus)
    work = {how: ABOUT_S[how] for how in ALL if all(works(how, here[key]) for key in keys)}
    available = [arm for arm in arms if arm.available]
    tracker.measuring(sum(work.values()) * len(available), 0.0, 0)
    loops = [one(counting, benchmark, arm, work, tracker, most) for arm in arms]
    method = METHOD if any(loop.divided for loop in loops) else UNDIVIDED
    unnamed = max((loop.unnamed for loop in loops), default=0.0)
    if unnamed >= NAMELESS:
        method += STRIPPED.format(unnamed)
    return Explanation(
        benchmark=benchmark,
        operation="op" if benchmark.measure == "value" else benchmark.unit,
        command=list(request.command),
        python=interpreters[arms[-1].python],
        created=what.environment.load.utc,
        machine=what.environment.machine.cpu_model,
        method=method,
        loops=loops,
        left_out=[
            *dict.fromkeys(line for key in keys for line in tools.missing(here[key])),
            *(f"{loop.arm}: {reason}" for loop in loops for reason in loop.missing),
        ],
    )


def works(how: How, found: Mapping[str, Tool]) -> bool:
    return how not in found or bool(found[how].version)


def wanted(arm: Arm, request: RunRequest) -> bool:
    """The reference is always resolved, but explained only where it is asked for; its twin never.
    The floor is what the kernel alone takes, a native loop what is under one that was asked for."""
    if arm.role == "native":
        return arm.available and any(UNDER.get(loop) == arm.label for loop in request.arms)
    return arm.role == "floor" or (arm.role != "aa" and arm.loop in request.arms)


def one(
    counting: Counting,
    benchmark: Benchmark,
    arm: Arm,
    work: dict[How, float],
    tracker: Tracker,
    most: int,
) -> Anatomy:
    if not arm.available:
        return anatomy.absent(arm)
    before: list[How] = []

    def say(how: How) -> None:
        if before:
            tracker.finished(work[before[-1]])
        before.append(how)
        tracker.counting(benchmark.id, f"{arm.label} ({EXPLAINED[how]})")

    found = counting.count(benchmark, arm, say, ALL)
    for how in (how for how in work if how not in before[:-1]):
        tracker.finished(work[how])
    return anatomy_of(arm, found, most)


EXPLAINED = {**WORDS, "plain": "time", "bytecodes": "bytecodes"}
