"""What the plugin says of wrong use, failures, a full disk and Ctrl-C."""

from __future__ import annotations

import pytest
from plugin_testing.project import Project

from loopgauge.harness.errors import ResumeMismatch
from loopgauge.harness.manager import require_same_circumstances
from loopgauge.harness.runner import Local
from loopgauge.harness.summary import summarise


def test_what_the_function_raises_fails_the_test_and_is_recorded(project: Project) -> None:
    answer = project(
        """
        calls = 0

        async def fail_late():
            global calls
            calls += 1
            if calls > 3:
                raise ValueError("gone after three")

        def test_first(loop_benchmark):
            loop_benchmark(hop)

        def test_late(loop_benchmark):
            loop_benchmark(fail_late)

        @pytest.mark.loops("epoll", "asyncio")
        def test_after(loop_benchmark, loop_benchmark_loops):
            assert loop_benchmark(hop) == 1
            assert loop_benchmark_loops != "epoll", "fails afterwards"

        @pytest.mark.skip(reason="not today")
        def test_skipped(loop_benchmark):
            pass

        def test_skips(loop_benchmark):
            async def skip():
                pytest.skip("from inside")
            loop_benchmark(skip)
        """,
    )
    assert answer.code == 1
    answer.outcome(failed=2, passed=2, skipped=2)
    assert "ValueError: gone after three" in answer.out
    assert "on the loop asyncio" in answer.out
    assert answer.run.complete
    told = {e.benchmark[-7:]: e.reason for e in answer.run.events if e.event == "error"}
    assert "fails afterwards" in told["t_after"]
    (after,) = [b for b in summarise(answer.run).benchmarks if b.id.endswith("test_after")]
    assert {arm.arm: arm.status for arm in after.arms} == {
        "epoll": "error",
        "asyncio": "ok",
        "asyncio~aa": "ok",
    }
    assert told["st_late"] == "ValueError: gone after three"
    assert told["skipped"] == "its test skipped: Skipped: not today"
    assert told["t_skips"] == "its test skipped: Skipped: from inside"


def test_wrong_use_is_explained(project: Project) -> None:
    answer = project(
        """
        def test_coroutine(loop_benchmark):
            loop_benchmark(hop())

        def test_plain_function(loop_benchmark):
            loop_benchmark(lambda: 3)

        def test_twice(loop_benchmark):
            loop_benchmark(hop)
            loop_benchmark(hop)
        """
    )
    answer.outcome(failed=3)
    assert "not a coroutine: loop_benchmark(work, 1)" in answer.out
    assert "<lambda> returned int, which cannot be awaited" in answer.out
    assert "measures once in a test" in answer.out
    assert "never awaited" not in answer.out


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", ("--loop-benchmark-loop", "epol"), "no loop is called 'epol'; did you mean epoll?"),
        ("", ("--loop-benchmark-loop", "no_such_module:loop"), "cannot be made here"),
        ("", ("--loop-benchmark-out", "test_it.py"), "never overwritten"),
        ("@pytest.mark.loops()", (), "takes names of loops"),
        ("@pytest.mark.loop_benchmark(measure='luck')", (), "measure='cpu' or 'wall'"),
    ],
)
def test_bad_choices_are_usage_errors(
    project: Project, text: str, options: tuple[str, ...], message: str
) -> None:
    test = f"{text}\ndef test_it(loop_benchmark):\n    loop_benchmark(hop)\n"
    answer = project(test, *options)
    assert answer.code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED), answer.out
    assert message in answer.out
    assert "Traceback" not in answer.out
    assert answer.runs == []


def test_a_loop_that_only_a_marker_names_may_be_missing(project: Project) -> None:
    answer = project(
        """
        @pytest.mark.loops("no_such_module:loop", "asyncio")
        def test_it(loop_benchmark):
            loop_benchmark(hop)
        """,
        "-rs",
    )
    answer.outcome(passed=1, skipped=1)
    assert "no module named no_such_module" in answer.out


def test_a_process_that_fails_costs_only_its_own(project: Project) -> None:
    answer = project(
        """
        import os

        def test_hop(loop_benchmark):
            assert os.environ.get("LOOPGAUGE_PADDING") is None, "elsewhere it fails"
            loop_benchmark(hop)
        """,
        *("--loop-benchmark-processes", "2"),
    )
    answer.outcome(passed=1)
    assert {s.round for s in answer.run.samples} == {0}
    assert "note: process 2 of 2 failed" in answer.out
    assert answer.run.complete


def test_a_full_disk_fails_the_test(project: Project) -> None:
    answer = project(
        """
        def test_hop(loop_benchmark):
            loop_benchmark(hop)
        """,
        "--loop-benchmark-out=/dev/full",
    )
    answer.outcome(failed=1)
    assert "cannot write /dev/full: the disk is full; choose another place" in answer.out
    assert "Traceback" not in answer.out
    full = project(answer.text, "--loop-benchmark-json=/dev/full")
    assert full.code == pytest.ExitCode.INTERNAL_ERROR
    full.outcome(passed=1)
    assert "error: cannot write /dev/full: No space left on device" in full.out


def test_ctrl_c_keeps_what_was_measured(project: Project) -> None:
    answer = project(
        """
        import os
        import signal

        async def interrupt():
            await hop()
            if interrupt.calls == 20:
                os.kill(os.getpid(), signal.SIGINT)
            interrupt.calls += 1

        interrupt.calls = 0

        def test_first(loop_benchmark):
            loop_benchmark(hop)

        def test_second(loop_benchmark):
            loop_benchmark(interrupt)
        """,
    )
    assert answer.code == pytest.ExitCode.INTERRUPTED
    run = answer.run
    assert [s.benchmark for s in run.samples] == ["pytest:test_it.py::test_first"]
    assert not run.complete
    assert [e.event for e in run.events] == ["worker", "interrupted"]
    assert "note: the run is not finished: 1 samples\n" in answer.out
    with pytest.raises(ResumeMismatch, match="Run pytest again"):
        require_same_circumstances(run.header, Local())
