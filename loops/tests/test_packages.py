"""Packages that reach into asyncio's loop do on the loop under test what they do on stock.

Each program runs twice, in fresh interpreters, and must print the same: nest_asyncio replaces
the scheduler, looptime the class and the selector's wait, freezegun the clock.
"""

from __future__ import annotations

import importlib.util

import pytest
from loop_testing import process, target


def same_on_both(package: str, program: str) -> str:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    stock = process.output(program, loop=target.STOCK)
    assert process.output(program) == stock
    return stock


def test_nest_asyncio_inside_a_running_loop() -> None:
    said = same_on_both(
        "nest_asyncio",
        """
        import nest_asyncio
        loop = new_loop()
        asyncio.set_event_loop(loop)
        nest_asyncio.apply(loop)

        async def inner(depth):
            await asyncio.sleep(0.001)
            if depth:
                return loop.run_until_complete(inner(depth - 1)) + 1
            return 0

        async def main():
            background = asyncio.ensure_future(asyncio.sleep(0.002, "background"))
            nested = loop.run_until_complete(inner(3))
            gathered = loop.run_until_complete(asyncio.gather(inner(1), inner(2)))
            return nested, gathered, await background

        print(loop.run_until_complete(main()))
        loop.call_soon(print, "callback")
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        """,
    )
    assert said.splitlines() == ["(3, [1, 2], 'background')", "callback"]


def test_nest_asyncio_applied_while_the_loop_runs() -> None:
    said = same_on_both(
        "nest_asyncio",
        """
        import nest_asyncio
        loop = new_loop()
        asyncio.set_event_loop(loop)

        async def main():
            nest_asyncio.apply()
            return loop.run_until_complete(asyncio.sleep(0.001, "nested"))

        print(loop.run_until_complete(main()))
        """,
    )
    assert said == "nested\n"


def test_nest_asyncio_keeps_order() -> None:
    said = same_on_both(
        "nest_asyncio",
        """
        import nest_asyncio
        loop = new_loop()
        asyncio.set_event_loop(loop)
        nest_asyncio.apply(loop)
        seen = []

        async def steps(name, count):
            for number in range(count):
                seen.append(f"{name}{number}")
                await asyncio.sleep(0)

        async def main():
            other = asyncio.ensure_future(steps("other", 6))
            await asyncio.sleep(0)
            loop.run_until_complete(steps("nested", 3))
            seen.append("back")
            await other

        loop.run_until_complete(main())
        print(seen)
        """,
    )
    assert "'back'" in said


LOOPTIME = """
    import looptime

    async def main():
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(3600)
        first = loop.time() - start
        done, pending = await asyncio.wait([asyncio.ensure_future(asyncio.sleep(50))], timeout=10)
        try:
            async with asyncio.timeout(100):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        for task in pending:
            task.cancel()
        return round(first, 3), len(pending), round(loop.time() - start, 3)
"""


def test_looptime_patches_a_loop() -> None:
    said = same_on_both(
        "looptime",
        LOOPTIME
        + """
    loop = looptime.patch_event_loop(new_loop(), start=0)
    print(loop.run_until_complete(main()))
    loop.close()
    """,
    )
    assert said == "(3600.0, 1, 3710.0)\n"


def test_looptime_as_a_base_class() -> None:
    said = same_on_both(
        "looptime",
        LOOPTIME
        + """
    loop = new_loop()
    loop.close()
    loop = looptime.make_event_loop_class(type(loop))(start=0)
    print(loop.run_until_complete(main()))
    loop.close()
    """,
    )
    assert said == "(3600.0, 1, 3710.0)\n"


def test_freezegun_ticks_timers() -> None:
    said = same_on_both(
        "freezegun",
        """
        import freezegun
        ran = []

        async def main():
            loop = asyncio.get_running_loop()
            with freezegun.freeze_time("2024-01-01") as frozen:
                start = loop.time()
                loop.call_later(100, ran.append, "timer")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                print(loop.time() - start, ran)
                frozen.tick(101)
                print(round(loop.time() - start, 3))
                for _ in range(4):
                    await asyncio.sleep(0)
                print(ran)

        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        """,
    )
    assert said.split("\n")[:3] == ["0.0 []", "101.0", "['timer']"]


def test_freezegun_with_the_real_clock_for_asyncio() -> None:
    said = same_on_both(
        "freezegun",
        """
        import freezegun

        async def main():
            with freezegun.freeze_time("2024-01-01", real_asyncio=True):
                await asyncio.sleep(0.001)
            return "slept"

        loop = new_loop()
        print(loop.run_until_complete(main()))
        loop.close()
        """,
    )
    assert said == "slept\n"


def test_frozen_before_the_loop_is_made() -> None:
    same_on_both(
        "freezegun",
        """
        import freezegun
        with freezegun.freeze_time("2024-01-01") as frozen:
            loop = new_loop()
            ran = []
            loop.call_later(10, ran.append, 1)
            frozen.tick(11)
            for _ in range(3):
                loop.call_soon(loop.stop)
                loop.run_forever()
            print(ran)
            loop.close()
        loop = new_loop()
        print(loop.run_until_complete(asyncio.sleep(0.001, "after")))
        loop.close()
        """,
    )
