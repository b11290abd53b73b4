"""A comparison for a pull request: what changed first, the rest folded away."""

from __future__ import annotations

from collections.abc import Sequence

from loopgauge.harness.comparison.model import Compared, Comparison
from loopgauge.reports import wording
from loopgauge.reports.exports.markdown import escape

QUIET = ("EQUIVALENT",)  # what nobody has to look at


def comparison_markdown(found: Comparison) -> str:
    loud = [one for one in found.compared if one.verdict not in QUIET]
    quiet = [one for one in found.compared if one.verdict in QUIET]
    lines = [f"### {escape(found.base.title)} → {escape(found.head.title)}", "", _totals(found)]
    lines += _warnings(found)
    if loud:
        lines += ["", *_table(loud)]
    if quiet:
        summary = f"{len(quiet)} EQUIVALENT"
        lines += ["", f"<details><summary>{summary}</summary>", "", *_table(quiet)]
        lines += ["", "</details>"]
    return "\n".join([*lines, "", *_circumstances(found)]) + "\n"


def _totals(found: Comparison) -> str:
    counts: dict[str, int] = {}
    for one in found.compared:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    told = ", ".join(f"**{count} {word}**" for word, count in counts.items())
    return told or "**Nothing was compared.**"


def _warnings(found: Comparison) -> list[str]:
    lines = []
    if found.forced:
        told = "; ".join(f"{m.what}: {m.base} → {m.head}" for m in found.mismatches if m.refuses)
        lines += ["", f"> **FORCED**: the figures are not comparable. {escape(told)}"]
    if found.advisory:
        lines += [
            "",
            f"> **ADVISORY**: {escape(found.self_check)}. Identical code differs here, so times "
            "neither pass nor fail.",
        ]
    return lines


def _table(compared: Sequence[Compared]) -> list[str]:
    lines = [
        "| benchmark | loop | what | base | head | change of cost | P(worse) | verdict |",
        "|---|---|---|---:|---:|---:|---:|---|",
    ]
    return lines + [f"| {' | '.join(_cells(one))} |" for one in compared]


def _cells(one: Compared) -> list[str]:
    reason = f": {escape(one.reason)}" if one.reason else ""
    raw = " (raw)" if one.basis == "raw" else ""
    return [
        escape(one.benchmark),
        escape(_loop(one)),
        escape(_what(one)),
        _figure(one, one.base),
        _figure(one, one.head),
        _change(one),
        wording.DASH if one.superiority is None else f"{one.superiority:.2f}",
        f"**{one.verdict}**{raw}{reason}",
    ]


def _what(one: Compared) -> str:
    if one.tier != "timing":
        return one.metric.replace("_", " ")
    return wording.CLOCK.get(one.measure, "value")


def _loop(one: Compared) -> str:
    if one.base_version == one.head_version:
        return one.loop
    return f"{one.loop} {one.base_version or '?'} → {one.head_version or '?'}"


def _figure(one: Compared, value: float | None) -> str:
    if value is None:
        return wording.DASH
    if one.measure != "value":
        return wording.duration(value)
    return f"{value:,.4g} {escape(one.unit)}"


def _change(one: Compared) -> str:
    if one.change is None:
        return wording.DASH
    if one.low is None or one.high is None:
        return f"{one.change:+.2%}"
    return f"{one.change:+.2%} ({one.low:+.2%} to {one.high:+.2%})"


def _circumstances(found: Comparison) -> list[str]:
    lines = [f"- only in base: {escape(line)}" for line in found.only_base]
    lines += [f"- only in head: {escape(line)}" for line in found.only_head]
    lines += [f"- not compared: {escape(line)}" for line in found.left_out]
    lines += [
        f"- also differs: {escape(f'{one.what}: {one.base} → {one.head}')}"
        for one in found.mismatches
        if not one.refuses
    ]
    lines += [f"- note: {escape(note)}" for note in found.notes]
    lines += [f"- self-check: {escape(found.self_check)}"]
    legend = (
        "Changes are of costs with the 95 % interval: above 0 is worse. P(worse): how likely a "
        f"process of head costs more than one of base. Margin of times: ±{100 * found.margin:g} %."
    )
    return [*lines, "", legend]
