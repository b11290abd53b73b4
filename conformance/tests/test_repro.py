"""Every case can be cut out of the suite, and says the same thing there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loopgauge.conformance.case import all_cases
from loopgauge.conformance.repro import script
from loopgauge.conformance.runner.messages import Target

HERE = Path(__file__).resolve().parent
STOCK = Target(name="asyncio", factory="asyncio:SelectorEventLoop")


@pytest.mark.parametrize("module", sorted({case.body.__module__ for case in all_cases().values()}))
def test_every_case_can_be_cut_out(module: str) -> None:
    for case in all_cases().values():
        if case.body.__module__ == module:
            text = script(case, STOCK)
            compile(text, case.id, "exec")
            assert "loopgauge" not in text.split('"""', 2)[2].replace("loopgauge conf", "")


def run(case: str, target: Target) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-"],
        input=script(all_cases()[case], target),
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_says_why_the_rule_is_there() -> None:
    text = script(all_cases()["LIFE-026.never-ran"], STOCK)
    heading = " ".join(text.split('"""')[1].split())
    assert "Why it matters: a loop that somebody forgot to close is never noticed" in heading
    assert "Where it is written: CPython's source base_events.__del__; CPython's test" in heading


@pytest.mark.parametrize("case", ["SOON-001.three", "TRAN-001.kinds-tls"])
def test_passes_alone(case: str) -> None:
    done = run(case, STOCK)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wanted" in done.stdout


def test_fails_alone() -> None:
    target = Target(name="x", factory="conformance_testing.bad_loops:WrongOrder")
    done = run("SOON-001.three", target)
    assert done.returncode == 1
    assert "Mismatch: the events, in order: wanted ['a', 'b', 'c']" in done.stderr
