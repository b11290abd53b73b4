"""Random conversations through StreamReader and StreamWriter answer as they do on stock."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_testing import profile, stream_talk
from loop_testing.compare import on
from loop_testing.target import LoopFactory, stock_factory

Program = tuple[stream_talk.Step, ...]


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)


def both(loop_factory: LoopFactory, family: str, server: bool, program: Program) -> None:
    ours = on(loop_factory, lambda loop: stream_talk.trace(loop, family, server, program))
    stock = on(stock_factory(), lambda loop: stream_talk.trace(loop, family, server, program))
    assert ours == stock


@profile.examples(300)
@given(server=st.booleans(), program=stream_talk.programs())
def test_tcp(loop_factory: LoopFactory, server: bool, program: Program) -> None:
    both(loop_factory, "tcp", server, program)


@profile.examples(300)
@given(server=st.booleans(), program=stream_talk.programs())
def test_unix(loop_factory: LoopFactory, server: bool, program: Program) -> None:
    both(loop_factory, "unix", server, program)


@profile.examples(150)
@given(server=st.booleans(), program=stream_talk.programs())
def test_tls(loop_factory: LoopFactory, server: bool, program: Program) -> None:
    both(loop_factory, "tls", server, program)
