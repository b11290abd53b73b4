"""Makes worker processes of orders, on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from loopgauge.harness import environment
from loopgauge.harness.orders import Order
from loopgauge.harness.worker_process import Launch


@contextlib.contextmanager
def launches(orders: Sequence[Order], program: Sequence[str]) -> Iterator[list[Launch]]:
    """One for each order; several take turns by pipes that exist within the block. `program`:
    arguments that make an interpreter the worker program."""
    with turn_pipes([order.turns for order in orders]) as turns:
        yield [launch_of(order, program, turns) for order in orders]


def launch_of(order: Order, program: Sequence[str], turns: Mapping[str, TurnPipe]) -> Launch:
    plan = dict(order.plan)
    inherited: list[int] = []
    if turns:
        own = turns[order.turns].read
        outbound = {arm: pipe.write for arm, pipe in turns.items() if arm != order.turns}
        plan["turns"] = {"inbound": own, "outbound": outbound}
        inherited = [own, *outbound.values()]
    return Launch(
        command=[order.python, *program],
        plan=plan,
        environment=environment.worker_environment(order.hash_seed, order.padding),
        silence_s=order.silence_s,
        cpus=order.cpus,
        inherited=inherited,
    )


class TurnPipe(NamedTuple):
    """Whoever writes a byte gives the turn to whoever reads it."""

    read: int
    write: int


@contextlib.contextmanager
def turn_pipes(arms: Sequence[str]) -> Iterator[dict[str, TurnPipe]]:
    """By arm; none for one that is alone. The workers have copies: ours are closed at the end."""
    pipes: dict[str, TurnPipe] = {}
    try:
        if len(arms) > 1:
            for arm in arms:
                pipes[arm] = TurnPipe(*os.pipe())
        yield pipes
    finally:
        for pipe in pipes.values():
            os.close(pipe.read)
            os.close(pipe.write)
