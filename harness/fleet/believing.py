"""What a host says is checked before it counts: it may lie about its figures, but writes nothing
beside its own rows, and nothing that a terminal or a page would take for an order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import msgspec

from loopgauge.harness import coherence, messages
from loopgauge.harness.errors import NonsenseFromHost
from loopgauge.harness.messages import ProtocolError
from loopgauge.harness.model import AnyRecord, Arm, Benchmark, Event, Metric
from loopgauge.harness.request import REFERENCE, RunRequest
from loopgauge.harness.subject import FLOOR, NATIVE_PREFIX, Subject
from loopgauge.harness.worker.plan import AnyMessage, Begin, Samples

MOST_BYTES = 256 << 20  # of one answer; a full process with 100 benchmarks sends some 5 MB
MOST_CHARACTERS = 16_000  # of one text: as much as is kept of a worker's stderr
MOST_PARTS = 10_000  # of one metric

Answer = TypeVar("Answer")
Known = TypeVar("Known")


def decoded(name: str, data: bytes, kind: type[Answer]) -> Answer:
    """Raises NonsenseFromHost, which names the host."""
    if len(data) > MOST_BYTES:
        raise nonsense(name, f"an answer of {len(data) >> 20} MiB")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise nonsense(name, str(error)) from error


def nonsense(name: str, what: str) -> NonsenseFromHost:
    return NonsenseFromHost(
        f"{name} sent what makes no sense: {text(what)[:200]}",
        "Does that worker run this loopgauge, and is it yours?",
    )


def text(said: str) -> str:
    """As it may be shown: without what moves a cursor, and not endless."""
    kept = said[-MOST_CHARACTERS:]
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in kept
    )


def subject_of(name: str, said: Subject, request: RunRequest, own: Sequence[Benchmark]) -> Subject:
    """What the host can make of the request. The benchmarks are ours; of the arms it may say
    which version they have and why they are not available."""
    asked = [(one.scenario, one.params) for one in own]
    if [(one.scenario, one.params) for one in said.benchmarks] != asked:
        raise nonsense(name, "other benchmarks than were asked for")
    for arm in said.arms:
        _require_arm(name, arm, request)
    wanted = {*request.arms, REFERENCE}
    if missing := wanted - {arm.loop for arm in said.arms}:
        raise nonsense(name, f"nothing about {sorted(missing)[0]}")
    if [arm.role for arm in said.arms].count("reference") != 1:
        raise nonsense(name, "not one reference")
    interpreters = said.environment.interpreters
    if len(interpreters) != 1 or any(arm.python not in interpreters for arm in said.arms):
        raise nonsense(name, "several Pythons")
    if len({arm.label for arm in said.arms}) != len(said.arms):
        raise nonsense(name, "two arms of one name")
    cleaned = clean(said)
    return Subject(list(cleaned.arms), list(own), cleaned.environment, request.design)


def _require_arm(name: str, arm: Arm, request: RunRequest) -> None:
    plain = {*request.arms, REFERENCE}
    known = {
        "candidate": arm.label == arm.loop and arm.loop in plain,
        "reference": arm.label == arm.loop == REFERENCE,
        "aa": (arm.label, arm.loop) == (f"{REFERENCE}~aa", REFERENCE),
        "floor": arm.label == arm.loop == FLOOR,
        "native": arm.label == arm.loop and arm.label.startswith(NATIVE_PREFIX),
    }
    if not known[arm.role]:
        raise nonsense(name, f"an arm that was not asked for: {arm.label}")


def records_of(
    name: str, said: Sequence[AnyRecord], benchmark: Benchmark, arm: Arm
) -> list[AnyRecord]:
    """What may be said of a pair that was counted."""
    kept: list[AnyRecord] = []
    for record in said:
        if not isinstance(record, Metric | Event):
            raise nonsense(name, "a record that is no count")
        if (record.benchmark, record.arm) != (benchmark.id, arm.label):
            raise nonsense(name, f"counts of {record.benchmark} on {record.arm}")
        if isinstance(record, Metric) and len(record.by_name) > MOST_PARTS:
            raise nonsense(name, f"{len(record.by_name)} parts of one count")
        if isinstance(record, Metric) and not all(map(coherence.can_be, figures(record))):
            raise nonsense(name, f"a count that nothing can have, of {record.metric}")
        kept.append(clean(record))
    return kept


def figures(metric: Metric) -> list[float]:
    return [metric.value, *metric.raw, *metric.by_name.values()]


def events_of(name: str, said: Sequence[Event]) -> list[Event]:
    """What goes for all pairs: that a tool is missing, and nothing else."""
    if any(event.event != "left_out" or event.arm or event.benchmark for event in said):
        raise nonsense(name, "an event about others")
    return [clean(event) for event in said]


def message_of(line: bytes, arms: Collection[str]) -> AnyMessage:
    """Of a worker that has these arms. Raises ProtocolError. Samples have no words of their own:
    whoever receives them knows which benchmarks and arms they can be of."""
    message = messages.decode(line)
    if isinstance(message, Samples):
        return message
    if isinstance(message, Begin) and message.arm not in arms:
        raise ProtocolError(f"{message.arm} is no arm of this process")
    return clean(message)


def clean(said: Known) -> Known:
    """The same, with every text as it may be shown."""
    return msgspec.convert(_clean(msgspec.to_builtins(said)), type(said))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {
            text(key) if isinstance(key, str) else key: _clean(one) for key, one in value.items()
        }
    return value
