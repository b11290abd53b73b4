"""The progress of a run on several hosts, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from loopgauge.harness.cli.fleet_progress import MOST_BARS, Bars, FleetLines
from loopgauge.harness.request import Progress


def step(process: int = 1, fraction: float = 0.5, notice: str = "") -> Progress:
    return Progress("measure", fraction, 1.0, 61.0, process, 4, notice=notice)


def test_every_line_begins_with_its_host() -> None:
    written = io.StringIO()
    show = FleetLines(Console(file=written))
    for host, what in [
        ("one", step()),
        ("two", step()),
        ("one", step()),
        ("one", step(2, notice="epoll: it crashed")),
        ("two", "two has had no worker for 60 s"),
    ]:
        show(host, what)
    assert written.getvalue().splitlines() == [
        "one:  50%  measuring 1/4, 1:01 left",
        "two:  50%  measuring 1/4, 1:01 left",
        "one: epoll: it crashed",
        "two: two has had no worker for 60 s",
    ]


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


def drawn(terminal: io.StringIO) -> str:
    """Without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_a_terminal_has_a_bar_for_each_host(terminal: io.StringIO) -> None:
    with Bars(Console(file=terminal, force_terminal=True, width=80), 2) as show:
        show("one", step(1))
        show("two", step(3, 0.9))
        assert [*show.tasks] == ["one", "two"]
        show("one", "done")
        assert [*show.tasks] == ["two"]
    assert "one: measuring 1/4" in drawn(terminal)
    assert "two: measuring 3/4" in drawn(terminal)
    assert "one: done" in drawn(terminal)


def test_many_hosts_have_one_bar(terminal: io.StringIO) -> None:
    hosts = MOST_BARS + 1
    with Bars(Console(file=terminal, force_terminal=True, width=80), hosts) as show:
        for number in range(hosts):
            show(f"host-{number}", step(fraction=0.5))
        show("host-0", "done")
        show("host-1", step(2, notice="no tool"))
        assert len(show.tasks) == 1
    assert f"1 of {hosts} hosts done" in drawn(terminal)
    assert "host-1: no tool" in drawn(terminal)
    assert "host-2" not in drawn(terminal)
