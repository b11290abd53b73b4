"""Lets the tests of the scenarios import what they share, and gives them honest loops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A stock loop, closed at the end."""
    made = asyncio.SelectorEventLoop()
    yield made
    made.close()
