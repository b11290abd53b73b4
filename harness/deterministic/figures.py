"""From the totals of two runs to the records of the run file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loopgauge.harness.deterministic.callgrind import Function, Profile, allocator_calls
from loopgauge.harness.deterministic.sizes import per_operation
from loopgauge.harness.model import Benchmark, Metric

SHOWN = 0.0005  # a function with a smaller share of the instructions is added to its file's rest
OTHERS = "(others)"

Sizes = tuple[int, int]
Counts = Mapping[str, float]


@dataclass(frozen=True)
class Subject:
    """Whose figures: the benchmark, the arm's label, and what one operation is called."""

    benchmark: str
    arm: str
    operation: str


def subject_of(benchmark: Benchmark, arm: str) -> Subject:
    """The unit of a scenario that measures a value is that of the value."""
    operation = "op" if benchmark.measure == "value" else benchmark.unit
    return Subject(benchmark.id, arm, operation)


def difference(n: Sizes, small: Counts, large: Counts) -> dict[str, float]:
    """Per operation, by name; names that do not change with n are left out."""
    names = [*large, *(name for name in small if name not in large)]
    found = {name: per_operation(n, (small.get(name, 0), large.get(name, 0))) for name in names}
    return {name: value for name, value in found.items() if value}


def metric(
    of: Subject, name: str, what: str, n: Sizes, runs: Sequence[Counts], tool: str
) -> Metric:
    """The value is the sum of the parts that `runs` has by name."""
    small, large = runs
    raw = (float(sum(small.values())), float(sum(large.values())))
    parts = difference(n, small, large)
    return Metric(
        benchmark=of.benchmark,
        arm=of.arm,
        metric=name,
        unit=f"{what}/{of.operation}",
        value=per_operation(n, raw),
        n=list(n),
        raw=list(raw),
        by_name=dict(sorted(parts.items(), key=lambda part: -abs(part[1]))),
        tool=tool,
    )


def of_profiles(of: Subject, n: Sizes, runs: Sequence[Profile], tool: str) -> list[Metric]:
    """Instructions by function, and calls of the C library's allocators."""
    instructions = metric(
        of, "instructions", "instruction", n, [by_function(run) for run in runs], tool
    )
    instructions.by_name = without_small(instructions.by_name, instructions.value)
    native = metric(
        of, "native_allocations", "call", n, [allocator_calls(run) for run in runs], tool
    )
    return [instructions, native]


def by_function(profile: Profile) -> dict[str, float]:
    """Two files of the same name (there are such) become one here."""
    costs: dict[str, float] = {}
    for function, cost in profile.self_cost.items():
        costs[str(function)] = costs.get(str(function), 0) + cost
    return costs


def without_small(parts: Mapping[str, float], whole: float) -> dict[str, float]:
    """Hundreds of functions cost next to nothing: one entry per file holds them."""
    kept: dict[str, float] = {}
    rest: dict[str, float] = {}
    for name, value in parts.items():
        if abs(value) >= SHOWN * whole:
            kept[name] = value
        else:
            file = Function(name[name.rindex("[") + 1 : -1], OTHERS)
            rest[str(file)] = rest.get(str(file), 0) + value
    return kept | rest


def of_trace(of: Subject, n: Sizes, runs: Sequence[Counts], tool: str) -> list[Metric]:
    return [metric(of, "syscalls", "call", n, runs, tool)]


def of_process(of: Subject, n: Sizes, runs: Sequence[Counts]) -> list[Metric]:
    """What the plain process counted of itself."""
    found = [
        metric(of, "allocations", "call", n, select(runs, allocation_part), "PyMem_SetAllocator"),
        metric(of, "allocated_bytes", "byte", n, select(runs, byte_part), "PyMem_SetAllocator"),
        single(of, "voluntary_switches", "switch", n, runs, "getrusage"),
        single(of, "involuntary_switches", "switch", n, runs, "getrusage"),
    ]
    units = {
        "page_faults": "fault",
        "cycles": "cycle",
        "hardware_instructions": "instruction",
        "branch_misses": "miss",
        "cache_misses": "miss",
    }
    found += [
        single(of, name, what, n, runs, "perf_event_open")
        for name, what in units.items()
        if all(name in run for run in runs)
    ]
    return found


def single(
    of: Subject, name: str, what: str, n: Sizes, runs: Sequence[Counts], tool: str
) -> Metric:
    """A figure without parts."""
    made = metric(of, name, what, n, [{name: run[name]} for run in runs], tool)
    made.by_name = {}
    return made


def select(runs: Sequence[Counts], part: Callable[[str], str]) -> list[dict[str, float]]:
    """The totals that `part` gives a name."""
    return [{part(name): value for name, value in run.items() if part(name)} for run in runs]


def allocation_part(name: str) -> str:
    """ "object", "object (realloc)": by Python's domain of memory."""
    what, _, domain = name.partition(":")
    return {"allocations": domain, "reallocations": f"{domain} (realloc)"}.get(what, "")


def byte_part(name: str) -> str:
    what, _, domain = name.partition(":")
    return domain if what == "bytes" else ""
