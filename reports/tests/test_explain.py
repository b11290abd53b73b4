"""The page of `bench explain`."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from loopgauge.harness.explained import Anatomy, Cost, Explanation
from loopgauge.harness.model import Benchmark, Interpreter, Metric
from loopgauge.reports.explain import page, render_explanation


def explanation(*loops: Anatomy, left_out: tuple[str, ...] = ()) -> Explanation:
    return Explanation(
        benchmark=Benchmark(id="family.<name>", scenario="family.name", summary="a & b"),
        operation="step",
        command=["bench", "explain", "family.<name>"],
        python=Interpreter(executable="python", version="3.14.0", build_kind="optimised"),
        created="2026-01-01T00:00:00Z",
        machine="a CPU",
        method="how it was divided",
        loops=[*loops],
        left_out=[*left_out],
    )


def divided(name: str = "epoll") -> Anatomy:
    calls = Metric(
        benchmark="b", arm=name, metric="syscalls", unit="call/step", value=1.5,
        by_name={"read": 1.0, "write": 0.5},
    )  # fmt: skip
    fewer = Metric(  # in the larger run, by chance
        benchmark="b", arm=name, metric="voluntary_switches", unit="switch/step", value=-3.8e-6
    )
    return Anatomy(
        arm=name,
        loop=name,
        python="3.14",
        wall_ns=1200.0,
        cpu_ns=1000.0,
        waiting_ns=200.0,
        divided=True,
        parts_ns={"kernel": 100.0, "loop": 300.0, "binding": 400.0, "Python": 200.0},
        parts_instructions={"loop": 3.0, "binding": 4.0, "Python": 2.0},
        metrics={"syscalls": calls, "voluntary_switches": fewer},
        functions=[Cost(name="f<T>(int)", file="a.so", value=3.0, share=1 / 3)],
        python_functions=[Cost(name="main", file="app.py", value=9.0, share=1.0)],
    )


def missing(name: str = "gone") -> Anatomy:
    return Anatomy(
        arm=name, loop=name, python="3.14", status="unavailable", missing=["not <installed>"]
    )


class Words(HTMLParser):
    """Every tag that was opened is closed; collects what is to be read."""

    VOID = frozenset({"meta", "path", "rect", "use", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> str:
    words = Words()
    words.feed(text)
    assert not words.open
    return " ".join(" ".join(words.words).split())


def test_each_loop_has_its_parts_counts_and_costly_functions() -> None:
    text = read(page(explanation(divided(), missing(), left_out=("no <tool>",))))
    assert "family.<name>" in text
    assert "kernel 100 ns 10% \u2013" in text
    assert "loop 300 ns 30% 3.00" in text
    assert "System calls 1.5 (read 1, write 0.5)" in text
    assert "Voluntary context switches 0 " in text
    assert "f<T>(int)" in text
    assert "unavailable not <installed>" in text
    assert "left out: no <tool>" in text
    assert "how it was divided" in text


def test_the_plots_say_in_words_what_they_show() -> None:
    text = page(explanation(divided(), divided("uvloop")))
    assert text.count("<svg") == 3  # one of all, and one each
    assert "epoll 1.00 µs: kernel 100 ns, loop 300 ns, binding 400 ns, Python 200 ns" in text


@pytest.mark.parametrize("loops", [(), (missing(),)])
def test_without_a_figure_there_is_no_plot(loops) -> None:
    assert "<svg" not in page(explanation(*loops))


def test_an_operation_that_takes_nothing_is_drawn(tmp_path) -> None:
    nothing = Anatomy(arm="x", loop="x", python="3", parts_ns={"kernel": 0.0, "user": 0.0})
    out = render_explanation(explanation(nothing), tmp_path / "new" / "page.html")
    assert "0 ns" in read(out.read_text())
