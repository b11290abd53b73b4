"""The Python of the pages works: the scenario of "Write a scenario", the case of "Write a rule",
the module of "Measure your own code". Each in a process of its own, since it declares things."""

from __future__ import annotations

import subprocess
import sys

import pytest
from docs_testing.shown import FENCE, ROOT, pages

SCENARIO = """
for pairs in (1, 10):
    scenario = EventPingPong(pairs=pairs)
    loop = asyncio.new_event_loop()
    scenario.setup(loop)
    assert scenario.run(loop, 20 * scenario.grain) == 20 * scenario.grain
    scenario.teardown(loop)
    loop.close()
print(scenario.id, scenario.unit, scenario.rules)
"""
RULE = """
import asyncio
from loopgauge.conformance.case import _declared

trial = Trial(asyncio.new_event_loop)
_declared["SOON-001.pairs"].run(trial)
trial.close()
print(trial.observations)
"""
COROUTINE = "\nasyncio.run(main())\nprint('done')\n"
TESTS = "\nprint(test_main.pytestmark)\n"


def python_of(page: str, beginning: str = "") -> str:
    """The first fence of Python on a page that holds `beginning`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return next(f[2] for f in FENCE.finditer(text) if f[1] == "python" and beginning in f[2])


def run(program: str, folder) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("page", "beginning", "use", "said"),
    [
        ("write-a-scenario.md", "class EventPingPong", SCENARIO, "throughput.event_ping_pong"),
        ("write-a-rule.md", "@case", RULE, "the events, in order"),
        ("own-code.md", "async def main", COROUTINE, "done"),
    ],
)
def test_it_works(page, beginning, use, said, tmp_path):
    assert said in run(python_of(page, beginning) + use, tmp_path)


def test_the_test_of_your_own_code_is_one(tmp_path):
    (tmp_path / "my_module.py").write_text(python_of("own-code.md", "async def main"), "utf-8")
    assert "loops" in run(python_of("own-code.md", "loop_benchmark") + TESTS, tmp_path)


def test_the_rules_of_the_example_scenario_exist():
    from loopgauge.conformance.catalogue import rules

    for rule in ("SOON-001", "SOON-002", "TASK-002"):
        assert rule in python_of("write-a-scenario.md")
        assert rule in rules()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_python_of_pages_compiles(page):
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        if fence[1] == "python":
            compile(fence[2], str(page), "exec")
