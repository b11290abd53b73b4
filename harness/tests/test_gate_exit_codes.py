"""What a gate's decisions come to as an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from loopgauge.harness.exit_codes import ExitCode
from loopgauge.harness.gate.decision import decide, exit_code
from loopgauge.harness.gate.model import Decision, GateHeader, GateStep, Settings, Side
from loopgauge.harness.gate.store import GateFile
from loopgauge.harness.verdicts import Verdict


def decision(verdict: Any, tier: Any = "timing") -> Decision:
    return Decision(tier=tier, subject="a.b", verdict=verdict)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["EQUIVALENT", "IMPROVED", "EXPECTED", "REPAIRED", "ADDED"], ExitCode.OK),
        (["EQUIVALENT", "INCONCLUSIVE"], ExitCode.INCONCLUSIVE),
        (["EQUIVALENT", "REMOVED"], ExitCode.LEFT_OUT),
        (["INCONCLUSIVE", "REMOVED"], ExitCode.INCONCLUSIVE),
        (["INCONCLUSIVE", "REGRESSED"], ExitCode.REGRESSION),
        (["BROKEN"], ExitCode.REGRESSION),
        (["ADDED", "REMOVED"], ExitCode.NOTHING_MEASURED),
        ([], ExitCode.NOTHING_MEASURED),
    ],
)
def test_the_gravest_counts(verdicts: list[str], code: ExitCode) -> None:
    assert exit_code([decision(verdict) for verdict in verdicts], []) is code


def test_a_broken_promise_counts_more_than_a_regression() -> None:
    found = [decision("REGRESSED"), decision("BROKEN", "promises")]
    assert exit_code(found, ["counts: no valgrind"]) is ExitCode.CONFORMANCE


def test_what_was_left_out_is_no_pass() -> None:
    assert exit_code([decision("EQUIVALENT")], ["counts: no valgrind"]) is ExitCode.LEFT_OUT


@pytest.mark.parametrize(
    ("timing", "code"), [(False, ExitCode.OK), (True, ExitCode.NOTHING_MEASURED)]
)
def test_promises_that_are_all_kept_are_a_pass_where_nothing_else_was_asked(
    tmp_path: Path, timing: bool, code: ExitCode
) -> None:
    kept = Verdict(case="SOON-001.a", rule="SOON-001", level="MUST", verdict="PASS", loop="mine:L",
                   factory="mine:L", python="3")  # fmt: skip
    for side in ("base", "head"):
        lines = [b'{"record": "header"}', msgspec.json.encode(kept)]
        (tmp_path / f"promises-{side}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    header = GateHeader(
        gate="g",
        created="2026-11-22T04:15:00Z",
        seed=1,
        settings=Settings(deterministic=False, timing=timing),
        base=Side(name="base", origin="factory", given="mine:L", loop="mine:L", executable=""),
        head=Side(name="head", origin="factory", given="mine:M", loop="mine:M", executable=""),
    )
    asked = GateStep(step="promises", state="done")
    result = decide(GateFile(tmp_path, header, [asked]))
    assert result.decisions == []
    assert "1 cases of MUST rules are kept by both sides" in result.notes[0]
    assert result.exit_code == code
