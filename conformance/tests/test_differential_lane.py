"""The differential lane is silent on stock, and finds what deliberately bad loops do."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance_testing import HERE, bad_loops

pytest.importorskip("hypothesis")

from loopgauge.conformance import lanes
from loopgauge.conformance.lanes.differential import kept, lane
from loopgauge.conformance.lanes.differential.engine import Search
from loopgauge.conformance.lanes.differential.replay import families
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool

Stock = asyncio.SelectorEventLoop


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are kept below the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pool(folder: None) -> Iterator[Pool]:
    with Pool(1, path=[HERE]) as made:
        yield made


def search(family: str, loop: Any, count: int) -> Search:
    made = Search(dataclasses.replace(families()[family], count=count), loop)
    made.generate(seed=0)
    return made


def ask(pool: Pool, factory: str, wanted: str) -> Outcome:
    questions = [question for question in lane.questions((3, 11)) if question.id == wanted]
    seen: list[Outcome] = []
    target = Target(name=factory, factory=factory)
    lane.answer(questions, target, pool, lambda question, outcome: seen.append(outcome))
    (outcome,) = seen
    lane.keep(questions[0], target, outcome)
    return outcome


def test_it_is_registered() -> None:
    assert lanes.lane_module("differential") is lane
    asked = {question.id for question in lane.questions((3, 11))}
    assert asked == {f"differential:{name}" for name in families()}


def test_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(lanes.LaneMissing, match=r"pip install 'loopgauge\[conformance\]'"):
        lane.questions((3, 11))


@pytest.mark.parametrize("family", sorted(families()))
def test_stock_against_stock_is_silent(family: str) -> None:
    made = Search(dataclasses.replace(families()[family], count=5), Stock)
    for seed in range(20):
        made.generate(seed)
    assert made.smallest is None
    assert made.tried >= 20


class NoContext(Stock):
    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=context or EMPTY)


EMPTY = contextvars.Context()


class TimersByCall(Stock):
    """Deadlines are kept to, but for the second timer's, which comes when the first does."""

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        if self._scheduled:
            when = min(when, self._scheduled[0].when() - 1e-6)
        return super().call_at(when, callback, *args, **kwargs)


class NoRemoval(Stock):
    def remove_reader(self, fd: Any) -> bool:
        return bool(fd is None)


class Forgetful(Stock):
    """The reader of a descriptor is called once."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def once() -> None:
            self.remove_reader(fd)
            callback(*args)

        super().add_reader(fd, once)


class NoDatagramFromB(Stock):
    async def create_datagram_endpoint(self, factory: Any, **options: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(factory, **options)
        send = transport.sendto
        transport.sendto = lambda data, addr=None: send(bytes(data)[:500], addr)
        return transport, protocol


class OneTaskForgotten(Stock):
    """A task that is cancelled before it starts is not."""

    def create_task(self, coroutine: Any, **options: Any) -> Any:
        task = super().create_task(coroutine, **options)
        return Deaf(task) if "run" in repr(coroutine) else task


class Deaf(asyncio.Future):
    def __init__(self, task: asyncio.Task[Any]) -> None:
        super().__init__(loop=task.get_loop())
        task.add_done_callback(self.over)

    def over(self, task: asyncio.Task[Any]) -> None:
        if not self.done():
            self.set_result(None)

    def cancel(self, msg: Any = None) -> bool:
        return False


class ShortReads(Stock):
    """What is written in several pieces arrives without the last."""

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **options)
        transport.writelines = lambda pieces: transport.write(b"".join(pieces[:-1]) + b"!" * 9)
        return transport, protocol


@pytest.mark.parametrize(
    ("family", "loop", "count"),
    [
        ("callbacks", bad_loops.Swaps, 200),
        ("callbacks", NoContext, 200),
        ("timers", TimersByCall, 40),
        ("fds", NoRemoval, 60),
        ("fds", Forgetful, 60),
        ("datagrams", NoDatagramFromB, 60),
        ("tasks", OneTaskForgotten, 200),
        ("streams-tcp", ShortReads, 60),
    ],
)
def test_a_bad_loop_is_found(family: str, loop: Any, count: int) -> None:
    found = search(family, loop, count).smallest
    assert found is not None
    assert found.size < 200


def test_the_program_is_kept_shown_and_tried_first(pool: Pool) -> None:
    factory = "conformance_testing.bad_loops:Swaps"
    first = ask(pool, factory, "differential:callbacks")
    assert first.verdict == "FAIL"
    assert "trace of soon" in first.reason
    (program,) = kept.programs("callbacks")
    assert json.loads(first.evidence.notes["program"]) == program
    again = ask(pool, factory, "differential:callbacks")
    assert again.evidence.notes["programs tried"] == "1"
    words = first.evidence.notes["repro"].split()[1:]
    paths = os.pathsep.join([os.environ.get("PYTHONPATH", ""), HERE])
    said = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "asyncio:" in said
    assert said.count('"run 0"') == 2


def test_a_crash_names_the_program(pool: Pool) -> None:
    outcome = ask(pool, "conformance_testing.bad_loops:AbortsInTimers", "differential:timers")
    assert outcome.verdict == "CRASH"
    assert json.loads(outcome.evidence.notes["program"]) in kept.programs("timers")
    assert "; program [" in outcome.reason


def test_a_broken_file_is_left_out() -> None:
    kept.keep("timers", [1])
    kept.FOLDER.joinpath("other.json").write_text("{")
    assert kept.programs("timers") == [[1]]
    assert kept.programs("fds") == []
