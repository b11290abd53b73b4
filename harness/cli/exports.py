"""`bench report --format`: the formats of other tools. One run makes one document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.formats.figures import Export
    from loopgauge.harness.store import RunFile
    from loopgauge.harness.summary import ArmSummary, RunSummary

BIGGER = "github-action-benchmark-bigger"
FORMATS = ("pyperf", "google-benchmark", "github-action-benchmark", BIGGER, "bencher")
NO_LOOPS = ("aa", "floor")  # roles that only go out where they are asked for


def export(run: RunFile, summary: RunSummary, name: str, arms: Sequence[str]) -> Export:
    """Raises Problem where the format can express nothing of the run."""
    # What another tool measured keeps the names that it had there.
    alone = len(arms) == 1 or (bool(run.header.imported) and len(run.header.arms) == 1)
    made = MAKERS[name](run, chosen_arms(summary, arms), alone)
    if not made.text:
        reasons = "; ".join(made.left_out) or "no arm has a figure"
        raise Problem(
            ExitCode.NOTHING_MEASURED, f"nothing of {summary.path} fits {name}: {reasons}"
        )
    return made


def chosen_arms(summary: RunSummary, labels: Sequence[str]) -> RunSummary:
    """The summary with these arms alone; without labels, with all loops."""
    import msgspec

    known = {arm.label: arm.role for arm in summary.header.arms}
    for label in labels:
        if label not in known:
            hint = did_you_mean(label, known) or f"There is {', '.join(known)}."
            raise click.UsageError(f"The run has no arm {label!r}. {hint}")
    kept = set(labels) or {label for label, role in known.items() if role not in NO_LOOPS}

    def keep(arms: Sequence[ArmSummary]) -> list[ArmSummary]:
        return [arm for arm in arms if arm.arm in kept]

    benchmarks = [
        msgspec.structs.replace(
            benchmark,
            arms=keep(benchmark.arms),
            natives=keep(benchmark.natives),
            floor=next(iter(keep([benchmark.floor])), None) if benchmark.floor else None,
        )
        for benchmark in summary.benchmarks
    ]
    return msgspec.structs.replace(summary, benchmarks=benchmarks)


def _pyperf(run: RunFile, summary: RunSummary, alone: bool) -> Export:
    from loopgauge.harness.formats import pyperf

    return pyperf.write(run, summary, alone=alone)


def _google_benchmark(run: RunFile, summary: RunSummary, alone: bool) -> Export:
    from loopgauge.harness.formats import google_benchmark

    return google_benchmark.write(run, summary, alone=alone)


def _smaller(run: RunFile, summary: RunSummary, alone: bool) -> Export:
    from loopgauge.harness.formats.figures import Export
    from loopgauge.reports import github_action_text

    bigger = [benchmark.id for benchmark in summary.benchmarks if benchmark.direction == "higher"]
    return Export(
        github_action_text(summary, alone=alone),
        [f"the value of {name}: more is better there; --format {BIGGER} has it" for name in bigger],
    )


def _bigger(run: RunFile, summary: RunSummary, alone: bool) -> Export:
    from loopgauge.harness.formats.figures import Export
    from loopgauge.reports import github_action_text

    text = github_action_text(summary, direction="higher", alone=alone)
    return Export(text, [] if text else ["less is better in all of its benchmarks"])


def _bencher(run: RunFile, summary: RunSummary, alone: bool) -> Export:
    from loopgauge.harness.formats.figures import Export
    from loopgauge.reports import bencher_text

    return Export(bencher_text(summary, alone=alone))


MAKERS: dict[str, Callable[[RunFile, RunSummary, bool], Export]] = {
    "pyperf": _pyperf,
    "google-benchmark": _google_benchmark,
    "github-action-benchmark": _smaller,
    BIGGER: _bigger,
    "bencher": _bencher,
}
