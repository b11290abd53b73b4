"""The deterministic tier, end to end: it repeats, it sees one branch, it names what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from manager_testing.records import header

from loopgauge.harness import subject
from loopgauge.harness.deterministic import tier, tools, under
from loopgauge.harness.deterministic.counting import Counting, Findings
from loopgauge.harness.deterministic.tools import Tool
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Arm, Event
from loopgauge.harness.store import RunFile
from loopgauge.harness.worker.engine import load_engine

HERE = Path(__file__).parent
ARM = Arm(label="asyncio", loop="asyncio", factory="asyncio:SelectorEventLoop", python="3")
BRANCHES = 100  # of counted_app.branched


@pytest.fixture(scope="module")
def here() -> dict[str, Tool]:
    return tools.ask(sys.executable)


def counted(function: str, tools_here: dict[str, Tool], *hows: str, arm: Arm = ARM) -> Findings:
    """The application's function on stock asyncio, with the tools named."""
    interpreters = {"3": subject.ask(sys.executable, ["asyncio"], []).interpreter}
    chosen = {"3": {how: tools_here[how] for how in hows}}
    counting = Counting(interpreters, chosen, [str(HERE)], None)
    app = f"app:deterministic_testing.counted_app:{function}"
    return counting.count(subject.describe(app, {}), arm)


def figure(findings: Findings, name: str) -> float:
    [found] = [metric for metric in findings.metrics if metric.metric == name]
    return found.value


def require(tools_here: dict[str, Tool], how: str) -> None:
    if not tools_here[how].version:
        pytest.skip(tools_here[how].reason)


def test_instructions_repeat_and_show_one_branch(here) -> None:
    require(here, "callgrind")
    first, again, more = (
        figure(counted(function, here, "callgrind"), "instructions")
        for function in ("plain", "plain", "branched")
    )
    assert abs(again / first - 1) < 0.001
    # A branch that is not taken costs the interpreter some instructions, each time.
    assert more - first > 3 * BRANCHES
    assert more - first > 10 * abs(again - first)


def test_system_calls_and_allocations_are_counted(here) -> None:
    require(here, "strace")
    found = counted("plain", here, "strace")
    assert found.events == []
    calls = next(metric for metric in found.metrics if metric.metric == "syscalls")
    assert calls.by_name["epoll_wait"] > BRANCHES  # stock asyncio polls in every turn
    assert calls.value == pytest.approx(sum(calls.by_name.values()))
    assert figure(found, "allocations") > BRANCHES  # a handle each


def test_a_failure_is_said_once_and_not_tried_again_under_the_tools(here) -> None:
    found = counted("fails", here, "strace", "callgrind")
    assert [event.event for event in found.events] == ["error"]
    assert "this one cannot be counted" in found.events[0].reason
    assert found.metrics == []


def test_python_allocations_are_counted_by_domain() -> None:
    bench = load_engine()
    assert bench.start_counting_allocations()
    assert not bench.start_counting_allocations()
    kept = [bytearray(100_000), object()]
    counts = bench.stop_counting_allocations()
    assert counts["object"]["allocations"] >= 2
    assert sum(domain["bytes"] for domain in counts.values()) >= 100_000
    # The large one is handed on from domain to domain, and counted once.
    assert sum(domain["bytes"] for domain in counts.values()) < 200_000
    del kept
    assert bench.stop_counting_allocations()["object"]["allocations"] == 0


def test_hardware_counters_or_the_reason_why_not() -> None:
    counters = load_engine().HardwareCounters()
    assert ("cycles" in counters.read()) != bool(counters.reason)


def test_without_tools_each_loss_has_a_line_with_its_cure(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {how: Tool(**under.examine(how)) for how in under.TOOLS}
    lines = tools.missing(found)
    assert len(lines) == 2
    assert "no instructions: valgrind is not installed. Install the package valgrind" in lines[0]
    assert "no system calls: strace is not installed" in lines[1]


def test_a_tool_that_may_not_trace_says_so(monkeypatch, tmp_path) -> None:
    tool = tmp_path / "strace"
    tool.write_text("#!/bin/sh\necho 'strace: PTRACE_TRACEME: Operation not permitted' >&2\nexit 1")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = Tool(**under.examine("strace"))
    assert found.version == ""
    assert "Operation not permitted" in found.reason
    assert "SYS_PTRACE" in found.cure


def test_who_is_killed_under_the_tool_leaves_nothing_behind(here, tmp_path) -> None:
    require(here, "callgrind")
    results, temporary = tmp_path / "results", tmp_path / "temporary"
    results.mkdir()
    temporary.mkdir()
    with subprocess.Popen(
        [*under.tool("callgrind", str(results)), "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"at work\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"at work\n"
        process.kill()
    assert list(temporary.iterdir()) == []


def test_a_pair_that_was_counted_or_refused_is_not_pending() -> None:
    head = header()
    file = RunFile(Path("x"), head)
    roster = Roster(head.arms, head.benchmarks)
    pairs = tier.pending(file, roster)
    assert {arm.role for _, arm in pairs} <= tier.ROLES
    benchmark, arm = pairs[0]
    file.add(Event(event="left_out", benchmark=benchmark.id, arm=arm.label, reason="crashed"))
    assert tier.pending(file, roster) == pairs[1:]
