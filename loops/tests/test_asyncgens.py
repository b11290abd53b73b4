"""Asynchronous generators: hooks, finalisation and shutdown."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings

import pytest
from loop_testing.compare import quiet


async def numbers(closed: list[str]):
    try:
        while True:
            yield 1
    finally:
        await asyncio.sleep(0)
        closed.append("closed")


def test_shutdown_closes_the_live_ones(loop) -> None:
    closed: list[str] = []

    async def main() -> list[object]:
        generators = [numbers(closed) for _ in range(3)]
        for generator in generators:
            await anext(generator)
        return generators

    generators = loop.run_until_complete(main())
    assert closed == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert closed == ["closed"] * 3
    del generators


def test_collected_generator_is_closed_by_the_loop(loop) -> None:
    closed: list[str] = []

    async def main() -> None:
        generator = numbers(closed)
        await anext(generator)
        del generator
        gc.collect()
        while not closed:
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert closed == ["closed"]


def test_collected_in_another_thread(loop) -> None:
    """The finaliser hook must go through call_soon_threadsafe and wake the loop."""
    closed: list[str] = []
    box: list[object] = []

    async def main() -> None:
        generator = numbers(closed)
        await anext(generator)
        box.append(generator)
        del generator
        thread = threading.Thread(target=box.clear)
        thread.start()
        while not closed:
            await asyncio.sleep(0.001)
        thread.join()

    loop.run_until_complete(main())
    assert closed == ["closed"]


def test_hooks_are_restored(loop) -> None:
    def first(_: object) -> None:
        pass

    def last(_: object) -> None:
        pass

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=first, finalizer=last)
    try:
        inside: list[object] = []
        loop.call_soon(lambda: inside.append(sys.get_asyncgen_hooks().firstiter))
        loop.call_soon(loop.stop)
        loop.run_forever()
        hooks = sys.get_asyncgen_hooks()
        assert (hooks.firstiter, hooks.finalizer) == (first, last)
        assert inside[0] is not first
        loop.call_soon(exit_now)
        with pytest.raises(SystemExit):
            loop.run_forever()
        hooks = sys.get_asyncgen_hooks()
        assert (hooks.firstiter, hooks.finalizer) == (first, last)
    finally:
        sys.set_asyncgen_hooks(*before)


def exit_now() -> None:
    raise SystemExit


def test_error_in_aclose_is_told(loop) -> None:
    told = quiet(loop)

    async def broken():
        try:
            yield 1
        finally:
            raise KeyError("in aclose")

    async def main() -> object:
        generator = broken()
        await anext(generator)
        return generator

    generator = loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    [context] = told
    assert type(context["exception"]) is KeyError
    assert context["asyncgen"] is generator


def test_iterating_after_shutdown_warns(loop) -> None:
    async def main() -> None:
        generator = numbers([])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await anext(generator)
        assert [warning.category for warning in caught] == [ResourceWarning]
        await generator.aclose()

    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(main())
