"""Which promises of asyncio head breaks that base keeps.

The conformance suite of each side is run by the side's own interpreter, and nothing of it is
imported: its result files lie in the gate's folder, and what they say is read from there. Where the
sides differ they are asked again, and only what they repeat is held against head.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from loopgauge.harness.errors import BadSettings, NothingToMeasure, WorkerUnusable
from loopgauge.harness.gate.model import Decision, Settings, Side
from loopgauge.harness.gate.model import Verdict as Judged
from loopgauge.harness.packed import there
from loopgauge.harness.verdicts import BROKEN, Verdict, verdicts_in
from loopgauge.harness.worker_process import starting
from loopgauge.loops.registry import known_loops

FIRST, AGAIN = "promises-{}.jsonl", "promises-{}-again.jsonl"
BOTH = "promises-both.part"
REPEATS = 3  # of the cases on which the sides differ
MOST_CASES = 50  # that are asked again: a head that breaks more is broken without it
STOCK = "asyncio"
KEPT = frozenset({"PASS", "NON_STRICT", "INFO"})
FAULTS = BROKEN | {"UNIMPLEMENTED"}
COMPARED = ("MUST", "SHOULD")
ORDER: tuple[Judged, ...] = ("BROKEN", "INCONCLUSIVE", "EQUIVALENT", "REPAIRED")
UNCONFIRMED: dict[Judged, Judged] = {"BROKEN": "INCONCLUSIVE", "REPAIRED": "EQUIVALENT"}
ENDED = (0, 5, 6)  # exit codes of a conformance run that wrote all its verdicts
WRONG_NAME = 2
NOBODY_ASKED = 4
PATIENCE_S = 10.0  # for a conformance run that is told to end
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Say = Callable[[str], None]
Cases = Mapping[str, Verdict]


def nothing_to_ask(base: Side, head: Side) -> str:
    """Why no promise can differ; "" where one can."""
    if (base.executable, base.path, base.loop) == (head.executable, head.path, head.loop):
        return "both sides are one loop on one Python"
    same_python = Path(base.executable).resolve() == Path(head.executable).resolve()
    if same_python and base.loop == head.loop == STOCK:
        return "both sides are stock asyncio of one Python"
    return ""


def compare(base: Side, head: Side, settings: Settings, folder: Path, say: Say) -> None:
    """Asks both sides, and once more where they differ. What is in `folder` already is not asked
    again. Raises NothingToMeasure where a side's loop cannot be asked at all, and WorkerUnusable
    where its suite does not run."""
    if nothing_to_ask(base, head):
        return
    say("asking both sides which promises they keep")
    _ask_both(base, head, settings.areas, 1, folder, FIRST)
    differing = differences(*read(folder, FIRST))
    if differing:
        say(f"asking both again about {len(differing)} cases on which they differ")
        _ask_both(base, head, differing[:MOST_CASES], REPEATS, folder, AGAIN)


def decisions(folder: Path) -> list[Decision]:
    """What follows from the result files: every case on which the sides differ, what fails the
    gate first. Raises NotARunFile for a file that is none of the suite's."""
    base, head = read(folder, FIRST)
    base_again, head_again = read(folder, AGAIN)
    made = [
        _decision(base[case], head[case], base_again.get(case), head_again.get(case))
        for case in differences(base, head)
    ]
    return sorted(made, key=lambda one: (ORDER.index(one.verdict), one.subject))


def notes(folder: Path) -> list[str]:
    """What the decisions do not say: how many cases agree, and how many say nothing here."""
    base, head = read(folder, FIRST)
    both = base.keys() & head.keys()
    if not both:
        return []
    must = [case for case in both if head[case].level == "MUST"]
    kept = sum(_keeps(base[case]) and _keeps(head[case]) for case in must)
    neither = sum(_breaks(base[case]) and _breaks(head[case]) for case in must)
    told = [f"{kept} cases of MUST rules are kept by both sides, and {neither} by neither"]
    if unsure := sum("HARNESS" in (base[case].verdict, head[case].verdict) for case in both):
        told.append(f"{unsure} cases say nothing here, since stock asyncio fails them, too")
    if alone := len(base.keys() ^ head.keys()):
        told.append(f"{alone} cases were asked on one side only: the suites differ")
    return told


def differences(base: Cases, head: Cases) -> list[str]:
    """The cases of MUST and SHOULD rules that one side keeps and the other breaks; what head breaks
    of MUST first."""
    found = [
        case
        for case in base.keys() & head.keys()
        if head[case].level in COMPARED and _way(base[case], head[case])
    ]
    return sorted(found, key=lambda case: (head[case].level, _way(base[case], head[case]), case))


def _way(base: Verdict, head: Verdict) -> Literal["broken", "repaired", ""]:
    if _keeps(base) and _breaks(head):
        return "broken"
    return "repaired" if _breaks(base) and _keeps(head) else ""


def read(folder: Path, name: str) -> tuple[Cases, Cases]:
    """By case, of base and of head; empty where there is no file."""
    return _cases(folder / name.format("base")), _cases(folder / name.format("head"))


def _cases(path: Path) -> Cases:
    """Of the loop that was asked about: stock asyncio comes before it, and is the same loop where
    it is itself asked about."""
    path = there(path)
    found = [*verdicts_in(path)] if path.exists() else []
    return {one.case: one for one in found if one.loop == found[-1].loop}


def _keeps(verdict: Verdict) -> bool:
    return _all_in(verdict, KEPT)


def _breaks(verdict: Verdict) -> bool:
    return _all_in(verdict, FAULTS)


def _all_in(verdict: Verdict, kinds: frozenset[str]) -> bool:
    """Where a case was asked more than once, its verdict may be that repeats disagree."""
    return kinds.issuperset(verdict.tries or [verdict.verdict])


def _decision(
    base: Verdict, head: Verdict, base_again: Verdict | None, head_again: Verdict | None
) -> Decision:
    """What comes and goes is held against nobody; what base did not always keep is no worse."""
    way = _way(base, head)
    why = (head if way == "broken" else base).reason
    reason = f"{base.verdict} on base, {head.verdict} on head: {why}"
    judged: Judged = "BROKEN" if way == "broken" else "REPAIRED"
    if base_again is None or head_again is None:
        judged = UNCONFIRMED[judged]
        reason = f"not asked again, since so much differs: {reason}"
    elif _way(base_again, head_again) != way:
        judged = UNCONFIRMED[judged]
        again = f"base {_counted(base_again)}, head {_counted(head_again)}"
        reason = f"comes and goes: {reason}; asked again: {again}"
    if head.level != "MUST":
        judged = "REPAIRED" if judged == "REPAIRED" else "EQUIVALENT"
        reason = f"only a {head.level} rule: {reason}"
    return Decision(tier="promises", subject=head.case, verdict=judged, reason=reason)


def _counted(verdict: Verdict) -> str:
    tries = Counter(verdict.tries or {verdict.verdict: 1})
    return " and ".join(f"{count} x {kind}" for kind, count in tries.most_common())


def _ask_both(
    base: Side, head: Side, what: Sequence[str], repeats: int, folder: Path, name: str
) -> None:
    """In one run where that can be, since every run asks stock asyncio, too."""
    paths = [folder / name.format(side.name) for side in (base, head)]
    if (base.executable, base.path, base.origin) == (head.executable, head.path, head.origin):
        if all(path.exists() for path in paths):
            return
        both = _asked([base, head], what, repeats, folder / BOTH)
        for side, path in zip((base, head), paths, strict=True):
            _copy_of(side, both, path)
        both.unlink()
        return
    for side, path in zip((base, head), paths, strict=True):
        if not path.exists():
            _asked([side], what, repeats, path.with_suffix(".part")).rename(path)


def _copy_of(side: Side, both: Path, path: Path) -> None:
    """What a run of this side alone would have written."""
    part = path.with_suffix(".part")
    with both.open("rb") as lines, part.open("wb") as file:
        for line in lines:
            record = msgspec.json.decode(line, type=_Line)
            if record.record != "verdict" or record.loop in (STOCK, side.loop):
                file.write(line)
    part.rename(path)


class _Line(msgspec.Struct):
    record: str
    loop: str = ""


def _asked(sides: Sequence[Side], what: Sequence[str], repeats: int, out: Path) -> Path:
    """The file `out`, made anew."""
    out.unlink(missing_ok=True)
    command = [sides[0].executable, "-P", "-m", "loopgauge.harness.cli", "conformance", *what]
    command += ["--lane", "rules", "--repeat", str(repeats), "--out", str(out.absolute())]
    for side in sides:
        command += ["--loop", side.loop]
    code, told = _run(command, _where(sides, out.parent.absolute()))
    asked = " and ".join(side.name for side in sides)
    if code == NOBODY_ASKED:
        raise NothingToMeasure(
            f"{asked} cannot be asked what is promised: {told}",
            "Is the loop named right, and installed there? --no-conformance leaves this out",
        )
    if code == WRONG_NAME:
        raise BadSettings(f"the areas to ask {asked} about are wrong: {told}")
    if code not in ENDED:
        raise WorkerUnusable(
            f"the conformance suite of {asked} ended with exit code {code}: {told}",
            "--no-conformance leaves it out",
        )
    for side in sides:
        if all(verdict.loop != side.loop for verdict in verdicts_in(out)):
            raise NothingToMeasure(
                f"{side.name} has no loop {side.loop!r} that can be asked what it promises",
                "Is it named right, and installed there? --no-conformance leaves this out",
            )
    return out


def _where(sides: Sequence[Side], folder: Path) -> Path:
    """The suite looks for modules in its current folder first. The user's project may be that
    only where a loop cannot come from anywhere else: its sources would stand before the build of
    them that the side has installed."""
    places = (_place_of(side, folder) for side in sides)
    return next((place for place in places if place != folder), folder)


def _place_of(side: Side, folder: Path) -> Path:
    if side.loop in known_loops() or not side.path:
        return folder
    module = side.loop.partition(":")[0].partition(".")[0]
    if side.origin != "factory" and _installed(side.executable, module, folder):
        return folder
    return Path(side.path[0])


def _installed(executable: str, module: str, folder: Path) -> bool:
    looking = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    done = subprocess.run(
        [executable, "-P", "-c", looking, module], cwd=folder, capture_output=True, check=False
    )
    return done.returncode == 0


def _run(command: Sequence[str], where: Path) -> tuple[int, str]:
    """Exit code and the error line. It leads a session of its own: Ctrl-C in the terminal is ours,
    and it is told to end, so that it can end its cases; by the kernel, should we be killed."""
    environment = {**os.environ, "NO_COLOR": "1"}
    process: subprocess.Popen[str] | None = None
    try:
        with starting(signal.SIGTERM) as begin:
            process = subprocess.Popen(
                command,
                cwd=where,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=begin,
            )
        _, errors = process.communicate()
    except BaseException:
        if process is not None:
            _end(process)
        raise
    return process.returncode, _error_line(errors)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()  # whoever else has its pipe is not waited for


def _error_line(errors: str) -> str:
    lines = [line.strip() for line in ESCAPES.sub("", errors).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("error: ")]
    return (told or lines or ["it said nothing"])[-1].removeprefix("error: ").rstrip(".")
