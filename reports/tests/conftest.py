from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness" / "tests"))

from postgres_testing import postgres, postgres_url  # noqa: F401


# Not for the session: Playwright keeps an event loop running in this thread as long as it lives,
# and the tests of other rooms run loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """`report_testing.browser.Browser`, or a skipped test where there is none."""
    from report_testing.browser import started

    with started() as found:
        yield found
