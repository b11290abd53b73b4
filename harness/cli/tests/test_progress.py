"""The progress of a run where there is no terminal."""

from __future__ import annotations

import io

from rich.console import Console

from loopgauge.harness.cli.progress import Lines
from loopgauge.harness.request import Progress


def lines(*steps: Progress) -> list[str]:
    written = io.StringIO()
    show = Lines(Console(file=written))
    for step in steps:
        show(step)
    return written.getvalue().splitlines()


def step(phase: str, arm: str, process: int = 0, processes: int = 0) -> Progress:
    return Progress(phase, 0.5, 1.0, 61.0, process, processes, benchmark="fake.work", arm=arm)


def test_a_timed_process_is_a_line_whatever_loop_is_at_its_turn() -> None:
    assert lines(step("measure", "a", 1, 2), step("measure", "b", 1, 2)) == [
        " 50%  measuring 1/2: fake.work a, 1:01 left"
    ]


def test_a_counting_process_is_a_line_with_its_loop() -> None:
    assert lines(step("count", "a (x)"), step("count", "a (x)"), step("count", "b (x)")) == [
        " 50%  counting: fake.work a (x), 1:01 left",
        " 50%  counting: fake.work b (x), 1:01 left",
    ]
