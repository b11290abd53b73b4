"""`bench run --dry-run`: what would be measured. Starts no process and imports no loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli.console import stdout_console
from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.output import print_json
from loopgauge.harness.cli.wording import counted

if TYPE_CHECKING:
    from loopgauge.harness.request import RunRequest


CONTROLS = ("asyncio", "asyncio~aa")  # arms of every run


@dataclass(frozen=True)
class PlannedLoop:
    name: str
    available: bool  # on the Python that runs bench
    reason: str


@dataclass(frozen=True)
class Outline:
    setting: str
    benchmarks: list[str]
    loops: list[PlannedLoop]
    pythons: list[str]
    rounds: tuple[int, int]  # fewest and most worker processes per loop and benchmark
    expected_s: float  # of the timed part, before anything is known of the loops


def show_plan(request: RunRequest, *, as_json: bool) -> None:
    if request.resume is not None:
        raise Problem(
            ExitCode.USAGE, "--dry-run does not go with --resume", "`bench list runs` shows runs"
        )
    outline = make_outline(request)
    if as_json:
        print_json({"schema": 1, "kind": "plan", **asdict(outline)})
        return
    print_outline(outline)


def print_outline(outline: Outline, hosts: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """`hosts`: of a fleet, by name: which loops cannot be made there, and why."""
    console = stdout_console()
    console.print(
        f"{counted(len(outline.benchmarks), 'benchmark')} ({outline.setting} setting)", style="bold"
    )
    for benchmark in outline.benchmarks:
        console.print(Text(f"  {benchmark}"))
    console.print(counted(len(outline.loops), "loop"), style="bold")
    table = Table.grid(padding=(0, 2))
    for loop in outline.loops:
        table.add_row(" ", Text(loop.name), Text("; ".join(unavailable(loop, hosts))))
    console.print(table)
    if hosts is not None:
        console.print(f"all of it on each of {counted(len(hosts), 'host')}")
    if outline.pythons:
        console.print(f"on Python {', '.join(outline.pythons)}")
    least, most = outline.rounds
    console.print(
        f"{least} to {most} processes for each, all loops interleaved; "
        f"about {outline.expected_s / 60:.1f} minutes. Nothing was measured."
    )


def unavailable(loop: PlannedLoop, hosts: Mapping[str, Mapping[str, str]] | None) -> Iterator[str]:
    if hosts is None:
        if not loop.available:
            yield f"unavailable: {loop.reason}"
        return
    for host, missing in hosts.items():
        if loop.name in missing:
            yield f"unavailable on {host}: {missing[loop.name]}"


def make_outline(request: RunRequest) -> Outline:
    from loopgauge.harness.planning import guess_s, limits_of
    from loopgauge.harness.subject import describe

    limits = limits_of(request)
    benchmarks = [describe(scenario, params) for scenario, params in request.benchmarks]
    loops = [planned(loop) for loop in request.arms]
    arms = [loop.name for loop in loops if loop.available] + list(CONTROLS)
    return Outline(
        setting=request.setting,
        benchmarks=[benchmark.id for benchmark in benchmarks],
        loops=loops,
        pythons=[*request.pythons],
        rounds=(limits.rounds_least, limits.rounds_most),
        expected_s=guess_s(limits, arms, {b.id: b.slot_s for b in benchmarks}),
    )


def planned(loop: str) -> PlannedLoop:
    from loopgauge.loops.registry import availability, resolve

    found = availability(resolve(loop))
    return PlannedLoop(loop, found.ok, found.reason)
