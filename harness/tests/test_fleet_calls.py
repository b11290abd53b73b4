"""Calls on their way, with a connection that does what a cluster does rarely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from manager_testing.standin import host

from loopgauge.harness.errors import CallFailed, SchedulerLost
from loopgauge.harness.fleet.calls import LOST_MOST, Calls
from loopgauge.harness.fleet.hosts import Host, WorkerSeen
from loopgauge.harness.fleet.place import Place

PATIENCE_S = 60.0


class Task:
    def release(self) -> None:
        """As Dask's."""


class StandIn:
    """Every task is done at once, and `deed` has its answer. `there`: addresses of workers."""

    def __init__(self, there: set[str]) -> None:
        self.there = there
        self.up = True
        self.tasks: list[Task] = []
        self.deed: Callable[[Task], bytes | None] = lambda task: None

    def alive(self) -> bool:
        return self.up

    def workers(self) -> list[WorkerSeen]:
        return [WorkerSeen(address=one, name=one, threads=1) for one in self.there]

    def start(self, where: Any, share: float, request: bytes, done: Callable[[Any], None]) -> Task:
        task = Task()
        self.tasks.append(task)
        done(task)
        return task

    def answer(self, task: Task) -> bytes | None:
        return self.deed(task)

    def holder(self, task: Task) -> str:
        return ""

    def listen(self, *what: Any) -> None:
        """Nothing is ever said."""

    def ask(self, *what: Any, within_s: float = 0) -> dict[str, Any]:
        return {}


@pytest.fixture
def one() -> Host:
    return host("one")


@pytest.fixture
def cluster(one: Host) -> StandIn:
    one.workers = ["first", "second"]
    return StandIn({*one.workers})


@pytest.fixture
def calls(cluster: StandIn, one: Host) -> Iterator[Calls]:
    place = Place(address="dask://host:1")
    made = Calls(cast(Any, cluster), "s", [one], one.workers, place, lambda line: None, PATIENCE_S)
    yield made
    made.close()


def test_an_answer_that_never_arrives_ends_its_call(
    calls: Calls, cluster: StandIn, one: Host
) -> None:
    future = calls.submit([one], "m:f", b"", exclusive=False)
    with pytest.raises(CallFailed, match=f"lost {LOST_MOST} times"):
        future.result(60)
    assert len(cluster.tasks) == LOST_MOST


def test_what_became_of_an_abandoned_task_touches_no_newer_one(
    calls: Calls, cluster: StandIn, one: Host
) -> None:
    """Its worker had died, so that the call was begun anew, and then its answer is lost, too."""
    moved = threading.Event()
    first: list[threading.Thread] = []

    def deed(task: Task) -> bytes | None:
        if task is cluster.tasks[0]:
            first.append(threading.current_thread())
            assert moved.wait(60)
            raise TimeoutError("no bytes came")
        moved.set()
        first[0].join(60)
        return b'{"ok": true}\ngood'

    cluster.deed = deed
    one.workers = ["first"]
    future = calls.submit([one], "m:f", b"", exclusive=True)
    while not first:
        threading.Event().wait(0.01)
    one.workers = ["second"]
    assert future.result(60) == b"good"
    assert len(cluster.tasks) == 2


def test_after_the_scheduler_is_lost_every_call_says_so(
    calls: Calls, cluster: StandIn, one: Host
) -> None:
    never = threading.Event()
    cluster.deed = lambda task: b"" if never.wait(60) else None
    under_way = calls.submit([one], "m:f", b"", exclusive=False)
    cluster.up = False
    for future in (under_way, calls.submit([one], "m:f", b"", exclusive=False)):
        with pytest.raises(SchedulerLost):
            future.result(60)
    with pytest.raises(SchedulerLost):
        calls.submit([one], "m:f", b"", exclusive=False).result(60)
    never.set()
