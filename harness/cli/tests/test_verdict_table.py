from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from loopgauge.conformance.model import End, Header, Kind, Status, Subject, Verdict
from loopgauge.conformance.store import Results
from loopgauge.conformance.summary import Summary, summarise
from loopgauge.harness.cli.verdict_table import print_summary


def verdict(
    case: str = "SOON-001.x",
    kind: Kind = "PASS",
    status: Status = "expected",
    reason: str = "",
    profile: str = "Core",
    level: str = "MUST",
    **members: str,
) -> Verdict:
    return Verdict(
        loop="epoll",
        rule=case.partition(".")[0],
        case=case,
        level=level,
        profile=profile,
        verdict=kind,
        status=status,
        reason=reason,
        factory="m:f",
        python="3.13.0",
        **members,  # type: ignore[arg-type]
    )


def summary(*verdicts: Verdict, complete: bool = True, selection: tuple[str, ...] = ()) -> Summary:
    header = Header(
        created="2026-11-22T01:08:37+00:00",
        python="3.13.0",
        lanes=["rules"],
        selection=[*selection],
        subjects=[
            Subject(loop="epoll", factory="m:f", version="1"),
            Subject(loop="zuvloop", factory="z:f", available=False, reason="not installed"),
        ],
    )
    return summarise(Results(Path("r.jsonl"), header, [*verdicts], End(complete=complete)))


def printed(found: Summary, width: int = 120, **options: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
    print_summary(found, console)
    return stream.getvalue()


def test_conforming_and_not_side_by_side() -> None:
    text = printed(
        summary(
            verdict(),
            verdict("TCPC-001.x", "FAIL", profile="Net"),
            verdict("TCPC-002.x", "UNIMPLEMENTED", profile="Net"),
            verdict("TCPC-003.x", profile="Net", level="SHOULD"),
        )
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "Core conforms 0 of 1 none asked" in lines
    assert "Net fails 2 of 2, 1 of them missing 1 of 1" in lines
    assert "Full fails 2 of 3, 1 of them missing 1 of 1" in lines
    assert "rules: 2 PASS, 1 FAIL, 1 UNIMPLEMENTED" in lines


def test_a_known_fault_fails_a_profile_all_the_same_and_is_not_listed() -> None:
    text = printed(summary(verdict(kind="FAIL", status="expected", reason="known")))
    assert "fails" in text
    assert "SOON-001.x" not in text


def test_where_stock_fails_nothing_is_decided() -> None:
    text = printed(summary(verdict(), verdict("SOON-002.x", "HARNESS", "unexpected", "stock")))
    assert "not decided" in text
    assert "0 of 1, 1 not decided" in text


@pytest.mark.parametrize(("complete", "selection"), [(False, ()), (True, ("SOON",))])
def test_nobody_conforms_by_a_part(complete: bool, selection: tuple[str, ...]) -> None:
    text = printed(summary(verdict(), complete=complete, selection=selection))
    assert "  conforms" not in text
    assert "not decided" in text


def test_a_loop_that_is_not_there_says_why() -> None:
    assert "not available: not installed" in printed(summary())


def test_forty_are_listed_and_the_others_counted() -> None:
    found = [verdict(f"SOON-{n:03}.x", "FAIL", "unexpected", f"reason {n}") for n in range(1, 44)]
    text = printed(summary(*found))
    assert "SOON-040.x" in text
    assert "SOON-041.x" not in text
    assert "and 3 more" in text


def test_what_is_fixed_says_what_it_was() -> None:
    text = printed(summary(verdict(status="fixed", expectation="rounded to ms")))
    assert "fixed: remove them from the expectation file" in text
    assert "a known fault is gone: rounded to ms" in text


@pytest.mark.parametrize("width", [40, 60, 90, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    evil = "<b>" + "word " * 60 + "x" * 300 + "[red]\n\U0001f525"
    text = printed(
        summary(
            verdict("SOON-001.a-long-slug-with-a-variant-tls", "FAIL", "unexpected", evil),
            verdict("PROC-002.x", "UNIMPLEMENTED", "unexpected", profile="Process"),
        ),
        width,
    )
    assert max(map(len, text.splitlines())) <= width
    assert "<b>" in text


def test_an_empty_run_is_no_error() -> None:
    assert "epoll 1 on Python 3.13.0" in printed(summary())
