"""Google Benchmark's JSON, schema 1 (its src/json_reporter.cc and docs/user_guide.md).

Its repetitions run in one process, ours are processes: `real_time` and `cpu_time` of a repetition
we write are the medians over the slots of one process, wall-clock and CPU of the whole process.
Names of its own convention say which of the two counts: `/real_time`, `/manual_time`, else CPU.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness.formats.figures import (
    Export,
    Series,
    counted_only,
    in_nanoseconds,
    series_of,
)
from loopgauge.harness.formats.foreign import (
    LONG,
    Process,
    Reading,
    are_costs,
    checked,
    host_hash,
)
from loopgauge.harness.model import (
    Benchmark,
    Environment,
    Event,
    EventKind,
    Interpreter,
    Load,
    Machine,
    Sample,
)
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import RunSummary

NAME = "google-benchmark"
SCHEMA = 1
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
WALL = re.compile(r"/(real_time|manual_time)(/|$)")
ONE_PROCESS = (
    "repetitions of Google Benchmark share a process, whose own bias of 1 to 2 % is in no interval:"
    " run the program several times, and give the files to bench import --together"
)
# Keys of an entry that no counter may take.
RESERVED = frozenset(
    {"name", "iterations", "real_time", "cpu_time", "time_unit", "label", "threads"}
)

Entry = dict[str, Any]


class Line(msgspec.Struct):
    """An entry of `benchmarks`, with what we take of it."""

    name: str
    run_name: str = ""
    run_type: str = "iteration"
    repetition_index: int | None = None
    iterations: float = 1
    real_time: float | None = None
    cpu_time: float | None = None
    time_unit: str = "ns"
    label: str = ""
    error_occurred: bool = False
    error_message: str = ""
    skipped: bool = False
    skip_message: str = ""


class Context(msgspec.Struct):
    date: str = ""
    host_name: str = ""
    executable: str = ""
    num_cpus: int = 0
    cpu_scaling_enabled: bool = False
    aslr_enabled: bool = True
    load_avg: list[float] = []
    library_version: str = ""
    library_build_type: str = ""
    json_schema_version: int = SCHEMA
    loopgauge_machine: str = ""
    loopgauge_run: str = ""  # of a file that we wrote: then `label` is an arm


class Report(msgspec.Struct):
    context: Context
    benchmarks: list[Line]


def is_one(document: dict[str, Any]) -> bool:
    return isinstance(document.get("context"), dict) and "benchmarks" in document


def read(path: Path, document: dict[str, Any], loop: str = "") -> Reading:
    """Raises NotARunFile. `loop`: what was measured, unless the file says it."""
    report = checked(path, document, Report, "Google Benchmark")
    context = report.context
    reading = Reading(path, f"Google Benchmark JSON {context.json_schema_version}")
    reading.created = context.date
    reading.environment = _environment(context)
    lines = [line for line in report.benchmarks if line.run_type == "iteration"]
    if report.benchmarks and not lines:
        reading.note("aggregates alone: measure without --benchmark_report_aggregates_only")
    ours = bool(context.loopgauge_run)
    repetitions: Counter[tuple[str, str]] = Counter()
    for line in lines:
        arm = line.label if ours and line.label else loop or NAME
        name = _benchmark_name(line, arm if ours else "")
        reading.arm(arm, "", "", _program(context))
        reading.benchmark(_benchmark(name, line))
        _take(reading, line, name, arm, repetitions[name, arm])
        repetitions[name, arm] += 1
    if not ours:
        share_a_process(reading)
    if context.library_build_type == "debug":
        reading.note("Google Benchmark itself was a debug build, which its authors warn of")
    return reading


def write(run: RunFile, summary: RunSummary, *, alone: bool = False) -> Export:
    """A repetition is a process of ours. Counts become user counters, and so do values that are no
    time: compare.py shows neither."""
    found = series_of(run, summary, alone=alone)
    if not found:
        return Export("", counted_only(summary))
    families = {each.id: number for number, each in enumerate(summary.benchmarks)}
    entries: list[Entry] = []
    for series in found:
        instance = [each.arm for each in found if each.benchmark is series.benchmark].index(
            series.arm
        )
        entries += _entries(
            series,
            {
                "family_index": families[series.benchmark.id],
                "per_family_instance_index": instance,
                "run_name": f"{series.name}{_suffix(series.benchmark)}",
            },
        )
    document = {"context": _context(run), "benchmarks": entries}
    return Export(json.dumps(document, indent=2) + "\n", counted_only(summary))


def share_a_process(reading: Reading) -> None:
    for process in reading.processes:
        process.number = 1
    if any(process.round for process in reading.processes):
        reading.note(ONE_PROCESS)


def _take(reading: Reading, line: Line, name: str, arm: str, number: int) -> None:
    if line.error_occurred or line.skipped:
        kind: EventKind = "error" if line.error_occurred else "unsupported"
        reason = line.error_message or line.skip_message or "it gives no reason"
        reading.events.append(Event(event=kind, benchmark=name, arm=arm, reason=reason))
        return
    headline = line.real_time if _is_wall(line) else line.cpu_time
    scale = UNITS.get(line.time_unit)
    if scale is None or headline is None or not 1 <= line.iterations < LONG:
        reading.note(f"{name}: {headline} {line.time_unit} is no time that counts; left out")
        return
    real, cpu = (
        # Only the headline must be a time: a CPU clock may have stood still meanwhile.
        [time * scale] if time is not None and (time is headline or are_costs([time])) else None
        for time in (line.real_time, line.cpu_time)
    )
    reading.add(
        Process(
            name,
            arm,
            round=number if line.repetition_index is None else max(0, line.repetition_index),
            n=[round(line.iterations)],
            wall=real,
            cpu=cpu,
        )
    )


def _benchmark(name: str, line: Line) -> Benchmark:
    return Benchmark(
        id=name,
        scenario=name,
        unit="iteration",
        measure="wall" if _is_wall(line) else "cpu",
        design="process",
    )


def _is_wall(line: Line) -> bool:
    return bool(WALL.search(line.run_name or line.name))


def _benchmark_name(line: Line, arm: str) -> str:
    """Where we wrote the file, without what we added; `arm` is then known."""
    name = line.run_name or line.name
    return WALL.sub("", name).removesuffix(f"/{arm}") if arm else name


def _environment(context: Context) -> Environment:
    return Environment(
        machine=Machine(
            cpus_logical=context.num_cpus,
            governor="scaling" if context.cpu_scaling_enabled else "",
            aslr="" if context.aslr_enabled else "0",
            hostname_hash=context.loopgauge_machine or host_hash(context.host_name),
        ),
        load=Load(load_1m=_load(context.load_avg)),
    )


def _load(averages: list[float]) -> float:
    return averages[0] if averages and 0 <= averages[0] < math.inf else 0.0


def _program(context: Context) -> Interpreter:
    """No Python that we know of."""
    return Interpreter(
        executable=context.executable,
        version="",
        implementation="",
        engine=context.library_version.removeprefix("v"),
    )


def _context(run: RunFile) -> dict[str, Any]:
    header = run.header
    machine = header.environment.machine
    engines = [found.engine for found in header.environment.interpreters.values() if found.engine]
    context: dict[str, Any] = {
        "date": header.created,
        "host_name": machine.hostname_hash,  # the name itself is in no run file
        "executable": "bench",
        "num_cpus": machine.cpus_logical,
        "mhz_per_cpu": 0,
        "caches": [],
        "load_avg": [header.environment.load.load_1m],
        "library_version": engines[0] if engines else "",
        "library_build_type": "release",
        "json_schema_version": SCHEMA,
        "cpu_model": machine.cpu_model,
        "kernel": machine.kernel,
        "loopgauge_machine": machine.hostname_hash,
        "loopgauge_run": header.run,
    }
    if machine.aslr:
        context["aslr_enabled"] = machine.aslr != "0"
    return context


def _suffix(benchmark: Benchmark) -> str:
    if WALL.search(benchmark.id):  # it came from Google Benchmark
        return ""
    if benchmark.measure == "value":
        return "/manual_time" if in_nanoseconds(benchmark.unit) else ""
    return "/real_time" if benchmark.measure == "wall" else ""


def _entries(series: Series, place: Entry) -> list[Entry]:
    """A line per repetition; with two or more, the aggregates that Google Benchmark adds."""
    times = [_times(series, sample) for sample in series.samples]
    shared = {**place, "repetitions": len(times), "threads": 1}
    lines = [
        {
            "name": place["run_name"],
            **shared,
            "run_type": "iteration",
            "repetition_index": number,
            "iterations": sum(sample.n),
            "real_time": real,
            "cpu_time": cpu,
            "time_unit": "ns",
            **_counters(series, sample),
            "label": series.arm.arm,
        }
        for number, (sample, (real, cpu)) in enumerate(zip(series.samples, times, strict=True))
    ]
    if len(times) < 2:
        return lines
    return lines + [
        {
            "name": f"{place['run_name']}_{name}",
            **shared,
            "run_type": "aggregate",
            "aggregate_name": name,
            "aggregate_unit": "percentage" if name == "cv" else "time",
            "iterations": len(times),
            "real_time": compute([real for real, _ in times]),
            "cpu_time": compute([cpu for _, cpu in times]),
            "time_unit": "ns",
            "label": series.arm.arm,
        }
        for name, compute in AGGREGATES.items()
    ]


def _times(series: Series, sample: Sample) -> tuple[float, float]:
    """Wall-clock time, or the value where it is a time, and CPU time; ns per operation."""
    benchmark = series.benchmark
    scale = in_nanoseconds(benchmark.unit) if benchmark.measure == "value" else None
    real = series.cost(sample) * scale if scale else series.wall_ns(sample)
    return real, series.process_ns(sample)


def _counters(series: Series, sample: Sample) -> dict[str, float]:
    counters = {name: metric.value for name, metric in series.arm.metrics.items()}
    if series.benchmark.measure == "value" and not in_nanoseconds(series.benchmark.unit):
        counters[series.benchmark.unit] = series.cost(sample)
    return {name: value for name, value in counters.items() if name not in RESERVED}


def _spread(values: list[float]) -> float:
    mean = statistics.fmean(values)
    return statistics.stdev(values) / mean if mean else 0.0


AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "stddev": statistics.stdev,
    "cv": _spread,
}
