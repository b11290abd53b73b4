"""Workflow commands that GitHub shows as annotations beside a run and its pull request.

The form and its escapes are those of GitHub's own toolkit (actions/toolkit, packages/core,
command.ts). A step may make ten errors and ten warnings; GitHub drops the others without a word, so
the last of a kind tells of what it stands for.
"""

from __future__ import annotations

from typing import Literal

from loopgauge.harness.gate.model import Verdict
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports.gate import words

Level = Literal["error", "warning", "notice"]
MOST = 10

_LEVELS: dict[Verdict, Level] = {
    "BROKEN": "error",
    "REGRESSED": "error",
    "INCONCLUSIVE": "warning",
    "REMOVED": "warning",
    "EXPECTED": "notice",
    "ADDED": "notice",
    "REPAIRED": "notice",
    "IMPROVED": "notice",
}


def workflow_commands(gate: GateFile) -> list[str]:
    """A line each, to be printed to standard output; what is EQUIVALENT has none."""
    result = gate.result
    if result is None:
        return [_command("error", "loopgauge", "The gate did not come to an end.")]
    found: dict[Level, list[tuple[str, str]]] = {"error": [], "warning": [], "notice": []}
    for decision in words.by_weight(result.decisions):
        level = _LEVELS.get(decision.verdict)
        if level is not None:
            title = f"{decision.verdict}: {decision.subject}"
            found[level].append(
                (title, f"{words.TIERS[decision.tier]}: {words.sentence(decision)}")
            )
    if result.exit_code == words.NOTHING_COMPARED:
        found["error"].append(("loopgauge", words.headline(gate)))
    if result.advisory:
        reason = result.self_check or "base differs from itself on this machine"
        found["warning"].insert(0, ("loopgauge: timing is advisory", words.one_line(reason)))
    found["warning"] += [("loopgauge: left out", words.one_line(it)) for it in result.left_out]
    return [line for level, texts in found.items() for line in _lines(level, texts)]


def _lines(level: Level, texts: list[tuple[str, str]]) -> list[str]:
    shown = texts if len(texts) <= MOST else texts[: MOST - 1]
    lines = [_command(level, title, text) for title, text in shown]
    if len(texts) > len(shown):
        rest = [title for title, _ in texts[len(shown) :]]
        text = words.one_line(", ".join(rest))
        lines.append(_command(level, f"loopgauge: {len(rest)} more", text))
    return lines


def _command(level: Level, title: str, text: str) -> str:
    return f"::{level} title={_property(words.one_line(title))}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
