"""The public door: `loopgauge.run`, `new_event_loop`, `install`, `EventLoop`, `EventLoopPolicy`.

These tests are about the built-in loop whatever the loop under test is. `loopgauge.run()` is
compared with `asyncio.run()`: the same result, or the same exception type and message.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from loop_testing import process

import loopgauge

HAS_DEPRECATED_POLICIES = sys.version_info >= (3, 14)


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("told")


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def debugging() -> bool:
    return asyncio.get_running_loop().get_debug()


async def leave() -> None:
    raise SystemExit(3)


class Awaitable:
    def __repr__(self) -> str:
        return "an awaitable"

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return "awaited"


def outcome(run: Callable[..., Any], *args: Any, **keywords: Any) -> object:
    """What `run` returned, or the type and the message of what it raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a coroutine that was refused
        try:
            return run(*args, **keywords)
        except BaseException as error:
            return type(error), str(error).replace("loopgauge.run", "asyncio.run")
        finally:
            gc.collect()


MAINS: dict[str, Callable[[], object]] = {
    "result": lambda: give(3),
    "exception": fail,
    "cancelled": cancel_itself,
    "exit": leave,
    "awaitable": Awaitable,
    "number": lambda: 3,
    "function": lambda: fail,
    "none": lambda: None,
}


@pytest.mark.parametrize("main", MAINS.values(), ids=MAINS)
def test_run_is_asyncio_run(main: Callable[[], object]) -> None:
    assert outcome(loopgauge.run, main()) == outcome(asyncio.run, main())


@pytest.mark.parametrize("debug", [None, False, True])
def test_debug(debug: bool | None) -> None:
    assert loopgauge.run(debugging(), debug=debug) is asyncio.run(debugging(), debug=debug)


def test_debug_by_the_environment() -> None:
    said = process.output(
        """
        import loopgauge

        async def main():
            return asyncio.get_running_loop().get_debug()

        print(loopgauge.run(main()), loopgauge.run(main(), debug=False))
        """,
        env={"PYTHONASYNCIODEBUG": "1"},
    )
    assert said.split() == ["True", "False"]


def test_it_takes_every_argument_of_asyncio_run() -> None:
    theirs = inspect.signature(asyncio.run).parameters
    ours = inspect.signature(loopgauge.run).parameters
    assert set(theirs) <= set(ours)
    for name, parameter in theirs.items():
        assert (ours[name].kind, ours[name].default) == (parameter.kind, parameter.default)


def test_wrong_calls() -> None:
    for wrong in ((), (1, 2), (1, 2, 3)):
        assert outcome(loopgauge.run, *wrong)[0] is outcome(asyncio.run, *wrong)[0] is TypeError
    assert outcome(loopgauge.run, 1, nonsense=True)[0] is TypeError


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_inside_a_running_loop() -> None:
    async def nested(run: Callable[..., Any]) -> object:
        return outcome(run, give(1))

    refused = asyncio.run(nested(asyncio.run))
    assert asyncio.run(nested(loopgauge.run)) == refused
    assert loopgauge.run(nested(loopgauge.run)) == refused
    assert loopgauge.run(nested(asyncio.run)) == refused


def test_it_runs_on_our_loop_and_closes_it() -> None:
    async def main() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = loopgauge.run(main())
    assert type(loop) is loopgauge.EventLoop
    assert loop.is_closed()


def test_a_factory_of_ones_own() -> None:
    class Mine(loopgauge.EventLoop):
        pass

    async def main() -> type:
        return type(asyncio.get_running_loop())

    assert loopgauge.run(main(), loop_factory=Mine) is Mine
    assert loopgauge.run(main(), loop_factory=None) is loopgauge.EventLoop


def test_leftovers_are_shut_down() -> None:
    events: list[str] = []

    async def leftover() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            events.append("task")

    async def generator():
        try:
            yield
        finally:
            events.append("generator")

    async def main() -> None:
        background = asyncio.create_task(leftover())
        kept.append(background)
        kept.append(generator())
        await anext(kept[-1])
        await asyncio.get_running_loop().run_in_executor(None, int)

    kept: list[Any] = []
    loopgauge.run(main())
    assert events == ["task", "generator"]


def test_run_leaves_the_current_loop_alone() -> None:
    said = process.output(
        """
        import loopgauge
        mine = loopgauge.new_event_loop()
        asyncio.set_event_loop(mine)
        loopgauge.run(asyncio.sleep(0))
        print(asyncio.get_event_loop() is mine)
        mine.close()
        """,
        options=("-W", "ignore::DeprecationWarning"),
    )
    assert said.split() == ["True"]


def test_ctrl_c() -> None:
    done = process.python(
        """
        import loopgauge

        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("cancelled", flush=True)
                raise

        try:
            loopgauge.run(main())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            raise
        """
    )
    assert done.stdout.split() == ["cancelled", "interrupted"], process.describe(done)
    assert done.returncode == -2


def test_new_event_loop_is_a_factory() -> None:
    first, second = loopgauge.new_event_loop(), loopgauge.new_event_loop()
    assert type(first) is type(second) is loopgauge.EventLoop
    assert first is not second
    with asyncio.Runner(loop_factory=loopgauge.new_event_loop) as runner:
        assert type(runner.get_loop()) is loopgauge.EventLoop
        assert runner.run(give(1)) == 1
    with asyncio.Runner(loop_factory=loopgauge.EventLoop, debug=True) as runner:
        assert runner.get_loop().get_debug()
    first.close()
    second.close()


POLICY = """
import asyncio, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import loopgauge

async def where():
    return type(asyncio.get_running_loop()) is loopgauge.EventLoop
"""


def with_policy(program: str) -> list[str]:
    return process.output(program, prologue=POLICY).split()


def test_install() -> None:
    said = with_policy("""
loopgauge.install()
print(isinstance(asyncio.get_event_loop_policy(), loopgauge.EventLoopPolicy))
print(asyncio.run(where()))
with asyncio.Runner() as runner:
    print(runner.run(where()))
loop = asyncio.new_event_loop()
print(type(loop) is loopgauge.EventLoop)
loop.close()
asyncio.set_event_loop_policy(None)
print(asyncio.run(where()))
""")
    assert said == ["True", "True", "True", "True", "False"]


def test_install_runs_subprocesses() -> None:
    said = with_policy("""
import sys
loopgauge.install()

async def main():
    words = (sys.executable, "-c", "print('child')")
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    print(said.decode().strip(), child.returncode)

asyncio.run(main())
""")
    assert said == ["child", "0"]


@pytest.mark.skipif(HAS_DEPRECATED_POLICIES, reason="3.14 makes no loop where there is none")
def test_get_event_loop_makes_one() -> None:
    said = with_policy("""
loopgauge.install()
loop = asyncio.get_event_loop()
print(type(loop) is loopgauge.EventLoop, asyncio.get_event_loop() is loop)
loop.close()
""")
    assert said == ["True", "True"]


def test_get_event_loop_with_none_set() -> None:
    said = with_policy("""
import threading
loopgauge.install()

def work():
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        print("refused")

thread = threading.Thread(target=work)
thread.start()
thread.join()
""")
    assert said == ["refused"]


def test_isolated_asyncio_test_case_by_policy() -> None:
    said = with_policy("""
import unittest
loopgauge.install()

class Case(unittest.IsolatedAsyncioTestCase):
    async def test(self):
        self.assertTrue(await where())

result = unittest.TestResult()
Case("test").run(result)
print(result.wasSuccessful())
""")
    assert said == ["True"]


def warned(program: str) -> list[str]:
    """The lines of `program` that Python blames for a DeprecationWarning."""
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", program],
        env=process.environment(),
        capture_output=True,
        text=True,
        timeout=process.PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]


@pytest.mark.skipif(not HAS_DEPRECATED_POLICIES, reason="policies are not deprecated yet")
def test_policies_warn_their_caller_once() -> None:
    [line] = warned("import loopgauge\n\nloopgauge.install()")
    assert line.startswith("<string>:3:")
    assert "loopgauge.run()" in line
    [line] = warned("import loopgauge\nloopgauge.EventLoopPolicy()")
    assert line.startswith("<string>:2:")


def test_nothing_else_warns() -> None:
    program = """
import asyncio, loopgauge
loopgauge.EventLoop, loopgauge.EventLoopPolicy, loopgauge.run(asyncio.sleep(0))
loopgauge.new_event_loop().close()
"""
    assert warned(program) == []
    if not HAS_DEPRECATED_POLICIES:
        assert warned("import loopgauge; loopgauge.install(); loopgauge.EventLoopPolicy()") == []


def test_policies_before_3_14_keep_child_watchers() -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("3.14 has no child watchers")
    said = with_policy("""
import threading
loopgauge.install()
policy = asyncio.get_event_loop_policy()
watcher = asyncio.SafeChildWatcher()
policy.set_child_watcher(watcher)
print(policy.get_child_watcher() is watcher)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
print(watcher._loop is loop)
loop.close()
""")
    assert said == ["True", "True"]


def test_the_names_of_the_package() -> None:
    """A star import brings them, and importing the package alone loads no native code."""
    said = process.output(
        """
        import loopgauge
        print("loopgauge._core" in sys.modules)
        from loopgauge import *
        print(sorted(set(loopgauge.__all__) - set(globals())))
        print(EventLoop is loopgauge.EventLoop, run is loopgauge.run)
        """,
        prologue="import sys\n",
    )
    assert said.splitlines() == ["False", "[]", "True True"]
