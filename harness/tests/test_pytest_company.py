"""The plugin inside running loops, beside other plugins, and where nobody uses it."""

from __future__ import annotations

import os
from pathlib import Path

from plugin_testing.project import PLUGIN, Project, needs

from loopgauge.harness.store import read_run


def test_inside_a_running_loop(project: Project) -> None:
    """pytest-asyncio and anyio call the test from a loop: it goes on afterwards as if nothing had
    been."""
    needs("pytest_asyncio")
    needs("anyio")
    answer = project(
        """
        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def measured_inside(loop_benchmark):
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            pending = asyncio.create_task(hop(3))
            async with asyncio.timeout(60):
                assert loop_benchmark(which_loop) is not loop
            assert asyncio.get_running_loop() is loop
            assert asyncio.current_task() is task
            assert await pending == 3

        async def which_loop():
            await asyncio.sleep(0)
            assert asyncio.current_task() in asyncio.all_tasks()
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        @pytest.mark.loops("epoll", "asyncio")
        async def test_asyncio(loop_benchmark):
            await measured_inside(loop_benchmark)

        @pytest.mark.anyio
        async def test_anyio(loop_benchmark):
            await measured_inside(loop_benchmark)

        @pytest.mark.asyncio
        async def test_failure(loop_benchmark):
            with pytest.raises(ZeroDivisionError):
                loop_benchmark(fail)
            await asyncio.sleep(0)

        async def fail():
            1 / 0

        def test_runner(loop_benchmark):
            async def main():
                return loop_benchmark(hop)
            assert asyncio.run(main()) == 1
        """,
        plugins=("pytest_asyncio.plugin", "anyio.pytest_plugin"),
    )
    answer.outcome(passed=5)
    assert {s.benchmark for s in answer.run.samples} == {
        f"pytest:test_it.py::test_{name}" for name in ("asyncio", "anyio", "runner")
    }


def test_beside_other_benchmark_plugins(project: Project) -> None:
    needs("pytest_benchmark")
    needs("pytest_codspeed")
    text = """
        def test_ours(loop_benchmark):
            loop_benchmark(hop)

        def test_theirs(benchmark):
            assert benchmark(lambda: 3) == 3

        def test_both(benchmark, loop_benchmark):
            assert loop_benchmark(hop) == benchmark(lambda: 1)
        """
    for plugins in (
        ["pytest_benchmark.plugin"],
        ["pytest_benchmark.plugin", "pytest_codspeed.plugin"],
    ):
        answer = project(
            text,
            *("--loop-benchmark-out", f"{len(plugins)}.jsonl"),
            *("--benchmark-max-time", "0.01", "--benchmark-min-rounds", "1"),
            plugins=plugins,
        )
        answer.outcome(passed=3)
        run = read_run(answer.folder / f"{len(plugins)}.jsonl")
        assert {s.benchmark for s in run.samples} == {
            f"pytest:test_it.py::test_{name}" for name in ("ours", "both")
        }


def test_under_xdist_everything_runs_once_and_says_so(project: Project) -> None:
    needs("xdist")
    answer = project(
        """
        calls = 0

        async def count():
            global calls
            calls += 1

        def test_count(loop_benchmark):
            loop_benchmark(count)
            assert calls == 1
        """,
        *("-n", "1"),
        plugins=("xdist.plugin",),
    )
    answer.outcome(passed=1)
    assert "measures nothing under xdist" in answer.out
    assert answer.runs == []


def test_installed_and_named_it_is_loaded_once(project: Project, tmp_path: Path) -> None:
    """The entry point has the module's name, so that -p finds what is there already."""
    metadata = tmp_path / "site" / "loopgauge-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loopgauge\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{PLUGIN} = {PLUGIN}\n")
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    answer = project(
        """
        def test_hop(loop_benchmark):
            loop_benchmark(hop)
        """,
        *("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:looptime_plugin"),
        variables={"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""},
    )
    answer.outcome(passed=1)


def test_a_session_without_benchmarks_loads_nothing(project: Project) -> None:
    answer = project(
        """
        import sys

        def test_it():
            assert [m for m in sys.modules if m.startswith("loopgauge.harness.p")] == [
                "loopgauge.harness.pytest_plugin"
            ]
            assert not {"numpy", "msgspec", "loopgauge._bench"} & set(sys.modules)
        """,
    )
    answer.outcome(passed=1)
    assert answer.runs == []
