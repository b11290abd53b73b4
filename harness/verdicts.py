"""Stored conformance verdicts, joined to what was measured: a loop that breaks a rule on which a
scenario depends has no result there, but for the cases on which its figure does not rest
(Benchmark.irrelevant, from scenarios/reliance.py), and for leaks.

The conformance suite writes one JSON Lines file per run in `FOLDER`; nothing is imported from it.
A verdict counts for the very build of the loop and the very Python it was given on. Without one
nothing is held against a loop: the report says that conformance was not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from loopgauge.harness.errors import NotARunFile
from loopgauge.harness.model import Arm, Header, Interpreter, Record
from loopgauge.harness.packed import content

FOLDER = Path(".bench/conformance")
BROKEN = frozenset({"FAIL", "ERROR", "HANG", "CRASH", "LEAK"})  # of a MUST rule
# What voids a figure. In a LEAK the body of the case passed, and something was left behind: it is a
# broken promise, but the work was done.
VOIDS = BROKEN - {"LEAK"}
FAILING = BROKEN | {"UNIMPLEMENTED", "FLAKY"}  # what a rule's case did not keep, for any reason
SAYS_NOTHING = frozenset({"NOT_APPLICABLE", "HARNESS"})  # about the loop
OWN = "loopgauge"  # the distribution whose loops change without its version


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen in one run of one case; the suite keeps more than this."""

    observations: list[tuple[str, str, str]] = []  # what, wanted, observed
    resources: list[str] = []  # what was left behind
    traceback: str = ""
    missing: str = ""  # the method of the loop that is not there


class Verdict(Record, tag="verdict", kw_only=True):
    """One case of one rule on one loop."""

    kind: str = "conformance"
    loop: str = ""
    rule: str  # "TIME-007"
    case: str  # "TIME-007.early"
    level: str  # MUST, SHOULD, MAY, INFO
    verdict: str  # PASS, FAIL, ... (the list is the suite's)
    reason: str = ""
    tries: dict[str, int] = msgspec.field(
        default_factory=dict
    )  # verdict -> how often, where it was asked more than once
    factory: str  # "uvloop:new_event_loop"
    version: str = ""  # of the loop's distribution
    python: str  # full version of the interpreter
    build_hash: str = ""  # of loopgauge's extension modules, for its own loops
    lane: str = "rules"
    description: str = ""  # of the case
    evidence: Evidence = msgspec.field(default_factory=Evidence)


Build = tuple[str, str, str, str]  # factory, version, Python, build hash


@dataclass
class Verdicts:
    """The newest verdict of every case of every build."""

    _cases: dict[Build, dict[str, Verdict]] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> None:
        build = (verdict.factory, verdict.version, verdict.python, verdict.build_hash)
        self._cases.setdefault(build, {})[verdict.case] = verdict

    def known(self, arm: Arm, interpreter: Interpreter) -> bool:
        return _build(arm, interpreter) in self._cases

    def of(self, arm: Arm, interpreter: Interpreter) -> list[Verdict]:
        """All that is known of this build, in the order of cases."""
        cases = self._cases.get(_build(arm, interpreter), {})
        return [verdict for _, verdict in sorted(cases.items())]

    def broken(
        self,
        arm: Arm,
        interpreter: Interpreter,
        rules: Sequence[str],
        irrelevant: Sequence[str] = (),
    ) -> list[Verdict]:
        """What of MUST `rules` this build of the loop was seen to break in a way that voids its
        figure, in the order of cases; without those that match a pattern of `irrelevant`."""
        return [
            verdict
            for verdict in self.of(arm, interpreter)
            if verdict.rule in rules
            and verdict.level == "MUST"
            and verdict.verdict in VOIDS
            and not any(fnmatchcase(verdict.case, pattern) for pattern in irrelevant)
        ]


NO_VERDICTS = Verdicts()


def _build(arm: Arm, interpreter: Interpreter) -> Build:
    own = arm.distribution == OWN
    return arm.factory, arm.version, interpreter.version, interpreter.build_hash if own else ""


def read_verdicts(folder: Path = FOLDER, more: Iterable[Path] = ()) -> Verdicts:
    """Of all files in `folder`, older ones first by name, and then of `more`, which may be packed.
    Raises NotARunFile for a line that is no record of a conformance run; a cut last line is left
    out."""
    verdicts = Verdicts()
    for path in [*sorted(folder.glob("*.jsonl")), *more]:
        for verdict in verdicts_in(path):
            verdicts.add(verdict)
    return verdicts


def verdicts_in(path: Path) -> Iterable[Verdict]:
    """Of one file, in its order. Raises NotARunFile, as read_verdicts does."""
    text = content(path)
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            kinds = msgspec.json.decode(line, type=dict[str, object])
            if kinds.get("record") == "verdict":
                yield msgspec.json.decode(line, type=Verdict)
        except msgspec.DecodeError as error:
            if number == len(lines) > 1 and not text.endswith(b"\n"):
                return  # cut: the run was killed, the disk was full, or it is being written
            raise NotARunFile(
                f"{path}, line {number}: {error}", "Remove the file, or run conformance again"
            ) from error


def reason_of(broken: Sequence[Verdict]) -> str:
    """For a table: the rules, and why the first was called broken."""
    rules = ", ".join(dict.fromkeys(verdict.rule for verdict in broken))
    first = broken[0].reason or broken[0].verdict
    return f"breaks {rules} ({first})"


def conformance_of(header: Header, verdicts: Verdicts) -> str:
    """Which loops' verdicts were joined."""
    joined: list[str] = []
    unknown: list[str] = []
    for arm in header.arms:
        if arm.available and arm.role in ("candidate", "reference"):
            known = verdicts.known(arm, header.environment.interpreters[arm.python])
            (joined if known else unknown).append(arm.label)
    if not joined:
        return "conformance not run"
    missing = f"; not run for {', '.join(unknown)}" if unknown else ""
    return f"conformance joined for {', '.join(joined)}{missing}"
