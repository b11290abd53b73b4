from __future__ import annotations

import pytest

from loopgauge.reports.conformance.citations import linked


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("docs loop.time", "asyncio-eventloop.html#asyncio.loop.time"),
        ("docs asyncio.Runner.run 3.12", "asyncio-runner.html#asyncio.Runner.run"),
        ("docs TimerHandle.when()", "asyncio-eventloop.html#asyncio.TimerHandle.when"),
        ("docs asyncio-dev", "asyncio-dev.html"),
        ("docs debug mode", "asyncio-dev.html#debug-mode"),
        ("docs", "asyncio-protocol.html"),
    ],
)
def test_documentation_is_linked(source: str, address: str) -> None:
    assert f'href="https://docs.python.org/3/library/{address}"' in linked(source, "TRAN")


def test_parts_are_told_apart() -> None:
    text = linked("docs loop.time; T:test_call_later; S; PEP 567; gh-127949; <b>", "TIME")
    assert "CPython&#39;s test test_call_later" in text
    assert "; CPython&#39;s source; " in text
    assert 'href="https://peps.python.org/pep-0567/"' in text
    assert 'href="https://github.com/python/cpython/issues/127949"' in text
    assert text.endswith("; &lt;b&gt;")


def test_a_whole_address_is_a_link() -> None:
    assert '<a href="https://docs.python.org/3/x.html#y">' in linked(
        "https://docs.python.org/3/x.html#y", "TIME"
    )
