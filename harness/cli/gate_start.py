"""From the words of `bench gate` to two sides, and a header that says what is compared."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.gate_shown import display_of, say

if TYPE_CHECKING:
    from loopgauge.harness.cli.selection import Variant
    from loopgauge.harness.gate.model import GateHeader, Settings, Side

TESTS = "pytest:"
BUILDS = Path(".bench/builds")  # of sides, by content; the oldest are dropped


def make_header(
    folder: Path, base: str | None, head: str | None, settings: Settings, seed: int | None
) -> GateHeader:
    """With both sides built, and the benchmarks that both have."""
    from loopgauge.harness import environment
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.selection import chosen_benchmarks
    from loopgauge.harness.gate import sides
    from loopgauge.harness.gate.model import GateHeader

    project = import_from_here()
    tests = [name.removeprefix(TESTS) for name in settings.benchmarks if name.startswith(TESTS)]
    named = [name for name in settings.benchmarks if not name.startswith(TESTS)]
    chosen = chosen_benchmarks(named, "quick", {}, elsewhere=True) if named else []
    with termination_as_interrupt():
        on_base, on_head = sides.prepare(base or "", head or "", settings, project, BUILDS, say)
        both, added, removed = shared_benchmarks(chosen, on_base, on_head)
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


def shared_benchmarks(
    chosen: Sequence[Variant], base: Side, head: Side
) -> tuple[list[str], list[str], list[str]]:
    """Ids of what both sides have, of what only head has, and of what only base has. A scenario is
    ours, so both have it; an application's coroutine may be new, or gone."""
    from loopgauge.harness import subject
    from loopgauge.harness.gate import sides

    ids = [subject.describe(scenario, params).id for scenario, params in chosen]
    prefix = subject.APPLICATION_PREFIX
    own = [name.removeprefix(prefix) for name in ids if name.startswith(prefix)]
    has = [{prefix + name for name in sides.targets(side, own)} for side in (base, head)]
    on_base, on_head = ([n for n in ids if not n.startswith(prefix) or n in one] for one in has)
    nowhere = [name for name in ids if name not in on_base and name not in on_head]
    if nowhere:
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            f"neither base nor head has {', '.join(n.removeprefix(prefix) for n in nowhere)}",
            "Write module:coroutine_function, as it is imported",
        )
    return (
        [name for name in on_base if name in on_head],
        [name for name in on_head if name not in on_base],
        [name for name in on_base if name not in on_head],
    )


def calibrate(header: GateHeader, percent: float, *, as_json: bool) -> None:
    """Base against itself in a few processes, and what follows for a gate of these settings."""
    from loopgauge.harness.cli.gate_plan import show_plan
    from loopgauge.harness.gate import looks, sensitivity, timing
    from loopgauge.harness.gate.session import subject_of

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
