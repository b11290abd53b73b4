"""From the files of a gate to its result. Reads nothing else, so that a replay decides the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase

import msgspec

from loopgauge.harness import judgement, status
from loopgauge.harness.exit_codes import ExitCode, first
from loopgauge.harness.gate import counting, judging, looks, promises
from loopgauge.harness.gate.model import (
    FAILING,
    Decision,
    GateHeader,
    GateResult,
    Settings,
    Step,
)
from loopgauge.harness.gate.store import GateFile, has_records
from loopgauge.harness.packed import there
from loopgauge.harness.store import RunFile, read_run

ORDER = ("BROKEN", "REGRESSED", "INCONCLUSIVE", "EXPECTED", "REMOVED", "ADDED", "REPAIRED",
         "IMPROVED", "EQUIVALENT")  # fmt: skip

ENDED = ("done", "left_out")

# Files of both stages.
TIMED = (("timing", "confirmation"), ("tests", "tests-again"))


def decide(gate: GateFile, kept: Mapping[str, bool] | None = None) -> GateResult:
    """Raises RunFileError where a step's file cannot be read. What is expected is judged by the day
    on which the gate began. `kept`: of a gate that is one of several, as in judging.decisions."""
    settings = gate.header.settings
    made = [*promises.decisions(gate.folder), *one_sided(gate)]
    notes = [*promises.notes(gate.folder), *(s.reason for s in gate.steps if s.state == "done")]
    notes = [note for note in notes if note]
    steps = [one for one in gate.steps if one.state == "left_out"]
    notes += [f"not explained: {one.reason}" for one in steps if one.step == "explanation"]
    left_out = [f"{one.step}: {one.reason}" for one in steps if one.step != "explanation"]
    left_out += unfinished(gate)
    if counts := step_file(gate, "counts"):
        made += counting.decisions(counts, step_file(gate, "counts-again"), settings)
        left_out += counting.left_out(counts)
    ok, check = True, ""
    for stage, confirmation in TIMED:
        if timed := step_file(gate, stage):
            left_out += status.left_out(timed.events)
            again = step_file(gate, confirmation)
            decided = judging.decisions(timed, again, settings, alpha_of(gate.header), kept)
            agrees, text = judging.self_check(timed, settings)
            made += decided if agrees else [advised(one) for one in decided]
            ok, check = ok and agrees, "; ".join(filter(None, (check, text)))
            notes += [note for note in judgement.standing(timed) if note not in notes]
    today = date.fromisoformat(gate.header.created[:10])
    made = [expected(one, settings, today) for one in made]
    notes += expired(settings, today)
    made.sort(key=lambda one: ORDER.index(one.verdict))
    return GateResult(
        exit_code=int(exit_code(made, left_out, compared=only_promises_asked(gate))),
        decisions=made,
        self_check=check,
        advisory=not ok,
        notes=notes,
        left_out=left_out,
    )


def wanted(header: GateHeader) -> list[Step]:
    """The steps of a whole gate, in their order."""
    settings = header.settings
    steps: list[Step] = ["promises"] if settings.conformance else []
    if header.benchmarks and settings.deterministic:
        steps.append("counts")
    if header.benchmarks and settings.timing:
        steps += ["timing", "confirmation"]
    if header.tests and settings.timing:
        steps += ["tests timing", "tests confirmation"]
    return steps


def alpha_of(header: GateHeader) -> float:
    """Of the second stage. Tests have one of their own beside the benchmarks': each then
    has half, so that the chance of a false alarm is that of one gate."""
    return looks.ALPHA / 2 if header.benchmarks and header.tests else looks.ALPHA


def unfinished(gate: GateFile) -> list[str]:
    """Of a gate that was interrupted: what is missing is no pass."""
    missing = [step for step in wanted(gate.header) if gate.state(step) not in ENDED]
    return [f"{step}: not finished; go on with --resume {gate.folder}" for step in missing]


def only_promises_asked(gate: GateFile) -> bool:
    """Where all are kept there is no decision, and yet both sides were compared."""
    settings = gate.header.settings
    return not (settings.deterministic or settings.timing) and bool(promises.notes(gate.folder))


def step_file(gate: GateFile, name: str) -> RunFile | None:
    """None where the step did not begin, or was interrupted before its first record."""
    path = there(gate.folder / f"{name}.jsonl")
    return read_run(path) if has_records(path) else None


def one_sided(gate: GateFile) -> list[Decision]:
    header = gate.header
    return [
        *(
            Decision(tier="timing", subject=name, verdict="ADDED", reason="only head has it")
            for name in header.added
        ),
        *(
            Decision(tier="timing", subject=name, verdict="REMOVED", reason="only base has it")
            for name in header.removed
        ),
    ]


def advised(one: Decision) -> Decision:
    if one.tier != "timing" or one.verdict not in ("REGRESSED", "IMPROVED"):
        return one
    return msgspec.structs.replace(
        one,
        verdict="INCONCLUSIVE",
        reason="in this run base differs from itself in many benchmarks",
    )


def expected(one: Decision, settings: Settings, today: date) -> Decision:
    """A regression that the settings announce, give a reason for, and whose time has not passed."""
    if one.verdict != "REGRESSED":
        return one
    fitting = [
        change
        for change in settings.expected
        if fnmatchcase(one.subject, change.benchmark)
        and date.fromisoformat(change.expires) >= today
    ]
    for change in fitting:
        if change.at_most is None or (one.change is not None and one.change <= change.at_most):
            return msgspec.structs.replace(one, verdict="EXPECTED", reason=change.reason)
    if fitting:
        most = max(fitting, key=lambda change: change.at_most or 0.0)
        return msgspec.structs.replace(
            one, reason=f"expected up to {most.at_most:+.1%}: {most.reason}"
        )
    return one


def expired(settings: Settings, today: date) -> list[str]:
    return [
        f"the expected change of {one.benchmark} has expired on {one.expires} and counts no more"
        for one in settings.expected
        if date.fromisoformat(one.expires) < today
    ]


def exit_code(
    decisions: list[Decision], left_out: list[str], *, compared: bool = False
) -> ExitCode:
    codes = set()
    for one in decisions:
        if one.verdict in FAILING:
            promised = one.tier == "promises"
            codes.add(ExitCode.CONFORMANCE if promised else ExitCode.REGRESSION)
        elif one.verdict == "INCONCLUSIVE":
            codes.add(ExitCode.INCONCLUSIVE)
        elif one.verdict == "REMOVED":
            codes.add(ExitCode.LEFT_OUT)
    if left_out:
        codes.add(ExitCode.LEFT_OUT)
    if not compared and not any(map(compares, decisions)):
        codes.add(ExitCode.NOTHING_MEASURED)
    return first(codes)


def compares(one: Decision) -> bool:
    """Whether it stands for something that both sides have. Promises stand for no benchmark, except
    where they are the reason why none was measured."""
    if one.tier == "promises":
        return one.verdict == "BROKEN"
    return one.verdict not in ("ADDED", "REMOVED")
