"""`bench doctor --on`: which hosts of a cluster are fit to measure, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.fleet.fitness import printable
from loopgauge.harness.fleet.hosts import Host, LeftOut

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from loopgauge.harness.fleet.place import Place

EXAMINED_S = 120.0  # the examination takes some 5 s; the machine may be measuring meanwhile


class HostExamined(msgspec.Struct, kw_only=True):
    """A host as it is shown, and as --json prints it. `reason` and `cure`: why it is not fit."""

    name: str
    key: str
    workers: int
    cpu_model: str
    kernel: str
    python: str
    fit: bool
    reason: str
    cure: str
    findings: list[Finding]


def doctor_fleet(place: Place, as_json: bool) -> ExitCode:
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json

    hosts, left_out = examined(place)
    code = exit_code(hosts, left_out)
    if as_json:
        document = {"schema": 1, "kind": "doctor", "exit_code": int(code)}
        print_json({**document, "hosts": hosts, "left_out": left_out})
    else:
        show(stdout_console(), hosts, left_out)
    return code


def examined(place: Place) -> tuple[list[HostExamined], list[LeftOut]]:
    """Just those that a run would use, and those that it would leave out. Machines beside each
    other, and the hosts of one machine one after the other. Raises FleetError."""
    from loopgauge.harness.errors import NoHost
    from loopgauge.harness.fleet.fitness import EXAMINE
    from loopgauge.harness.fleet.fleet import open_fleet

    try:
        with open_fleet(place) as fleet:
            asked = [
                (host, fleet.submit([host], EXAMINE, b"", exclusive=True)) for host in fleet.hosts
            ]
            return [host_examined(host, answer) for host, answer in asked], fleet.left_out
    except NoHost as error:
        if not error.left_out:
            raise
        return [], error.left_out


def host_examined(host: Host, answer: Future[bytes]) -> HostExamined:
    from loopgauge.harness.fleet.fitness import fitness

    facts = host.facts
    findings = findings_of(host, answer)
    silent = next((found for found in findings if found.check == "answer"), None)
    sick = fitness(facts) or silent
    return HostExamined(
        name=host.name,
        key=host.key,
        workers=len(host.workers),
        cpu_model=facts.machine.cpu_model,
        kernel=facts.machine.kernel,
        python=facts.interpreter.version,
        fit=sick is None,
        reason=sick.found if sick else "",
        cure=sick.cure if sick else "",
        findings=findings,
    )


def findings_of(host: Host, answer: Future[bytes]) -> list[Finding]:
    """What can be told of it, whatever becomes of the question."""
    from loopgauge.harness.errors import FleetError
    from loopgauge.harness.fleet import fitness

    try:
        return fitness.together(host.facts, fitness.told(answer.result(EXAMINED_S)))
    except TimeoutError:
        answer.cancel()
        silence = no_answer(
            f"it did not answer within {EXAMINED_S:g} s: something else runs there",
            "Ask again when that has ended",
        )
    except FleetError as error:
        silence = no_answer(error.cause, error.cure)
    except msgspec.DecodeError as error:
        silence = no_answer(f"it answers what makes no sense ({error})", "Look into its log")
    return fitness.together(host.facts, [silence])


def no_answer(found: str, cure: str) -> Finding:
    return Finding(check="answer", level="problem", found=found, cure=cure)


def exit_code(hosts: Sequence[HostExamined], left_out: Sequence[LeftOut]) -> ExitCode:
    fit = [host for host in hosts if host.fit]
    if not fit:
        return ExitCode.ENVIRONMENT
    return ExitCode.LEFT_OUT if left_out or len(fit) < len(hosts) else ExitCode.OK


def show(console: Console, hosts: Sequence[HostExamined], left_out: Sequence[LeftOut]) -> None:
    """Of each host what stands in the way; the rest is --json's."""
    from loopgauge.harness.cli.doctor import finding_table
    from loopgauge.harness.cli.wording import counted

    for host in hosts:
        console.print(heading(host))
        notable = [found for found in host.findings if found.level in ("problem", "warning")]
        if notable:
            console.print(finding_table(notable))
    for one in left_out:
        console.print(words_of_one_left_out(one))
    fit = sum(host.fit for host in hosts)
    total = counted(len(hosts) + len(left_out), "host")
    console.print(f"{fit} of {total} fit to measure.", style="bold")


def heading(host: HostExamined) -> Text:
    from rich.text import Text

    state, style = ("fit", "green") if host.fit else ("unfit", "bold red")
    machine = f"{host.cpu_model}, Linux {host.kernel}, Python {host.python}"
    return Text.assemble((printable(host.name), "bold"), ": ", (state, style), "  ",
                         (printable(machine), "dim"))  # fmt: skip


def words_of_one_left_out(one: LeftOut) -> Text:
    from rich.text import Text

    line = Text.assemble((printable(one.name), "bold"), ": ", ("left out", "bold red"), ", it ")
    line.append(printable(one.reason))
    if one.cure:
        line.append("\ncure: ", style="bold").append(printable(one.cure))
    return line
