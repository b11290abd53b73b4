"""The page of a gate: one self-contained HTML file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from loopgauge.harness.gate.evidence import Evidence
from loopgauge.harness.gate.model import Tier
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import facts, wording
from loopgauge.reports.facts import Facts
from loopgauge.reports.gate import words
from loopgauge.reports.gate.broken import Promises, promises_of
from loopgauge.reports.gate.counted import Counts, counts_of
from loopgauge.reports.gate.explained import ExplainedView, explained_of
from loopgauge.reports.gate.first import first_of
from loopgauge.reports.gate.timed import Times, times_of
from loopgauge.reports.pages import environment, write

# What of a tier has no place of its own.
SECTIONS: dict[Tier, str] = {
    "promises": "promises",
    "timing": "times",
    "instructions": "counts",
    "syscalls": "counts",
    "allocations": "counts",
}


def render_gate(gate: GateFile, evidence: Evidence, out: Path) -> Path:
    """Writes the page to `out` (folders are made) and returns it. The gate has a result: one that
    did not come to its end has what its files say so far. Raises OSError."""
    return write(page(gate, evidence), out)


def page(gate: GateFile, evidence: Evidence) -> str:
    result = gate.result
    if result is None:
        raise ValueError("decide what the files say before the page is made")
    made = environment("gate", wording=wording, words=words)
    promises = promises_of(gate)
    times = times_of(result, evidence)
    counts = counts_of(result, evidence)
    explained = explained_of(evidence)
    return made.get_template("gate/page.html.j2").render(
        gate=gate,
        header=gate.header,
        result=result,
        first=first_of(gate, evidence, drawn=times.wide is not None, unreadable=promises.missing),
        promises=promises,
        times=times,
        places=places(promises, times, counts, explained),
        sections=SECTIONS,
        promised={one.decision.subject: one.description for one in promises.cases},
        counts=counts,
        explained=explained,
        circumstances=circumstances(gate),
        commands=commands(gate),
    )


def places(
    promises: Promises, times: Times, counts: Counts, explained: Sequence[ExplainedView]
) -> dict[tuple[Tier, str], str]:
    """Where on the page the evidence of a decision is, by its tier and its subject."""
    found: dict[tuple[Tier, str], str] = {}
    found |= {("promises", one.decision.subject): one.anchor for one in promises.cases}
    found |= {("timing", one.decision.subject): one.anchor for one in times.rows}
    found |= {("instructions", one.subject): one.anchor for one in explained}
    found |= {(one.decision.tier, one.decision.subject): one.anchor for one in counts.apart}
    return found


def circumstances(gate: GateFile) -> Facts:
    header = gate.header
    settings, host = header.settings, header.environment.machine
    found = [
        ("gate", header.gate),
        ("began", facts.moment(header.created)),
        ("seed", str(header.seed)),
        ("margin of time", f"±{100 * settings.margin:.3g} %"),
        *((f"margin of {name}", f"±{100 * one:.3g} %") for name, one in settings.margins.items()),
        ("margin of instructions", f"±{100 * settings.instructions_margin:.3g} %"),
        ("minutes", f"{settings.minutes:g}"),
        ("machine", facts.machine(header.environment)),
        (
            "governor, turbo, SMT",
            ", ".join(v or wording.DASH for v in (host.governor, host.turbo, host.smt)),
        ),
        ("load before the gate", f"{header.environment.load.load_1m:.2f}"),
        *(
            (f"Python {key}", facts.interpreter(one))
            for key, one in header.environment.interpreters.items()
        ),
        *((f"build of {side.name}", side.content[:16]) for side in (header.base, header.head)),
        *((f"${name}", value) for name, value in header.environment.variables.items()),
    ]
    return [(words.one_line(label), words.one_line(value)) for label, value in found if value]


def commands(gate: GateFile) -> list[tuple[str, str]]:
    """What to run, and what for. The folder's name stands for wherever it lies now."""
    folder = shlex.quote(str(gate.folder))
    found = [
        ("decide again from these samples; nothing is measured", f"bench gate --replay {folder}"),
        ("measure it again, in the same random order", again(gate)),
    ]
    if gate.result is not None and any(one.tier == "timing" for one in gate.result.decisions):
        found.append(
            ("the samples of the first stage as a report", f"bench report {folder}/timing.jsonl")
        )
    return [(what, words.one_line(command, 1000)) for what, command in found]


def again(gate: GateFile) -> str:
    """As it was typed, without the places it wrote to, and with its seed."""
    kept: list[str] = []
    skip = False
    for word in gate.header.command or ["bench", "gate"]:
        if skip:
            skip = False
        elif word in PLACES or word == "--seed":
            skip = True
        elif not word.startswith(tuple(f"{name}=" for name in (*PLACES, "--seed"))):
            kept.append(word)
    at = kept.index("--") if "--" in kept else len(kept)
    return shlex.join([*kept[:at], "--seed", str(gate.header.seed), *kept[at:]])


PLACES = ("--out", "--markdown", "--junit", "--html")
