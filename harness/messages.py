"""Decides whether to believe a worker. A line that is no message of the protocol, or samples that
cannot be true, are a protocol error, whatever else they may be."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from loopgauge.harness.coherence import MOST, can_be
from loopgauge.harness.worker.plan import AnyMessage, Samples

MOST_SLOTS = 10**9

_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


class ProtocolError(Exception):
    """The worker sent something that makes no sense."""


def decode(line: bytes) -> AnyMessage:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{error}: {line[:200]!r}") from error


def check_samples(message: Samples, slots: int) -> None:
    """`slots` is how many the schedule gave this arm at most. Raises ProtocolError."""
    arrays: list[Sequence[float]] = [
        message.block,
        message.slot,
        message.wall_ns,
        message.process_ns,
        message.thread_ns,
    ]
    arrays += [values for values in (message.value, message.nivcsw) if values]
    where = f"samples of {message.benchmark} on {message.arm}"
    if not message.n or any(len(array) != len(message.n) for array in arrays):
        raise ProtocolError(f"{where}: arrays of different length, or empty")
    if len(message.n) > slots:
        raise ProtocolError(f"{where}: {len(message.n)} slots where {slots} were asked for")
    if len(set(message.slot)) != len(message.slot):
        raise ProtocolError(f"{where}: the same slot twice")
    if min(message.n) < 1 or min(message.wall_ns) <= 0 or min(message.process_ns) < 0:
        raise ProtocolError(f"{where}: no operations, or no time passed")
    times = (message.wall_ns, message.process_ns, message.thread_ns)
    if any(max(map(abs, array)) > MOST for array in (message.n, *times)):
        raise ProtocolError(f"{where}: more than {MOST} operations or nanoseconds in a slot")
    if not all(map(can_be, message.value or ())):
        raise ProtocolError(f"{where}: a value that nothing can have")
    if any(not 0 <= place <= MOST_SLOTS for place in (*message.block, *message.slot)):
        raise ProtocolError(f"{where}: a slot at no place of the schedule")
