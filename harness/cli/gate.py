"""`bench gate`: base against head, from the command line to an exit code."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.gate.model import GateHeader, GateResult, Settings, Side, Step
    from loopgauge.harness.gate.store import GateFile
    from loopgauge.harness.request import Progress

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
    "timer.schedule_cancel",
)

STEPS: dict[Step, str] = {
    "promises": "conformance",
    "counts": "instructions, system calls, allocations",
    "timing": "timing, first stage",
    "confirmation": "timing, second stage: what was flagged, in fresh processes",
}

EPILOG = """\b
Examples:
  bench gate
  bench gate --base origin/main
  bench gate sleep0 'call_soon_*' --base v1.2 --head HEAD
  bench gate --base dist/old.whl --head dist/new.whl --loop my_pkg:new_loop
  bench gate --base my_pkg:old_loop --head my_pkg:new_loop --minutes 10
  bench gate --resume latest
  bench gate --replay latest --markdown comment.md

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
"""


@click.command(epilog=EPILOG)
@click.argument("what", nargs=-1, metavar="[FAMILY | SCENARIO | GLOB | MODULE:COROUTINE]...")
@click.option("--base", metavar="SIDE", help="Default: where this branch left the default branch.")
@click.option("--head", metavar="SIDE", help="Default: the working tree.")
@click.option("--loop", metavar="NAME|MODULE:FACTORY", help="The loop of both sides.")
@click.option("--margin", type=click.FloatRange(0, 100, min_open=True, max_open=True),
              metavar="PERCENT", help="Smaller changes do not count. Default: 1.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N",
              help="For the timing. Default: 5.")  # fmt: skip
@click.option("--no-conformance", is_flag=True, help="Do not ask what the head promises.")
@click.option("--no-deterministic", is_flag=True, help="Do not count instructions and the like.")
@click.option("--no-timing", is_flag=True, help="Do not measure times.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a gate's random order.")
@click.option("--resume", metavar="FOLDER|latest", help="Go on with a gate that was interrupted.")
@click.option("--replay", metavar="FOLDER|latest", help="Decide again from recorded samples.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Where to keep it. Default: .bench/gates/<time>")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a comment for the merge request.")  # fmt: skip
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write JUnit XML.")  # fmt: skip
@click.option("--annotations", is_flag=True, help="Print GitHub annotations.")
def gate(
    what: tuple[str, ...],
    base: str | None,
    head: str | None,
    loop: str | None,
    margin: float | None,
    minutes: float | None,
    no_conformance: bool,
    no_deterministic: bool,
    no_timing: bool,
    seed: int | None,
    resume: str | None,
    replay: str | None,
    out: Path | None,
    as_json: bool,
    markdown: Path | None,
    junit: Path | None,
    annotations: bool,
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
            {"WHAT": what or None, "--base": base, "--head": head, "--loop": loop,
             "--margin": margin, "--minutes": minutes, "--seed": seed, "--out": out},
        )  # fmt: skip
    if replay is not None:
        folder = find_gate(replay)
        file, result = decided_again(folder)
    elif resume is not None:
        folder = find_gate(resume)
        file, result = carried_on(folder)
    else:
        settings = chosen_settings(what, loop, margin, minutes)
        settings.conformance &= not no_conformance
        settings.deterministic &= not no_deterministic
        settings.timing &= not no_timing
        folder = out or new_folder()
        header = make_header(folder, base, head, settings, seed)
        file, result = begun(folder, header)
    present(file, result, as_json, markdown, junit, annotations)
    click.get_current_context().exit(result.exit_code)


def refuse_beside(mode: str, options: Mapping[str, object]) -> None:
    """A gate that is taken up has all of these in its header: one that differs would be ignored."""
    for name, value in options.items():
        if value is not None:
            raise click.UsageError(f"{mode} takes up a gate as it was begun; leave out {name}.")


def find_gate(name: str) -> Path:
    """A folder, `latest`, or `latest~N`."""
    from loopgauge.harness.cli.runs import LATEST
    from loopgauge.harness.gate.store import FILE, GATES

    match = LATEST.fullmatch(name)
    if match is None:
        return Path(name)
    back = int(match[1] or 0)
    gates = sorted(path.parent for path in GATES.glob(f"*/{FILE}"))
    if back >= len(gates):
        raise Problem(
            ExitCode.UNREADABLE,
            f"there is no gate {name!r}: {GATES}/ in this directory holds {len(gates) or 'none'}",
            "Make one with `bench gate`, or give the folder of one",
        )
    return gates[-1 - back]


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


def begun(folder: Path, header: GateHeader) -> tuple[GateFile, GateResult]:
    from loopgauge.harness.gate import session
    from loopgauge.harness.gate.store import read_gate

    with keeping(folder):
        result = session.start(folder, header, display_of, say)
    return read_gate(folder), result


def carried_on(folder: Path) -> tuple[GateFile, GateResult]:
    from loopgauge.harness.gate import session
    from loopgauge.harness.gate.store import read_gate

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


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """An interruption says what is kept, and how to go on."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.gate.store import FILE

    try:
        with termination_as_interrupt():
            yield
    except KeyboardInterrupt:
        if (folder / FILE).is_file():
            click.echo(f"interrupted: what was finished is kept in {shown(folder)}", err=True)
            click.echo(f"go on with: bench gate --resume {shlex.quote(shown(folder))}", err=True)
        raise


@contextmanager
def display_of(step: Step) -> Iterator[Callable[[Progress], None]]:
    from loopgauge.harness.cli.progress import progress_display

    say(STEPS[step])
    with progress_display() as display:
        yield display


def say(line: str) -> None:
    click.echo(line, err=True)


def present(
    gate: GateFile,
    result: GateResult,
    as_json: bool,
    markdown: Path | None,
    junit: Path | None,
    annotations: bool,
) -> None:
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.gate_table import print_gate
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.runs import shown
    from loopgauge.reports.gate import markdown as comment
    from loopgauge.reports.gate import workflow_commands, write_junit

    if as_json:
        print_json(
            {
                "schema": 1,
                "kind": "gate",
                "exit_code": result.exit_code,
                "folder": str(gate.folder),
                "header": gate.header,
                "result": result,
            }
        )
    else:
        print_gate(gate, result, stdout_console())
    if annotations:
        for line in workflow_commands(gate):
            click.echo(line, err=as_json)
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(comment(gate), encoding="utf-8")
        click.echo(f"markdown: {shown(markdown)}", err=True)
    if junit is not None:
        click.echo(f"junit: {shown(write_junit(gate, junit))}", err=True)
    click.echo(f"gate: {shown(gate.folder)}", err=True)
