"""From the words of `bench gate` to two sides, and a header that says what is compared."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from loopgauge.harness.cli.gate_shown import display_of

if TYPE_CHECKING:
    from loopgauge.harness.gate.model import GateHeader, Settings, Side


def make_header(
    folder: Path, base: str | None, head: str | None, settings: Settings, seed: int | None
) -> GateHeader:
    """With both sides built, and the benchmarks that both have."""
    from loopgauge.harness import environment, subject
    from loopgauge.harness.cli.selection import chosen_benchmarks
    from loopgauge.harness.gate.model import GateHeader
    from loopgauge.harness.manager import require_place

    project = Path.cwd()
    sys.path.insert(0, str(project))  # a console script has its own folder there
    chosen = [*chosen_benchmarks(settings.benchmarks, "quick", {})]
    require_place(folder / "gate.jsonl")
    on_base, on_head = factory_side("base", base, project), factory_side("head", head, project)
    return GateHeader(
        gate=folder.name,
        created=environment.utc_now(),
        command=["bench", *sys.argv[1:]],
        seed=secrets.randbits(32) if seed is None else seed,
        settings=settings,
        base=on_base,
        head=on_head,
        benchmarks=[subject.describe(name, params).id for name, params in chosen],
    )


def factory_side(name: Literal["base", "head"], given: str | None, project: Path) -> Side:
    from loopgauge.harness.gate.model import Side
    from loopgauge.loops.registry import resolve

    if given is None:
        raise click.UsageError(f"--{name} names a loop")
    return Side(
        name=name,
        origin="factory",
        given=given,
        loop=resolve(given).name,
        executable=sys.executable,
        path=[str(project)],
    )


def calibrate(header: GateHeader, percent: float, *, as_json: bool) -> None:
    """Base against itself in a few processes, and what follows for a gate of these settings."""
    from loopgauge.harness.cli.errors import termination_as_interrupt
    from loopgauge.harness.cli.gate_plan import show_plan
    from loopgauge.harness.gate import looks, sensitivity, timing
    from loopgauge.harness.gate.session import subject_of
    from loopgauge.harness.manager import new_path

    settings = header.settings
    with termination_as_interrupt(), display_of("calibration") as listener:
        spread, seconds = timing.calibrate(
            subject_of(header), settings, header.seed, new_path(), listener
        )
    reach = int(60 * settings.minutes * timing.FIRST_SHARE / max(sum(seconds.values()), 1e-9))
    show_plan(
        sensitivity.make_plan(
            spread,
            seconds,
            {name: settings.margin_of(name) for name in spread},
            most=min(looks.MOST, max(looks.LEAST, reach)),
            fresh=timing.CONFIRMATION,
            seed=header.seed,
            change=percent / 100,
        ),
        as_json,
    )
