"""What counts as a catch: tried out on a file of one word, and a lane that looks for the word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loopgauge.conformance import catalogue
from loopgauge.conformance.lanes import rules

ROOT = Path(__file__).resolve().parents[2]

#: Stands for the rules lane. "chance" fails in the second round, the first one after
#: that of the sound loop; "unsteady" from then on.
CHILD = """
import json, pathlib, sys
text = pathlib.Path("loop.py").read_text()
rounds = pathlib.Path("rounds")
count = int(rounds.read_text()) + 1 if rounds.exists() else 1
rounds.write_text(str(count))
if "breaks the lane" in text:
    sys.exit(3)
verdicts = {
    "SNDF-sees": "FAIL" if "fault" in text else "PASS",
    "hangs": "HANG" if "fault" in text else "PASS",
    "blind": "PASS",
    "always-bad": "FAIL",
    "chance": "FAIL" if count == 2 else "PASS",
    "unsteady": "FAIL" if count >= 2 else "PASS",
}
words = sys.argv[3:]
asked = [c for c in verdicts if not words or c in words or c.split("-")[0] in words]
for case in asked:
    print(json.dumps({"case": case, "verdict": verdicts[case]}))
print(json.dumps({"asked": len(asked)}))
"""


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from devtools import faults, mutants

    child = tmp_path / "child.py"
    child.write_text(CHILD)
    monkeypatch.setattr(mutants, "CHILD", child)
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "loop.py").write_text("sound\n")
    python = SimpleNamespace(launcher=sys.executable, tag="cp0", release="0")
    copy = faults.Copy(sources, python)
    builds: list[str] = []
    monkeypatch.setattr(copy, "build", lambda: builds.append((sources / "loop.py").read_text()))

    def check(*replacements: str, enough: int = 0) -> list[Any]:
        planted = [
            faults.Fault(f"f{i}", "sendfile", "loop.py", "sound", text, "")
            for i, text in enumerate(replacements)
        ]
        return mutants.Check(copy, 1, enough).all(planted, [].append)  # type: ignore[no-any-return]

    return SimpleNamespace(
        check=check, copy=copy, faults=faults, sources=sources, builds=builds, mutants=mutants
    )


def test_a_fault_is_caught_by_the_cases_that_fail_because_of_it(tools: Any) -> None:
    (result,) = tools.check("a fault")
    assert result.cases == ["SNDF-sees", "hangs"]
    assert result.is_caught


def test_what_fails_by_chance_catches_nothing(tools: Any) -> None:
    (result,) = tools.check("changed")
    assert result.cases == []
    assert result.struck == ["unsteady"]
    assert not result.is_caught
    assert not result.note


def test_likely_areas_are_asked_first(tools: Any) -> None:
    (result,) = tools.check("a fault", enough=9)
    assert result.cases == ["SNDF-sees"]


def test_the_rest_of_the_lane_is_spared_when_enough_cases_have_failed(tools: Any) -> None:
    (result,) = tools.check("a fault", enough=1)
    assert result.cases == ["SNDF-sees"]


def test_every_area_of_a_fault_has_cases_to_begin_with(tools: Any) -> None:
    known = set(catalogue.areas())
    for fault in tools.faults.load():
        assert known.issuperset(tools.mutants.ASKED_FIRST[fault.area])


def test_a_lane_that_breaks_down_is_no_catch(tools: Any) -> None:
    result, next_one = tools.check("breaks the lane", "a fault")
    assert not result.is_caught
    assert "broke down" in result.note
    assert next_one.is_caught


def test_the_copy_is_sound_after_each_fault(tools: Any) -> None:
    tools.check("a fault", "breaks the lane")
    assert (tools.sources / "loop.py").read_text() == "sound\n"


def test_each_fault_is_compiled_without_the_one_before(tools: Any) -> None:
    tools.check("first", "second")
    assert tools.builds == ["sound\n", "first\n", "second\n", "sound\n"]


def test_the_copy_is_sound_after_an_interruption(tools: Any) -> None:
    fault = tools.faults.Fault("f", "area", "loop.py", "sound", "a fault", "")

    def interrupted() -> None:
        with tools.copy.planted(fault):
            assert (tools.sources / "loop.py").read_text() == "a fault\n"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tools.sources / "loop.py").read_text() == "sound\n"


def test_the_child_gives_a_verdict_for_each_case() -> None:
    asked = [question.id for question in rules.questions(sys.version_info[:3])[:2]]
    child = ROOT / "scripts" / "devtools" / "rules_child.py"
    answer = subprocess.run(
        [sys.executable, "-P", child, "asyncio", "1", *asked],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    assert {record.get("case") for record in records[:-1]} == set(asked)
    assert records[-1] == {"asked": 2}


def test_a_fault_whose_text_is_gone_is_refused(tools: Any) -> None:
    fault = tools.faults.Fault("f", "area", "loop.py", "not there", "a fault", "")
    with pytest.raises(tools.faults.SetupError, match="exactly once"), tools.copy.planted(fault):
        pass
