"""AGEN: async generators that a program leaves unfinished."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


async def numbers(t: Trial, name: str, error: BaseException | None = None) -> AsyncGenerator[int]:
    """Counts until it is closed, and says so; with `error` its closing raises."""
    try:
        for number in range(1000):
            yield number
    finally:
        await asyncio.sleep(0)
        t.event(f"{name} closed")
        if error is not None:
            raise error


async def turns_until(condition: Callable[[], object]) -> None:
    """Waits for so many turns as it takes, and no more than a thousand."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)


def watch(t: Trial) -> list[dict[str, Any]]:
    """What the loop's exception handler is called with, from now on."""
    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


@case("AGEN-001.one", expected="its finally block runs, and can wait")
def shut_down_one(t: Trial) -> None:
    """An async generator is asked for one value and kept; the loop's generators are shut down."""

    async def main() -> None:
        generator = numbers(t, "generator")
        t.equal("its first value", await anext(generator), 0)
        t.saw()
        t.equal("the result", await t.loop.shutdown_asyncgens(), None)  # type: ignore[func-returns-value]
        t.saw("generator closed")
        with t.raises(StopAsyncIteration, what="the next value"):
            await anext(generator)

    t.run(main())


@case("AGEN-001.several", expected="every one is closed, once")
def shut_down_several(t: Trial) -> None:
    """Three generators are unfinished, in two tasks; one more is finished, one was never asked
    for a value."""

    async def main() -> None:
        kept = [numbers(t, name) for name in "abc"]
        for generator in kept[:2]:
            await anext(generator)
        await asyncio.create_task(anext(kept[2]))
        finished = numbers(t, "finished")
        await anext(finished)
        await finished.aclose()
        kept.append(numbers(t, "never started"))
        await t.loop.shutdown_asyncgens()
        t.equal("what was closed", sorted(t.events[1:]), ["a closed", "b closed", "c closed"])
        await t.loop.shutdown_asyncgens()
        t.equal("events after the second time", len(t.events), 4)

    t.run(main())


@case("AGEN-001.next-run", expected="generators of an earlier run are closed, too")
def shut_down_in_another_run(t: Trial) -> None:
    """A generator is started in one run, and shut down in the next."""
    generator = numbers(t, "generator")

    async def main() -> int:
        return await anext(generator)

    t.equal("its first value", t.run(main()), 0)
    t.run(t.loop.shutdown_asyncgens())
    t.saw("generator closed")


@case("AGEN-001.other-loop", expected="only the generator of its own loop is closed")
def shut_down_one_of_two_loops(t: Trial) -> None:
    """Two loops have a generator each; those of one loop are shut down, then of the other."""
    other = t.factory()

    async def begin(generator: AsyncGenerator[int]) -> None:
        await anext(generator)

    ours, theirs = numbers(t, "ours"), numbers(t, "theirs")
    t.run(begin(ours))
    other.run_until_complete(begin(theirs))
    t.run(t.loop.shutdown_asyncgens())
    t.saw("ours closed")
    other.run_until_complete(other.shutdown_asyncgens())
    t.saw("ours closed", "theirs closed")


@case("AGEN-001.none", expected="nothing happens, and the loop can be closed")
def shut_down_none(t: Trial) -> None:
    """A loop without async generators is asked to shut them down."""
    t.run(t.loop.shutdown_asyncgens())
    t.run(t.loop.shutdown_asyncgens())
    t.loop.close()
    t.equal("is_closed()", t.loop.is_closed(), True)


@case("AGEN-002.handler", expected="one call, with message, exception and asyncgen")
def error_while_closing(t: Trial) -> None:
    """Of two generators that are shut down, one raises in its finally block."""
    contexts = watch(t)
    wanted = LookupError("ours")

    async def main() -> None:
        bad, good = numbers(t, "bad", wanted), numbers(t, "good")
        await anext(bad)
        await anext(good)
        await t.loop.shutdown_asyncgens()
        t.equal("times the handler was called", len(contexts), 1)
        t.true("message: a text", isinstance(contexts[0].get("message"), str))
        t.true("exception: the very exception", contexts[0].get("exception") is wanted)
        t.true("asyncgen: the generator", contexts[0].get("asyncgen") is bad)
        contexts.clear()

    t.run(main())
    t.equal("closed", sorted(t.events), ["bad closed", "good closed"])


@case("AGEN-002.logged", leaves=("logs",), expected="an ERROR on the logger 'asyncio'")
def error_while_closing_is_logged(t: Trial) -> None:
    """Without an exception handler, a generator raises while it is shut down."""

    async def main() -> None:
        generator = numbers(t, "generator", LookupError("ours"))
        await anext(generator)
        await t.loop.shutdown_asyncgens()

    t.run(main())
    t.equal("errors logged", len(t.log_messages()), 1)
    t.saw("generator closed")


@case("AGEN-003.warning", leaves=("warnings",), expected="a ResourceWarning, and the first value")
def generator_after_the_shutdown(t: Trial) -> None:
    """After shutdown_asyncgens a new generator is asked for a value."""

    async def main() -> None:
        await t.loop.shutdown_asyncgens()
        t.equal("warnings before", resource_warnings(t), 0)
        generator = numbers(t, "generator")
        t.equal("its first value", await anext(generator), 0)
        t.equal("warnings", resource_warnings(t), 1)
        await generator.aclose()

    t.run(main())


@case("AGEN-003.before", expected="no ResourceWarning for one that was started before")
def no_warning_before_the_shutdown(t: Trial) -> None:
    """A generator is started and closed, without any shutdown."""

    async def main() -> None:
        generator = numbers(t, "generator")
        await anext(generator)
        await generator.aclose()

    t.run(main())
    t.equal("warnings", resource_warnings(t), 0)
    t.saw("generator closed")


def resource_warnings(t: Trial) -> int:
    """Those about generators: a loop may give others."""
    return sum(
        issubclass(seen.category, ResourceWarning) and "generator" in str(seen.message)
        for seen in t.warnings
    )


@case("AGEN-004.dropped", expected="its finally block runs on the loop, and can wait")
def generator_that_is_dropped(t: Trial) -> None:
    """A generator is left in the middle and dropped while the loop runs."""

    async def main() -> None:
        generator = numbers(t, "generator")
        await anext(generator)
        del generator
        t.collect()
        t.saw()
        await turns_until(lambda: t.events)

    t.run(main())
    t.saw("generator closed")


@case("AGEN-004.thread", expected="its finally block runs in the loop's thread")
def generator_that_is_dropped_in_a_thread(t: Trial) -> None:
    """The last reference to an unfinished generator is dropped in another thread, while the loop
    waits with nothing to do."""
    closed_in: list[int] = []
    closed = t.loop.create_future()

    async def count() -> AsyncGenerator[int]:
        try:
            yield 0
            yield 1
        finally:
            closed_in.append(threading.get_ident())
            closed.set_result(None)

    async def main() -> None:
        kept = [count()]
        await anext(kept[0])
        thread = t.thread(kept.clear)
        await closed
        thread.join()

    t.run(main())
    t.equal("the threads it was closed in", closed_in, [threading.get_ident()])


@case("AGEN-004.break", expected="its finally block runs soon after the loop over it was left")
def generator_that_is_left(t: Trial) -> None:
    """`async for` over a generator is left with break; nobody else refers to the generator."""

    async def main() -> None:
        async for number in numbers(t, "generator"):
            if number == 2:
                break
        t.event("left")
        await turns_until(lambda: len(t.events) > 1)

    t.run(main())
    t.saw("left", "generator closed")
