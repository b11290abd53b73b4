"""`bench gate`: base against head, from the command line to an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from loopgauge.harness.cli import gate_fleet, gate_report
from loopgauge.harness.cli.gate_shown import display_of, keeping, present, say
from loopgauge.harness.cli.gate_start import calibrate, make_header
from loopgauge.harness.cli.on import HELP, on_options, place_from
from loopgauge.harness.cli.output import require_writable

if TYPE_CHECKING:
    from loopgauge.harness.gate.model import GateHeader, GateResult, Settings
    from loopgauge.harness.gate.store import GateFile

# What an application's time on a loop goes to: callbacks, tasks, futures, timers.
DEFAULT = (
    "throughput.call_soon_chain",
    "throughput.call_soon_batch",
    "throughput.call_soon_args",
    "throughput.call_soon_threadsafe",
    "throughput.sleep0",
    "throughput.task_spawn",
    "throughput.gather",
    "throughput.future_chain",
    "throughput.queue_producer_consumer",
    "timer.timeout_wrap",
)

EPILOG = f"""\b
Examples:
  bench gate
  bench gate --base origin/main
  bench gate sleep0 'call_soon_*' --base v1.2 --head HEAD
  bench gate --base dist/old.whl --head dist/new.whl --loop my_pkg:new_loop
  bench gate --base my_pkg:old_loop --head my_pkg:new_loop --minutes 10
  bench gate pytest:tests/bench myloop.bench:main --base v1.2
  bench gate --plan --find 3
  bench gate --resume latest
  bench gate --replay latest --markdown comment.md --html gate.html
  bench gate --base dist/old.whl --head dist/new.whl --on dask://runners:8786

\b
A side is a git revision of the project in this folder, a wheel, a virtual
environment (its folder or its python), or a loop (module:factory or a name
of `bench list loops`). "." is the working tree.

\b
Settings come from [tool.loopgauge.gate] of pyproject.toml; what is given
here counts more:
  [tool.loopgauge.gate]
  loop = "my_pkg:new_event_loop"
  benchmarks = ["throughput", "my_app.bench:main"]
  margin = 0.01
  minutes = 5
  [[tool.loopgauge.gate.expected]]
  benchmark = "throughput.sleep0"
  reason = "a check that was missing"
  expires = "2027-03-31"
  at_most = 0.05

\b
Exit codes:
  0    nothing is worse
  1    a regression: more instructions, system calls, allocations or time, twice
  2    usage: an option, a name or a setting is wrong
  3    inconclusive: not decided within the minutes, no pass and no fail
  4    nothing was measured, or no benchmark is on both sides
  5    head breaks a rule of asyncio that base keeps
  6    finished, but something asked for was left out
  7    a result file cannot be read
  8    environment: a side does not build, the disk is full
  70   a bug in bench
  130  interrupted (Ctrl-C); 143 terminated: go on with --resume
\b
--json prints one object: schema, kind ("gate"), exit_code, folder, header
(base, head, settings, environment) and result (decisions: tier, subject,
verdict, change, low, high, margin, base, head, unit, processes, stage,
reason, by_name). Members are added, never removed.
With --on: kind "fleet-gate", the result of all hosts, and the gate of each.

{HELP}"""


@click.command(epilog=EPILOG)
@click.argument(
    "what", nargs=-1, metavar="[FAMILY | SCENARIO | GLOB | MODULE:COROUTINE | pytest:TESTS]..."
)
@click.option("--base", metavar="SIDE", help="Default: where this branch left the default branch.")
@click.option("--head", metavar="SIDE", help="Default: the working tree.")
@click.option("--loop", metavar="NAME|MODULE:FACTORY", help="The loop of both sides.")
@click.option("--margin", type=click.FloatRange(0, 100, min_open=True, max_open=True),
              metavar="PERCENT", help="Smaller changes do not count. Default: 1.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N",
              help="For the timing. Default: 5.")  # fmt: skip
@click.option("--no-conformance", is_flag=True, help="Do not ask what the head promises.")
@click.option("--no-deterministic", is_flag=True, help="Do not count instructions and the like.")
@click.option("--no-explain", is_flag=True, help="Do not look where the time of changes goes.")
@click.option("--no-timing", is_flag=True, help="Do not measure times.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a gate's random order.")
@click.option(
    "--plan", is_flag=True, help="Say what a sensitivity costs here, after a short trial."
)
@click.option("--find", type=click.FloatRange(0, 1000, min_open=True), metavar="PERCENT",
              help="With --plan: the slow-down that is to be found. Default: 2.")  # fmt: skip
@click.option("--resume", metavar="FOLDER|latest", help="Go on with a gate that was interrupted.")
@click.option("--replay", metavar="FOLDER|latest", help="Decide again from recorded samples.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Where to keep it. Default: .bench/gates/<time>")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a comment for the merge request.")  # fmt: skip
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a page: what changed, how sure, what to look at.")  # fmt: skip
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write JUnit XML.")  # fmt: skip
@click.option("--annotations", is_flag=True, help="Print GitHub annotations.")
@on_options
def gate(
    what: tuple[str, ...],
    base: str | None,
    head: str | None,
    loop: str | None,
    margin: float | None,
    minutes: float | None,
    no_conformance: bool,
    no_deterministic: bool,
    no_explain: bool,
    no_timing: bool,
    seed: int | None,
    plan: bool,
    find: float | None,
    resume: str | None,
    replay: str | None,
    out: Path | None,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
    junit: Path | None,
    annotations: bool,
    **elsewhere: Any,
) -> None:
    """Say whether a change makes a loop slower or breaks it: the check before a merge.

    Both sides are built and measured on this machine in this job, interleaved, in fresh processes.
    A regression is one only if fresh processes confirm it.
    """
    if resume is not None and replay is not None:
        raise click.UsageError("--resume measures and --replay does not: choose one.")
    if resume is not None or replay is not None:
        refuse_beside(
            "--resume" if resume else "--replay",
            {"WHAT": what, "--base": base, "--head": head, "--loop": loop, "--margin": margin,
             "--minutes": minutes, "--no-conformance": no_conformance,
             "--no-deterministic": no_deterministic, "--no-explain": no_explain,
             "--no-timing": no_timing, "--seed": seed, "--plan": plan, "--find": find,
             "--out": out},
        )  # fmt: skip
    if find is not None and not plan:
        raise click.UsageError("--find belongs to --plan.")
    place = place_from(**elsewhere)
    files = {"--markdown": markdown, "--html": html, "--junit": junit}
    on_fleet = gate_fleet.find_gates(resume or replay, place)
    if place is not None or on_fleet is not None:
        refuse_beside("--on", {"--plan": plan, **files, "--annotations": annotations}, why=A_HOST)
    if on_fleet is not None:
        again = gate_fleet.gone_on if resume else gate_fleet.decided_again
        leave(again(on_fleet, place, as_json=as_json))
    if not plan:
        require_writable(files)
    if replay is not None:
        folder = find_gate(replay)
        gate_report.require_other_place(folder, files)
        file, result = decided_again(folder)
    elif resume is not None:
        folder = find_gate(resume)
        gate_report.require_other_place(folder, files)
        file, result = carried_on(folder)
    else:
        settings = chosen_settings(what, loop, margin, minutes)
        settings.conformance &= not no_conformance
        settings.deterministic &= not no_deterministic
        settings.explain &= not no_explain
        settings.timing &= not no_timing
        folder = out or new_folder()
        if place is not None:
            leave(gate_fleet.begun(folder, place, base, head, settings, seed, as_json=as_json))
        gate_report.require_other_place(folder, files)
        if plan:
            outputs = {"--out": out, **files, "--annotations": annotations}
            refuse_beside("--plan", outputs, why=KEEPS_NOTHING)
        else:
            require_room(folder)
        header = make_header(folder, base, head, settings, seed)
        if plan:
            calibrate(header, 2.0 if find is None else find, as_json=as_json)
            return
        file, result = begun(folder, header)
    present(file, result, as_json, markdown, html, junit, annotations)
    leave(result.exit_code)


def leave(code: int) -> NoReturn:
    click.get_current_context().exit(code)


TAKES_UP = "takes up a gate as it was begun"  # all of it is in its header
A_HOST = "makes a gate of each host; these are made of one of them, by --replay FOLDER/HOST"
KEEPS_NOTHING = "measures base against itself, and keeps nothing"


def refuse_beside(mode: str, options: Mapping[str, object], why: str = TAKES_UP) -> None:
    """What would be ignored."""
    for name, value in options.items():
        if value not in (None, (), False):
            raise click.UsageError(f"{mode} {why}; leave out {name}.")


def require_room(folder: Path) -> None:
    """Before the sides are built, which may take minutes. Leaves no folder, there being no gate."""
    from loopgauge.harness.gate.store import FILE
    from loopgauge.harness.manager import require_place

    there = folder.exists()
    require_place(folder / FILE)
    if not there:
        folder.rmdir()


def find_gate(name: str) -> Path:
    """A folder, `latest`, or `latest~N`."""
    from loopgauge.harness.cli.runs import find_kept
    from loopgauge.harness.gate.store import FILE, GATES

    return find_kept(
        name, "gate", lambda: sorted(path.parent for path in GATES.glob(f"*/{FILE}")), f"{GATES}/",
        "Make one with `bench gate`, or give the folder of one",
    )  # fmt: skip


def new_folder() -> Path:
    from loopgauge.harness.gate.store import GATES
    from loopgauge.harness.manager import new_path

    return GATES / new_path().stem


def chosen_settings(
    what: Sequence[str], loop: str | None, margin: float | None, minutes: float | None
) -> Settings:
    """Those of the project, with the command line laid over them."""
    from loopgauge.harness.gate.settings import read_settings

    settings = read_settings(Path.cwd())
    settings.benchmarks = [*what] or settings.benchmarks or [*DEFAULT]
    if loop is not None:
        settings.loop = loop
    if margin is not None:
        settings.margin, settings.margins = margin / 100, {}
    if minutes is not None:
        settings.minutes = minutes
    return settings


def begun(folder: Path, header: GateHeader) -> tuple[GateFile, GateResult]:
    from loopgauge.harness.gate import session
    from loopgauge.harness.gate.store import read_gate

    with keeping(folder):
        result = session.start(folder, header, display_of, say)
    return read_gate(folder), result


def carried_on(folder: Path) -> tuple[GateFile, GateResult]:
    from loopgauge.harness.gate import session
    from loopgauge.harness.gate.store import read_gate, require_plain

    require_plain(folder)
    gate = read_gate(folder)
    with keeping(folder):
        result = session.go_on(gate, display_of, say)
    return gate, result


def decided_again(folder: Path) -> tuple[GateFile, GateResult]:
    """From the recorded samples; the file is left as it is."""
    from loopgauge.harness.gate.decision import decide
    from loopgauge.harness.gate.store import read_gate

    gate = read_gate(folder)
    result = decide(gate)
    gate.result = result
    return gate, result
