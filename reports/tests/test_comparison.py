from __future__ import annotations

from typing import Any

from loopgauge.harness.comparison.model import Compared, Comparison, Mismatch, Side
from loopgauge.reports.exports.comparison import comparison_markdown
from loopgauge.reports.wording import DASH


def compared(**members: Any) -> Compared:
    given: dict[str, Any] = {
        "benchmark": "io.echo[size=1024]", "loop": "fast", "tier": "timing", "metric": "cost",
        "unit": "message", "basis": "control", "verdict": "REGRESSED", "change": 0.034,
        "low": 0.025, "high": 0.041, "margin": 0.02, "superiority": 0.97, "base": 1200.0,
        "head": 1241.0,
    }  # fmt: skip
    return Compared(**{**given, **members})


def comparison(*rows: Compared, **members: Any) -> Comparison:
    given: dict[str, Any] = {
        "base": Side(path="a.jsonl", run="a", created=""),
        "head": Side(path="b.jsonl", run="b", created=""),
        "margin": 0.02, "raw_margin": 0.1, "control": "asyncio", "compared": [*rows],
        "controls": [], "twins": [], "mismatches": [], "forced": False, "advisory": False,
        "self_check": "A/A fine", "only_base": [], "only_head": [], "left_out": [], "notes": [],
        "method": "m",
    }  # fmt: skip
    return Comparison(**{**given, **members})


def test_what_changed_comes_first_and_the_rest_is_folded() -> None:
    same = compared(benchmark="io.bulk", verdict="EQUIVALENT", change=0.001, low=-0.01, high=0.01)
    text = comparison_markdown(comparison(compared(), same))
    row = next(line for line in text.splitlines() if "echo" in line)
    assert row.split("|")[1:-1] == [
        " io.echo\\[size=1024\\] ", " fast ", " CPU time ", " 1.20 µs ", " 1.24 µs ",
        " +3.40% (+2.50% to +4.10%) ", " 0.97 ", " **REGRESSED** ",
    ]  # fmt: skip
    assert text.index("REGRESSED") < text.index("<summary>1 EQUIVALENT") < text.index("io.bulk")
    assert "Margin of times: ±2 %" in text


def test_forced_and_advisory_are_marked() -> None:
    found = comparison(
        compared(),
        forced=True,
        advisory=True,
        mismatches=[Mismatch(what="CPU", base="A", head="B")],
    )
    text = comparison_markdown(found)
    assert "**FORCED**: the figures are not comparable. CPU: A → B" in text
    assert "**ADVISORY**: A/A fine" in text


def test_figures_that_are_not_there_are_dashes() -> None:
    broken = compared(
        basis="", verdict="BROKEN", reason="crashed: SIGSEGV | x", change=None, low=None,
        high=None, head=None, superiority=None, base_version="1.0", head_version="2.0",
    )  # fmt: skip
    text = comparison_markdown(comparison(broken, only_base=["loop old"]))
    assert f"| fast 1.0 → 2.0 | CPU time | 1.20 µs | {DASH} | {DASH} | {DASH} |" in text
    assert "**BROKEN**: crashed: SIGSEGV \\| x" in text
    assert "- only in base: loop old" in text


def test_raw_costs_and_counts() -> None:
    count = compared(
        tier="counts", metric="instructions", unit="instruction/message", measure="value",
        basis="count", change=0.01, low=None, high=None, base=1000.0, head=1010.0,
        superiority=None,
    )  # fmt: skip
    text = comparison_markdown(comparison(compared(basis="raw"), count))
    assert "**REGRESSED** (raw)" in text
    assert (
        "| instructions | 1,000 instruction/message | 1,010 instruction/message | +1.00% |" in text
    )
