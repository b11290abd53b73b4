"""The promise itself, area by area: stock asyncio and the built-in loop give no verdict that is not
explained, and the built-in loop breaks no MUST rule."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from loopgauge.conformance import session, store
from loopgauge.conformance.asking import Here
from loopgauge.conformance.catalogue import areas
from loopgauge.conformance.model import FAILING, Verdict
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.session import STOCK
from loopgauge.harness.cli import questions


class Quiet:
    def begin(self, loop, lane, questions) -> None:
        pass

    def tried(self, loop, lane) -> None:
        pass

    def verdict(self, verdict) -> None:
        pass

    def missing(self, lane, reason) -> None:
        raise AssertionError(f"{lane}: {reason}")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(len(os.sched_getaffinity(0))) as made:
        yield made


def told(verdicts: Iterable[Verdict]) -> list[str]:
    return [f"{one.loop}: {one.case} [{one.level}] {one.verdict}: {one.reason}" for one in verdicts]


@pytest.mark.parametrize("area", areas())
def test_area(pool: Pool, tmp_path: Path, area: str) -> None:
    request = questions.make_request([area], ["epoll"], ["rules"])
    with store.Writer(tmp_path / "result.jsonl") as writer:
        session.run(request, Here(pool), writer, Quiet())
    verdicts = store.read(writer.path).verdicts
    assert {one.loop for one in verdicts} == {STOCK, "epoll"}
    assert told(one for one in verdicts if one.status != "expected") == []
    own = [one for one in verdicts if one.loop == "epoll" and one.level == "MUST"]
    assert told(one for one in own if one.verdict in FAILING) == []
