"""Requests to an agent and answers of one: a line of JSON, then bytes."""

from __future__ import annotations

import json

import msgspec

from loopgauge.harness.fleet.believing import text
from loopgauge.harness.fleet.machine_lock import Lock


class Answer(msgspec.Struct, kw_only=True):
    ok: bool
    kind: str = ""
    words: str = ""
    trace: str = ""
    payload: bytes = b""


def request(function: str, payload: bytes, *, lock: Lock, session: str) -> bytes:
    head = {"function": function, "lock": lock, "session": session}
    return json.dumps(head).encode() + b"\n" + payload


def parse(data: bytes) -> Answer:
    """Whatever came, made an answer of. Its words are as they may be shown."""
    head, _, payload = data.partition(b"\n")
    try:
        answer = msgspec.json.decode(head, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answer(ok=False, kind="Garbage", words=f"the answer makes no sense: {error}")
    return Answer(
        ok=answer.ok,
        kind=text(answer.kind),
        words=text(answer.words),
        trace=text(answer.trace),
        payload=payload,
    )
