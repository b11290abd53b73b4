"""What a run asks of a host: functions that an agent calls there, with JSON in and JSON out.

They do what harness/runner.py's `Local` does and report when it is done. An executable of "" is the
agent's own: no path of a host gets into a result file.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from loopgauge.harness.counted import COUNTED
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.model import AnyRecord, Design, Event, Header, Load, Machine, Tier
from loopgauge.harness.orders import Order
from loopgauge.harness.request import RunRequest
from loopgauge.harness.runner import Local
from loopgauge.harness.subject import APPLICATION_PREFIX, Python, Subject
from loopgauge.harness.worker.plan import AnyMessage

_FOLDERS = re.compile(r"/?(?:[^/\s:=,]*/)+")

End = Literal["done", "crash", "hang", "protocol", "unstarted"]


class MeasureCall(msgspec.Struct, kw_only=True):
    orders: list[Order]


class WorkerSaid(msgspec.Struct, kw_only=True):
    """Of one order: every message of its process, and how that ended."""

    pid: int
    messages: list[msgspec.Raw]
    end: End
    reason: str = ""
    signal: str = ""
    detail: str = ""


class Measured(msgspec.Struct, kw_only=True):
    workers: list[WorkerSaid]
    wall_s: float


class ResolveCall(msgspec.Struct, kw_only=True):
    """Fields of RunRequest."""

    benchmarks: list[tuple[str, dict[str, Any]]]
    arms: list[str]
    tiers: list[Tier]
    natives: list[str]
    design: Design | None
    path: list[str]


class AskCall(msgspec.Struct, kw_only=True):
    executable: str
    loops: list[str]
    path: list[str]


class CountCall(msgspec.Struct, kw_only=True):
    """One benchmark (id) on one arm (label) of the header."""

    tier: Tier
    header: Header
    benchmark: str
    arm: str


class Counts(msgspec.Struct, kw_only=True):
    """`events` go for all pairs, `records` for this one."""

    events: list[Event]
    records: list[AnyRecord]
    wall_s: float


def measure(payload: bytes) -> bytes:
    """MeasureCall -> Measured."""
    call = msgspec.json.decode(payload, type=MeasureCall)
    orders = [msgspec.structs.replace(one, python=one.python or own()) for one in call.orders]
    said: list[list[msgspec.Raw]] = [[] for _ in orders]
    began = time.monotonic()
    outcomes = Local().run(
        orders, [keeping(messages) for messages in said], [lambda pid: None for _ in orders]
    )
    workers = [
        WorkerSaid(
            pid=outcome.pid,
            messages=messages,
            end=outcome.end,
            reason=outcome.reason,
            signal=outcome.signal,
            detail=outcome.detail,
        )
        for messages, outcome in zip(said, outcomes, strict=True)
    ]
    return msgspec.json.encode(Measured(workers=workers, wall_s=time.monotonic() - began))


def keeping(messages: list[msgspec.Raw]) -> Callable[[AnyMessage], None]:
    return lambda message: messages.append(msgspec.Raw(msgspec.json.encode(message)))


def own() -> str:
    return sys.executable


def resolve(payload: bytes) -> bytes:
    """ResolveCall -> Subject. Raises NothingToMeasure."""
    call = msgspec.json.decode(payload, type=ResolveCall)
    require_modules([scenario for scenario, _ in call.benchmarks])
    request = RunRequest(
        benchmarks=call.benchmarks,
        arms=call.arms,
        tiers=call.tiers,
        natives=call.natives,
        design=call.design,
        path=call.path,
    )
    what: Subject = Local().resolve(request)
    for interpreter in what.environment.interpreters.values():
        interpreter.executable = ""
    variables = what.environment.variables
    what.environment.variables = {name: names_alone(value) for name, value in variables.items()}
    return msgspec.json.encode(what)


def require_modules(scenarios: Sequence[str]) -> None:
    """An application's own coroutine is code that may not be here; no loop is to blame for that."""
    for scenario in scenarios:
        if scenario.startswith(APPLICATION_PREFIX):
            target = scenario.removeprefix(APPLICATION_PREFIX)
            package = target.partition(":")[0].partition(".")[0]
            if importlib.util.find_spec(package) is None:
                raise NothingToMeasure(
                    f"there is no module {package!r} for {target}", "Send it there with --wheel"
                )


def names_alone(value: str) -> str:
    """Without the folders of this host: "libjemalloc.so.2", wherever that lies."""
    return _FOLDERS.sub("", value)


def ask(payload: bytes) -> bytes:
    """AskCall -> Python."""
    call = msgspec.json.decode(payload, type=AskCall)
    found: Python = Local().ask(call.executable or own(), call.loops, call.path)
    found.interpreter.executable = call.executable
    return msgspec.json.encode(found)


def machine(payload: bytes) -> bytes:
    """Nothing -> Machine."""
    found: Machine = Local().machine()
    return msgspec.json.encode(found)


def load(payload: bytes) -> bytes:
    """Nothing -> Load."""
    found: Load = Local().load()
    return msgspec.json.encode(found)


def count(payload: bytes) -> bytes:
    """CountCall -> Counts."""
    call = msgspec.json.decode(payload, type=CountCall)
    header = call.header
    for interpreter in header.environment.interpreters.values():
        interpreter.executable = interpreter.executable or own()
    pair = (
        next(one for one in header.benchmarks if one.id == call.benchmark),
        next(one for one in header.arms if one.label == call.arm),
    )
    events: list[Event] = []
    began = time.monotonic()
    groups = list(
        Local().count(COUNTED[call.tier], header, [pair], events.append, lambda *where: None)
    )
    records = [record for group in groups for record in group]
    return msgspec.json.encode(
        Counts(events=events, records=records, wall_s=time.monotonic() - began)
    )
