"""How each verdict looks. The symbol alone tells them apart; the colour only helps, and is one of
Okabe and Ito's, which stay apart under every common colour blindness."""

from __future__ import annotations

from dataclasses import dataclass

from loopgauge.conformance.model import Kind


@dataclass(frozen=True)
class Look:
    """`css`: the class of a cell. `severity` orders a rule's cases by what matters most."""

    symbol: str
    css: str
    word: str
    meaning: str
    severity: int


LOOKS: dict[Kind, Look] = {
    "PASS": Look("✓", "p", "passes", "does what the rule asks", 1),
    "NON_STRICT": Look(
        "≈", "s", "conforms, differs", "allowed by the documentation, but not what stock does", 2
    ),
    "INFO": Look("i", "i", "recorded", "no rule says what is right: the value is recorded", 1),
    "UNIMPLEMENTED": Look("○", "u", "missing", "the loop lacks it, or says so", 8),
    "FAIL": Look("✗", "f", "fails", "does something else than the rule asks", 9),
    "ERROR": Look("!", "e", "error", "an exception outside the step that was judged", 7),
    "HANG": Look("∞", "h", "hangs", "did not end in time and was killed; its stack is kept", 10),
    "CRASH": Look("†", "c", "crashes", "the process died by a signal", 11),
    "LEAK": Look(
        "◊", "l", "leaks", "right answer, but something was left behind: files, tasks, warnings", 6
    ),
    "FLAKY": Look("?", "y", "flaky", "repeats of it disagree", 5),
    "NOT_APPLICABLE": Look(
        "\u2013", "n", "not asked", "does not bind on this Python or machine", 0
    ),
    "HARNESS": Look(
        "#", "x", "not decided", "stock asyncio fails it in an unknown way: the case is wrong", 4
    ),
}


def worst(kinds: list[Kind]) -> Kind:
    """The one that a summary of several cases shows."""
    return max(kinds, key=lambda kind: LOOKS[kind].severity)
