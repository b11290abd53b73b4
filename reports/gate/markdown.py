"""The comment under a pull request: what failed, what to look at, and everything else folded away.

GitHub refuses a comment of more than 65 536 characters, of which some are left to whoever posts it.
Tables give up rows for that, those that matter least first, and say how many; the gate's folder
holds all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loopgauge.harness.gate.evidence import Evidence
from loopgauge.harness.gate.model import FAILING, Decision, GateResult
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import facts
from loopgauge.reports.exports.markdown import escape
from loopgauge.reports.gate import words
from loopgauge.reports.gate.looking import Look, looks

MARKER = "<!-- loopgauge gate -->"  # tells a later run which comment is ours
MOST = 65_000
_LINES = 20  # of notes, and of what was left out
_TABLES = 2 + len(words.TIERS)
_FRAME = 500  # characters, at most, that a table takes beside its rows

_HEAD = "| verdict | what | tier | change | interval | margin | cost | why |"
_RULE = "|---|---|---|---:|---|---:|---|---|"


def markdown(gate: GateFile, evidence: Evidence | None = None, most: int = MOST) -> str:
    """At most `most` characters, which is no less than a few thousand. With `evidence` it says
    more of what to look at: the functions of an explanation are not in the decisions."""
    result = gate.result
    if result is None:
        return _without_result(gate)
    failed = [found for found in result.decisions if found.verdict in FAILING]
    dull = FAILING | {"EQUIVALENT"}
    notable = [found for found in result.decisions if found.verdict not in dull]
    hints = _hints(looks(gate, evidence or Evidence()))
    fixed = [*_opening(gate), *hints, *_remarks(result), *_circumstances(gate)]
    page = _Page(most, reserved=fixed)
    page.fixed(_opening(gate))
    page.table("", words.by_weight(failed))
    page.fixed([*hints, *_remarks(result)])
    page.table("Worth a look", words.by_weight(notable))
    same = [found for found in result.decisions if found.verdict == "EQUIVALENT"]
    for tier, title in words.TIERS.items():
        page.folded_table(title, [found for found in same if found.tier == tier])
    page.fixed(_circumstances(gate))
    return page.text()


class _Page:
    """Paragraphs that are there in any case, and tables that share the room that those leave."""

    def __init__(self, most: int, reserved: Iterable[str]) -> None:
        self._parts: list[str] = []
        self._room = most - sum(len(part) + 2 for part in reserved) - _FRAME * _TABLES

    def fixed(self, parts: Iterable[str]) -> None:
        self._parts += parts

    def table(self, title: str, decisions: Sequence[Decision]) -> None:
        self._add(f"**{title}**\n\n" if title else "", decisions, "")

    def folded_table(self, title: str, decisions: Sequence[Decision]) -> None:
        told = f"{title}: {len(decisions)} the same, to within the margin"
        self._add(f"<details><summary>{told}</summary>\n\n", decisions, "\n\n</details>")

    def _add(self, opening: str, decisions: Sequence[Decision], closing: str) -> None:
        if not decisions:
            return
        rows: list[str] = []
        for row in map(_row, decisions):
            if len(row) + 1 > self._room:
                break
            rows.append(row)
            self._room -= len(row) + 1
        body = "\n".join([_HEAD, _RULE, *rows]) if rows else ""
        if len(rows) < len(decisions):
            body += f"\n\n… and {len(decisions) - len(rows)} more, in the gate's folder."
        self._parts.append(f"{opening}{body.strip()}{closing}")

    def text(self) -> str:
        return "\n\n".join(self._parts) + "\n"


def _row(decision: Decision) -> str:
    bold = "**" if decision.verdict in FAILING else ""
    cells = [
        f"{bold}{decision.verdict}{bold}",
        _shown(decision.subject),
        decision.tier,
        words.change(decision),
        words.interval(decision),
        words.margin(decision),
        _shown(words.costs(decision)),
        _shown(words.why(decision)),
    ]
    return f"| {' | '.join(cells)} |"


def _opening(gate: GateFile) -> list[str]:
    base, head = gate.header.base, gate.header.head
    sides = f"Base {_shown(base.title)}, head {_shown(head.title)}"
    loops = [side.loop for side in (base, head) if side.loop != side.given]
    if loops:
        sides += f", loop {_shown(' → '.join(dict.fromkeys(loops)))}"
    versions = dict.fromkeys(side.version for side in (base, head) if side.version)
    if versions:
        sides += f" ({_shown(' → '.join(versions))})"
    return [MARKER, f"### loopgauge: {_shown(words.headline(gate))}", f"{sides}."]


def _hints(found: Sequence[Look]) -> list[str]:
    """What somebody who has to cure it should look at first."""
    if not found:
        return []
    return ["\n".join(["**What to look at**", "", *(f"- {_hint(look)}" for look in found)])]


def _hint(look: Look) -> str:
    told = f"**{_shown(look.subject)}**: {_shown(look.text)}"
    command = look.command.replace("`", "")
    return f"{told}. `{command}` {look.does}." if command else told


def _remarks(result: GateResult) -> list[str]:
    parts = []
    if result.advisory:
        parts.append(
            "**Timing is advisory**: base differs from itself in this run, so no time is called "
            f"worse or better. {_shown(result.self_check)}"
        )
    parts += _listed("Left out", result.left_out)
    parts += _listed("Notes", result.notes)
    return parts


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    shown = [f"- {_shown(line)}" for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"- … and {len(lines) - _LINES} more.")
    return ["\n".join([f"**{title}**", "", *shown])]


def _circumstances(gate: GateFile) -> list[str]:
    header, result = gate.header, gate.result
    rows = [
        ("machine", facts.machine(header.environment)),
        ("Python", facts.pythons(header.environment)),
        ("margin", f"±{100 * header.settings.margin:.3g}% of time"),
        ("seed", str(header.seed)),
        ("gate", header.gate),
        ("began", header.created),
    ]
    if result is not None:
        rows.append(("took", f"{result.wall_s / 60:.1f} min"))
        rows.append(("self-check", result.self_check))
    listed = "\n".join(f"- {label}: {_shown(value)}" for label, value in rows if value)
    meanings = "\n".join(f"- {verdict}: {words.MEANING[verdict]}" for verdict in words.ORDER)
    again = "`bench gate --replay FOLDER` works the verdicts out of this gate's samples again."
    return [
        f"<details><summary>How it was measured</summary>\n\n{listed}\n\n{again}\n\n</details>",
        f"<details><summary>What the verdicts mean</summary>\n\n{meanings}\n\n</details>",
    ]


def _without_result(gate: GateFile) -> str:
    steps = []
    for step in gate.steps[-_LINES:]:
        words_of = f"{step.step}: {step.state.replace('_', ' ')}"
        steps.append(f"- {words_of}{f', {_shown(step.reason)}' if step.reason else ''}")
    again = "`bench gate --resume FOLDER` goes on where it was."
    listed = ["\n".join(steps)] if steps else []
    return "\n\n".join([*_opening(gate), *listed, again]) + "\n"


def _shown(text: str) -> str:
    """Text that stays text: no Markdown, no HTML, and nobody is called by @name."""
    return escape(words.one_line(text)).replace("@", "@\u200b")
