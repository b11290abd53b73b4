"""The plugin as its users meet it: pytest in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

from plugin_testing.project import Project, rounds

from loopgauge.harness.store import read_run
from loopgauge.harness.summary import summarise


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
