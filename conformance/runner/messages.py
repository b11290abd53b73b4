"""What the processes of a run tell each other: JSON, one struct a line or a file."""

from __future__ import annotations

import signal
from typing import Any

import msgspec

from loopgauge.conformance.model import Evidence, Kind


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How the loop under test is made."""

    name: str
    factory: str  # "module:attribute"
    arguments: tuple[str, ...] = ()


class Order(msgspec.Struct, kw_only=True):
    """To the nursery: run this case. With `twice` the body runs once before it is watched, so that
    what a loop makes once per process is not taken for a leak."""

    case: str
    module: str  # that declares it
    target: Target
    directory: str  # exists, empty; the case's own, and where its evidence goes
    seconds: float
    twice: bool = False


class Outcome(msgspec.Struct, kw_only=True):
    """From the process of a case, and from the nursery where that one could not speak."""

    verdict: Kind
    reason: str = ""
    duration_s: float = 0.0
    evidence: Evidence = msgspec.field(default_factory=Evidence)


def signal_name(number: int) -> str:
    """Real-time signals have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def encoded(outcome: Any) -> bytes:
    """An outcome, or what holds some, as JSON. A loop may say anything in its messages, half a
    surrogate pair too: UTF-8 has no way to write one, so it becomes an escape."""
    try:
        return msgspec.json.encode(outcome)
    except UnicodeEncodeError:
        return msgspec.json.encode(_escaped(msgspec.to_builtins(outcome)))


def _escaped(node: Any) -> Any:
    if isinstance(node, str):
        return node.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(node, dict):
        return {_escaped(key): _escaped(value) for key, value in node.items()}
    return [*map(_escaped, node)] if isinstance(node, list | tuple) else node
