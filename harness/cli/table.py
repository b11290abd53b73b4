"""The result of a run in a terminal. It words and lays out a RunSummary and computes nothing."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli import counts, families, memory, wording
from loopgauge.harness.cli.latencies import latencies

if TYPE_CHECKING:
    from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary

# Below ROOMY the ratio to the floor has no interval; below WIDE the second ratio loses its own and
# titles are short; below CARDS a row no longer fits and becomes a card of a few lines.
CARDS_BELOW = 76
WIDE_FROM = 100
ROOMY_FROM = 130

LOOP_WIDTH = 32  # a longer module:factory folds
REASON_LENGTH = 200  # the report and the run file have all of it

STATUS_WORDS = {
    "invalid": ("INVALID", "bold red"),
    "crashed": ("CRASHED", "bold red"),
    "hung": ("HUNG", "bold red"),
    "error": ("ERROR", "bold red"),
    "unmeasured": ("not measured", "yellow"),
    "unsupported": ("UNSUPPORTED", "yellow"),
    "lacking": ("LACKING", "bold yellow"),
    "unavailable": ("unavailable", "dim"),
}
VERDICT_STYLES = {"faster": "green", "slower": "red", "inconclusive": "yellow"}


def print_run(summary: RunSummary, console: Console) -> None:
    absent = absent_everywhere(summary)
    for benchmark in summary.benchmarks:
        console.print(benchmark_block(benchmark, console.width, skip=absent))
        console.print()
    if absent:
        console.print(Text("In none of them", style="bold"))
        console.print(indented(missing_arms(absent.values())))
        console.print()
    if len(summary.benchmarks) > 1 and any(benchmark.fastest for benchmark in summary.benchmarks):
        console.print(overview(summary))
        console.print()
    if found := families.shown(summary):
        console.print(Text("By family, as the mean over its benchmarks", style="bold"))
        console.print(indented(families.table(found, summary.reference)))
        console.print()
    for note in summary.notes:
        console.print(Text.assemble(("note: ", "bold"), note))
    if summary.advisory:
        console.print(advisory_banner(summary))
    else:
        console.print(Text(summary.self_check, style="dim"))


def absent_everywhere(summary: RunSummary) -> dict[str, ArmSummary]:
    """The loops that are missing in every one of several benchmarks for the same reason: said
    once, not under each."""
    if len(summary.benchmarks) < 2:
        return {}
    reasons: dict[str, set[tuple[str, str]]] = {}
    for benchmark in summary.benchmarks:
        for arm in [*benchmark.arms, *benchmark.natives]:
            reasons.setdefault(arm.arm, set()).add((arm.status, arm.reason))
    return {
        arm.arm: arm
        for arm in everybody(summary)
        if arm.status != "ok" and arm.role != "aa" and len(reasons[arm.arm]) == 1
    }


def everybody(summary: RunSummary) -> list[ArmSummary]:
    """Each arm once, as it did in the first benchmark that it could take part in."""
    arms = {arm.arm: arm for b in reversed(summary.benchmarks) for arm in [*b.arms, *b.natives]}
    return [*arms.values()]


def benchmark_block(
    benchmark: BenchmarkSummary, width: int, *, skip: Container[str] = ()
) -> RenderableType:
    candidates = [arm for arm in benchmark.arms if arm.role != "aa"]
    measured = sorted(
        (arm for arm in candidates if arm.status == "ok" and not math.isnan(arm.cost)),
        key=lambda arm: arm.cost,
        reverse=benchmark.direction == "higher",
    )
    missing = [arm for arm in candidates if arm.status != "ok" and arm.arm not in skip]
    parts: list[RenderableType] = [heading(benchmark, width)]
    if measured:
        layout = cards if width < CARDS_BELOW else rows
        parts.append(indented(layout(benchmark, measured, width)))
    counted = counts.arms_with_counts(benchmark)
    if counted:
        parts.append(indented(counts.table(counted, width)))
    remembered = memory.arms_with_memory(benchmark)
    if remembered:
        parts.append(indented(memory.table(remembered)))
    if missing:
        parts.append(indented(missing_arms(missing)))
    if any(arm.arrivals is not None for arm in measured):
        parts.append(indented(latencies(benchmark, measured)))
    if benchmark.natives:
        parts.append(indented(native_tier(benchmark, skip)))
    parts.extend(indented(Text(line, style="dim")) for line in footnotes(benchmark, measured))
    return Group(*parts)


def heading(benchmark: BenchmarkSummary, width: int) -> Text:
    what = f"  {benchmark.summary}" if benchmark.summary else ""
    better = wording.what_is_better(benchmark)
    fits = len(benchmark.id) + len(what) + len(better) + 4 <= width
    return Text.assemble(
        (benchmark.id, "bold"), what, (f"  ({better})" if fits else f"\n  {better}", "dim")
    )


def indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def rows(benchmark: BenchmarkSummary, arms: Iterable[ArmSummary], width: int) -> Table:
    wide = width >= WIDE_FROM
    roomy = width >= ROOMY_FROM
    gap = (0, 2 if wide else 1, 0, 0)
    table = Table(box=None, padding=gap, pad_edge=False, header_style="dim")
    table.add_column("loop", overflow="fold", max_width=LOOP_WIDTH)
    table.add_column(wording.cost_title(benchmark, short=not wide), justify="right", no_wrap=True)
    table.add_column("against stock asyncio" if wide else "vs asyncio", overflow="fold")
    table.add_column("against the best other" if wide else "vs best other", overflow="fold")
    if benchmark.floor is not None:
        table.add_column("vs the floor" if wide else "vs floor", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for arm in arms:
        table.add_row(
            Text(arm.arm, style="bold" if arm.arm in benchmark.fastest else ""),
            wording.cost(arm, benchmark),
            against_reference(arm, benchmark),
            against_best_other(arm, benchmark, interval=wide),
            *([against_floor(arm, interval=roomy)] if benchmark.floor is not None else []),
            verdict(arm, benchmark),
        )
    return table


def cards(benchmark: BenchmarkSummary, arms: Iterable[ArmSummary], width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    table.add_column("loop", overflow="fold", max_width=max(10, width // 3))
    table.add_column("figures", overflow="fold")
    for arm in arms:
        lead = against_best_other(arm, benchmark, interval=False, say_whom=True)
        first = Text.assemble(wording.cost(arm, benchmark), "  ", lead)
        lines = [first, against_reference(arm, benchmark, than="asyncio")]
        if arm.to_floor is not None:
            lines.append(Text.assemble(against_floor(arm, interval=True), " the floor"))
        if arm.verdict in ("equivalent", "inconclusive"):
            lines.append(verdict(arm, benchmark))
        style = "bold" if arm.arm in benchmark.fastest else ""
        table.add_row(Text(arm.arm, style=style), Text("\n").join(lines))
    return table


def against_reference(arm: ArmSummary, benchmark: BenchmarkSummary, *, than: str = "") -> Text:
    if arm.verdict == "reference":
        return Text("the reference", style="dim")
    if arm.ratio is None:
        return Text("no ratio", style="dim")
    style = VERDICT_STYLES.get(arm.verdict, "")
    return Text(wording.comparison(arm.ratio, benchmark.measure, than=than), style=style)


def against_best_other(
    arm: ArmSummary, benchmark: BenchmarkSummary, *, interval: bool, say_whom: bool = False
) -> Text:
    """The winner's lead over the next, everybody else's distance from the winner."""
    leads = arm.arm in benchmark.fastest
    whom = ("the next" if leads else "the best") if say_whom else ""
    if arm.to_fastest is None:
        return Text("the only one" if leads else "no ratio", style="dim")
    words = wording.comparison(arm.to_fastest, benchmark.measure, interval=interval, than=whom)
    if not leads:
        return Text(words)
    return Text(words, style="bold green" if len(benchmark.fastest) == 1 else "bold")


def against_floor(arm: ArmSummary, *, interval: bool) -> Text:
    """The cost as a multiple of what bare system calls cost."""
    if arm.to_floor is None:
        return Text("no ratio", style="dim")
    return Text(wording.multiple(arm.to_floor, interval=interval))


def verdict(arm: ArmSummary, benchmark: BenchmarkSummary) -> Text:
    word = wording.verdict(arm.verdict, benchmark.measure)
    return Text(word, style=VERDICT_STYLES.get(arm.verdict, "dim"))


def native_tier(benchmark: BenchmarkSummary, skip: Container[str] = ()) -> RenderableType:
    """The native loops, which no loop that Python can use competes with."""
    measured = sorted(
        (arm for arm in benchmark.natives if arm.status == "ok"), key=lambda a: a.cost
    )
    missing = [arm for arm in benchmark.natives if arm.status != "ok" and arm.arm not in skip]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("native loop", no_wrap=True)
    table.add_column(wording.cost_title(benchmark, short=True), justify="right", no_wrap=True)
    table.add_column("vs the built-in core", overflow="fold")
    if benchmark.floor is not None:
        table.add_column("vs the floor", overflow="fold")
    for arm in measured:
        table.add_row(
            Text(arm.arm),
            wording.cost(arm, benchmark),
            against_core(arm),
            *([against_floor(arm, interval=True)] if benchmark.floor is not None else []),
        )
    return Group(*([table] if measured else []), *([missing_arms(missing)] if missing else []))


def against_core(arm: ArmSummary) -> Text:
    if arm.to_core is None:
        return Text("", style="dim")
    return Text(wording.multiple(arm.to_core, interval=True))


def missing_arms(arms: Iterable[ArmSummary]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column("loop", overflow="fold", max_width=LOOP_WIDTH)
    table.add_column("status", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for arm in arms:
        word, style = STATUS_WORDS.get(arm.status, (arm.status, "bold red"))
        reason = textwrap.shorten(arm.reason, REASON_LENGTH, placeholder=" …")
        table.add_row(Text(arm.arm), Text(word, style=style), Text(reason))
    return table


def footnotes(benchmark: BenchmarkSummary, arms: Iterable[ArmSummary]) -> list[str]:
    notes = floor_notes(benchmark) + harness_notes(benchmark)
    for arm in arms:
        if arm.helper_flag:
            notes.append(
                f"{arm.arm}: helper threads add {arm.helper_gap:.0%} to the loop thread's "
                f"{wording.duration(arm.thread_ns)}; the figure above holds both."
            )
        if arm.isolated:
            notes.append(f"{arm.arm}: measured in processes of its own. {arm.reason}".rstrip())
    return notes


def harness_notes(benchmark: BenchmarkSummary) -> list[str]:
    """Where it weighs most: an operation that takes long has few others in its slot."""
    known = [arm for arm in benchmark.natives if arm.status == "ok" and arm.harness_ns > 0]
    if not known:
        return []
    worst = max(known, key=lambda arm: arm.harness_ns / arm.cost)
    return [
        f"the harness: {worst.harness_ns:.2f} ns of each operation of {worst.arm}, the most of the "
        "native loops (an empty operation in the same slots)."
    ]


def floor_notes(benchmark: BenchmarkSummary) -> list[str]:
    floor = benchmark.floor
    if floor is None or (floor.status == "ok" and math.isnan(floor.cost)):
        return []
    if floor.status != "ok":
        word = STATUS_WORDS[floor.status][0]
        return [f"the floor was not measured: {word}: {floor.reason}"]
    return [
        f"the floor: {wording.cost(floor, benchmark)} in the same slots, for bare system calls "
        "(epoll in C++, no loop)."
    ]


def advisory_banner(summary: RunSummary) -> Text:
    return Text.assemble(
        ("ADVISORY  ", "bold yellow"),
        f"{summary.self_check}. `bench doctor` says what makes this machine noisy.",
    )


def overview(summary: RunSummary) -> RenderableType:
    """How often each loop was the fastest or not separated from it."""
    wins: dict[str, int] = {}
    for benchmark in summary.benchmarks:
        for arm in benchmark.fastest:
            wins[arm] = wins.get(arm, 0) + 1
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for arm, count in sorted(wins.items(), key=lambda item: -item[1]):
        table.add_row(Text(arm, style="bold"), f"{count} of {len(summary.benchmarks)}")
    return Group(
        Text("Fastest, or not separated from the fastest, in", style="bold"), indented(table)
    )
