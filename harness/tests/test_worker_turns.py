from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from loopgauge.harness.launch import TurnPipe, turn_pipes
from loopgauge.harness.worker.turns import TurnLost, Turns

PATIENCE_S = 30.0


@pytest.fixture
def pipes() -> Iterator[dict[str, TurnPipe]]:
    with turn_pipes(["a", "b", "c"]) as made:
        yield made


def turns(pipes: dict[str, TurnPipe], arm: str) -> Turns:
    others = {name: pipe.write for name, pipe in pipes.items() if name != arm}
    return Turns(arm, pipes[arm].read, others, PATIENCE_S)


def played(
    pipes: dict[str, TurnPipe], owners: Sequence[str], stops: dict[str, int] | None = None
) -> list[int]:
    """The slots in the order in which they ran, each arm in a thread of its own. `stops`: an arm
    does no more slots from that index on."""
    ran: list[int] = []
    running = threading.Lock()

    def play(arm: str) -> None:
        mine = turns(pipes, arm)
        mine.begin(owners)
        for index, owner in enumerate(owners):
            if owner != arm or index >= (stops or {}).get(arm, len(owners)):
                continue
            mine.take(index)
            assert running.acquire(blocking=False), "two slots at a time"
            ran.append(index)
            running.release()
            mine.give(index)
        mine.finish()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(play, arm) for arm in set(owners)]:
            done.result()
    return ran


@pytest.mark.parametrize("owners", ["abc", "abccba", "aabbcc", "bacabc", "abab", "cab" * 50])
def test_slots_run_in_order(pipes: dict[str, TurnPipe], owners: str) -> None:
    assert played(pipes, owners) == [*range(len(owners))]


def test_one_job_after_the_other(pipes: dict[str, TurnPipe]) -> None:
    for _ in range(20):
        assert played(pipes, "abcbca") == [*range(6)]


@pytest.mark.parametrize("stopped", ["a", "b", "c"])
@pytest.mark.parametrize("at", [0, 3, 5])
def test_a_dropped_arm_lets_the_others_go_on(
    pipes: dict[str, TurnPipe], stopped: str, at: int
) -> None:
    owners = "abccbaabc"
    wanted = [i for i, owner in enumerate(owners) if owner != stopped or i < at]
    assert played(pipes, owners, {stopped: at}) == wanted


def test_a_slot_that_failed_is_given_on(pipes: dict[str, TurnPipe]) -> None:
    """Taken, and never given, because what ran in it raised."""
    first, second = turns(pipes, "a"), turns(pipes, "b")
    with ThreadPoolExecutor(1) as pool:

        def other() -> None:
            second.begin("ab")
            second.take(1)
            second.give(1)
            second.finish()

        done = pool.submit(other)
        first.begin("ab")
        first.take(0)
        first.finish()
        done.result()


def test_whoever_waits_too_long_says_so(pipes: dict[str, TurnPipe]) -> None:
    """Meanwhile its own watchdog is told, more often than it would bite."""
    beats: list[None] = []
    mine = Turns("b", pipes["b"].read, {"a": pipes["a"].write}, 0.01, lambda: beats.append(None))
    mine.begin("ab")
    with pytest.raises(TurnLost, match="no turn came"):
        mine.take(1)
    assert beats


def test_everybody_else_is_gone() -> None:
    """Their ends of the pipes are closed with them."""
    own, others = TurnPipe(*os.pipe()), TurnPipe(*os.pipe())
    mine = Turns("b", own.read, {"a": others.write}, PATIENCE_S)
    mine.begin("ab")
    os.close(own.write)
    try:
        with pytest.raises(TurnLost, match="gone"):
            mine.take(1)
    finally:
        for fd in (own.read, *others):
            os.close(fd)
