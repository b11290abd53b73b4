"""The plugin as its users meet it: pytest in a process of its own, in a folder of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopgauge.harness.errors import ResumeMismatch
from loopgauge.harness.manager import require_same_circumstances
from loopgauge.harness.model import Sample
from loopgauge.harness.store import RunFile, read_run
from loopgauge.harness.summary import summarise

PLUGIN = "loopgauge.harness.pytest_plugin"
QUICK = ("--loop-benchmark-seconds", "0.01")  # the fewest blocks there are

WORK = """
    import asyncio
    import contextlib
    import pytest

    async def hop(n=1):
        for _ in range(n):
            await asyncio.sleep(0)
        return n
"""


@dataclass
class Answer:
    code: int
    out: str
    folder: Path
    text: str

    @property
    def runs(self) -> list[Path]:
        return sorted((self.folder / ".bench" / "runs").glob("*.jsonl"))

    @property
    def run(self) -> RunFile:
        (path,) = self.runs
        return read_run(path)

    def outcome(self, **counts: int) -> None:
        last = self.out.strip().splitlines()[-1]
        for word, count in counts.items():
            assert f"{count} {word}" in last, self.out


Project = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes test_it.py and runs pytest there. Of the other plugins only `plugins` are loaded."""

    def run(
        text: str,
        *options: str,
        plugins: Sequence[str] = (),
        common: str = WORK,
        variables: dict[str, str] | None = None,
    ) -> Answer:
        source = textwrap.dedent(common) + textwrap.dedent(text)
        (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
        given = [part for name in (PLUGIN, *plugins) for part in ("-p", name)]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given]
        done = subprocess.run(
            [*command, *QUICK, *options],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "COLUMNS": "120",
                **(variables or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, tmp_path, text)

    return run


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed for this Python")


def rounds(samples: Sequence[Sample]) -> set[tuple[str, str, int]]:
    return {(s.benchmark, s.arm, s.round) for s in samples}


def test_a_plain_test_is_measured_and_gets_the_last_result(project: Project) -> None:
    answer = project(
        """
        calls = 0

        async def count(step, *, factor):
            global calls
            calls += step * factor
            return calls

        def test_count(loop_benchmark):
            "Counts."
            assert loop_benchmark(count, 2, factor=3) == calls
            assert calls > 6
        """,
    )
    assert answer.code == 0, answer.out
    (sample,) = answer.run.samples
    assert (sample.benchmark, sample.arm) == ("pytest:test_it.py::test_count", "asyncio")
    assert len(sample.n) >= 4
    assert min(sample.n) >= 1
    assert min(sample.wall_ns) > 0
    assert answer.run.complete
    (benchmark,) = answer.run.header.benchmarks
    assert (benchmark.summary, benchmark.unit, benchmark.measure) == ("Counts.", "call", "cpu")
    assert "test_it.py::test_count  (CPU time per call)" in answer.out
    assert f"run: .bench/runs/{answer.runs[0].name}" in answer.out


def test_loops_of_a_marker_are_tests_and_arms_of_one_benchmark(project: Project) -> None:
    answer = project(
        """
        @pytest.mark.loops("epoll", "asyncio")
        @pytest.mark.parametrize("n", [1, 2])
        def test_hop(loop_benchmark, n):
            assert loop_benchmark(hop, n) == n

        @pytest.mark.loops("epoll", together=True)
        @pytest.mark.loop_benchmark(measure="wall", seconds=0.02)
        def test_together(loop_benchmark):
            loop_benchmark(hop)
        """,
        "-vv",
    )
    answer.outcome(passed=5)
    assert re.search(r"test_hop\[(1-epoll|epoll-1)\] PASSED", answer.out)
    assert rounds(answer.run.samples) == {
        *(
            (f"pytest:test_it.py::test_hop[{n}]", arm, number)
            for n in (1, 2)
            for arm, number in [
                ("epoll", 0),
                ("asyncio", 0),
                ("asyncio~aa", 0),
                ("asyncio", 1),
            ]
        ),
        *(("pytest:test_it.py::test_together", a, 0) for a in ("epoll", "asyncio", "asyncio~aa")),
    }
    measures = {b.id: b.measure for b in answer.run.header.benchmarks}
    assert measures["pytest:test_it.py::test_together"] == "wall"
    summary = summarise(answer.run)
    assert summary.reference == "asyncio"
    assert [a.arm for b in summary.benchmarks for a in b.arms if a.arm == "epoll" and a.ratio]


def test_loops_take_turns_in_random_balanced_order(project: Project) -> None:
    text = """
        def test_hop(loop_benchmark):
            loop_benchmark(hop)
        """
    options = ("--loop-benchmark-loop", "epoll", "--loop-benchmark-seed", "7")
    first = project(text, *options, "--loop-benchmark-out", "a.jsonl")
    second = project(text, *options, "--loop-benchmark-out", "b.jsonl")
    orders = []
    for answer, name in ((first, "a.jsonl"), (second, "b.jsonl")):
        run = read_run(answer.folder / name)
        assert run.header.seed == 7
        places = {slot: s.arm for s in run.samples for slot in s.slot}
        assert sorted(places) == list(range(len(places)))
        count = len(run.samples)
        order = [places[slot] for slot in range(len(places))]
        blocks = [order[i : i + count] for i in range(0, len(order), count)]
        assert all(sorted(block) == ["asyncio", "asyncio~aa", "epoll"] for block in blocks)
        assert blocks[1] == blocks[0][::-1]
        orders.append(blocks[:4])
    assert orders[0] == orders[1]
    assert first.runs == []  # the file that was asked for is the only one


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


def test_disabled_it_calls_once_per_loop(project: Project) -> None:
    answer = project(
        """
        seen = []

        async def which():
            seen.append(type(asyncio.get_running_loop()).__module__)
            return 5

        def test_both(loop_benchmark):
            assert loop_benchmark(which) == 5
            assert len(seen) == len(set(seen)) == 2, seen
        """,
        "--loop-benchmark-disable",
        "--loop-benchmark-loop",
        "epoll,asyncio",
    )
    answer.outcome(passed=1)
    assert answer.runs == []
    assert "loop benchmarks" not in answer.out


def test_something_that_belongs_to_a_loop(project: Project) -> None:
    """Opened and closed on each loop by one task, closed even where the test fails."""
    answer = project(
        """
        log = []

        @contextlib.asynccontextmanager
        async def queue():
            async with asyncio.TaskGroup():
                log.append(("open", asyncio.current_task()))
                try:
                    yield asyncio.Queue()
                finally:
                    log.append(("close", asyncio.current_task()))

        async def through(queue, item, *, wrong=False):
            queue.put_nowait(item)
            assert not wrong
            return await queue.get()

        def test_it(loop_benchmark):
            assert loop_benchmark.within(queue, through, 7) == 7
            assert len(log) == 6
            by_task = {}
            for what, task in log:
                by_task.setdefault(task, []).append(what)
            assert list(by_task.values()) == [["open", "close"]] * 3

        def test_failure(loop_benchmark):
            del log[:]
            with pytest.raises(AssertionError):
                loop_benchmark.within(queue, through, 7, wrong=True)
            assert [what for what, _ in log] == ["open", "close"]

        @contextlib.asynccontextmanager
        async def unopenable():
            raise OSError("no room")
            yield

        def test_cannot_open(loop_benchmark):
            with pytest.raises(OSError, match="no room"):
                loop_benchmark.within(unopenable, through, 7)
        """,
        *("--loop-benchmark-loop", "epoll"),
    )
    answer.outcome(passed=3)


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


def test_ini_and_option_choose_loops(project: Project, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nloop_benchmark_loops = epoll\n")
    text = """
        def test_ini(loop_benchmark):
            loop_benchmark(hop)

        @pytest.mark.loops("epoll")
        def test_marked(loop_benchmark):
            loop_benchmark(hop)

        def test_other():
            raise AssertionError("is not selected")
        """
    answer = project(text, "--loop-benchmark-only", "--loop-benchmark-alone")
    answer.outcome(passed=2, deselected=1)
    assert {s.arm for s in answer.run.samples} == {"epoll"}
    forced = project(
        text,
        *("--loop-benchmark-only", "--loop-benchmark-loop", "asyncio"),
        *("--loop-benchmark-out", "forced.jsonl"),
    )
    forced.outcome(passed=2)
    run = read_run(tmp_path / "forced.jsonl")
    assert rounds(run.samples) == {
        (f"pytest:test_it.py::test_{name}", "asyncio", 0) for name in ("ini", "marked")
    }


def test_more_processes_make_rounds_of_one_run(project: Project) -> None:
    """Whatever the user's own run writes stays its own: JSON, JUnit, the temporary folder."""
    answer = project(
        """
        def test_hop(loop_benchmark, tmp_path):
            (tmp_path / "kept").touch()
            loop_benchmark(hop)

        def test_plain():
            pass
        """,
        *("--loop-benchmark-processes", "2", "--loop-benchmark-loop", "epoll"),
        *("--loop-benchmark-json", "out/summary.json", "--junitxml", "junit.xml"),
        *("--basetemp", "temporary"),
    )
    answer.outcome(passed=2)
    run = answer.run
    assert {(s.arm, s.round, s.process) for s in run.samples} == {
        (arm, number, number + 1) for arm in ("epoll", "asyncio", "asyncio~aa") for number in (0, 1)
    }
    pids = [e.worker.pid for e in run.events if e.worker]
    assert len(set(pids)) == 2
    assert run.complete
    document = json.loads((answer.folder / "out" / "summary.json").read_text())
    assert document["kind"] == "run-summary"
    (benchmark,) = document["benchmarks"]
    assert benchmark["arms"][0]["ratio"]["n"] == 2
    assert "test_plain" in (answer.folder / "junit.xml").read_text()
    assert list((answer.folder / "temporary").rglob("kept"))


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
        require_same_circumstances(run.header)


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
