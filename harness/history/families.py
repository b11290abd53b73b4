"""A run's families as points of a history: on which kind of machine, which build, against what."""

from __future__ import annotations

from collections.abc import Iterator

from loopgauge.harness.history.entries import Context
from loopgauge.harness.history.model import FamilyPoint
from loopgauge.harness.summary import RunSummary


def family_points(summary: RunSummary) -> Iterator[FamilyPoint]:
    """Of all loops, in the order of families and of the run file; also of those without a figure,
    which then say what they lack. A loop's time per operation comes before how long it waits."""
    context = Context(summary.header, commit="", sides={})
    for family in [*summary.families, *summary.waits]:
        for figure in family.arms:
            arm = context.arms[figure.arm]
            identity = context.identity(arm)
            yield FamilyPoint(
                machine=context.machine(arm),
                loop=arm.loop,
                version=identity["version"],
                build=identity["build"],
                against=context.against(arm),
                family=family,
                figure=figure,
            )
