"""The pytest plugin: a fixture `loop_benchmark` for async benchmarks of one's own.

    def test_feed(loop_benchmark):
        assert loop_benchmark(parse_feed, "example.xml") == 12

The coroutine function is called on fresh loops, in a plain test as well as in an `async def` one.
docs/pytest.md is the manual. This module is imported wherever pytest runs and loopgauge is
installed: it imports nothing heavy before a test asks for the fixture.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from loopgauge.harness.pytesting.session import Benchmarks

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

KEY: pytest.StashKey[Benchmarks] = pytest.StashKey()
LOOPS = "loop_benchmark_loops"


class LoopBenchmark:
    """What the fixture is. One test makes one measurement."""

    def __init__(self, benchmarks: Benchmarks, item: pytest.Item) -> None:
        self._benchmarks = benchmarks
        self._item = item
        self._used = False

    def __call__(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Measures `await function(*args, **kwargs)`; returns what the last call returned. What it
        raises is raised. Under --loop-benchmark-disable it is called once per loop."""
        from loopgauge.harness.pytesting.work import Call

        result: T = self._measure(Call(function, args, kwargs))
        return result

    def within(
        self,
        resource: Callable[[], contextlib.AbstractAsyncContextManager[R]],
        function: Callable[..., Awaitable[T]],
        *args: Any,
        **kwargs: Any,
    ) -> T:
        """The same with something that belongs to a loop (a pool, a server), whose value comes
        first among the arguments: `resource` returns an asynchronous context manager, entered
        on each loop before its first call and left after its last."""
        from loopgauge.harness.pytesting.work import Call

        result: T = self._measure(Call(function, args, kwargs, resource))
        return result

    def _measure(self, call: Any) -> Any:
        __tracebackhide__ = True
        if self._used:
            raise RuntimeError(
                "loop_benchmark measures once in a test: make a test, or a parameter, of each"
            )
        if inspect.iscoroutine(call.function):
            call.function.close()
            raise TypeError(
                "loop_benchmark takes the coroutine function and its arguments, not a coroutine:"
                " loop_benchmark(work, 1), not loop_benchmark(work(1))"
            )
        self._used = True
        return self._benchmarks.measure(self._item, call)


@pytest.fixture
def loop_benchmark(request: pytest.FixtureRequest, loop_benchmark_loops: object) -> LoopBenchmark:
    """loop_benchmark(coroutine_function, *args, **kwargs): measure it on event loops, and return
    its last result."""
    return LoopBenchmark(request.config.stash[KEY], request.node)


@pytest.fixture
def loop_benchmark_loops() -> tuple[str, ...]:
    """The loop that a marker `loops` chose for this test; () where there is none."""
    return ()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("loopgauge", "benchmarks on event loops (loopgauge)")
    option = group.addoption
    option(
        "--loop-benchmark-loop",
        metavar="NAME",
        action="append",
        default=[],
        help="measure on this loop: a name of `bench list loops`, or module:factory; several take"
        " turns (repeat, or separate by commas). Wins over markers",
    )
    option(
        "--loop-benchmark-disable",
        action="store_true",
        help="call each coroutine function once per loop, and measure nothing",
    )
    option(
        "--loop-benchmark-only", action="store_true", help="run tests that use loop_benchmark only"
    )
    option(
        "--loop-benchmark-alone",
        action="store_true",
        help="leave out stock asyncio, which otherwise takes turns with the loops asked for",
    )
    option(
        "--loop-benchmark-seconds",
        metavar="S",
        type=positive,
        default=1.0,
        help="about how long one benchmark is measured (default: 1)",
    )
    option(
        "--loop-benchmark-out",
        metavar="FILE",
        help="the run file (default: a new one in .bench/runs)",
    )
    option("--loop-benchmark-json", metavar="FILE", help="write the summary to this file, as JSON")
    option(
        "--loop-benchmark-seed",
        metavar="N",
        type=int,
        help="repeat the order of a run with its recorded seed",
    )
    option(
        "--loop-benchmark-processes",
        metavar="N",
        type=int,
        default=1,
        help="measure in N processes, one after the other (default: 1): from 6 on, intervals hold"
        " for other processes, too",
    )
    option(
        "--loop-benchmark-round",
        metavar="K",
        type=int,
        default=0,
        help="number of this process, where another program starts several (default: 0)",
    )
    parser.addini(LOOPS, "the loops that loop_benchmark measures on, by name", "args", [])


def positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "loops(*names, together=False): run this test of loop_benchmark once per loop; together:"
        " one test in which they take turns",
        "loop_benchmark(measure='cpu', seconds=1.0): what is measured, 'cpu' or 'wall' time, and"
        " for how long",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if LOOPS in metafunc.fixturenames:
        from loopgauge.harness.pytesting import choice

        choice.parametrize(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("loop_benchmark_only"):
        others = [item for item in items if not uses_fixture(item)]
        items[:] = [item for item in items if uses_fixture(item)]
        config.hook.pytest_deselected(items=others)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly or not any(map(uses_fixture, session.items)):
        return
    from loopgauge.harness.pytesting.session import Benchmarks

    benchmarks = session.config.stash[KEY] = Benchmarks(session.config)
    benchmarks.collect(session.items)


def uses_fixture(item: pytest.Item) -> bool:
    return "loop_benchmark" in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Further processes belong to the loop over the tests: Ctrl-C ends them in the same way."""
    done = yield
    benchmarks = session.config.stash.get(KEY, None)
    if benchmarks is not None and not session.testsfailed:
        benchmarks.measure_again()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    benchmarks = item.config.stash.get(KEY, None)
    if benchmarks is not None:
        benchmarks.report(report)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
    benchmarks = session.config.stash.get(KEY, None)
    if benchmarks is None:
        return
    benchmarks.finish(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)
    if benchmarks.run is not None and (given := session.config.getoption("loop_benchmark_json")):
        from loopgauge.harness.pytesting import shown

        try:
            shown.write_json(benchmarks.run, Path(given))
        except OSError as error:
            benchmarks.problem = f"cannot write {given}: {error.strerror}"
    if benchmarks.problem and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    benchmarks = config.stash.get(KEY, None)
    if benchmarks is None:
        return
    from loopgauge.harness.pytesting import shown

    if benchmarks.run is not None:
        shown.show(benchmarks.run, terminalreporter)
    if benchmarks.problem:
        terminalreporter.write_line(f"error: {benchmarks.problem}", red=True)
