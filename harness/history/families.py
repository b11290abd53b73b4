"""A run's families as points of a history: on which kind of machine, which build, against what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from loopgauge.harness.history.entries import Context
from loopgauge.harness.history.model import FamilyPoint
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import RunSummary, reference_arm


def of_one_python(run: RunFile, python: str) -> RunFile | None:
    """What `run` says of the loops on one of its Pythons, with that Python's own instance of the
    reference as the yardstick; None where the reference was not measured there. Loops of two
    Pythons have taken turns, but what is told of one kind of machine is told of one Python."""
    header = run.header
    reference = reference_arm(header)
    wanted = next(arm.loop for arm in header.arms if arm.label == reference)
    arms = [arm for arm in header.arms if arm.python == python]
    found = [arm.label for arm in arms if arm.loop == wanted and arm.role != "aa"]
    if not found:
        return None
    labels = {"", *(arm.label for arm in arms)}  # an event without one is about the whole run
    return replace(
        run,
        header=msgspec.structs.replace(header, arms=arms, reference=found[0]),
        samples=[one for one in run.samples if one.arm in labels],
        events=[one for one in run.events if one.arm in labels],
        metrics=[one for one in run.metrics if one.arm in labels],
    )


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
