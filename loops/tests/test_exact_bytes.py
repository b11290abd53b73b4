"""Random conversations on TCP, Unix and TLS: the same bytes and the same callbacks as on stock.

Not compared, because it differs on purpose: what `get_write_buffer_size()` says inside a callback
(small writes are sent when the turn ends), and that stock tells a protocol of the end again where
it paused and resumed reading after it. Half of the conversations are held in debug mode, in which
the loop lets CPython's code schedule.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_testing import profile
from loop_testing.compare import on
from loop_testing.exchange import Conversation, conversations
from loop_testing.talk import talk
from loop_testing.target import LoopFactory, stock_factory


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations write to connections that are gone, about which asyncio warns every time."""
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)


def both(loop_factory: LoopFactory, family: str, debug: bool, conversation: Conversation) -> None:
    def trace(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
        loop.set_debug(debug)
        return ended_once(talk(loop, family, conversation))

    assert on(loop_factory, trace) == on(stock_factory(), trace)


def ended_once(seen: dict[str, Any]) -> dict[str, Any]:
    """Without the second and later eof_received() of a protocol."""
    told: set[object] = set()

    def is_news(event: tuple[object, ...]) -> bool:
        repeated = event in told
        if event[0] == "eof":
            told.add(event)
        return not repeated

    return {
        **seen,
        "trace": [[event for event in turn if is_news(event)] for turn in seen["trace"]],
    }


@profile.examples(500)
@given(debug=st.booleans(), conversation=conversations())
def test_tcp(loop_factory: LoopFactory, debug: bool, conversation: Conversation) -> None:
    both(loop_factory, "tcp", debug, conversation)


@profile.examples(500)
@given(debug=st.booleans(), conversation=conversations())
def test_unix(loop_factory: LoopFactory, debug: bool, conversation: Conversation) -> None:
    both(loop_factory, "unix", debug, conversation)


@profile.examples(300)
@given(debug=st.booleans(), conversation=conversations())
def test_tls(loop_factory: LoopFactory, debug: bool, conversation: Conversation) -> None:
    both(loop_factory, "tls", debug, conversation)
