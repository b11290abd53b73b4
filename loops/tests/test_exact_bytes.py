"""Random conversations on TCP, Unix and TLS: the same bytes and the same callbacks as on stock.

Not compared, because it differs on purpose: what `get_write_buffer_size()` says inside a callback
(small writes are sent when the callback returns).
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from loop_testing import profile
from loop_testing.compare import on
from loop_testing.exchange import Conversation, conversations
from loop_testing.talk import talk
from loop_testing.target import LoopFactory, stock_factory


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations write to connections that are gone, about which asyncio warns every time."""
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)


def both(loop_factory: LoopFactory, family: str, conversation: Conversation) -> dict[str, Any]:
    ours = on(loop_factory, lambda loop: talk(loop, family, conversation))
    stock = on(stock_factory(), lambda loop: talk(loop, family, conversation))
    assert ours == stock
    return ours


@profile.examples(200)
@given(conversation=conversations())
def test_tcp(loop_factory: LoopFactory, conversation: Conversation) -> None:
    both(loop_factory, "tcp", conversation)


@profile.examples(200)
@given(conversation=conversations())
def test_unix(loop_factory: LoopFactory, conversation: Conversation) -> None:
    both(loop_factory, "unix", conversation)


@profile.examples(120)
@given(conversation=conversations())
def test_tls(loop_factory: LoopFactory, conversation: Conversation) -> None:
    both(loop_factory, "tls", conversation)
