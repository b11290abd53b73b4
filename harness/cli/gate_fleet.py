"""`bench gate --on`: a gate on every host of a fleet, and what they say together."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli import on
from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.on import printable, say

if TYPE_CHECKING:
    from rich.console import Console

    from loopgauge.harness.fleet.gate_model import GatesFile, GatesHeader, GatesResult
    from loopgauge.harness.fleet.gate_sides import Brought
    from loopgauge.harness.fleet.place import Place
    from loopgauge.harness.gate.model import Settings
    from loopgauge.harness.gate.store import GateFile


def find_gates(name: str | None, place: Place | None) -> Path | None:
    """The folder of a gate on a fleet that is to be taken up or replayed; None where that is the
    gate of one machine, or none."""
    if name is None:
        return None
    from loopgauge.harness.cli.gate import find_gate
    from loopgauge.harness.cli.runs import find_kept
    from loopgauge.harness.fleet.gate_model import FILE, is_gates
    from loopgauge.harness.gate.store import GATES

    if place is None:
        folder = find_gate(name) if not (Path(name) / FILE).is_file() else Path(name)
        return folder if is_gates(folder) else None
    return find_kept(
        name, "gate on a fleet", lambda: sorted(path.parent for path in GATES.glob(f"*/{FILE}")),
        f"{GATES}/", "Make one with `bench gate --on`, or give the folder of one",
    )  # fmt: skip


def begun(
    folder: Path,
    place: Place,
    base: str | None,
    head: str | None,
    settings: Settings,
    seed: int | None,
    *,
    as_json: bool,
) -> int:
    from loopgauge.harness.fleet import gates

    header = header_of(folder, base, head, settings, seed)
    require_room(folder)
    with keeping(folder):
        sides = brought(header)
        with on.fleet(place) as fleet:
            gates.begin(folder, header, fleet)
            file = gates.hold(folder, fleet, place, sides, say)
            names = on.names(fleet)
    return present(file, names, as_json=as_json)


def gone_on(folder: Path, place: Place | None, *, as_json: bool) -> int:
    from loopgauge.harness.fleet import gates
    from loopgauge.harness.fleet.gate_model import read_gates

    file = read_gates(folder)
    if place is None:
        raise Problem(
            ExitCode.USAGE,
            f"{folder} is a gate on a fleet",
            "Say where it is to go on, too: --on dask://HOST:PORT",
        )
    with keeping(folder):
        sides = brought(file.header)
        with on.fleet(place) as fleet:
            file = gates.hold(folder, fleet, place, sides, say)
            names = on.names(fleet)
    return present(file, names, as_json=as_json)


def decided_again(folder: Path, place: Place | None, *, as_json: bool) -> int:
    """From the recorded samples; no file is changed."""
    from loopgauge.harness.fleet.gate_model import read_gates

    if place is not None:
        raise click.UsageError("--replay measures nothing; leave out --on.")
    return present(read_gates(folder), {}, as_json=as_json)


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Whatever ends it early: what is kept, and how to go on."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.errors import SchedulerLost, StoreFull
    from loopgauge.harness.fleet.gate_model import is_gates

    try:
        with termination_as_interrupt():
            yield
    except (KeyboardInterrupt, SchedulerLost, StoreFull):
        if is_gates(folder):
            again = f"bench gate --on ... --resume {shlex.quote(shown(folder))}"
            say(f"what was finished is kept in {shown(folder)}")
            say(f"go on with: {again}")
        raise


def header_of(
    folder: Path, base: str | None, head: str | None, settings: Settings, seed: int | None
) -> GatesHeader:
    from loopgauge.harness import environment, subject
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.selection import chosen_benchmarks
    from loopgauge.harness.fleet.gate_model import GatesHeader

    import_from_here()
    tests = [name for name in settings.benchmarks if name.startswith("pytest:")]
    if tests:
        raise Problem(
            ExitCode.USAGE,
            f"{tests[0]}: the tests of a project are measured in its tree, which no host has",
            "Leave them out, or hold the gate without --on",
        )
    chosen = chosen_benchmarks(settings.benchmarks, "quick", {}, elsewhere=True)
    return GatesHeader(
        gate=folder.name,
        created=environment.utc_now(),
        command=["bench", *sys.argv[1:]],
        seed=secrets.randbits(32) if seed is None else seed,
        settings=settings,
        base=base or "",
        head=head or "",
        benchmarks=[subject.describe(scenario, params).id for scenario, params in chosen],
    )


def require_room(folder: Path) -> None:
    """Before wheels are built. Leaves no folder, there being no gate."""
    from loopgauge.harness.fleet.gate_model import FILE
    from loopgauge.harness.gate.store import FILE as ONE
    from loopgauge.harness.manager import require_place

    there = folder.exists()
    for file in (FILE, ONE):
        require_place(folder / file)
    if not there:
        folder.rmdir()


def brought(header: GatesHeader) -> tuple[Brought, Brought]:
    from loopgauge.harness.cli.gate_start import BUILDS
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.fleet.gate_sides import bring

    return bring(header.base, header.head, header.settings, import_from_here(), BUILDS, say)


def present(file: GatesFile, names: Mapping[str, str], *, as_json: bool) -> int:
    """Each host first, then what they say together. Returns the exit code."""
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.fleet.gate_decision import decide_all

    result, gates = decide_all(file)
    if as_json:
        print_json(
            {
                "schema": 1,
                "kind": "fleet-gate",
                "exit_code": result.exit_code,
                "folder": str(file.folder),
                "header": file.header,
                "result": result,
                "names": names,
                "gates": {
                    gate.folder.name: {"header": gate.header, "result": gate.result}
                    for gate in gates
                },
            }
        )
    else:
        print_gates(file, result, gates, names, stdout_console())
    say(f"gate: {shown(file.folder)}")
    return result.exit_code


def print_gates(
    file: GatesFile,
    result: GatesResult,
    gates: Sequence[GateFile],
    names: Mapping[str, str],
    console: Console,
) -> None:
    from rich.text import Text

    from loopgauge.harness.cli.gate_table import print_gate, verdict
    from loopgauge.reports.gate import words

    for gate in gates:
        if gate.result is not None:
            console.rule(Text(heading(file, gate.folder.name, names), style="bold"), align="left")
            print_gate(gate, gate.result, console)
            console.print()
    for key, reason in result.left_out.items():
        line = printable(f"{names.get(key, key)}: {reason}")
        console.print(Text.assemble(("left out: ", "bold yellow"), line))
    for one in result.findings:
        made, where = one.decision, heading(file, one.host, names)
        change = "" if made.change is None else f" {words.percent(made.change, made.tier)}"
        line = f" {made.subject} on {where}: {made.tier}{change}"
        console.print(Text.assemble(verdict(made), line))
    style = "bold red" if result.findings else "bold"
    console.print(Text(headline(result), style=style))


def headline(result: GatesResult) -> str:
    """What came of the hosts on which anything was compared."""
    measured = [code for code in result.hosts.values() if code != ExitCode.NOTHING_MEASURED]
    if not measured:
        return "Nothing was compared on any host."
    of = f"{len(measured)} host{'s' * (len(measured) != 1)}"
    if worse := {one.host for one in result.findings}:
        return f"Worse on {len(worse)} of {of}."
    if undecided := measured.count(ExitCode.INCONCLUSIVE):
        return f"Not decided on {undecided} of {of}."
    return f"Nothing is worse on {of}."


def heading(file: GatesFile, key: str, names: Mapping[str, str]) -> str:
    """What its user calls the host, as long as that is known, and what it is."""
    host = file.hosts[key]
    return printable(f"{names.get(key, key)} ({host.cpu_model}, Python {host.python})")
