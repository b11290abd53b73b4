"""From the words of `bench gate` to two sides, and a header that says what is compared."""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import termination_as_interrupt
from loopgauge.harness.cli.gate_shown import display_of, say

if TYPE_CHECKING:
    from loopgauge.harness.gate.model import GateHeader, Settings

TESTS = "pytest:"
BUILDS = Path(".bench/builds")  # of sides, by content; the oldest are dropped


def make_header(
    folder: Path, base: str | None, head: str | None, settings: Settings, seed: int | None
) -> GateHeader:
    """With both sides built, and the benchmarks that both have."""
    from loopgauge.harness import environment, subject
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.selection import chosen_benchmarks
    from loopgauge.harness.gate import shared, sides
    from loopgauge.harness.gate.model import GateHeader

    project = import_from_here()
    tests = [name.removeprefix(TESTS) for name in settings.benchmarks if name.startswith(TESTS)]
    named = [name for name in settings.benchmarks if not name.startswith(TESTS)]
    chosen = chosen_benchmarks(named, "quick", {}, elsewhere=True) if named else []
    with termination_as_interrupt():
        on_base, on_head = sides.prepare(base or "", head or "", settings, project, BUILDS, say)
        ids = [subject.describe(scenario, params).id for scenario, params in chosen]
        own = shared.own_targets(ids)
        both, added, removed = shared.shared_benchmarks(
            ids, sides.targets(on_base, own), sides.targets(on_head, own)
        )
    return GateHeader(
        gate=folder.name,
        created=environment.utc_now(),
        command=["bench", *sys.argv[1:]],
        seed=secrets.randbits(32) if seed is None else seed,
        settings=settings,
        base=on_base,
        head=on_head,
        benchmarks=both,
        added=added,
        removed=removed,
        tests=tests,
    )


def calibrate(header: GateHeader, percent: float, *, as_json: bool) -> None:
    """Base against itself in a few processes, and what follows for a gate of these settings."""
    from loopgauge.harness.cli.gate_plan import show_plan
    from loopgauge.harness.gate import looks, sensitivity, timing
    from loopgauge.harness.gate.ground import subject_of

    settings = header.settings
    with (
        termination_as_interrupt(),
        tempfile.TemporaryDirectory(prefix="bench-plan-") as folder,
        display_of("calibration") as listener,
    ):
        spread, seconds, start_s = timing.calibrate(
            subject_of(header), settings, header.seed, Path(folder) / "trial.jsonl", listener
        )
    show_plan(
        sensitivity.make_plan(
            spread,
            seconds,
            {name: settings.margin_of(name) for name in spread},
            minutes=settings.minutes,
            most=looks.MOST,
            seed=header.seed,
            change=percent / 100,
            start_s=start_s,
        ),
        as_json,
    )
