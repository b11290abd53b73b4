"""SURF: the loop as an object, its factory, and what Runner and run make of it."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import weakref
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


async def nothing() -> None:
    pass


@case("SURF-001.class", expected="an instance of asyncio.AbstractEventLoop")
def class_of_the_loop(t: Trial) -> None:
    """isinstance() is asked, as many libraries do."""
    t.true("isinstance() says yes", isinstance(t.loop, asyncio.AbstractEventLoop))


@case("SURF-001.subclass", expected="the class is a subclass of asyncio.AbstractEventLoop")
def bases_of_the_class(t: Trial) -> None:
    """issubclass() is asked about the class of the loop."""
    t.true("issubclass() says yes", issubclass(type(t.loop), asyncio.AbstractEventLoop))


@case("SURF-006.weak", expected="a weak reference leads to it, open, running and closed")
def weak_reference_to_the_loop(t: Trial) -> None:
    """A weak reference to a loop is followed before a run, in it, and after close()."""
    try:
        watched = weakref.ref(t.loop)
    except TypeError:
        t.fail("no weak reference to the loop can be made")

    async def main() -> bool:
        return watched() is asyncio.get_running_loop()

    t.true("before a run", watched() is t.loop)
    t.true("in a run", t.run(main()))
    loop = t.loop
    loop.close()
    t.true("after close()", watched() is loop)


@case("SURF-006.sets", expected="each loop is found under itself, and gone when it is dropped")
def loops_as_keys(t: Trial) -> None:
    """Two loops are kept in a dictionary, a WeakSet and a WeakKeyDictionary; one is closed and
    dropped."""
    first, second = t.factory(), t.factory()
    t.equal("values by loop", {first: 1, second: 2}[second], 2)
    t.equal("first == second", first == second, False)
    before = hash(first)
    first.close()
    t.equal("the hash when it is closed", hash(first), before)
    weak_set = weakref.WeakSet([first, second])
    weak_keys = weakref.WeakKeyDictionary({first: 1, second: 2})
    t.true("both are in the WeakSet", first in weak_set and second in weak_set)
    t.equal("the value in the WeakKeyDictionary", weak_keys[first], 1)
    t.forget(first)
    del first
    t.collect()
    t.equal("loops left in the WeakSet", len(weak_set), 1)
    t.equal("loops left in the WeakKeyDictionary", list(weak_keys.values()), [2])


@case("SURF-007.states", expected="running=, closed= and debug=, as they are")
def text_of_the_loop(t: Trial) -> None:
    """repr() of a loop is looked at before a run, in it, in debug mode, and after close()."""
    seen: list[str] = []
    t.true("at first", has(repr(t.loop), "running=False", "closed=False", "debug=False"))
    t.loop.call_soon(lambda: seen.append(repr(t.loop)))
    t.spin()
    t.true("in a callback", has(seen[0], "running=True", "closed=False"))
    t.loop.set_debug(True)
    t.true("in debug mode", has(repr(t.loop), "running=False", "debug=True"))
    t.loop.set_debug(False)
    t.loop.close()
    t.true("after close()", has(repr(t.loop), "running=False", "closed=True"))
    t.note("repr after close()", repr(t.loop))


def has(text: str, *words: str) -> bool:
    return all(word in text for word in words)


@case("SURF-008.new", expected="the attribute is kept")
def attribute_of_ones_own(t: Trial) -> None:
    """An attribute that nobody knows is set on the loop, read, and deleted."""
    loop: Any = t.loop
    try:
        loop.of_ours = "ours"
    except AttributeError:
        t.fail("the attribute cannot be set")
    t.equal("the attribute", loop.of_ours, "ours")
    del loop.of_ours
    t.equal("it is there after it was deleted", hasattr(loop, "of_ours"), False)


@case("SURF-008.patched", expected="the function that was set is called")
def method_that_is_patched(t: Trial) -> None:
    """time() is replaced on the loop, as tests of libraries do, and called."""
    loop: Any = t.loop
    try:
        loop.time = lambda: 12345.0
    except AttributeError:
        t.fail("time cannot be replaced")
    t.equal("time()", loop.time(), 12345.0)
    del loop.time
    t.true("the loop's own is back", loop.time() != 12345.0)


@case("SURF-009.attribute", expected="0.1 at first, then what was set")
def slow_callback_duration(t: Trial) -> None:
    """slow_callback_duration is read, set, and read again; another loop is not affected."""
    loop: Any = t.loop
    t.true("the attribute is there", hasattr(loop, "slow_callback_duration"))
    t.equal("at first", loop.slow_callback_duration, 0.1)
    loop.slow_callback_duration = 0.5
    t.equal("after it was set", loop.slow_callback_duration, 0.5)
    other: Any = t.factory()
    t.equal("of another loop", other.slow_callback_duration, 0.1)


@case("SURF-013.keywords", expected="they reach the task factory")
def keywords_of_create_task(t: Trial) -> None:
    """create_task is called with two keywords that asyncio does not know, and a task factory that
    takes any."""
    seen: list[dict[str, Any]] = []

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append({word: value for word, value in options.items() if value is not None})
        return asyncio.Task(coro, loop=loop)

    t.loop.set_task_factory(factory)
    t.run(t.loop.create_task(nothing(), of_ours=1, and_this=2))  # type: ignore[arg-type,call-arg]
    t.equal("what reached the factory", seen, [{"of_ours": 1, "and_this": 2}])


@case("SURF-014.fresh", expected="a new loop each time, neither running nor closed")
def factory_makes_new_loops(t: Trial) -> None:
    """The factory is called three times; the first loop is run and closed in between."""
    first, second = t.factory(), t.factory()
    first.run_until_complete(nothing())
    first.close()
    third = t.factory()
    t.equal("different loops", len({id(first), id(second), id(third)}), 3)
    for name, loop in (("second", second), ("third", third)):
        t.equal(f"is_running() of the {name}", loop.is_running(), False)
        t.equal(f"is_closed() of the {name}", loop.is_closed(), False)
        loop.run_until_complete(nothing())


@case("SURF-014.inside", expected="another loop, not running; the running loop stays the same")
def factory_inside_a_run(t: Trial) -> None:
    """The factory is called by a coroutine that runs on a loop of the same kind."""

    async def main() -> None:
        other = t.factory()
        t.true("it is another loop", other is not t.loop)
        t.equal("is_running() of the other", other.is_running(), False)
        t.true("the running loop is the same", asyncio.get_running_loop() is t.loop)
        other.close()

    t.run(main())


@case("SURF-014.runner", expected="the loop of the factory runs, and is closed at the end")
def factory_given_to_a_runner(t: Trial) -> None:
    """asyncio.Runner(loop_factory=) runs two coroutines, and is closed."""
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(t.factory())
        return made[-1]

    async def main() -> object:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    with asyncio.Runner(loop_factory=factory) as runner:
        loop = runner.get_loop()
        t.true("the first coroutine ran on it", runner.run(main()) is loop)
        t.true("the second, too", runner.run(main()) is loop)
        t.equal("is_closed() inside", loop.is_closed(), False)
    t.true("the factory was called once", made == [loop])
    t.equal("is_closed() afterwards", loop.is_closed(), True)


@case("SURF-015.run", expected="the result; the loop of the factory ran it, and is closed")
def factory_given_to_run(t: Trial) -> None:
    """asyncio.run(loop_factory=) runs a coroutine that leaves a task behind."""
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(t.factory())
        return made[-1]

    async def wait() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            t.event("the task was cancelled")

    async def main() -> object:
        kept.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    kept: list[object] = []
    run: Any = asyncio.run
    loop = run(main(), loop_factory=factory)
    t.true("it ran on the loop of the factory", made == [loop])
    t.equal("is_closed() afterwards", made[0].is_closed(), True)
    t.saw("the task was cancelled")


@case("SURF-015.debug", expected="debug mode, on the loop of the factory")
def run_in_debug_mode(t: Trial) -> None:
    """asyncio.run(debug=True, loop_factory=) asks the loop for its mode."""

    async def main() -> bool:
        return asyncio.get_running_loop().get_debug()

    run: Any = asyncio.run
    t.equal("get_debug()", run(main(), debug=True, loop_factory=t.factory), True)


@case("SURF-016.policy", expected="the loop works without any policy; recorded: whether it has one")
def loop_without_a_policy(t: Trial) -> None:
    """In a fresh interpreter, where nobody sets a policy or a current loop, a loop is made and
    run."""
    ended = t.python(
        "import asyncio\n"
        "loop = new_loop()\n"
        "print(loop.run_until_complete(asyncio.sleep(0.001, 'works')))\n"
        "module = sys.modules[type(loop).__module__.partition('.')[0]]\n"
        "print([name for name in dir(module) if name.endswith('Policy')])\n"
        "loop.close()\n"
    )
    lines = ended.stdout.splitlines()
    t.equal("what the loop answered", lines[:1], ["works"])
    t.note("policies of the package", lines[1:])


@case("SURF-017.warnings", expected="none")
def deprecation_warnings(t: Trial) -> None:
    """A fresh interpreter imports the backend and runs a loop by asyncio.run(loop_factory=), with
    DeprecationWarnings shown."""
    ended = t.python(
        "import asyncio\n"
        "async def main():\n"
        "    await asyncio.sleep(0.001)\n"
        "    await asyncio.to_thread(len, 'abc')\n"
        "asyncio.run(main(), loop_factory=new_loop)\n",
        "-W",
        "always::DeprecationWarning",
    )
    t.equal("exit status", ended.returncode, 0)
    lines = [line for line in ended.stderr.splitlines() if "DeprecationWarning" in line]
    t.equal("warnings", lines, [])


@case("SURF-018.import", expected="it runs, with the GIL or without; or a clear ImportError")
def free_threaded_interpreter(t: Trial) -> None:
    """On a free-threaded build of Python the backend is imported and a loop is run, in a fresh
    interpreter."""
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        t.not_applicable("this Python is not a free-threaded build")
    ended = t.python(
        "import asyncio\n"
        "try:\n"
        "    loop = new_loop()\n"
        "except ImportError as error:\n"
        "    print('ImportError', error)\n"
        "    raise SystemExit\n"
        "print(loop.run_until_complete(asyncio.sleep(0.001, 'works')), sys._is_gil_enabled())\n"
        "loop.close()\n"
    )
    t.note("output", ended.stdout + ended.stderr)
    t.equal("exit status", ended.returncode, 0)
    t.true("it works or says why not", ended.stdout.startswith(("works", "ImportError")))


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inside = '''
import asyncio, functools, importlib, operator, sys
sys.path[:] = {path!r}
module, _, attribute = {factory!r}.partition(":")
loop = operator.attrgetter(attribute)(importlib.import_module(module))(*{arguments!r})
print(loop.run_until_complete(asyncio.sleep(0.001, "works")))
loop.close()
'''
number = interpreters.create()
try:
    failed = interpreters.run_string(number, inside)
except Exception as error:
    failed = error
if failed is not None:
    print(getattr(failed, "formatted", failed))
"""


@case("SURF-019.subinterpreter", expected="recorded: it works, or what its import raises")
def loop_in_a_subinterpreter(t: Trial) -> None:
    """In a fresh interpreter a subinterpreter is made, which imports the backend and runs a
    loop."""
    source = SUBINTERPRETER.format(
        path=sys.path, factory=t.factory_name, arguments=tuple(t.arguments)
    )
    ended = t.python(source, "-W", "ignore")
    t.note("exit status", ended.returncode)
    t.note("output", (ended.stdout + ended.stderr)[-1500:])
    t.true("it was tried", True)
