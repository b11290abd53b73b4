"""The words and figures of a gate's decisions, the same in every form of its result."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from loopgauge.harness.gate.model import Decision, Tier, Verdict
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import wording
from loopgauge.reports.conformance.texts import printable

TIERS: dict[Tier, str] = {
    "promises": "promises kept",
    "instructions": "instructions per operation",
    "syscalls": "system calls per operation",
    "allocations": "allocations per operation",
    "timing": "time per operation",
}

SHORT_TIERS: dict[Tier, str] = {
    "promises": "promises",
    "instructions": "instructions",
    "syscalls": "system calls",
    "allocations": "allocations",
    "timing": "time",
}

MEANING: dict[Verdict, str] = {
    "BROKEN": "base can do it, head cannot",
    "REGRESSED": "worse by more than the margin, seen twice",
    "INCONCLUSIVE": "not enough to say: neither a pass nor a fail",
    "EXPECTED": "worse, and the settings say why",
    "REMOVED": "only base has it: nothing to compare",
    "ADDED": "only head has it: nothing to compare",
    "REPAIRED": "head can do it, base cannot",
    "IMPROVED": "better by more than the margin, seen twice",
    "EQUIVALENT": "the same, to within the margin",
}

# Counted in whole numbers: their margin is a number, not a share.
WHOLE: frozenset[Tier] = frozenset({"syscalls", "allocations"})

COUNTED: frozenset[Tier] = frozenset({"instructions", "syscalls", "allocations"})

ORDER: tuple[Verdict, ...] = tuple(MEANING)

NOTHING_COMPARED = 4  # the exit code, as docs/gate.md has them

_HEADLINE = {
    0: "passed",
    1: "head is worse",
    3: "inconclusive",
    NOTHING_COMPARED: "nothing was compared",
    5: "head breaks promises",
    6: "something was left out",
}

NAMED_PARTS = 3  # of what changed most in a count
_SHORT = 300  # characters of one reason


def headline(gate: GateFile) -> str:
    """'head is slower: 1 REGRESSED, 1 INCONCLUSIVE, 8 EQUIVALENT'."""
    if gate.result is None:
        return "did not come to an end"
    code = gate.result.exit_code
    word = _HEADLINE.get(code, f"ended with exit code {code}")
    counts = tally(gate.result.decisions)
    return f"{word}: {counts}" if counts else word


def ended(gate: GateFile) -> bool:
    """False where a step was interrupted, or killed. An explanation decides nothing."""
    newest = {one.step: one.state for one in gate.steps}
    return all(
        state in ("done", "left_out") or step == "explanation" for step, state in newest.items()
    )


def tally(decisions: Sequence[Decision]) -> str:
    counts = Counter(decision.verdict for decision in decisions)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])


def by_weight(decisions: Sequence[Decision]) -> list[Decision]:
    """What matters most first; equals stay in the order of the file."""
    return sorted(decisions, key=lambda decision: ORDER.index(decision.verdict))


def percent(share: float | None, tier: Tier) -> str:
    """'+2.1%'. Counts repeat within hundredths of a percent, times do not."""
    if share is None:
        return wording.DASH
    text = f"{100 * share:+.{1 if tier == 'timing' else 2}f}"
    return f"{text if float(text) else text[1:]}%"


def change(decision: Decision) -> str:
    """'+2.1%'; of a count that was nothing on base, the difference itself."""
    if decision.change is None and None not in (decision.base, decision.head):
        assert decision.base is not None
        assert decision.head is not None
        return signed(decision.head - decision.base)
    return percent(decision.change, decision.tier)


def interval(decision: Decision) -> str:
    """'+1.4% to +2.8%'; a dash for what is counted, which has none."""
    if decision.low is None or decision.high is None:
        return wording.DASH
    return f"{percent(decision.low, decision.tier)} to {percent(decision.high, decision.tier)}"


def margin(decision: Decision) -> str:
    """'±1%'; of what is counted in whole numbers, '±0.02 call/message'."""
    if decision.margin is None:
        return wording.DASH
    if decision.tier in WHOLE:
        return f"±{decision.margin:g} {decision.unit}".rstrip()
    return f"±{100 * decision.margin:.3g}%"


def costs(decision: Decision) -> str:
    """'1.20 µs'; of what is counted, '4 255 instruction/step → 4 394 instruction/step'.

    Of a time only base's: the change is the median over pairs of processes, and two medians side by
    side would not differ by it."""
    if decision.tier == "timing" and decision.base is not None:
        return _cost(decision.base, decision.unit)
    if decision.base is None and decision.head is None:
        return wording.DASH
    return f"{_cost(decision.base, decision.unit)} → {_cost(decision.head, decision.unit)}"


def _cost(value: float | None, unit: str) -> str:
    if value is None:
        return wording.DASH
    if unit == "ns" or unit.startswith("ns/"):
        return wording.duration(value) + unit[2:]
    return f"{count(value)} {unit}".strip()


def count(value: float) -> str:
    """A change of 0.3 % has to show: all digits of a large number."""
    if abs(value) < 1000:
        return wording.number(value)
    return f"{value:,.0f}".replace(",", wording.NARROW_SPACE)


def why(decision: Decision) -> str:
    """The reason, and what changed most in a count; in one line that is not endless."""
    parts = sorted(decision.by_name.items(), key=lambda part: -abs(part[1]))[:NAMED_PARTS]
    named = ", ".join(f"{name} {signed(change)}" for name, change in parts if change)
    words = [decision.reason, f"most of it: {named}" if named else ""]
    if decision.stage > 1 and decision.tier != "timing":
        words.append("counted twice")
    elif decision.stage > 1 and not decision.reason:
        words.append(f"confirmed in {decision.processes} fresh processes")
    return one_line("; ".join(word for word in words if word))


def signed(change: float) -> str:
    """'+6 282', '-0.500'."""
    return ("+" if change > 0 else "-" if change < 0 else "") + count(abs(change))


def anchor(kind: str, name: str) -> str:
    """'case-TIME-003.sleep': an id of the page."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{kind}-{name}")


def anchors(kind: str, names: Sequence[str]) -> list[str]:
    """One for each, none twice: names that differ in markup alone are made the same."""
    found: list[str] = []
    for name in names:
        made = anchor(kind, name)
        found.append(f"{made}-{len(found)}" if made in found else made)
    return found


def one_line(text: str, length: int = _SHORT) -> str:
    """Fit to be shown: no control characters, no line breaks, at most `length` characters."""
    return wording.shorten(printable(" ".join(text.split())), length)


def sentence(decision: Decision) -> str:
    """Everything about a decision as plain words: '+2.1% (+1.4% to +2.8%, margin ±1%), ...'."""
    words = []
    if decision.change is not None:
        inside = [interval(decision)] * (decision.low is not None)
        inside += [f"margin {margin(decision)}"] * (decision.margin is not None)
        around = f" ({', '.join(inside)})" if inside else ""
        words.append(f"{percent(decision.change, decision.tier)}{around}")
    if decision.tier == "timing" and decision.base is not None:
        words.append(f"{costs(decision)} on base")
    elif decision.base is not None or decision.head is not None:
        words.append(costs(decision))
    if decision.processes:
        words.append(f"{decision.processes} processes a side")
    reason = why(decision)
    return "; ".join([*words, reason] if reason else words) or MEANING[decision.verdict]
