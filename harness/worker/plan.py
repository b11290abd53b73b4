"""What the manager tells a worker (one JSON plan) and what the worker answers (JSON lines).

Times are nanoseconds unless a name says otherwise.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from loopgauge.harness.model import OpenLoop

SCHEMA = 1

Phase = Literal["import", "create", "setup", "calibrate", "warmup", "slot", "teardown"]
Verdict = Literal["unsupported", "lacking", "invalid", "error"]
GcPolicy = Literal["freeze", "off", "default"]


class ArmPlan(msgspec.Struct, kw_only=True):
    """One loop to make: `factory` is "module:attribute", called with `arguments`."""

    arm: str
    factory: str
    arguments: list[str] = []
    capabilities: list[str] = []


class JobPlan(msgspec.Struct, kw_only=True):
    """One benchmark: slots in the order of `blocks`, each a list of arm labels.

    An arm without `iterations` is calibrated to `min_time` seconds. Without blocks every arm runs
    one checked slot (the probe). `warmup` counts untimed runs of a whole slot before the first
    block; each slot has a shorter one of its own besides.
    """

    benchmark: str
    scenario: str
    params: dict[str, Any] = {}
    min_time: float = 0.004
    iterations: dict[str, int] = {}
    blocks: list[list[str]] = []
    warmup: int = 1


class TurnsPlan(msgspec.Struct, kw_only=True):
    """Descriptors that the process inherits: the pipe on which its own turns come, and those by
    which it wakes the others, by arm (see turns.py)."""

    inbound: int
    outbound: dict[str, int]


class Plan(msgspec.Struct, kw_only=True):
    """Arms are in creation order. `hang_timeout` is what one phase may take, in seconds.
    `path` is put before sys.path, for the user's own loops and coroutines, and `behind` after it.
    With `turns` there is one arm here, and the blocks of the jobs name others', too."""

    schema: int
    process: int
    seed: int
    design: Literal["hybrid", "process", "probe"]
    hang_timeout: float = 20.0
    gc: GcPolicy = "freeze"
    arms: list[ArmPlan]
    jobs: list[JobPlan]
    path: list[str] = []
    behind: list[str] = []
    turns: TurnsPlan | None = None


class Message(msgspec.Struct, tag_field="t", kw_only=True):
    """One line of the answer; `t` tells them apart."""


class Hello(Message, tag="hello", kw_only=True):
    pid: int
    python: str
    process: int
    gc: GcPolicy


class Loop(Message, tag="loop", kw_only=True):
    """The arm's loop is made, or (also later, when a broken one is replaced) cannot be made."""

    arm: str
    ok: bool
    version: str = ""
    error: str = ""
    traceback: str = ""


class Begin(Message, tag="begin", kw_only=True):
    """Sent before anything that can crash or hang; `benchmark` is "" outside of a job."""

    benchmark: str
    arm: str
    phase: Phase


class Calibrated(Message, tag="calibrated", kw_only=True):
    benchmark: str
    arm: str
    n: int


class Samples(Message, tag="samples", kw_only=True):
    """All slots of one arm in one benchmark: whole-slot totals. `slot` is the position in the
    benchmark's schedule, slots of dropped arms counted."""

    benchmark: str
    arm: str
    n: list[int]
    block: list[int]
    slot: list[int]
    wall_ns: list[int]
    process_ns: list[int]
    thread_ns: list[int]
    value: list[float] | None
    nivcsw: list[int]
    harness_ns: float | None = None  # of an empty operation in such slots, in the native tier
    open_loop: OpenLoop | None = None


class Status(Message, tag="status", kw_only=True):
    """The arm is out of this benchmark. Other arms' samples stay valid."""

    benchmark: str
    arm: str
    status: Verdict
    reason: str
    traceback: str = ""


class Poison(Message, tag="poison", kw_only=True):
    """Process-wide state that an arm changed, or CPU time it uses while another arm runs."""

    arm: str
    what: list[str]


class Leftover(Message, tag="leftover", kw_only=True):
    """What is still there after the only arm's loop was closed. Disturbs nobody, but is a leak."""

    arm: str
    what: list[str]


class Counted(Message, tag="counted", kw_only=True):
    """Of a counting process: one of its two runs, with the totals it knows itself."""

    benchmark: str
    arm: str
    n: int
    totals: dict[str, float]


class End(Message, tag="end", kw_only=True):
    benchmark: str


class Bye(Message, tag="bye", kw_only=True):
    """The plan is done. A worker that ends without it crashed, hung or was stopped."""


AnyMessage = (
    Hello | Loop | Begin | Calibrated | Samples | Counted | Status | Poison | Leftover | End | Bye
)


class PlanError(Exception):
    """The plan cannot be read, or is of another schema."""


AnyPlan = TypeVar("AnyPlan", bound=Plan)


def decode_plan(text: bytes, kind: type[AnyPlan]) -> AnyPlan:
    """Raises PlanError."""
    try:
        plan = msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan cannot be read: {error}") from error
    if plan.schema != SCHEMA:
        raise PlanError(f"the plan has schema {plan.schema}, this worker reads {SCHEMA}")
    return plan
