"""Brings wheels to the workers of a fleet, and has each make its environment of them.

What runs over there is environments.py, and `call` gets there: it is given a worker's address, a
function of that file and its arguments, and answers with its bytes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from loopgauge.harness.errors import CallFailed, HarnessError, HostLost
from loopgauge.harness.fleet import environments
from loopgauge.harness.fleet.fitness import printable
from loopgauge.harness.fleet.hosts import Host
from loopgauge.harness.fleet.model import Package
from loopgauge.harness.fleet.wheels import Goods, Wheel, candidates
from loopgauge.harness.gate import behind

if TYPE_CHECKING:
    from loopgauge.harness.fleet.connection import Connection

PIECE = 4 << 20  # bytes; Dask warns of tasks that bring more than 10 MB along
MOST_BYTES = 1 << 20  # of an answer; a hundred packages take some 10 KiB
AT_ONCE = 16  # workers that are served at the same time
FIRST_LOOK_S = 0.01
LAST_LOOK_S = 0.5
PATIENCE_S = 1800.0  # of two workers on one machine, one waits for the other's pip
PROJECT = "loopgauge"
BUILD_ONE = "Give one that was built there, too: scripts/dev wheel, then --wheel FILE"

Call = Callable[..., bytes]  # (worker, function, *arguments)
Told = TypeVar("Told")


class Unfitting(msgspec.Struct, frozen=True):
    project: str
    words: str


class Survey(msgspec.Struct, frozen=True):
    fit: list[str]
    missing: list[str]
    unfitting: list[Unfitting]
    cause: str
    cure: str


class Received(msgspec.Struct, frozen=True):
    cause: str
    cure: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Of one worker. A cause says why there is none; then `python` is ""."""

    python: str = ""
    key: str = ""
    installed: list[Package] = []
    made: bool = False
    cause: str = ""
    cure: str = ""
    unfitting: list[Unfitting] = []


class Equipped(msgspec.Struct, frozen=True):
    """An environment on a host: the same on all of its workers. `unfitting`: projects of which no
    wheel fits there, and why."""

    python: str
    installed: list[Package]
    unfitting: list[Unfitting]


class Undeliverable(Exception):
    """Cause and cure of what one worker cannot have."""


def over(connection: Connection) -> Call:
    """Calls beside whatever the worker does. They raise Undeliverable for a worker that is gone,
    and SchedulerLost."""

    def call(worker: str, function: Callable[..., bytes], *arguments: Any) -> bytes:
        ticket = uuid.uuid4().hex
        ask = partial(connection.ask, [worker], of="environments.py")
        ask("begin", ticket, function.__name__, *arguments)
        pause, until = FIRST_LOOK_S, time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            answers = ask("tell", ticket)
            if worker not in answers:
                raise Undeliverable("was lost while wheels were brought to it", "Start it again")
            if isinstance(answers[worker], bytes):
                return bytes(answers[worker])
            time.sleep(pause)
            pause = min(2 * pause, LAST_LOOK_S)
        raise Undeliverable(f"made no environment within {PATIENCE_S:g} s", "Look into its log")

    return call


def deliver(goods: Goods, workers: Sequence[str], call: Call) -> dict[str, Environment]:
    """The environment of each worker, all served beside each other. What goes wrong on one is in
    its environment, and stops no other."""

    def served(worker: str) -> Environment:
        try:
            return serve(goods, worker, call)
        except Undeliverable as error:
            cause, cure = error.args
            return Environment(cause=cause, cure=cure)
        except HarnessError as error:
            return Environment(cause=error.cause, cure=error.cure)
        except (OSError, msgspec.MsgspecError) as error:
            return Environment(cause=f"no environment was made: {error}")

    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(workers) or 1)) as pool:
        return dict(zip(workers, pool.map(served, workers), strict=True))


def equip(host: Host, goods: Goods, call: Call) -> Equipped:
    """Raises CallFailed for what one of its workers cannot have, and HostLost where it has none."""
    workers = [*host.workers]
    if not workers:
        raise HostLost(host.name, f"{host.name} has no worker", "Start it again")
    made = [*deliver(goods, workers, call).values()]
    for environment in made:
        if environment.cause:
            failed = CallFailed(
                host.name, "Undeliverable", f"lacks the wheels: {environment.cause}"
            )
            failed.cure = environment.cure
            raise failed
        if environment.python != made[0].python:
            words = f"{environment.python} and {made[0].python} are of one host"
            raise CallFailed(host.name, "Undeliverable", words)
    return Equipped(made[0].python, made[0].installed, made[0].unfitting)


def serve(goods: Goods, worker: str, call: Call) -> Environment:
    """Asks what fits and what is missing, sends that, and has the environment made. Raises
    Undeliverable, msgspec.MsgspecError for an answer that is none of ours, and what `call`
    raises."""
    wheels = goods.wheels
    request = msgspec.json.encode({"wheels": wheels})
    survey = answer(call(worker, environments.survey, request), Survey)
    words = {entry.project: entry.words for entry in survey.unfitting}
    if PROJECT in words:
        raise Undeliverable(words[PROJECT], BUILD_ONE)
    for wheel in wheels:
        if wheel.sha256 in survey.missing:
            send(wheel, worker, call)
    asked = {
        "wheels": [wheel for wheel in wheels if wheel.sha256 in survey.fit],
        "left_out": [
            {**msgspec.to_builtins(wheel), "words": words[wheel.project]}
            for wheel in {wheel.project: wheel for wheel in candidates(wheels)}.values()
            if wheel.project in words
        ],
        "named": goods.named,
        "index": goods.index,
        "behind": Path(behind.__file__).read_text(encoding="utf-8"),
    }
    made = answer(call(worker, environments.make, msgspec.json.encode(asked)), Environment)
    unfitting = [
        Unfitting(printable(entry.project), printable(entry.words))
        for entry in (*survey.unfitting, *made.unfitting)
    ]
    return msgspec.structs.replace(made, unfitting=unfitting)


def send(wheel: Wheel, worker: str, call: Call) -> None:
    token = uuid.uuid4().hex
    for offset, piece in pieces(Path(wheel.path)):
        arguments = (wheel.sha256, wheel.file, token, offset, wheel.size, piece)
        answer(call(worker, environments.receive, *arguments), Received)


def pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as content:
        while piece := content.read(PIECE):
            yield content.tell() - len(piece), piece


def answer(told: bytes, kind: type[Told]) -> Told:
    """What a worker says, as far as it can be believed."""
    if len(told) > MOST_BYTES:
        raise Undeliverable(f"answers with {len(told) >> 20} MiB", "Is that worker yours?")
    decoded: Any = msgspec.json.decode(told, type=kind)
    if decoded.cause:
        raise Undeliverable(printable(decoded.cause), printable(decoded.cure))
    found: Told = decoded
    return found
