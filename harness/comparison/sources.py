"""The two sides of a comparison: a run each, and which of its loops the other one has too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopgauge.harness.errors import Incomparable, NothingToMeasure
from loopgauge.harness.model import Arm, Benchmark
from loopgauge.harness.pairing import SampleIndex
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, RunSummary, summarise
from loopgauge.harness.verdicts import Verdicts


@dataclass
class Source:
    """A run, and the loops of it that may be compared, by the name they have in both."""

    run: RunFile
    summary: RunSummary
    index: SampleIndex
    loops: dict[str, Arm]
    twin: Arm | None

    @property
    def control(self) -> Arm | None:
        return next((arm for arm in self.run.header.arms if arm.role == "reference"), None)

    def benchmark(self, name: str) -> Benchmark:
        return next(one for one in self.run.header.benchmarks if one.id == name)

    def arm(self, benchmark: str, label: str) -> ArmSummary | None:
        found = next(one for one in self.summary.benchmarks if one.id == benchmark)
        arms = [*found.arms, *found.natives]
        return next((arm for arm in arms if arm.arm == label), None)


Naming = Callable[[Arm], str]


def by_label(arm: Arm) -> str:
    return arm.label


def by_loop(arm: Arm) -> str:
    return arm.loop


def by_loop_and_python(arm: Arm) -> str:
    return arm.loop if arm.role == "native" else f"{arm.loop}@{arm.python}"


def naming_of(*runs: RunFile) -> Naming:
    """By loop, so that labels need not agree; by label where a run holds one loop twice, as the
    timing of a gate does."""
    several = any(len(run.header.environment.interpreters) > 1 for run in runs)
    naming = by_loop_and_python if several else by_loop
    for run in runs:
        names = [naming(arm) for arm in comparable(run)]
        if len(set(names)) < len(names):
            return by_label
    return naming


def comparable(run: RunFile) -> list[Arm]:
    return [arm for arm in run.header.arms if arm.role in ("candidate", "reference", "native")]


def source(run: RunFile, margin: float, verdicts: Verdicts, naming: Naming) -> Source:
    return Source(
        run=run,
        summary=summarise(run, margin=margin, verdicts=verdicts),
        index=SampleIndex(run.samples),
        loops={naming(arm): arm for arm in comparable(run)},
        twin=next((arm for arm in run.header.arms if arm.role == "aa"), None),
    )


def require_samples(*sides: Source) -> None:
    for side in sides:
        if not side.run.samples and not side.run.metrics:
            raise NothingToMeasure(
                f"{side.run.path} holds no figure: nothing was measured", "Run it again"
            )


def common_control(base: Source, head: Source) -> str:
    """The loop that both runs hold as their reference; "" where they have none in common."""
    before, after = base.control, head.control
    same = before is not None and after is not None and before.loop == after.loop
    return before.loop if same and before is not None else ""


def drop_control(base: Source, head: Source) -> None:
    """A ratio to itself says nothing. Where a run measured nothing else, it is compared raw."""
    others = [
        {name: arm for name, arm in side.loops.items() if arm.role != "reference"}
        for side in (base, head)
    ]
    if all(others):
        base.loops, head.loops = others


def chosen_loops(base: Source, head: Source, wanted: Sequence[str]) -> list[str]:
    known = {**base.loops, **head.loops}
    for word in wanted:
        if not any(matches(word, name, arm) for name, arm in known.items()):
            raise Incomparable(
                f"neither run holds a loop {word!r} to compare", f"They hold {', '.join(known)}"
            )
    common = [
        name
        for name, arm in base.loops.items()
        if name in head.loops and (not wanted or any(matches(w, name, arm) for w in wanted))
    ]
    if not common:
        raise NothingToMeasure(
            f"no common loop: base has {', '.join(base.loops) or 'none'}, head has "
            f"{', '.join(head.loops) or 'none'}",
            "Measure the same loop on both sides; two arms of one run compare with --base and "
            "--head",
        )
    return common


def matches(word: str, name: str, arm: Arm) -> bool:
    return word in (name, arm.label, arm.loop)


def common_benchmarks(base: Source, head: Source) -> list[str]:
    ids = {benchmark.id for benchmark in head.run.header.benchmarks}
    common = [one.id for one in base.run.header.benchmarks if one.id in ids]
    if not common:
        raise NothingToMeasure(
            f"{base.run.path} and {head.run.path} have no common benchmark",
            "Measure the same scenarios with the same parameters on both sides",
        )
    return common
